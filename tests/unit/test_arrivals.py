"""Ticks are worked on when all they counted is there, in whatever order it came."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runners.arrivals import LONGEST_TICK_MS, MOST_A_TICK, Arrivals, Kept, TickWork
from pipeline.stage import pack, unpack
from sensors.codecs import MAX_FUTURE_MS
from sensors.errors import FrameError, RejectReason
from sensors.field import ClockTick
from sensors.readings import Frame
from tests.conformance.pressure_devices import START_MS, frame_of

KINDS = ("feedback", "state", "truth")
MINUTE_MS = 60_000
Arrival = tuple[str, Any]


def new_arrivals() -> Arrivals:
    return Arrivals(KINDS, Kept(last_tick_ms=START_MS))


def at(tick: int) -> int:
    return START_MS + tick * MINUTE_MS


def frame(seq: int, tick: int, gateway: str = "g-D01") -> Frame:
    return frame_of([(0, at(tick) - 1, 0.3)], seq, gateway=gateway, sent_ms=at(tick))


def clock(tick: int, frames: int = 0, **messages: int) -> ClockTick:
    counts = dict.fromkeys(KINDS, 0) | messages
    return ClockTick(tick, at(tick), frames, counts)


def give(arrivals: Arrivals, arrival: Arrival) -> None:
    match arrival:
        case "frame", one:
            arrivals.frame(one)
        case "clock", one:
            arrivals.clock(one)
        case kind, number:
            arrivals.numbered(kind, number, b"%d" % number)


def drain(arrivals: Arrivals) -> list[TickWork]:
    done: list[TickWork] = []
    while (work := arrivals.next_tick()) is not None:
        done.append(work)
    return done


def shown(work: TickWork) -> tuple[object, ...]:
    return work.tick, [one.id for one in work.frames], work.numbered


STORY: tuple[Arrival, ...] = (
    ("frame", frame(0, 1)),
    ("frame", frame(1, 1)),
    ("state", 1),
    ("truth", 1),
    ("clock", clock(1, 2, state=1, truth=1)),
    ("clock", clock(2, 2, state=1, truth=1)),
    ("frame", frame(2, 3)),
    ("frame", frame(0, 3, "g-D02")),
    ("feedback", 1),
    ("feedback", 2),
    ("truth", 2),
    ("clock", clock(3, 4, state=1, truth=2, feedback=2)),
    ("frame", frame(3, 4)),
    ("clock", clock(4, 5, state=1, truth=2, feedback=2)),
)
EXPECTED = [
    (
        clock(1, 2, state=1, truth=1),
        [frame(0, 1).id, frame(1, 1).id],
        [("state", b"1"), ("truth", b"1")],
    ),
    (clock(2, 2, state=1, truth=1), [], []),
    (
        clock(3, 4, state=1, truth=2, feedback=2),
        [frame(2, 3).id, frame(0, 3, "g-D02").id],
        [("feedback", b"1"), ("feedback", b"2"), ("truth", b"2")],
    ),
    (clock(4, 5, state=1, truth=2, feedback=2), [frame(3, 4).id], []),
]


@given(st.permutations(STORY))
def test_any_order_of_arrival_gives_the_same_work(order: Sequence[Arrival]) -> None:
    arrivals = new_arrivals()
    done: list[TickWork] = []
    for arrival in order:
        give(arrivals, arrival)
        done += drain(arrivals)
    assert [shown(work) for work in done] == EXPECTED


@given(st.permutations(STORY), st.data())
def test_repeated_messages_do_not_make_a_tick_whole(
    order: Sequence[Arrival], data: st.DataObject
) -> None:
    arrivals = new_arrivals()
    done: list[TickWork] = []
    for place, arrival in enumerate(order):
        give(arrivals, arrival)
        give(arrivals, data.draw(st.sampled_from(order[: place + 1])))
        done += drain(arrivals)
    assert [work.tick for work in done] == [tick for tick, _, _ in EXPECTED]
    ids = [one.id for work in done for one in work.frames]
    assert set(ids) == {one for _, frames, _ in EXPECTED for one in frames}
    assert [work.numbered for work in done] == [numbered for _, _, numbered in EXPECTED]


@given(st.permutations(STORY), st.integers(0, len(STORY)))
def test_a_snapshot_goes_on_where_it_was_taken(order: Sequence[Arrival], cut: int) -> None:
    arrivals = new_arrivals()
    done: list[TickWork] = []
    for place, arrival in enumerate(order):
        if place == cut:
            kept = unpack(pack("kept", 1, arrivals.kept()), "kept", 1, Kept)
            arrivals = Arrivals(KINDS, kept)
            assert pack("kept", 1, arrivals.kept()) == pack("kept", 1, kept)
        give(arrivals, arrival)
        done += drain(arrivals)
    assert [shown(work) for work in done] == EXPECTED


@given(st.permutations(STORY), st.integers(0, len(STORY)))
def test_what_is_kept_is_what_belongs_to_no_finished_tick(
    order: Sequence[Arrival], cut: int
) -> None:
    arrivals = new_arrivals()
    given_frames, given_numbers, done = set(), set(), []
    for arrival in order[:cut]:
        give(arrivals, arrival)
        done += drain(arrivals)
        if arrival[0] == "frame":
            given_frames.add(arrival[1].id)
        elif arrival[0] != "clock":
            given_numbers.add(arrival)
    kept = arrivals.kept()
    worked_frames = {one.id for work in done for one in work.frames}
    worked_numbers = {(kind, int(body)) for work in done for kind, body in work.numbered}
    assert {one.id for one in kept.frames} == given_frames - worked_frames
    waiting = {(kind, number) for kind, held in kept.numbered.items() for number in held}
    assert waiting == given_numbers - worked_numbers
    assert kept.last_tick == len(done)


def test_frames_of_later_ticks_do_not_stand_in_for_missing_ones() -> None:
    arrivals = new_arrivals()
    for arrival in (("frame", frame(0, 1)), ("frame", frame(2, 2)), ("clock", clock(1, 2))):
        give(arrivals, arrival)
    assert arrivals.next_tick() is None
    assert (
        arrivals.missing() == "tick 1: frames 1 of 2, feedback 0 of 0, state 0 of 0, truth 0 of 0"
    )
    arrivals.frame(frame(1, 1))
    assert arrivals.next_tick() is not None


def test_redelivered_frames_of_finished_ticks_do_not_count_again() -> None:
    arrivals = new_arrivals()
    arrivals.frame(frame(0, 1))
    arrivals.clock(clock(1, 1))
    assert arrivals.next_tick() is not None
    arrivals.frame(frame(0, 1))
    arrivals.clock(clock(2, 2))
    assert arrivals.next_tick() is None
    arrivals.frame(frame(1, 2))
    work = arrivals.next_tick()
    assert work is not None
    assert [one.id.seq for one in work.frames] == [0, 1]


def test_a_forced_tick_gives_up_what_is_missing_and_the_next_one_is_whole_again() -> None:
    arrivals = new_arrivals()
    arrivals.frame(frame(0, 1))
    arrivals.clock(clock(1, 2, feedback=2))
    arrivals.numbered("feedback", 2, b"two")
    assert arrivals.next_tick() is None
    assert arrivals.stuck_at() == (1, 2)
    forced = arrivals.next_tick(is_forced=True)
    assert forced is not None
    assert forced.numbered == [("feedback", b"two")]
    arrivals.numbered("feedback", 1, b"one")
    arrivals.frame(frame(2, 2))
    arrivals.clock(clock(2, 3, feedback=2))
    work = arrivals.next_tick()
    assert work is not None
    assert work.numbered == []


def test_a_frame_that_comes_after_its_tick_is_worked_on_in_the_next() -> None:
    arrivals = new_arrivals()
    arrivals.clock(clock(1, 1))
    arrivals.next_tick(is_forced=True)
    arrivals.frame(frame(0, 1))
    arrivals.clock(clock(2, 1))
    work = arrivals.next_tick()
    assert work is not None
    assert [one.id.seq for one in work.frames] == [0]


def test_nothing_is_forced_when_no_tick_waits() -> None:
    arrivals = new_arrivals()
    assert arrivals.stuck_at() is None
    assert arrivals.next_tick(is_forced=True) is None
    assert arrivals.missing() == "the world's clock"


def test_a_gap_in_the_clock_is_jumped_only_to_two_ticks_in_a_row() -> None:
    arrivals = new_arrivals()
    arrivals.clock(clock(40, 7))
    assert arrivals.stuck_at() is None
    assert arrivals.next_tick(is_forced=True) is None
    arrivals.clock(clock(41, 7))
    assert arrivals.next_tick() is None
    assert arrivals.missing() == "tick 1 of the world's clock (40 is here)"
    work = arrivals.next_tick(is_forced=True)
    assert work is not None
    assert work.tick.tick == 40
    assert [one.tick.tick for one in drain(arrivals)] == [41]


def test_a_tick_that_was_done_is_told_from_a_new_one() -> None:
    arrivals = new_arrivals()
    assert arrivals.clock(clock(1))
    drain(arrivals)
    assert not arrivals.clock(clock(1))
    assert arrivals.clock(clock(2))


@pytest.mark.parametrize(
    ("tick", "reason"),
    [
        (ClockTick(-1, at(3), 0), RejectReason.BAD_VALUE),
        (ClockTick(3, at(2), 0), RejectReason.BAD_TIME),
        (ClockTick(3, at(1), 0), RejectReason.BAD_TIME),
        (ClockTick(3, at(2) + LONGEST_TICK_MS + 1, 0), RejectReason.BAD_TIME),
        (ClockTick(10**12, at(3), 0), RejectReason.BAD_VALUE),
        (ClockTick(10**30, 10**30, 10**30), RejectReason.BAD_VALUE),
        (ClockTick(500, 10**30, 0), RejectReason.BAD_TIME),
        (ClockTick(500, at(3), 10**30), RejectReason.BAD_VALUE),
        (ClockTick(3, -(10**30), 0), RejectReason.BAD_TIME),
        (ClockTick(3, at(3), 10**9), RejectReason.BAD_VALUE),
        (ClockTick(3, at(3), -1), RejectReason.BAD_VALUE),
        (ClockTick(3, at(3), 0, {"state": 10**9}), RejectReason.BAD_VALUE),
        (ClockTick(3, at(3), 0, {"truth": -1}), RejectReason.BAD_VALUE),
    ],
)
def test_a_clock_that_cannot_be_true_is_refused(tick: ClockTick, reason: RejectReason) -> None:
    arrivals = new_arrivals()
    arrivals.clock(clock(1))
    arrivals.clock(clock(2))
    drain(arrivals)
    with pytest.raises(FrameError) as error:
        arrivals.clock(tick)
    assert error.value.reason is reason
    assert arrivals.kept().ticks == []


def test_a_lone_tick_far_ahead_does_not_stop_the_clock() -> None:
    arrivals = new_arrivals()
    arrivals.clock(ClockTick(10**6, at(500), 0))
    for number in range(1, 4):
        arrivals.clock(clock(number))
        assert [work.tick.tick for work in drain(arrivals)] == [number]
        assert arrivals.next_tick(is_forced=True) is None


def test_a_count_of_frames_never_goes_down() -> None:
    arrivals = new_arrivals()
    arrivals.frame(frame(0, 1))
    arrivals.clock(clock(1, 1))
    arrivals.clock(clock(2, 0))
    assert [work.tick.tick for work in drain(arrivals)] == [1]
    with pytest.raises(FrameError):
        arrivals.clock(clock(2, 0))
    arrivals.clock(clock(2, 1))
    assert [(work.tick.frames, work.refused) for work in drain(arrivals)] == [(1, 1)]


def test_a_false_count_that_was_forced_does_not_last() -> None:
    arrivals = new_arrivals()
    arrivals.clock(clock(1, 999))
    assert arrivals.next_tick(is_forced=True) is not None
    for number in (2, 3):
        arrivals.frame(frame(number, number))
        arrivals.clock(clock(number, number))
        assert [work.tick.tick for work in drain(arrivals)] == [number]
    arrivals.clock(clock(4, 4))
    assert drain(arrivals) == []


def test_of_two_clock_messages_for_one_tick_the_whole_one_counts() -> None:
    arrivals = new_arrivals()
    arrivals.clock(clock(1, 900_000))
    arrivals.clock(clock(1, 1))
    assert arrivals.next_tick() is None
    arrivals.frame(frame(0, 1))
    work = arrivals.next_tick()
    assert work is not None
    assert (work.tick.frames, work.refused) == (1, 1)


def test_only_a_few_contradicting_clock_messages_are_held() -> None:
    arrivals = new_arrivals()
    for frames in range(1, 5):
        arrivals.clock(clock(1, frames))
    with pytest.raises(FrameError, match="contradicts"):
        arrivals.clock(clock(1, 9))


def test_counts_of_unknown_kinds_are_ignored() -> None:
    arrivals = new_arrivals()
    arrivals.clock(clock(1, 0, gossip=10**30))
    assert pack("kept", 1, arrivals.kept())
    assert arrivals.next_tick() is not None


@pytest.mark.parametrize("number", [0, -1, MOST_A_TICK + 1, 10**30])
def test_a_number_that_cannot_be_is_refused(number: int) -> None:
    with pytest.raises(FrameError) as error:
        new_arrivals().numbered("state", number, b"")
    assert error.value.reason is RejectReason.BAD_VALUE


def test_a_frame_from_the_far_future_is_refused_and_not_held() -> None:
    arrivals = new_arrivals()
    late = frame_of([(0, START_MS, 0.3)], sent_ms=START_MS + MAX_FUTURE_MS + 1)
    with pytest.raises(FrameError) as error:
        arrivals.frame(late)
    assert error.value.reason is RejectReason.FAR_FUTURE
    assert arrivals.kept().frames == []
