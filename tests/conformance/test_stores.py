"""Every store and every inbox keeps what it promised across a kill."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from pipeline.adapters.inbox import InboxJournal
from pipeline.adapters.sql_store import SqlStore, sqlite_url
from pipeline.errors import StoreError
from pipeline.event_log import EventLog, verify
from pipeline.ports import EventStore, Inbox, LogEntry
from tests.unit.hand_stages import closure_of, milestone_of, slip_of
from tests.unit.loop_messages import alarm, incident

OpenStore = Callable[[], EventStore]
STORES = {
    "sqlite": lambda folder: SqlStore(sqlite_url(folder / "s.sqlite")),
    "sqlite_durable": lambda folder: SqlStore(sqlite_url(folder / "s.sqlite"), is_durable=True),
}
INBOXES = {
    "journal": lambda folder: InboxJournal(folder / "j"),
    "journal_durable": lambda folder: InboxJournal(folder / "j", is_durable=True),
}


@pytest.fixture(params=sorted(STORES))
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    """Open the same store again and again; each is closed after the test."""
    opened: list[EventStore] = []

    def open_one() -> EventStore:
        store: EventStore = STORES[request.param](tmp_path)
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


def entries() -> Sequence[LogEntry]:
    log = EventLog()
    messages = (alarm(), incident(), slip_of(alarm()), milestone_of(alarm()), closure_of(alarm()))
    return [log.add(message) for message in messages]


ENTRIES = entries()


def out(*numbers: int) -> list[tuple[str, str, bytes]]:
    return [(f"order/{n}", f"tocsin/town/platform/order/O-{n}", b"\x00%d" % n) for n in numbers]


def test_entries_come_back_as_they_were(open_store: OpenStore) -> None:
    store = open_store()
    store.append(ENTRIES[:2], [])
    store.append(ENTRIES[2:], [])
    assert store.entries() == ENTRIES
    assert verify(open_store().entries()) == len(ENTRIES)


def test_entries_after_one_and_up_to_a_limit(open_store: OpenStore) -> None:
    store = open_store()
    assert store.entries() == []
    store.append(ENTRIES, [])
    assert store.entries(after=2) == ENTRIES[3:]
    assert store.entries(after=0, limit=2) == ENTRIES[1:3]
    assert store.entries(after=4) == []


def test_a_number_of_the_log_is_given_once_and_a_refused_append_leaves_nothing(
    open_store: OpenStore,
) -> None:
    store = open_store()
    store.append(ENTRIES[:2], out(1))
    with pytest.raises(StoreError, match="entries from 1 on cannot be appended"):
        store.append(ENTRIES[1:4], out(2))
    assert store.entries() == ENTRIES[:2]
    assert store.unsent() == out(1)
    store.append(ENTRIES[2:4], out(2))
    assert store.entries() == ENTRIES[:4]


def test_entries_do_not_stay_when_the_outbox_refuses(open_store: OpenStore) -> None:
    store = open_store()
    with pytest.raises(StoreError):
        store.append(ENTRIES[:2], [*out(1), ("order/2", "topic", None)])  # type: ignore[list-item]
    assert store.entries() == []
    assert store.unsent() == []


def test_the_outbox_gives_what_is_unsent_oldest_first(open_store: OpenStore) -> None:
    store = open_store()
    store.append(ENTRIES[:1], out(10, 9))
    store.append([], out(2))
    assert store.unsent() == out(10, 9, 2)
    store.mark_sent(["order/9"])
    store.mark_sent([])
    assert store.unsent() == out(10, 2)
    again = open_store()
    assert again.unsent() == out(10, 2)
    again.mark_sent(["order/10", "order/2"])
    assert again.unsent() == []


def test_a_key_of_the_outbox_is_not_put_in_twice(open_store: OpenStore) -> None:
    store = open_store()
    store.append(ENTRIES[:1], out(1))
    store.mark_sent(["order/1"])
    store.append(ENTRIES[1:2], out(1, 2))
    assert store.unsent() == out(2)


def test_only_the_last_snapshot_is_kept(open_store: OpenStore) -> None:
    store = open_store()
    assert store.snapshot() is None
    store.save_snapshot(3, b"old")
    store.save_snapshot(-1, b"\x00new")
    assert store.snapshot() == (-1, b"\x00new")
    assert open_store().snapshot() == (-1, b"\x00new")


def test_what_was_committed_is_there_for_one_who_opens_it_meanwhile(open_store: OpenStore) -> None:
    writer, reader = open_store(), open_store()
    writer.append(ENTRIES[:1], out(1))
    assert reader.entries() == ENTRIES[:1]
    writer.append(ENTRIES[1:], [])
    assert reader.entries() == ENTRIES


@pytest.mark.parametrize("name", sorted(INBOXES))
def test_an_inbox_keeps_its_messages_until_it_is_restarted(tmp_path: Path, name: str) -> None:
    def open_one() -> Inbox:
        inbox: Inbox = INBOXES[name](tmp_path)
        return inbox

    messages = [("tocsin/a", b"1"), ("tocsin/b", b""), ("", b"\xff")]
    killed = open_one()
    killed.append(messages)
    inbox = open_one()
    assert list(inbox.read()) == messages
    inbox.restart(messages[1:])
    assert list(open_one().read()) == messages[1:]
    inbox.restart()
    inbox.append(messages[:1])
    assert list(inbox.read()) == messages[:1]
    inbox.close()
    killed.close()
