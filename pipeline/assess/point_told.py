"""Whether what is only foretold or told by citizens is borne out by a signal of another kind."""

from collections.abc import Iterable

import numpy as np

from pipeline.assess.cases import OVER, UNUSABLE, AssessState, Case
from pipeline.assess.findings import is_supported
from pipeline.assess.layout import Layout
from pipeline.assess.point_grouping import Family, family_of
from pipeline.assess.point_policy import PointLimits
from pipeline.assess.policy import MINUTE_MS
from pipeline.assess.surroundings import Surroundings
from pipeline.messages import Alarm
from sensors.levels import Level

TREND = "flood.eta_closure"
"""Rule that foretells from one device alone."""
FORECAST = "flood.rain_level_pump"
"""Warning model that foretells water at a dip from the rain and the drains around it."""
CALLS = "any.hotline"
"""Warning model that raises an alarm from calls alone."""
_SINGLE = frozenset({TREND, CALLS})


def is_borne_out(
    state: AssessState,
    case: Case,
    layout: Layout,
    surroundings: Surroundings,
    limits: PointLimits,
) -> bool:
    """Return whether anything but one trend, or a few calls, speaks for a case.

    A model that couples several signals is enough, so are a trend and calls together; but rain and
    full drains with no pump measured standing (yellow) foretell water at two dips where it comes
    to one, so the dip itself must begin to be wet. Otherwise,
    for water: a trend must be near its end (orange: half an hour, no more than it was watched for)
    with rain or full drains around; calls need heavy rain, for on a dry day they may be about a
    burst main. For gas: a space around that is no longer clean, or twice the calls that count for
    one sensor (yellow): no gas company leaves those alone. What is not borne out is told nobody.
    """
    standing = state.standing(case)
    rules = {alarm.rule for alarm in standing}
    if len(rules) > 1 or is_supported(state.findings_of(case)):
        return True
    if rules == {FORECAST}:
        is_sure = any(alarm.level <= Level.ORANGE for alarm in standing)
        return is_sure or _begins(state, case, limits)
    if rules - _SINGLE:
        return True
    if case.family == Family.GAS:
        is_many = any(alarm.level <= Level.YELLOW for alarm in standing)
        foul = (_is_foul_near(state, one, layout, surroundings, limits) for one in standing)
        return is_many or any(foul)
    trends = [alarm for alarm in standing if alarm.rule == TREND]
    if trends and not any(alarm.level <= Level.ORANGE for alarm in trends):
        return False
    mildest = Level.BLUE if trends else Level.YELLOW
    return _is_wet_around(state, standing, mildest, layout, limits, with_drains=bool(trends))


def _begins(state: AssessState, case: Case, limits: PointLimits) -> bool:
    """Return whether the newest depth at a case's dip is more than that of a wet road."""
    devices = np.array(sorted(case.devices))
    since_ms = case.onset_ms - round(limits.silent_min * MINUTE_MS)
    depth_cm = state.history.recent(devices, 1, since_ms)[1][:, 0]
    return bool((depth_cm >= limits.told_water_cm).any())


def _is_wet_around(
    state: AssessState,
    standing: Iterable[Alarm],
    mildest: Level,
    layout: Layout,
    limits: PointLimits,
    *,
    with_drains: bool,
) -> bool:
    """Return whether rain, or drains if they count, alarm around one of some devices."""
    reach_m = {Family.RAIN: limits.told_rain_m}
    if with_drains:
        reach_m[Family.DRAIN] = limits.told_drain_m
    around = [
        (layout.place_m[layout.number[one.device]], reach_m[family_of(one)])
        for one in state.alarms.values()
        if one.state not in OVER
        and one.level <= mildest
        and family_of(one) in reach_m
        and one.device in layout.number
    ]
    places = [layout.place_m[layout.number[alarm.device]] for alarm in standing]
    return any(np.hypot(*(there - here)) <= reach for here in places for there, reach in around)


def _is_foul_near(
    state: AssessState,
    alarm: Alarm,
    layout: Layout,
    surroundings: Surroundings,
    limits: PointLimits,
) -> bool:
    """Return whether a fit methane device around shows more than clean air."""
    spaces = surroundings.methane[(state.doubts[surroundings.methane] & UNUSABLE) == 0]
    away = layout.place_m[spaces] - layout.place_m[layout.number[alarm.device]]
    spaces = spaces[np.hypot(away[:, 0], away[:, 1]) <= limits.told_methane_m]
    if not len(spaces):
        return False
    share = state.history.recent(spaces, 1, 0)[1][:, 0] * surroundings.to_vol[spaces]
    return bool((share > limits.gas_clean_vol).any())
