"""A tunnel of many methane devices: some are always wrong, and few of them confirm nobody."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.assess.cases import AssessState, Case
from pipeline.assess.history import History
from pipeline.assess.layout import Layout
from pipeline.assess.point_causes import is_alone
from pipeline.assess.point_grouping import Family
from pipeline.assess.point_policy import default_point_policy
from pipeline.assess.policy import AssessPolicy
from pipeline.assess.surroundings import Surroundings
from pipeline.messages import Location
from sensors.levels import Level
from sensors.quantities import METHANE_LEL
from sensors.readings import ReadingBatch
from sensors.registry import Device, Registry
from tests.unit.loop_messages import T0, alarm
from tests.unit.point_town import registry, town

POLICY = default_point_policy()
LIMITS = POLICY.limits
DEVICES = 41
ELEVATED_LEL, CLEAN_LEL = 8.0, 0.0
LATER_MS = T0 + round(LIMITS.colleague_wait_min * 60_000)


def tunnel() -> Registry:
    """Forty-one methane devices in one room."""
    pattern: Device = registry().device(registry().number["D-GS1"])
    return Registry.of(replace(pattern, id=f"T{n:02}") for n in range(DEVICES))


@pytest.mark.parametrize(
    ("elevated", "now_ms", "expected"),
    [(0, T0, None), (0, LATER_MS, True), (4, LATER_MS, True), (5, LATER_MS, False)],
)
def test_a_tenth_of_the_room_may_be_elevated_and_confirms_nobody(
    elevated: int, now_ms: int, expected: bool | None
) -> None:
    devices, city = tunnel(), town()
    state = AssessState(History.of(DEVICES), np.zeros(DEVICES, np.int64))
    shown = [10.0, *[ELEVATED_LEL] * elevated, *[CLEAN_LEL] * (DEVICES - 1 - elevated)]
    state.history.add(ReadingBatch.of(range(DEVICES), [T0] * DEVICES, shown))
    layout, around = Layout.of(devices, city, AssessPolicy()), Surroundings.of(devices, city)
    foul = alarm(device="T00", domain="gas", quantity=METHANE_LEL.name, level=Level.BLUE)
    nowhere = Location((), (), 0.0, 0.0, "")
    case = Case("I", "B", "gas", T0, T0, T0, Level.BLUE, Level.BLUE, nowhere, family=Family.GAS)
    assert is_alone(state, case, [foul], layout, around, POLICY, now_ms) is expected
