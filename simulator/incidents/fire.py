"""Fire water incidents as disturbances in time: a roof tank that runs empty."""

from sensors.levels import Level
from simulator.incidents.course import Schedule, ended, grown
from simulator.incidents.limits import truth_limits
from simulator.incidents.plan import IncidentPlan
from simulator.physics.base import Disturbance


def schedule(plan: IncidentPlan) -> Schedule:
    """Return what a fire water incident does, and when; `plan.amount` is m3/h lost."""
    lost = grown(plan, "drain", plan.amount)
    return ended(plan, lost, Disturbance("drain", plan.element))


def severity(pressure_mpa: float) -> Level:
    """Return the true level from the static pressure at the worst hydrant."""
    return truth_limits().fire_pressure_mpa.level(pressure_mpa) or Level.BLUE
