"""The gas network of a city: mains, regulators, meshes and the spaces beside them."""

import math

import numpy as np
from numpy.typing import NDArray

from simulator.city.drawing import Floats
from simulator.city.gas_rates import GasRates, gas_rates
from simulator.city.gas_routes import Places, Routes, route
from simulator.city.gas_rows import gas_rows
from simulator.city.gas_sizing import Mains, size_mains, too_thin
from simulator.city.gas_spaces import site_spaces
from simulator.city.ground import Ground
from simulator.city.part import NetworkPart
from simulator.errors import PhysicsError
from simulator.physics.gas.model import (
    GasModel,
    Hearing,
    Nodes,
    Pipes,
    Regulators,
    Spaces,
    check,
    dump,
)
from simulator.physics.gas.solver import GasSolver, Solution
from simulator.randomness import stream

_ATTEMPTS = 12


def lay_gas(ground: Ground) -> NetworkPart:
    """Return the gas network under a city's streets, the same for the same ground.

    Gate stations at the edge feed medium-pressure mains along the arterials; one regulator an
    area feeds the low-pressure mesh in its streets, some meshes joined with a neighbour's.
    Pipes are enlarged until all low pressures lie within the band in the peak hour and at
    night. Ids: low-pressure nodes `GL` and medium ones `GM` with the number of their corner,
    pipes `GPL` and `GPM` with the number of their street, regulators `GX`, spaces `GH`
    (manholes), `GV` (valve wells), `GT` (stations), each with its corner, and `GU` (tunnels).

    Raises:
        PhysicsError: no sizes keep the pressures within the bands.
    """
    rates = gas_rates()
    routes = route(ground, rates)
    age_years, material = _ages(ground, routes, rates)
    mains = size_mains(ground, routes, rates, age_years, material)
    nodes, regulators = _nodes(ground, routes, rates), _regulators(routes, rates)
    for _ in range(_ATTEMPTS):
        model = _model(ground, rates, nodes, _pipes(ground, mains, rates), regulators)
        low_kpa, medium_kpa = _peak(ground, routes, model, rates)
        thin = too_thin(ground, routes, rates, mains, low_kpa, medium_kpa)
        if not thin.any():
            break
        mains = mains.larger(thin)
    else:
        raise PhysicsError(f"gas network of seed {ground.seed}: no pipe sizes keep its pressures")
    if low_kpa.max() > rates.pressure.low_most_kpa:
        raise PhysicsError(f"gas network of seed {ground.seed}: set-points lie above the band")
    sited = site_spaces(ground, routes, rates, mains, model.pipes.id)
    model.spaces, model.hearing = sited.spaces, sited.hearing
    check(model)
    rows = gas_rows(ground, routes, rates, mains, model, sited.corner)
    return NetworkPart("gas", dump(model), rows)


def _ages(ground: Ground, routes: Routes, rates: GasRates) -> tuple[Floats, Places]:
    """Return age and material of each pipe: those of one area were mostly laid together."""
    names, area = np.unique(ground.area, return_inverse=True)
    oldest = rates.pipes.oldest_years
    laid = np.array([stream(ground.seed, "gas age", name).uniform(1.0, oldest) for name in names])
    street = np.concatenate((routes.low, routes.medium))
    spread = stream(ground.seed, "gas age").normal(0.0, 4.0, len(ground.ends))
    age = np.clip(laid[area[ground.ends[street, 0]]] + spread[street], 1.0, oldest)
    limits = [item.up_to_years for item in rates.pipes.materials]
    return np.round(age, 1), np.searchsorted(limits, age).astype(np.int64)


def _nodes(ground: Ground, routes: Routes, rates: GasRates) -> Nodes:
    corners = len(ground.x_m)
    medium = np.unique(np.concatenate((ground.ends[routes.medium].ravel(), routes.gates)))
    fed, gates = set(routes.regulators.tolist()), set(routes.gates.tolist())
    demand = np.round(ground.people * rates.supply.person_nm3_day / 24, 4)
    return Nodes(
        id=[f"GL{corner + 1:05d}" for corner in range(corners)]
        + [f"GM{corner + 1:05d}" for corner in medium],
        kind=["regulator_out" if corner in fed else "junction" for corner in range(corners)]
        + ["source" if corner in gates else "junction" for corner in medium.tolist()],
        demand_nm3_h=demand.tolist() + [0.0] * len(medium),
        pressure_kpa=[0.0] * corners
        + [rates.pressure.medium_kpa if corner in gates else 0.0 for corner in medium.tolist()],
    )


def _regulators(routes: Routes, rates: GasRates) -> Regulators:
    corners = routes.regulators.tolist()
    return Regulators(
        id=[f"GX{corner + 1:05d}" for corner in corners],
        start=[f"GM{corner + 1:05d}" for corner in corners],
        end=[f"GL{corner + 1:05d}" for corner in corners],
        set_kpa=[rates.pressure.low_kpa] * len(corners),
    )


def _pipes(ground: Ground, mains: Mains, rates: GasRates) -> Pipes:
    names = np.where(mains.is_medium, "M", "L").tolist()
    ends = ground.ends[mains.street].tolist()
    materials = [item.name for item in rates.pipes.materials]
    return Pipes(
        id=[
            f"GP{name}{street + 1:05d}"
            for name, street in zip(names, mains.street.tolist(), strict=True)
        ],
        start=[f"G{name}{a + 1:05d}" for name, (a, _) in zip(names, ends, strict=True)],
        end=[f"G{name}{b + 1:05d}" for name, (_, b) in zip(names, ends, strict=True)],
        length_m=np.round(np.maximum(ground.length_m[mains.street], 1.0), 1).tolist(),
        diameter_mm=mains.diameter_mm(rates).tolist(),
        roughness_mm=mains.roughness_mm(rates).tolist(),
        material=[materials[place] for place in mains.material],
        age_years=mains.age_years.tolist(),
    )


def _model(
    ground: Ground, rates: GasRates, nodes: Nodes, pipes: Pipes, regulators: Regulators
) -> GasModel:
    mean = math.fsum(rates.supply.hourly) / 24
    return GasModel(
        format=1,
        title=f"Synthetic gas network, seed {ground.seed}, {len(ground.x_m)} corners",
        gas=rates.physics.gas,
        soil=rates.physics.soil,
        biogas=rates.physics.biogas,
        wind_m_s=rates.physics.wind_m_s,
        hourly=[round(factor / mean, 4) for factor in rates.supply.hourly],
        nodes=nodes,
        pipes=pipes,
        regulators=regulators,
        spaces=Spaces(
            id=[], kind=[], volume_m3=[], air_changes_h=[], wind_changes_h=[], node=[],
            upstream=[], is_sewer=[], biogas_m3_h=[],
        ),
        hearing=Hearing(space=[], pipe=[], distance_m=[]),
    )  # fmt: skip


def _peak(
    ground: Ground, routes: Routes, model: GasModel, rates: GasRates
) -> tuple[Floats, Floats]:
    """Return low and medium pressures by corner in the peak hour; NaN where there is no main."""
    demand = np.array(model.nodes.demand_nm3_h) * rates.peak
    solved = GasSolver(model).solve(demand)
    _check_supplied(model, solved)
    corners = len(ground.x_m)
    medium_kpa = np.full(corners, np.nan)
    at: NDArray[np.int64] = np.array([int(name[2:]) - 1 for name in model.nodes.id[corners:]])
    medium_kpa[at] = solved.pressure_kpa[corners:]
    return solved.pressure_kpa[:corners], medium_kpa


def _check_supplied(model: GasModel, solved: Solution) -> None:
    if solved.is_alive.all():
        return
    place = int(np.argmin(solved.is_alive))
    raise PhysicsError(f"{model.title}: {model.nodes.id[place]} is not connected to a source")
