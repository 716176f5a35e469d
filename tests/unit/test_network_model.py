"""The platform's network model: right without errors, wrong as told, and fed by nothing else."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from api.network_model import ModelErrors, WaterNetworkModel, leak_area_mm2
from pipeline.ports import Conditions
from sensors.city import City
from sensors.quantities import FLOW, PRESSURE, PUMP_STATE, WATER_LEVEL
from sensors.registry import Registry
from simulator.city.generate import generate_town
from simulator.physics.base import Disturbance, PhysicsFrame
from simulator.physics.water.network import WaterNetwork

HOUR_MS = 3_600_000
EXACT = ModelErrors(roughness=0.0, demand=0.0)
NODE_QUANTITIES = (PRESSURE.name, WATER_LEVEL.name)


@pytest.fixture(scope="module")
def town() -> tuple[City, Registry]:
    return generate_town(5, 40, "town", "Town")


@pytest.fixture(scope="module")
def exact(town: tuple[City, Registry]) -> Iterator[WaterNetworkModel]:
    city, registry = town
    with WaterNetworkModel(city.networks["water"], registry, EXACT, 0) as model:
        yield model


def shown(registry: Registry, network: WaterNetwork, frame: PhysicsFrame) -> NDArray[np.float64]:
    """Return what each device would show without noise."""
    node = {name: index for index, name in enumerate(network.node_ids)}
    link = {name: index for index, name in enumerate(network.link_ids)}
    pairs = zip(registry.texts("quantity"), registry.texts("element"), strict=True)
    return np.array(
        [
            frame.node[quantity][node[element]]
            if quantity in NODE_QUANTITIES
            else frame.link[quantity][link[element]]
            for quantity, element in pairs
        ]
    )


def measured(registry: Registry, values: NDArray[np.float64]) -> Conditions:
    element = registry.texts("element")
    return Conditions(
        {element[n]: bool(values[n] > 0.5) for n in registry.where("quantity", PUMP_STATE.name)},
        {element[n]: float(values[n]) for n in registry.where("quantity", WATER_LEVEL.name)},
    )


def test_without_errors_the_model_follows_the_network_through_a_day(
    town: tuple[City, Registry], exact: WaterNetworkModel
) -> None:
    city, registry = town
    network = WaterNetwork(city.networks["water"], 0)
    pump = registry.where("quantity", PUMP_STATE.name)
    seen = set()
    for hour in range(1, 24, 2):
        values = shown(registry, network, network.step(hour * HOUR_MS))
        seen.add(tuple(values[pump].tolist()))
        expected = exact.expect(hour * HOUR_MS, measured(registry, values))
        np.testing.assert_allclose(expected, values, atol=2e-4, rtol=1e-3)
    network.close()
    assert len(seen) > 1, "the pumps never switched, so this proves little"


def test_leak_changes_are_those_of_the_network(
    town: tuple[City, Registry], exact: WaterNetworkModel
) -> None:
    city, registry = town
    pressure = registry.where("quantity", PRESSURE.name)
    for pipe in exact.pipes[3::15]:
        network = WaterNetwork(city.networks["water"], 9 * HOUR_MS)
        before = shown(registry, network, network.solve_now())
        network.apply(Disturbance("leak", pipe, 60.0))
        after = shown(registry, network, network.solve_now())
        network.close()
        change = exact.leak_changes(9 * HOUR_MS, measured(registry, before), [pipe], 60.0)
        assert change.shape == (1, len(registry))
        assert change[0, pressure].min() < -0.001
        np.testing.assert_allclose(change[0, pressure], (after - before)[pressure], atol=2e-4)


def test_named_leak_discharges_its_amount_at_30_m() -> None:
    area_m2 = leak_area_mm2(100.0) * 1e-6
    assert 0.6 * area_m2 * np.sqrt(2 * 9.81 * 30) * 3600 == pytest.approx(100.0)


def test_answers_do_not_depend_on_what_was_asked_before(
    town: tuple[City, Registry], exact: WaterNetworkModel
) -> None:
    city, registry = town
    on, off = (dict.fromkeys(registry.texts("element"), state) for state in (True, False))
    levels = dict.fromkeys(registry.texts("element"), 2.0)
    asked = [(7, Conditions(on, levels)), (19, Conditions(off, levels)), (7, Conditions({}, {}))]
    with WaterNetworkModel(city.networks["water"], registry, EXACT, 0) as fresh:
        for hour, conditions in reversed(asked):
            fresh.leak_changes(hour * HOUR_MS, conditions, fresh.pipes[:2], 50.0)
            fresh.expect(hour * HOUR_MS, conditions)
    for hour, conditions in asked:
        with WaterNetworkModel(city.networks["water"], registry, EXACT, 0) as fresh:
            first = fresh.leak_changes(hour * HOUR_MS, conditions, fresh.pipes[4:6], 50.0)
        again = exact.leak_changes(hour * HOUR_MS, conditions, exact.pipes[4:6], 50.0)
        np.testing.assert_array_equal(first, again)


def test_standing_pumps_are_imposed(town: tuple[City, Registry], exact: WaterNetworkModel) -> None:
    _, registry = town
    pumps = registry.where("quantity", PUMP_STATE.name)
    element = registry.texts("element")
    runs = {element[n]: True for n in pumps}
    stands = {element[n]: False for n in pumps}
    pressure = registry.where("quantity", PRESSURE.name)
    on = exact.expect(8 * HOUR_MS, Conditions(runs, {}))
    off = exact.expect(8 * HOUR_MS, Conditions(stands, {}))
    assert on[pumps].tolist() == [1.0] * len(pumps)
    assert off[pumps].tolist() == [0.0] * len(pumps)
    assert off[pressure].mean() < on[pressure].mean()


def test_errors_are_of_the_stated_size_and_follow_their_seed(
    town: tuple[City, Registry], exact: WaterNetworkModel
) -> None:
    city, registry = town
    flow = registry.where("quantity", FLOW.name)
    right = exact.expect(8 * HOUR_MS, Conditions({}, {}))

    def wrong(errors: ModelErrors) -> NDArray[np.float64]:
        with WaterNetworkModel(city.networks["water"], registry, errors, 0) as model:
            return model.expect(8 * HOUR_MS, Conditions({}, {}))

    first = wrong(ModelErrors(seed=1))
    np.testing.assert_array_equal(first, wrong(ModelErrors(seed=1)))
    assert not np.allclose(first, wrong(ModelErrors(seed=2)), atol=1e-4)
    share = np.abs(first - right)[flow] / np.abs(right[flow]).max()
    assert 0.0 < share.max() < 0.3


def test_level_error_shifts_the_imposed_level(town: tuple[City, Registry]) -> None:
    city, registry = town
    tanks = registry.where("quantity", WATER_LEVEL.name)
    conditions = Conditions({}, {registry.texts("element")[n]: 2.0 for n in tanks})
    errors = ModelErrors(0.0, 0.0, level_m=0.2, seed=3)
    with WaterNetworkModel(city.networks["water"], registry, errors, 0) as model:
        shift = model.expect(0, conditions)[tanks] - 2.0
    assert len(tanks)
    assert (np.abs(shift) > 1e-3).all()
    assert (np.abs(shift) < 1.0).all()


def test_local_time_decides_the_demand(town: tuple[City, Registry]) -> None:
    city, registry = town
    with (
        WaterNetworkModel(city.networks["water"], registry, EXACT, 0) as utc,
        WaterNetworkModel(city.networks["water"], registry, EXACT, 8 * HOUR_MS) as china,
    ):
        none = Conditions({}, {})
        np.testing.assert_array_equal(
            utc.expect(11 * HOUR_MS, none), china.expect(3 * HOUR_MS, none)
        )
        assert not np.allclose(utc.expect(3 * HOUR_MS, none), china.expect(3 * HOUR_MS, none))


def test_normal_low_is_the_lowest_pressure_of_the_networks_own_day(
    town: tuple[City, Registry], exact: WaterNetworkModel
) -> None:
    city, registry = town
    pressure = registry.where("quantity", PRESSURE.name)
    network = WaterNetwork(city.networks["water"], 0)
    lowest = np.full(len(registry), np.inf)
    for quarter in range(1, 97):
        frame = network.step(quarter * HOUR_MS // 4)
        lowest = np.minimum(lowest, shown(registry, network, frame))
    network.close()
    low = exact.normal_low(0)
    np.testing.assert_allclose(low[pressure], lowest[pressure], atol=0.01)
    assert np.isnan(np.delete(low, pressure)).all()
