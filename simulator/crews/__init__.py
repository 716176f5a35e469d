"""Crews: teams that accept orders, travel, look, act, mend and report."""

from simulator.crews.crews import Crews
from simulator.crews.yard import CrewTimes, Site

__all__ = ["CrewTimes", "Crews", "Site"]
