"""Scenario files: what city, when, how long, what happens, which devices fail, who comes."""

from simulator.scenario.document import ComposeSpec, Scenario
from simulator.scenario.places import CitySpec, GenerateSpec
from simulator.scenario.reading import load_scenario, parse_scenario
from simulator.scenario.values import parse_duration_s
from simulator.scenario.what_fails import DevicePick, FaultSpec
from simulator.scenario.what_falls import MovingSpec, StormSpec, WeatherSpec
from simulator.scenario.what_happens import IncidentSpec, PermitSpec, PickSpec

__all__ = [
    "CitySpec",
    "ComposeSpec",
    "DevicePick",
    "FaultSpec",
    "GenerateSpec",
    "IncidentSpec",
    "MovingSpec",
    "PermitSpec",
    "PickSpec",
    "Scenario",
    "StormSpec",
    "WeatherSpec",
    "load_scenario",
    "parse_duration_s",
    "parse_scenario",
]
