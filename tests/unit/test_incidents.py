"""Water incidents as plans: what they do when, how they end, how severe they are."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.ground_truth import TrueKind
from sensors.levels import Level
from simulator.incidents.plan import CAUSES, HAZARDS, IncidentPlan
from simulator.incidents.strikes import STRIKES
from simulator.incidents.water import schedule, severity

HOUR_MS = 3_600_000
PLAN = IncidentPlan("A", TrueKind.BURST, "P1", onset_ms=0, outflow_m3_h=60.0, factor=3.0)
NETWORK_KINDS = sorted(kind for kind, strike in STRIKES.items() if strike.domain == "water")


def steps(plan: IncidentPlan) -> list[tuple[int, str, float]]:
    return [(after_ms, item.kind, item.amount) for after_ms, item in schedule(plan)]


@pytest.mark.parametrize(
    ("kind", "begin", "end"),
    [
        (TrueKind.BURST, ("leak", 60.0), ("repair", 0.0)),
        (TrueKind.SLOW_LEAK, ("leak", 60.0), ("repair", 0.0)),
        (TrueKind.VALVE_CLOSURE, ("close", 0.0), ("open", 0.0)),
        (TrueKind.PUMP_TRIP, ("pump_off", 0.0), ("pump_on", 0.0)),
        (TrueKind.PUMP_SWITCH, ("pump_off", 0.0), ("pump_on", 0.0)),
        (TrueKind.DEMAND_SURGE, ("demand", 3.0), ("demand", 1.0)),
    ],
)
def test_each_kind_begins_at_once_and_ends_after_its_duration(
    kind: TrueKind, begin: tuple[str, float], end: tuple[str, float]
) -> None:
    plan = replace(PLAN, kind=kind)
    assert steps(plan) == [(0, *begin)]
    assert steps(replace(plan, duration_ms=HOUR_MS)) == [(0, *begin), (HOUR_MS, *end)]


@pytest.mark.parametrize("kind", NETWORK_KINDS)
def test_disturbances_name_the_element_of_the_plan(kind: TrueKind) -> None:
    plan = replace(PLAN, kind=kind, element="X", duration_ms=HOUR_MS, growth_ms=HOUR_MS // 2)
    assert {item.element for _, item in schedule(plan)} == {"X"}


@given(growth_ms=st.integers(1, 40 * HOUR_MS), outflow=st.floats(0.1, 500.0))
def test_a_slow_leak_only_grows_and_ends_at_its_full_size(growth_ms: int, outflow: float) -> None:
    plan = replace(PLAN, kind=TrueKind.SLOW_LEAK, growth_ms=growth_ms, outflow_m3_h=outflow)
    course = steps(plan)
    times, amounts = [step[0] for step in course], [step[2] for step in course]
    assert times == sorted(times)
    assert amounts == sorted(amounts)
    assert times[0] <= growth_ms / 10
    assert times[-1] == growth_ms
    assert amounts[-1] == pytest.approx(outflow)
    # In proportion to the time, within one step.
    for time_ms, amount in zip(times, amounts, strict=True):
        assert amount / outflow == pytest.approx(time_ms / growth_ms, abs=1 / 24 + 1 / growth_ms)


@given(growth_ms=st.integers(0, 10 * HOUR_MS), duration_ms=st.integers(1, 10 * HOUR_MS))
def test_a_leak_is_over_after_its_duration_even_while_it_grows(
    growth_ms: int, duration_ms: int
) -> None:
    plan = replace(PLAN, kind=TrueKind.SLOW_LEAK, growth_ms=growth_ms, duration_ms=duration_ms)
    course = steps(plan)
    assert course[-1] == (duration_ms, "repair", 0.0)
    assert all(after_ms < duration_ms for after_ms, *_ in course[:-1])


@pytest.mark.parametrize(
    ("outflow", "level"),
    [
        (0.0, Level.BLUE),
        (19.9, Level.BLUE),
        (20.0, Level.YELLOW),
        (99.9, Level.YELLOW),
        (100.0, Level.ORANGE),
        (299.9, Level.ORANGE),
        (300.0, Level.RED),
    ],
)
@pytest.mark.parametrize("kind", [TrueKind.BURST, TrueKind.SLOW_LEAK])
def test_a_leak_is_graded_by_the_outflow_it_has(
    kind: TrueKind, outflow: float, level: Level
) -> None:
    assert severity(replace(PLAN, kind=kind, outflow_m3_h=1.0), outflow) is level


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        (TrueKind.VALVE_CLOSURE, Level.YELLOW),
        (TrueKind.PUMP_TRIP, Level.YELLOW),
        (TrueKind.DEMAND_SURGE, Level.BLUE),
        (TrueKind.PUMP_SWITCH, Level.BLUE),
    ],
)
def test_incidents_without_outflow_have_a_level_by_kind(kind: TrueKind, level: Level) -> None:
    assert severity(replace(PLAN, kind=kind), 0.0) is level


def test_switches_and_device_faults_are_decoys() -> None:
    decoys = {
        TrueKind.PUMP_SWITCH,
        TrueKind.DEMAND_SURGE,
        TrueKind.DEVICE_FAULT,
        TrueKind.BIOGAS,
        TrueKind.DIGGING,
    }
    assert set(TrueKind) - HAZARDS - CAUSES == decoys
    assert all(replace(PLAN, kind=kind).is_hazard for kind in HAZARDS)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, None), (100, None), True),
        ((0, 100), (100, 50), False),
        ((0, 101), (100, 50), True),
        ((0, 100), (0, 100), True),
        ((100, None), (0, 100), False),
    ],
)
def test_plans_overlap_when_both_last_at_some_moment(
    first: tuple[int, int | None], second: tuple[int, int | None], expected: bool
) -> None:
    one, other = (
        replace(PLAN, onset_ms=onset_ms, duration_ms=duration_ms)
        for onset_ms, duration_ms in (first, second)
    )
    assert one.overlaps(other) is other.overlaps(one) is expected
