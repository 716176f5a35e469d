"""Tells methane that grows, as that of a leak does, from what stands still or jumps about."""

import numpy as np

from pipeline.assess.cases import AssessState, Case
from pipeline.assess.history import DEPTH
from pipeline.assess.point_policy import PointLimits
from pipeline.assess.policy import MINUTE_MS
from pipeline.assess.surroundings import Surroundings
from sensors.readings import Floats, Int64s

_FEWEST = 4
"""Samples that can show a rise: two against two."""
_FALLS = 2
"""Returns to clean air that gas does not make within `restless_before_min`."""
_MOST = 12
"""Samples looked back on: all that a device at its alarm interval takes within the wait."""


def is_steady(
    state: AssessState,
    case: Case,
    spaces: tuple[int, ...],
    surroundings: Surroundings,
    limits: PointLimits,
    now_ms: int,
) -> bool | None:
    """Return whether the methane of none of `spaces` has grown since the case began.

    Gas that reaches a space goes on rising for longer than it took to reach the lowest limit; a
    device with an offset stands still. None while it may still be seen to rise; False when a
    device fell silent before it could be seen that it does not.
    """
    known = 0
    for number in spaces:
        time_ms, value = state.history.recent(np.array([number]), _MOST, case.onset_ms)
        share = value[0][time_ms[0] > 0][::-1] * surroundings.to_vol[number]
        if len(share) < _FEWEST:  # a device below its limits reports seldom again
            known += len(share) > 1 and bool(share[-1] < share[0])
            continue
        if _rise_vol(share) >= max(
            limits.steady_rise_vol, limits.steady_step_ratio * _step_vol(share)
        ):
            return False
        known += 1
    if now_ms < case.onset_ms + round(limits.steady_wait_min * MINUTE_MS):
        return None
    return bool(spaces) and known == len(spaces)


def jumps_about(
    state: AssessState, case: Case, number: int, surroundings: Surroundings, limits: PointLimits
) -> bool:
    """Return whether a device shows clean air after gas: once since onset, or more often before.

    Gas that came stays for longer than from one sample to the next; a fault that makes noise lasts
    for hours, and may reach a limit twice running by chance.
    """
    since_ms = case.onset_ms - round(limits.restless_before_min * MINUTE_MS)
    time_ms, value = state.history.recent(np.array([number]), DEPTH, since_ms)
    known = time_ms[0] > 0
    time_ms, share = time_ms[0][known][::-1], value[0][known][::-1] * surroundings.to_vol[number]
    is_clean = share <= limits.gas_clean_vol
    if (is_clean & (time_ms > case.onset_ms))[-_MOST:].any():
        return True
    told = is_clean | (share >= limits.gas_elevated_vol)  # what is between says neither
    falls = np.flatnonzero(~is_clean[told][:-1] & is_clean[told][1:])
    return len(falls) >= _FALLS


def has_risen(
    state: AssessState,
    devices: Int64s,
    surroundings: Surroundings,
    limits: PointLimits,
    now_ms: int,
) -> bool:
    """Return whether one of some devices shows methane, twice running, that was not there before.

    A space that is as foul as it always was says nothing of gas that came.
    """
    since_ms = now_ms - round(limits.elevated_since_min * MINUTE_MS)
    time_ms, value = state.history.recent(devices, _MOST, since_ms)
    share = np.where(time_ms > 0, value, np.nan) * surroundings.to_vol[devices][:, np.newaxis]
    with np.errstate(invalid="ignore"):
        was_clean = (share <= limits.gas_clean_vol).any(axis=1)
        is_elevated = (share[:, :2] >= limits.gas_elevated_vol).all(axis=1)
    return bool((was_clean & is_elevated).any())


def _rise_vol(share: Floats) -> float:
    half = len(share) // 2
    return float(np.median(share[-half:]) - np.median(share[:half]))


def _step_vol(share: Floats) -> float:
    return float(np.median(np.abs(np.diff(share))))
