"""Gas incidents as disturbances in time: pinholes, strikes, well leaks, biogas, digging."""

import numpy as np

from sensors.ground_truth import TrueKind
from sensors.levels import Level, worst
from simulator.incidents.course import Schedule, ended, grown
from simulator.incidents.limits import truth_limits
from simulator.incidents.plan import GAS_LEAKS, IncidentPlan
from simulator.physics.base import Disturbance

_DISTURBANCES = {
    TrueKind.GAS_PINHOLE: "leak",
    TrueKind.GAS_STRIKE: "leak",
    TrueKind.GAS_WELL_LEAK: "well_leak",
    TrueKind.BIOGAS: "biogas",
}


def schedule(plan: IncidentPlan) -> Schedule:
    """Return what a gas incident does to the network, and when.

    `plan.amount` is the hole in mm of pinholes and strikes, m3/h of gas of well leaks and of
    methane of biogas. Digging beside a pipe does nothing to it: it is a decoy.
    """
    if plan.kind is TrueKind.DIGGING:
        return []
    kind = _DISTURBANCES[plan.kind]
    is_leak = plan.kind in GAS_LEAKS
    end = Disturbance("repair", plan.element) if is_leak else Disturbance(kind, plan.element)
    return ended(plan, grown(plan, kind, plan.amount), end)


def severity(plan: IncidentPlan, outflow_m3_h: float, vol: float, lel: float) -> Level:
    """Return the true level of an incident.

    Args:
        plan: What happens.
        outflow_m3_h: Gas it lets out now, Nm3/h.
        vol: Methane in the worst manhole or valve well near it, %VOL; NaN for none.
        lel: Methane in the worst station or tunnel near it, %LEL; NaN for none.
    """
    if plan.kind not in GAS_LEAKS:
        return Level.BLUE
    limits = truth_limits()
    reached = (
        limits.gas_outflow_m3_h.level(outflow_m3_h),
        limits.methane_vol.level(vol if np.isfinite(vol) else 0.0),
        limits.methane_lel.level(lel if np.isfinite(lel) else 0.0),
    )
    return worst(*reached) or Level.BLUE
