"""The gas network in the city's tables: nodes, links, assets and risk points."""

import numpy as np

from sensors.city import Row
from simulator.city.drawing import Floats
from simulator.city.gas_rates import GasRates
from simulator.city.gas_routes import Places, Routes, reach
from simulator.city.gas_sizing import Mains
from simulator.city.ground import Ground
from simulator.physics.gas.model import GasModel

_BODY = "Gas company"
_ASSETS = {"station": "regulator_station", "valve_well": "valve_well", "tunnel": "utility_tunnel"}


def gas_rows(
    ground: Ground, routes: Routes, rates: GasRates, mains: Mains, model: GasModel, at: Places
) -> dict[str, list[Row]]:
    """Return the rows a gas network adds to `nodes`, `links`, `assets` and `risk_points`.

    Args:
        ground: The ground.
        routes: Where its pipes run.
        rates: The figures.
        mains: Its pipes.
        model: The network.
        at: Corner of each space.
    """
    corners = len(ground.x_m)
    medium = np.array([int(name[2:]) - 1 for name in model.nodes.id[corners:]], dtype=np.int64)
    corner = np.concatenate((np.arange(corners), medium, at))
    ids = [*model.nodes.id, *model.spaces.id]
    kinds = [*model.nodes.kind, *model.spaces.kind]
    demand = [*model.nodes.demand_nm3_h, *[0.0] * len(at)]
    people = np.concatenate((ground.people, np.zeros(len(corner) - corners)))
    place = _Places(ground)
    nodes = [
        {
            "id": name,
            "domain": "gas",
            "kind": kinds[number],
            **place.at(int(corner[number])),
            "elevation_m": float(ground.elevation_m[corner[number]]),
            "base_demand_m3_h": demand[number],
            "people": float(people[number]),
        }
        for number, name in enumerate(ids)
    ]
    return {
        "nodes": nodes,
        "links": _links(ground, mains, model),
        "assets": _assets(ground, routes, model, at),
        "risk_points": _risk_points(ground, routes, rates, mains, model),
    }


class _Places:
    """Area and place of corners, as columns of a row."""

    def __init__(self, ground: Ground) -> None:
        self._area, self._x_m, self._y_m = ground.area, ground.x_m.tolist(), ground.y_m.tolist()

    def at(self, corner: int) -> Row:
        """Return area and place of a corner."""
        return {"area": self._area[corner], "x_m": self._x_m[corner], "y_m": self._y_m[corner]}


def _links(ground: Ground, mains: Mains, model: GasModel) -> list[Row]:
    pipes, regulators = model.pipes, model.regulators
    first = ground.ends[mains.street, 0].tolist()
    rows: list[Row] = [
        {
            "id": name,
            "domain": "gas",
            "kind": "pipe",
            "area": ground.area[first[number]],
            "from_node": pipes.start[number],
            "to_node": pipes.end[number],
            "length_m": pipes.length_m[number],
            "diameter_mm": pipes.diameter_mm[number],
        }
        for number, name in enumerate(pipes.id)
    ]
    rows += [
        {
            "id": name,
            "domain": "gas",
            "kind": "regulator",
            "area": ground.area[int(name[2:]) - 1],
            "from_node": regulators.start[number],
            "to_node": regulators.end[number],
            "length_m": 1.0,
            "diameter_mm": 0.0,
        }
        for number, name in enumerate(regulators.id)
    ]
    return rows


def _assets(ground: Ground, routes: Routes, model: GasModel, at: Places) -> list[Row]:
    place, spaces = _Places(ground), model.spaces
    gates = [("gas_gate", f"GM{corner + 1:05d}", corner) for corner in routes.gates.tolist()]
    regulators = [("regulator", name, int(name[2:]) - 1) for name in model.regulators.id]
    kinds = [
        _ASSETS.get(kind, "sewer_manhole" if is_sewer else "cable_manhole")
        for kind, is_sewer in zip(spaces.kind, spaces.is_sewer, strict=True)
    ]
    beside = zip(kinds, spaces.id, at.tolist(), strict=True)
    return [
        {"id": f"{kind}-{name}", "kind": kind, "domain": "gas", "element": name, **place.at(corner)}
        for kind, name, corner in [*gates, *regulators, *beside]
    ]


def _risk_points(
    ground: Ground, routes: Routes, rates: GasRates, mains: Mains, model: GasModel
) -> list[Row]:
    likelihood, consequence = _likelihood(mains, rates), _consequence(ground, routes, rates, mains)
    chosen = np.flatnonzero(mains.is_medium | (likelihood >= rates.pipes.least_likelihood))
    a, b = ground.ends[mains.street].T
    x_m, y_m = (ground.x_m[a] + ground.x_m[b]) / 2, (ground.y_m[a] + ground.y_m[b]) / 2
    return [
        {
            "id": f"R-{model.pipes.id[pipe]}",
            "element": model.pipes.id[pipe],
            "domain": "gas",
            "area": ground.area[a[pipe]],
            "x_m": float(x_m[pipe]),
            "y_m": float(y_m[pipe]),
            "responsible_body": _BODY,
            "custodian": f"Gas section {ground.area[a[pipe]]}",
            "status": "in service",
            "maintenance": "walked with a leak detector every month",
            "team": "",
            "plan": "gas leak",
            "likelihood": int(likelihood[pipe]),
            "consequence": int(consequence[pipe]),
        }
        for pipe in chosen
    ]


def _likelihood(mains: Mains, rates: GasRates) -> Places:
    """Return L of every pipe by material and age."""
    base = np.array([item.likelihood for item in rates.pipes.materials])[mains.material]
    older = np.searchsorted(rates.pipes.likelihood_years, mains.age_years, side="right")
    return np.clip(base + older, 1, 5).astype(np.int64)


def _consequence(ground: Ground, routes: Routes, rates: GasRates, mains: Mains) -> Places:
    """Return C of every pipe by the households whose gas runs through it on the shortest way."""
    few = len(routes.low)
    people = ground.people.copy()
    served = np.zeros(len(mains.street))
    for pipes, roots in ((slice(0, few), routes.regulators), (slice(few, None), routes.gates)):
        ends = ground.ends[mains.street[pipes]]
        length_m = ground.length_m[mains.street[pipes]]
        before, _, order = reach(len(people), ends, length_m, roots)
        passing = _passing(people, before, order)
        a, b = ends.T
        onward = np.where(before[a] == b, passing[a], np.where(before[b] == a, passing[b], 0.0))
        served[pipes] = np.maximum(onward, np.minimum(people[a], people[b]))
        fed = passing[roots]
        people = np.zeros(len(people))
        people[roots] = fed
    households = served / rates.pipes.household_persons
    steps = np.searchsorted(rates.pipes.consequence_households, households, side="right")
    return (1 + steps).astype(np.int64)


def _passing(people: Floats, before: Places, order: Places) -> Floats:
    total, back = people.tolist(), before.tolist()
    for corner in order[::-1].tolist():
        if back[corner] >= 0:
            total[back[corner]] += total[corner]
    return np.array(total)
