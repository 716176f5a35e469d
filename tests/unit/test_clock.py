"""Paces driven by a clock in hand: waits, lag, the limit of catching up, a fresh start."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.clock import MaxPace, RatePace, hold, pace_of

MINUTE_MS = 60_000


class HandClock:
    """A wall clock that moves only when someone sleeps or works."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []

    def wall(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


def test_max_pace_never_waits_and_never_lags() -> None:
    pace = MaxPace()
    assert [pace.wait_s(tick * MINUTE_MS, 100.0 + tick) for tick in range(3)] == [0.0, 0.0, 0.0]
    assert (pace.lag_s(), pace.name) == (0.0, "max")


@pytest.mark.parametrize(("factor", "seconds"), [(1.0, 60.0), (60.0, 1.0), (600.0, 0.1)])
def test_a_rate_waits_event_time_over_factor(factor: float, seconds: float) -> None:
    pace, clock = RatePace(factor), HandClock()
    for tick in range(4):
        hold(pace, tick * MINUTE_MS, clock.wall, clock.sleep)
    assert clock.slept == pytest.approx([seconds] * 3)
    assert pace.lag_s() == 0.0


def test_time_spent_working_is_taken_off_the_wait() -> None:
    pace, clock = RatePace(60.0), HandClock()
    hold(pace, 0, clock.wall, clock.sleep)
    clock.now_s += 0.7
    hold(pace, MINUTE_MS, clock.wall, clock.sleep)
    assert clock.slept == pytest.approx([0.3])


def test_a_small_lag_is_reported_and_caught_up() -> None:
    pace = RatePace(60.0, catch_up_s=2.0)
    pace.wait_s(0, 100.0)
    assert pace.wait_s(MINUTE_MS, 102.5) == 0.0
    assert pace.lag_s() == pytest.approx(1.5)
    assert pace.wait_s(3 * MINUTE_MS, 102.6) == pytest.approx(0.4)
    assert pace.lag_s() == 0.0


def test_a_large_lag_is_reported_but_only_partly_caught_up() -> None:
    pace = RatePace(60.0, catch_up_s=2.0)
    pace.wait_s(0, 100.0)
    pace.wait_s(MINUTE_MS, 111.0)
    assert pace.lag_s() == pytest.approx(10.0)
    # Two of the ten seconds are made good by the third tick; then it goes on at its rate.
    assert pace.wait_s(3 * MINUTE_MS, 111.0) == 0.0
    assert pace.wait_s(4 * MINUTE_MS, 111.0) == pytest.approx(1.0)


def test_asking_again_about_the_same_tick_keeps_its_lag() -> None:
    pace = RatePace(60.0, catch_up_s=2.0)
    pace.wait_s(0, 100.0)
    for wall_s in (111.0, 111.0, 111.001):
        pace.wait_s(MINUTE_MS, wall_s)
    assert pace.lag_s() == pytest.approx(10.0)


def test_after_a_pause_time_starts_afresh() -> None:
    pace = RatePace(60.0)
    pace.wait_s(0, 100.0)
    pace.rebase()
    assert pace.wait_s(MINUTE_MS, 500.0) == 0.0
    assert pace.lag_s() == 0.0
    assert pace.wait_s(2 * MINUTE_MS, 500.0) == pytest.approx(1.0)


@given(
    work_s=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=40),
    factor=st.sampled_from([1.0, 30.0, 60.0]),
)
def test_event_time_never_passes_faster_than_its_rate_beyond_the_catch_up(
    work_s: list[float], factor: float
) -> None:
    pace, clock = RatePace(factor, catch_up_s=2.0), HandClock()
    moments: list[float] = []
    for tick, seconds in enumerate(work_s):
        hold(pace, tick * MINUTE_MS, clock.wall, clock.sleep)
        moments.append(clock.now_s)
        clock.now_s += seconds
    for later, at_s in enumerate(moments):
        for earlier in range(later):
            due_s = (later - earlier) * 60.0 / factor
            assert at_s - moments[earlier] >= due_s - 2.0 - 1e-6


@pytest.mark.parametrize("text", ["max", " MAX "])
def test_the_word_max_names_the_fastest_pace(text: str) -> None:
    assert isinstance(pace_of(text), MaxPace)


@pytest.mark.parametrize(
    ("text", "factor"), [("1", 1.0), ("60", 60.0), ("60x", 60.0), ("600×", 600.0), ("0.5", 0.5)]
)
def test_a_factor_names_a_rate(text: str, factor: float) -> None:
    pace = pace_of(text)
    assert isinstance(pace, RatePace)
    assert pace.factor == factor
    assert pace_of(pace.name).name == pace.name


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "-inf", "x", "", "fast", "60xx", "6 0"])
def test_anything_else_is_no_pace(text: str) -> None:
    with pytest.raises(ValueError, match=r"^pace .*: use max, or a number above 0"):
        pace_of(text)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_needs_a_factor_that_time_can_pass_at(factor: float) -> None:
    with pytest.raises(ValueError, match="must be max or a number above 0, got"):
        RatePace(factor)
