"""The course of an incident: disturbances in time, growing to a size and ending by themselves."""

from simulator.incidents.plan import IncidentPlan
from simulator.physics.base import Disturbance

Schedule = list[tuple[int, Disturbance]]
"""(milliseconds after the onset, disturbance), in order."""

_GROWTH_STEPS = 24


def grown(plan: IncidentPlan, kind: str, size: float) -> Schedule:
    """Return a disturbance that grows evenly to `size` within `plan.growth_ms`, at once for 0."""
    if plan.growth_ms == 0:
        return [(0, Disturbance(kind, plan.element, size))]
    return [
        (
            plan.growth_ms * step // _GROWTH_STEPS,
            Disturbance(kind, plan.element, size * step / _GROWTH_STEPS),
        )
        for step in range(1, _GROWTH_STEPS + 1)
    ]


def ended(plan: IncidentPlan, start: Schedule, end: Disturbance) -> Schedule:
    """Return a course with its end by itself, when the plan has a duration."""
    if plan.duration_ms is None:
        return start
    before_end = [step for step in start if step[0] < plan.duration_ms]
    return [*before_end, (plan.duration_ms, end)]
