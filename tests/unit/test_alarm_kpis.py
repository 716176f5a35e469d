"""Figures of alarm management from a story told by the alarm desk itself; Wilson's interval."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluate.intervals import intervals_of, wilson
from pipeline.evaluate.kpis import CHATTERING, CHATTERING_ENDED, SLOT_MS, STALE, AlarmBook
from pipeline.evaluate.scores import Contingency
from pipeline.messages import (
    Alarm,
    AlarmFlood,
    AlarmHandling,
    AlarmState,
    Held,
    Incident,
    OperatorActKind,
)
from pipeline.rules import AlarmPolicy
from pipeline.warn.management.desk import AlarmDesk
from pipeline.warn.management.standings import Why
from sensors.levels import Level
from tests.unit.alarm_stories import DEVICES, MIN, REGISTRY, T0, act, alarm, rule_set
from tests.unit.loop_messages import incident

POLICY = AlarmPolicy(operators=2)
D01 = DEVICES["D01"]
START = T0 - T0 % SLOT_MS


class Shift:
    """A desk whose words are noted in the book."""

    def __init__(self, policy: AlarmPolicy = POLICY) -> None:
        self.desk, self.book = AlarmDesk(REGISTRY, rule_set(policy=policy)), AlarmBook()
        self.book.begin(START)

    def tick(self, *alarms: Alarm, now: int) -> None:
        for said in self.desk.handle(alarms, now):
            assert isinstance(said, Alarm | AlarmHandling | AlarmFlood | Incident)
            self.book.note(said)


def test_the_reasons_the_book_reads_are_those_the_desk_gives() -> None:
    assert (CHATTERING, CHATTERING_ENDED, STALE) == (
        Why.CHATTERING,
        Why.CHATTERING_ENDED,
        Why.STALE,
    )


def test_what_is_grouped_is_an_activation_and_no_announcement() -> None:
    shift = Shift()
    shift.tick(
        *(alarm(name, raised_ms=START, at_ms=START) for name in D01[:4]),
        alarm(DEVICES["D02"][0], level=Level.RED, raised_ms=START),
        alarm(D01[5], state=AlarmState.PROVISIONAL, raised_ms=START),
        now=START,
    )
    told = shift.book.figures(START + 60 * MIN, POLICY)
    assert (told["activations"], told["announced"]) == (5, 2)
    assert told["held"] == {Held.GROUPED: 3}
    assert (told["announced_per_hour"], told["per_operator_hour"]) == (2.0, 1.0)
    assert told["per_operator_10_min_max"] == 1.0
    assert told["per_operator_10_min_mean"] == pytest.approx(1 / 6, abs=1e-4)
    assert told["priorities"] == {"low": 0.5, "medium": 0.0, "high": 0.5}
    assert told["top_rules"] == {"p": 2}


def test_worse_and_returned_from_the_shelf_is_announced_again() -> None:
    shift = Shift()
    first = alarm(raised_ms=START)
    shift.tick(first, now=START)
    shift.tick(
        alarm(raised_ms=START, state=AlarmState.CHANGED, level=Level.ORANGE), now=START + MIN
    )
    shift.tick(
        alarm(raised_ms=START, state=AlarmState.CHANGED, level=Level.BLUE), now=START + 2 * MIN
    )
    assert shift.book.announced == 2
    shift.desk.take(act(OperatorActKind.SHELVE, first.id, until_ms=START + 45 * MIN))
    shift.tick(now=START + 3 * MIN)
    shift.tick(now=START + 45 * MIN)
    assert (shift.book.announced, shift.book.activations) == (3, 1)


def test_the_time_to_acknowledge_counts_what_operators_and_assess_did() -> None:
    shift = Shift()
    first, second = alarm(raised_ms=START), alarm(D01[1], raised_ms=START)
    shift.tick(first, second, now=START)
    shift.desk.take(act(OperatorActKind.ACKNOWLEDGE, first.id))
    shift.tick(now=START + 2 * MIN)
    confirmed = incident(alarms=(second.id,))
    shift.desk.take(confirmed)
    shift.book.note(confirmed)
    shift.tick(now=START + 6 * MIN)
    told = shift.book.figures(START + 60 * MIN, POLICY)
    assert told["ack_min"] == 4.0
    assert told["unacknowledged"] == 0
    assert told["incidents_per_activation"] == 0.5


def test_an_operator_is_in_a_flood_from_more_than_ten_until_fewer_than_five() -> None:
    book = AlarmBook()
    book.begin(START)
    counts = [21, 10, 9, 10, 21]
    for slot, count in enumerate(counts):
        at = START + slot * SLOT_MS
        for number in range(count):
            book.note(alarm(f"X-{slot}-{number}", raised_ms=at))
    told = book.figures(START + 10 * SLOT_MS, POLICY)
    assert told["flood_share"] == 0.3
    assert told["per_operator_10_min_max"] == 10.5
    assert told["top_devices_share"] == pytest.approx(10 / 71, rel=1e-3)


def test_chattering_and_stale_are_counted_now_and_ever() -> None:
    policy = AlarmPolicy(chatter_count=2, stale_s=3600.0, operators=2)
    shift = Shift(policy)
    shift.tick(alarm(raised_ms=START), now=START)
    shift.tick(alarm(raised_ms=START, state=AlarmState.CLEARED), now=START + MIN)
    shift.tick(alarm(raised_ms=START + 2 * MIN), now=START + 2 * MIN)
    told = shift.book.figures(START + 60 * MIN, policy)
    assert (told["chattering"], told["chattering_ever"], told["stale"]) == (1, 1, 0)
    shift.tick(now=START + 90 * MIN)
    told = shift.book.figures(START + 90 * MIN, policy)
    assert (told["chattering"], told["chattering_ever"], told["stale"]) == (0, 1, 1)
    ended = alarm(raised_ms=START + 2 * MIN, state=AlarmState.CLEARED)
    shift.tick(ended, now=START + 91 * MIN)
    told = shift.book.figures(START + 91 * MIN, policy)
    assert (told["stale"], told["stale_ever"]) == (0, 1)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_is_the_published_one(
    part: int, whole: int, low: float, high: float
) -> None:
    """Newcombe (1998), table I, gives 1 of 29 as 0.0061 to 0.1718."""
    interval = wilson(part, whole)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-4)


@given(whole=st.integers(1, 10_000), data=st.data())
def test_the_share_lies_in_its_interval(whole: int, data: st.DataObject) -> None:
    interval = wilson(data.draw(st.integers(0, whole)), whole)
    assert interval is not None
    assert 0.0 <= interval.low <= interval.share <= interval.high <= 1.0


def test_scores_have_intervals_where_something_was_counted() -> None:
    found = intervals_of(Contingency(hits=0, misses=0, false=2))
    assert found["pod"] is None
    assert found["far_ratio"] is not None
    assert found["far_ratio"].share == 1.0
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)
