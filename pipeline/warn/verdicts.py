"""What a rule says about a device when that changes, and the named reasons for it."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import AlarmState
from sensors.levels import Level

Rows = NDArray[np.intp]
Bools = NDArray[np.bool_]
Ranks = NDArray[np.int8]
"""Severity that grows with the number: 0 none, 1 blue … 4 red (`Level` runs the other way)."""

MILDEST_FIRST = (Level.BLUE, Level.YELLOW, Level.ORANGE, Level.RED)
ORANGE_RANK = 3


class AlarmReason(StrEnum):
    """Why an alarm was raised, changed or ended."""

    SINGLE_SAMPLE_BEYOND_LIMIT = "single_sample_beyond_limit"
    HELD_BEYOND_LIMIT = "held_beyond_limit"
    HELD_BEYOND_WORSE_LIMIT = "held_beyond_worse_limit"
    BACK_BY_ONE_LEVEL = "back_by_one_level"
    BACK_INSIDE_LIMIT = "back_inside_limit"
    NEXT_SAMPLE_DISAGREES = "next_sample_disagrees"
    DROP_SEEN = "drop_seen"
    DROP_NOT_RECOVERED = "drop_not_recovered"
    DROP_GREW = "drop_grew"
    DROP_SHRANK = "drop_shrank"
    DROP_BELOW_LIMIT = "drop_below_limit"
    DROP_RECOVERED = "drop_recovered"
    NO_SAMPLE_IN_TIME = "no_sample_in_time"
    NEW_NORMAL = "new_normal"
    SECOND_DEVICE_AGREES = "second_device_agrees"
    RULE_REMOVED = "rule_removed"


class Verdict(NamedTuple):
    """One transition of one device (a row of its rule) under one rule."""

    row: int
    state: AlarmState
    rank: int
    value: float
    before: float
    raised_ms: int
    sample_ms: int
    reason: AlarmReason


def level_of(rank: int) -> Level:
    """Return the level of a rank from 1 to 4."""
    return MILDEST_FIRST[rank - 1]
