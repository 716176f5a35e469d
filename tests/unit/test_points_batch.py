"""A batch of gas pressure devices with mixed-up units: they agree, and are wrong all the same."""

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
from sensors.quantities import GAS_PRESSURE
from sensors.readings import ReadingBatch
from simulator.city.profiles import place_fleet
from simulator.city.whole import generate_city
from tests.unit.loop_messages import T0, alarm

CITY = generate_city(7, 60, "small", "Small")
DEVICES = place_fleet(CITY)
AROUND = Surroundings.of(DEVICES, CITY)
LAYOUT = Layout.of(DEVICES, CITY, AssessPolicy())
POLICY = default_point_policy()
NORMAL_KPA = 2.5
SAME_STEP = [57, *AROUND.beside(57, POLICY.limits.gas_pressure_join_m).tolist()]
"""Five devices of low pressure within three kilometres."""
MINUTE_MS = 60_000
LATER_MS = T0 + 10 * MINUTE_MS


@pytest.mark.parametrize(
    ("factors", "expected"),
    [
        ((0.1, 0.101), True),
        ((10.0, 10.2), True),  # right again, and as far from what had become normal
        ((0.1, 0.2), False),
        ((0.7, 0.7), False),  # as a strike on a main is felt
        ((0.0, 0.0), False),
        ((0.1, 0.1, 0.1), False),  # more than are quiet
    ],
    ids=str,
)
def test_pressures_that_go_to_one_factor_while_as_many_stay_are_a_fault(
    factors: tuple[float, ...], expected: bool
) -> None:
    assert len(SAME_STEP) == 5
    state = AssessState(History.of(len(DEVICES)), np.zeros(len(DEVICES), np.int64))
    before, count = [NORMAL_KPA] * len(SAME_STEP), len(SAME_STEP)
    shown = [NORMAL_KPA * factor for factor in factors]
    now = [*shown, *before[len(shown) :]]
    for minute, values in ((-5, before), (0, now)):
        moment = [T0 + minute * MINUTE_MS] * count
        batch = ReadingBatch.of(SAME_STEP, moment, values).by_device_and_time()
        state.history.add(batch)
    standing = [
        alarm(
            device=DEVICES.ids[number],
            rule="gas.pressure_low",
            domain="gas",
            quantity=GAS_PRESSURE.name,
            level=Level.RED,
        )
        for number in SAME_STEP[: len(factors)]
    ]
    nowhere = Location((), (), 0.0, 0.0, "")
    case = Case("I", "A", "gas", T0, T0, T0, Level.RED, Level.RED, nowhere, family=Family.GAS)
    assert is_alone(state, case, standing, LAYOUT, AROUND, POLICY, LATER_MS) is expected
