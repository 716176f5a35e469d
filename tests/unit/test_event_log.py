"""The event log's chain holds, and no change to it goes unnoticed."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import StoreError
from pipeline.event_log import FIRST_HASH, EventLog, as_lines, chained, verify
from pipeline.messages import Transition
from pipeline.ports import LogEntry
from sensors.field import Feedback, FeedbackKind
from tests.unit.hand_stages import closure_of, milestone_of, slip_of
from tests.unit.loop_messages import alarm, incident

FEEDBACK = Feedback("f1", "o1", "I-1", "T1", FeedbackKind.ARRIVED, 900)
MESSAGES: Sequence[Transition | Feedback] = (
    alarm(before=float("nan")),
    incident(),
    FEEDBACK,
    slip_of(FEEDBACK),
    milestone_of(FEEDBACK),
    closure_of(FEEDBACK),
)


def entries() -> list[LogEntry]:
    log = EventLog()
    return [log.add(message) for message in MESSAGES]


ENTRIES = entries()


def test_the_chain_holds_from_the_first_hash_on() -> None:
    assert verify(ENTRIES) == len(MESSAGES)
    assert [entry.seq for entry in ENTRIES] == list(range(len(MESSAGES)))
    assert ENTRIES[0].prev_hash == FIRST_HASH
    assert [entry.prev_hash for entry in ENTRIES[1:]] == [entry.hash for entry in ENTRIES[:-1]]


def test_an_entry_says_who_decided_what_about_whom_when_and_why() -> None:
    said = {(one.stage, one.kind, one.actor, one.subject, one.reason) for one in ENTRIES[1:4]}
    assert said == {
        ("assess", "Incident", "assess", "I-1", "leak_fits"),
        ("field", "Feedback", "T1", "I-1", "arrived"),
        ("supervise", "Slip", "supervise", "I-1", "after Feedback"),
    }


def test_a_log_goes_on_from_its_end() -> None:
    first = EventLog()
    head = [first.add(message) for message in MESSAGES[:3]]
    second = EventLog(first.next_seq, first.last_hash)
    assert [*head, *(second.add(message) for message in MESSAGES[3:])] == ENTRIES


def test_entries_are_the_same_after_json() -> None:
    back = [msgspec.json.decode(line, type=LogEntry) for line in as_lines(ENTRIES)]
    assert back == ENTRIES
    assert verify(back) == len(ENTRIES)


OTHER: dict[type, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**40), 2**40),
    str: st.text(max_size=70),
}


def other_value(data: st.DataObject, value: object) -> object:
    if isinstance(value, dict):
        key = data.draw(st.sampled_from(sorted(value)))
        if data.draw(st.booleans()):
            return {name: one for name, one in value.items() if name != key}
        return {**value, key: [value[key]]}
    return data.draw(OTHER[type(value)].filter(lambda one: one != value))


@given(st.data(), st.integers(0, len(ENTRIES) - 1), st.sampled_from(fields(LogEntry)))
def test_any_changed_field_is_noticed(data: st.DataObject, place: int, field: Any) -> None:
    entry = ENTRIES[place]
    change: dict[str, Any] = {field.name: other_value(data, getattr(entry, field.name))}
    changed = replace(entry, **change)
    with pytest.raises(StoreError, match="does not follow"):
        verify([*ENTRIES[:place], changed, *ENTRIES[place + 1 :]])


@given(st.integers(0, len(ENTRIES) - 2))
def test_a_dropped_entry_is_noticed(place: int) -> None:
    with pytest.raises(StoreError):
        verify([*ENTRIES[:place], *ENTRIES[place + 1 :]])


@given(st.integers(0, len(ENTRIES) - 1), st.integers(0, len(ENTRIES) - 1))
def test_two_swapped_entries_are_noticed(one: int, other: int) -> None:
    swapped = list(ENTRIES)
    swapped[one], swapped[other] = swapped[other], swapped[one]
    if one == other:
        assert verify(swapped) == len(ENTRIES)
        return
    with pytest.raises(StoreError):
        verify(swapped)


@given(st.integers(0, len(ENTRIES)))
def test_an_inserted_entry_is_noticed_even_with_a_hash_of_its_own(place: int) -> None:
    before = ENTRIES[place - 1].hash if place else FIRST_HASH
    forged = chained(place, 1, "warn", "Alarm", "x", "y", "z", {"a": 1}, before)
    log = [*ENTRIES[:place], forged, *ENTRIES[place:]]
    with pytest.raises(StoreError):
        verify(log, last_hash=ENTRIES[-1].hash)


@pytest.mark.parametrize("count", range(len(ENTRIES)))
def test_a_missing_end_is_noticed_by_who_knows_the_last_hash(count: int) -> None:
    assert verify(ENTRIES[:count]) == count
    with pytest.raises(StoreError, match="missing after"):
        verify(ENTRIES[:count], last_hash=ENTRIES[-1].hash)
