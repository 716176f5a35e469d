"""Constants of drain devices that rules on the fill of a pipe need, from the platform's tables."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from api.drain_normals import dry_freeboard_m
from sensors.city import City
from sensors.quantities import FREEBOARD
from sensors.registry import Registry


def drain_constants(city: City, registry: Registry) -> Mapping[str, NDArray[np.float64]]:
    """Return name → constant of each device, metres, NaN where unknown.

    `invert_depth_m` is the depth from the ground to the manhole's bottom, `diameter_m` that of
    the largest drain that leaves it. Empty without a drainage network.
    """
    text = city.networks.get("flood", "")
    if not text:
        return {}
    links = city.tables["links"].select(["domain", "from_node", "diameter_mm"]).to_pylist()
    largest: dict[str, float] = {}
    for row in links:
        if row["domain"] == "flood" and row["diameter_mm"]:
            node = row["from_node"]
            largest[node] = max(largest.get(node, 0.0), row["diameter_mm"] / 1000.0)
    diameter_m = np.full(len(registry), np.nan)
    elements = registry.texts("element")
    for device in registry.where("quantity", FREEBOARD.name).tolist():
        diameter_m[device] = largest.get(elements[device], np.nan)
    return {"invert_depth_m": dry_freeboard_m(text, registry), "diameter_m": diameter_m}
