"""What of a device depends on where it stands: gas set-points, depths of manholes, buildings."""

import json
from dataclasses import replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from sensors.city import City
from sensors.devices.flood import KINDS as FLOOD_KINDS
from simulator.city.candidates import Candidates
from simulator.city.drawing import Floats
from simulator.city.placement import LIMIT_MARGIN
from simulator.physics.flood.inp import read_sections
from simulator.physics.gas.model import parse

_GAS, _DRAIN = "gas_pressure", "drain_level"
_TALL, _TALL_M = "over100m", 100.0


def limited(city: City, kind: str, sites: Candidates) -> Candidates:
    """Return the sites of a kind with low alarm limits of their own, where the kind needs them.

    A gas pressure device warns at `LIMIT_MARGIN` of the set-point its node is fed with, 15 % below
    it: the yellow limit of the rule gas.pressure_low. A drain level device warns at the limit of
    its data sheet, or at `LIMIT_MARGIN` of the depth of a manhole too shallow for that (proposed).

    Raises:
        PhysicsError: the gas or drainage network cannot be read.
    """
    if kind == _GAS and "gas" in city.networks:
        fed_kpa = _set_points_kpa(city.networks["gas"])
        set_kpa: Floats = np.array([fed_kpa.get(node, np.nan) for node in sites.element.tolist()])
        return replace(sites, alarm_low=np.round(LIMIT_MARGIN * set_kpa, 2))
    if kind == _DRAIN and "flood" in city.networks:
        known_m = _depths_m(city.networks["flood"])
        depth_m = np.array([known_m.get(node, np.inf) for node in sites.element.tolist()])
        limit_m = np.minimum(FLOOD_KINDS[kind].alarm_low, np.round(LIMIT_MARGIN * depth_m, 2))
        return replace(sites, alarm_low=limit_m)
    return sites


def site_profiles(city: City) -> dict[str, str]:
    """Return the site profile of each high-rise that has one: `over100m` above 100 m.

    GB 50974-2014 asks for more pressure in such buildings (W8 of the national rules); what a
    building is used for is not known of generated ones.
    """
    if "fire" not in city.networks:
        return {}
    buildings = json.loads(city.networks["fire"])["buildings"]
    return {one["id"]: _TALL for one in buildings if one["height_m"] > _TALL_M}


def _set_points_kpa(text: str) -> dict[str, float]:
    """Return the highest set-point that feeds each gas node through pipes, kPa."""
    model = parse(text)
    ids = model.nodes.id
    place = {node: row for row, node in enumerate(ids)}
    held = np.full(len(ids), np.nan)
    for row, (kind, kpa) in enumerate(zip(model.nodes.kind, model.nodes.pressure_kpa, strict=True)):
        held[row] = kpa if kind == "source" else np.nan
    for node, kpa in zip(model.regulators.end, model.regulators.set_kpa, strict=True):
        held[place[node]] = kpa
    start = np.array([place[node] for node in model.pipes.start], dtype=np.int64)
    end = np.array([place[node] for node in model.pipes.end], dtype=np.int64)
    graph = coo_matrix((np.ones(len(start)), (start, end)), shape=(len(ids), len(ids)))
    count, part = connected_components(graph, directed=False)
    best = np.full(count, -np.inf)
    is_held = ~np.isnan(held)
    np.maximum.at(best, part[is_held], held[is_held])
    fed = best[part]
    return {node: kpa for node, kpa in zip(ids, fed.tolist(), strict=True) if np.isfinite(kpa)}


def _depths_m(text: str) -> dict[str, float]:
    """Return how deep each manhole is, metres; those without a depth of their own left out."""
    rows = read_sections(text).get("JUNCTIONS", [])
    depths = {row[0]: float(row[2]) for row in rows if len(row) > 2}
    return {node: depth for node, depth in depths.items() if depth > 0}
