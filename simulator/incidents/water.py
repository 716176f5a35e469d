"""Water incidents as disturbances in time: bursts, leaks, valves, pumps, demand."""

from collections.abc import Callable

from sensors.ground_truth import TrueKind
from sensors.levels import Level
from simulator.incidents.plan import LEAKS, IncidentPlan
from simulator.physics.base import Disturbance

Schedule = list[tuple[int, Disturbance]]
"""(milliseconds after the onset, disturbance), in order."""

_GROWTH_STEPS = 24

_SEVERITY_M3_H = ((300.0, Level.RED), (100.0, Level.ORANGE), (20.0, Level.YELLOW))
"""Outflow from which a leak is truly of a level; proposed, no standard grades it."""


def schedule(plan: IncidentPlan) -> Schedule:
    """Return what a water incident does to the network, and when.

    The end by itself is included when the plan has a duration.
    """
    start = _STARTS[plan.kind](plan)
    if plan.duration_ms is None:
        return start
    before_end = [step for step in start if step[0] < plan.duration_ms]
    return [*before_end, (plan.duration_ms, _end(plan))]


def severity(plan: IncidentPlan, outflow_m3_h: float) -> Level:
    """Return the true level of an incident from the outflow it really has.

    Incidents without outflow are yellow when they are hazards and blue when they are decoys
    (proposed).
    """
    if plan.kind in LEAKS:
        for limit, level in _SEVERITY_M3_H:
            if outflow_m3_h >= limit:
                return level
        return Level.BLUE
    return Level.YELLOW if plan.is_hazard else Level.BLUE


def _leak(plan: IncidentPlan) -> Schedule:
    return [(0, Disturbance("leak", plan.element, plan.outflow_m3_h))]


def _slow_leak(plan: IncidentPlan) -> Schedule:
    if plan.growth_ms == 0:
        return _leak(plan)
    return [
        (
            plan.growth_ms * step // _GROWTH_STEPS,
            Disturbance("leak", plan.element, plan.outflow_m3_h * step / _GROWTH_STEPS),
        )
        for step in range(1, _GROWTH_STEPS + 1)
    ]


def _close(plan: IncidentPlan) -> Schedule:
    return [(0, Disturbance("close", plan.element))]


def _pump_off(plan: IncidentPlan) -> Schedule:
    return [(0, Disturbance("pump_off", plan.element))]


def _demand(plan: IncidentPlan) -> Schedule:
    return [(0, Disturbance("demand", plan.element, plan.factor))]


_STARTS: dict[TrueKind, Callable[[IncidentPlan], Schedule]] = {
    TrueKind.BURST: _leak,
    TrueKind.SLOW_LEAK: _slow_leak,
    TrueKind.VALVE_CLOSURE: _close,
    TrueKind.PUMP_TRIP: _pump_off,
    TrueKind.PUMP_SWITCH: _pump_off,
    TrueKind.DEMAND_SURGE: _demand,
}


def _end(plan: IncidentPlan) -> Disturbance:
    match plan.kind:
        case TrueKind.BURST | TrueKind.SLOW_LEAK:
            return Disturbance("repair", plan.element)
        case TrueKind.VALVE_CLOSURE:
            return Disturbance("open", plan.element)
        case TrueKind.DEMAND_SURGE:
            return Disturbance("demand", plan.element, 1.0)
        case _:
            return Disturbance("pump_on", plan.element)
