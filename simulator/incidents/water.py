"""Water incidents as disturbances in time: bursts, leaks, valves, pumps, demand."""

from collections.abc import Callable

from sensors.ground_truth import TrueKind
from sensors.levels import Level
from simulator.incidents.course import Schedule, ended, grown
from simulator.incidents.limits import truth_limits
from simulator.incidents.plan import LEAKS, IncidentPlan
from simulator.physics.base import Disturbance


def schedule(plan: IncidentPlan) -> Schedule:
    """Return what a water incident does to the network, and when.

    The end by itself is included when the plan has a duration.
    """
    return ended(plan, _STARTS[plan.kind](plan), _end(plan))


def severity(plan: IncidentPlan, outflow_m3_h: float) -> Level:
    """Return the true level of an incident from the outflow it really has.

    Incidents without outflow are yellow when they are hazards and blue when they are decoys
    (proposed).
    """
    if plan.kind in LEAKS:
        return truth_limits().leak_m3_h.level(outflow_m3_h) or Level.BLUE
    return Level.YELLOW if plan.is_hazard else Level.BLUE


def _leak(plan: IncidentPlan) -> Schedule:
    return [(0, Disturbance("leak", plan.element, plan.outflow_m3_h))]


def _slow_leak(plan: IncidentPlan) -> Schedule:
    return grown(plan, "leak", plan.outflow_m3_h)


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
