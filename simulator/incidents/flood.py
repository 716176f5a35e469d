"""Causes of flooding as disturbances in time: pumps, blockages, gates, the river; storms."""

import numpy as np

from sensors.ground_truth import TrueKind
from sensors.levels import Level
from simulator.incidents.course import Schedule, ended, grown
from simulator.incidents.limits import truth_limits
from simulator.incidents.plan import IncidentPlan
from simulator.physics.base import Disturbance
from simulator.physics.flood.storm import Storm

_ENDS = {"pump_off": "pump_on", "gate_close": "gate_open"}


def schedule(plan: IncidentPlan) -> Schedule:
    """Return what a cause of flooding does to the drains, and when.

    `plan.amount` is the share of the section lost by a blockage, metres above normal of the
    river.
    """
    element = plan.element
    match plan.kind:
        case TrueKind.DRAIN_BLOCKAGE:
            return ended(plan, grown(plan, "block", plan.amount), Disturbance("block", element))
        case TrueKind.RIVER_HIGH:
            rise = [
                (after_ms, Disturbance("river", "", step.amount))
                for after_ms, step in grown(plan, "river", plan.amount)
            ]
            return ended(plan, rise, Disturbance("river", ""))
        case TrueKind.GATE_CLOSURE:
            kind = "gate_close"
        case _:
            kind = "pump_off"
    start = Disturbance(kind, element)
    return ended(plan, [(0, start)], Disturbance(_ENDS[kind], element))


def storm_level(storm: Storm) -> Level:
    """Return the true level of a storm from its heaviest hour at the centre."""
    fallen_mm = np.concatenate([[0.0], np.cumsum(storm.rate_mm_h)]) * storm.step_s / 3600.0
    window = min(max(1, round(3600 / storm.step_s)), len(storm.rate_mm_h))
    heaviest_mm = float(np.max(fallen_mm[window:] - fallen_mm[:-window], initial=0.0))
    return truth_limits().rain_1h_mm.level(heaviest_mm) or Level.BLUE


def storm_end_ms(storm: Storm) -> int:
    """Return when the last rain of a storm falls, event time."""
    return storm.start_ms + len(storm.rate_mm_h) * storm.step_s * 1000
