"""Fire water: a device that another one at its element contradicts is at fault itself."""

import numpy as np
import pytest

from pipeline.assess.cases import AssessState, Case
from pipeline.assess.causes import AlarmPicture
from pipeline.assess.history import History
from pipeline.assess.layout import Layout
from pipeline.assess.point_causes import GasPicture, decide_point, is_contradicted
from pipeline.assess.point_grouping import Family
from pipeline.assess.point_policy import default_point_policy
from pipeline.assess.policy import AssessPolicy
from pipeline.assess.surroundings import Surroundings
from pipeline.messages import Cause, IncidentStatus, Location
from sensors.levels import Level
from sensors.quantities import PRESSURE
from sensors.readings import ReadingBatch
from simulator.city.generate import generate_town
from simulator.city.profiles import place_fleet
from simulator.city.whole import generate_city
from tests.unit.loop_messages import T0, alarm

CITY = generate_city(7, 60, "small", "Small")
DEVICES = place_fleet(CITY)
POLICY = default_point_policy()


@pytest.mark.parametrize(
    ("level_m", "waited_min", "expected"),
    [(2.0, 0, True), (0.1, 0, False), (None, 34, None), (None, 35, False)],
    ids=str,
)
def test_a_full_roof_tank_contradicts_a_dry_hydrant(
    level_m: float | None, waited_min: int, expected: bool | None
) -> None:
    hydrant = int(DEVICES.where("kind", "hydrant_pressure")[0])
    building = DEVICES.texts("element")[hydrant]
    tanks = DEVICES.where("kind", "fire_tank_level").tolist()
    [tank] = [number for number in tanks if DEVICES.texts("element")[number] == building]
    state = AssessState(History.of(len(DEVICES)), np.zeros(len(DEVICES), np.int64))
    if level_m is not None:
        state.history.add(ReadingBatch.of([tank], [T0], [level_m]))
    dry = alarm(device=DEVICES.ids[hydrant], domain="fire", quantity=PRESSURE.name)
    layout, around = Layout.of(DEVICES, CITY, AssessPolicy()), Surroundings.of(DEVICES, CITY)
    nowhere = Location((), (), 0.0, 0.0, "")
    case = Case("I", "A", "fire", T0, T0, T0, Level.BLUE, Level.BLUE, nowhere, family=Family.FIRE)
    now_ms = T0 + waited_min * 60_000
    assert is_contradicted(state, case, [dry], layout, around, POLICY, now_ms) is expected


@pytest.mark.parametrize(
    ("contradicted", "is_due", "expected"),
    [
        (True, False, None),
        (True, True, (IncidentStatus.DISMISSED, Cause.DEVICE_FAULT)),
        (None, False, None),
        (None, True, None),
        (False, False, (IncidentStatus.CONFIRMED, Cause.FIRE_WATER)),
    ],
)
def test_a_contradicted_device_is_a_fault_once_time_is_up(
    contradicted: bool | None, is_due: bool, expected: tuple[IncidentStatus, Cause] | None
) -> None:
    city, registry = generate_town(7, junctions=40)
    around = Surroundings.of(registry, city)
    nowhere = Location((), (), 0.0, 0.0, "")
    case = Case("I", "A", "fire", T0, T0, T0, Level.BLUE, Level.BLUE, nowhere, family=Family.FIRE)
    alarms = AlarmPicture(
        is_over=False, is_raised=True, low_head=0, devices=(0,), is_doubtful=False, is_due=is_due
    )
    gas = GasPicture((), has_pressure=False, has_second=False)
    found = decide_point(case, alarms, gas, (), around, POLICY, contradicted=contradicted)
    assert (None if found is None else (found.status, found.cause)) == expected
