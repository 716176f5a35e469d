"""Rivals of a leak: what a tank or a pump nobody was told of would do to the same devices."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.assess.policy import AssessPolicy
from pipeline.assess.rivals import operation_gain
from pipeline.ports import Conditions
from tests.unit.assess_town import DEVICES, PRESSURE_NODES, LinearModel, leak_signature
from tests.unit.test_assess_locate import on_street, search

POLICY = AssessPolicy()
AS_HEARD = Conditions({"PU": True}, {"T": 4.0})


class TankModel(LinearModel):
    """The street with a tank above it: a metre of its level is 0.01 MPa everywhere."""

    def expect(self, at_ms: int, conditions: Conditions) -> NDArray[np.float64]:
        """Return pressures that follow the tank."""
        values = super().expect(at_ms, conditions)
        values[: len(PRESSURE_NODES)] += 0.01 * (conditions.tank_level_m["T"] - 4.0)
        return values


def moved(metres: float) -> NDArray[np.float64]:
    """Return what a change of the tank's level does to each device."""
    change = np.zeros(DEVICES)
    change[: len(PRESSURE_NODES)] = 0.01 * metres
    return change


@pytest.mark.parametrize("metres", [-2.5, -0.8, 1.5])
def test_a_tank_that_moved_unheard_explains_what_it_did(metres: float) -> None:
    shown = on_street(moved(metres))
    explained = 0.5 * float((shown.z**2).sum())
    gain = operation_gain(shown, TankModel(), 0, AS_HEARD, POLICY)
    assert gain > 0.75 * explained
    assert gain > search(shown).gain


def test_a_burst_beside_one_device_is_not_the_tank() -> None:
    shown = on_street(leak_signature("P4") * 150.0)
    gain = operation_gain(shown, TankModel(), 0, AS_HEARD, POLICY)
    assert gain < search(shown).gain - POLICY.fault_margin


def test_a_pump_that_stopped_unheard_explains_its_fall_whole_or_not_at_all() -> None:
    model = TankModel()
    stands = Conditions({"PU": False}, {"T": 4.0})
    fall = model.expect(0, stands) - model.expect(0, AS_HEARD)
    whole = operation_gain(on_street(fall), model, 0, AS_HEARD, POLICY)
    assert whole > 100.0
    assert operation_gain(on_street(np.zeros(DEVICES)), model, 0, AS_HEARD, POLICY) == 0.0
