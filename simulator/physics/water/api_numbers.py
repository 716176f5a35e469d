"""The numbers of EPANET's C interface that the engine uses, so no binding's table is needed."""

from enum import IntEnum


class Count(IntEnum):
    """What `EN_getcount` counts."""

    NODES = 0
    LINKS = 2
    CONTROLS = 5


class Node(IntEnum):
    """Node properties."""

    ELEVATION = 0
    EMITTER = 3
    TANK_LEVEL = 8
    NET_INFLOW = 9
    HEAD = 10
    MIN_LEVEL = 20
    MAX_LEVEL = 21
    TANK_VOLUME = 24
    EMITTER_FLOW = 29
    LEAKAGE_FLOW = 30
    DEMAND_FLOW = 31
    FULL_DEMAND = 32


class Link(IntEnum):
    """Link properties."""

    DIAMETER = 0
    LENGTH = 1
    ROUGHNESS = 2
    MINOR_LOSS = 3
    FLOW = 8
    STATUS = 11
    SETTING = 12
    SPEED_PATTERN = 15
    RAW_STATUS = 16
    LEAK_AREA = 26
    LEAKAGE = 28


class Time(IntEnum):
    """Time parameters."""

    DURATION = 0
    HYDRAULIC_STEP = 1
    REPORT_STEP = 5
    CLOCK_START = 10


class Option(IntEnum):
    """Analysis options."""

    UNBALANCED = 14
    PRESSURE_UNITS = 25


class ControlKind(IntEnum):
    """Kinds of simple controls."""

    BELOW = 0
    ABOVE = 1
    TIMER = 2
    CLOCK = 3


PRESSURE_DRIVEN = 1
"""Demand model: delivery depends on pressure."""
NO_SAVE = 0
"""`EN_initH` without a hydraulics file."""
SET_OPEN = 1e10
"""Setting of a control that opens its link; its negative closes it."""
