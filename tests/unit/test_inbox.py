"""The inbox journal keeps what was written, cuts off a torn end, and restarts at once."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.adapters.inbox import InboxJournal

MESSAGES = [("tocsin/a", b"one"), ("", b""), ("tocsin/ü", b"\x00\xff" * 9), ("", b"mark")]


def journal_of(file: Path, *messages: tuple[str, bytes]) -> InboxJournal:
    journal = InboxJournal(file)
    journal.append(messages)
    return journal


@pytest.mark.parametrize("is_durable", [False, True])
def test_what_was_written_is_read_by_the_next_process(tmp_path: Path, is_durable: bool) -> None:
    journal = InboxJournal(tmp_path / "j", is_durable=is_durable)
    journal.append(MESSAGES[:1])
    journal.append(MESSAGES[1:])
    assert list(journal.read()) == MESSAGES
    again = InboxJournal(tmp_path / "j")  # the first was killed: nobody closed it
    assert list(again.read()) == MESSAGES
    journal.close()
    again.close()


def test_a_tail_torn_at_any_byte_is_dropped_and_writing_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "j"
    journal_of(file, *MESSAGES).close()
    data = file.read_bytes()
    ends = []
    for count in range(len(MESSAGES) + 1):
        file.unlink()
        journal_of(file, *MESSAGES[:count]).close()
        ends.append(file.stat().st_size)
    for size in range(len(data) + 1):
        file.write_bytes(data[:size])
        journal = InboxJournal(file)
        whole = sum(end <= size for end in ends) - 1
        assert list(journal.read()) == MESSAGES[:whole]
        journal.append([("tocsin/later", b"x")])
        assert list(journal.read()) == [*MESSAGES[:whole], ("tocsin/later", b"x")]
        journal.close()


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_never_read_as_a_message(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: int
) -> None:
    file = tmp_path_factory.mktemp("j") / "j"
    journal_of(file, *MESSAGES).close()
    data = bytearray(file.read_bytes())
    data[place % len(data)] ^= change
    file.write_bytes(data)
    journal = InboxJournal(file)
    read = list(journal.read())
    journal.close()
    assert read == MESSAGES[: len(read)]
    assert len(read) < len(MESSAGES)


def test_zeros_at_the_end_are_no_messages(tmp_path: Path) -> None:
    journal_of(tmp_path / "j", *MESSAGES).close()
    with (tmp_path / "j").open("ab") as file:
        file.write(bytes(64))
    journal = InboxJournal(tmp_path / "j")
    assert list(journal.read()) == MESSAGES
    journal.close()


def test_restart_forgets_everything_but_what_it_is_given(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "j", *MESSAGES)
    journal.restart()
    assert list(journal.read()) == []
    journal.append(MESSAGES)
    journal.restart(MESSAGES[2:])
    journal.append(MESSAGES[:1])
    assert list(journal.read()) == [*MESSAGES[2:], MESSAGES[0]]
    journal.close()


def test_a_crash_while_restarting_leaves_the_old_journal_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    journal = journal_of(tmp_path / "j", *MESSAGES)
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            journal.restart(MESSAGES[:1])
    again = InboxJournal(tmp_path / "j")
    assert list(again.read()) == MESSAGES
    again.restart(MESSAGES[:1])
    assert list(InboxJournal(tmp_path / "j").read()) == MESSAGES[:1]
    again.close()
    journal.close()
