"""What drain devices show when it does not rain, from the platform's own copy of the drains."""

import numpy as np
from numpy.typing import NDArray

from sensors.quantities import FREEBOARD
from sensors.registry import Registry

_DEPTH = {"JUNCTIONS": 2, "STORAGE": 2}
"""Section of a SWMM file → column of the depth from the ground down, metres."""


def dry_freeboard_m(inp_text: str, registry: Registry) -> NDArray[np.float64]:
    """Return the freeboard of each drain device in an empty drain, NaN for other devices.

    Limits a shallow manhole could never keep are taken out of use with it (`WarnStage`,
    `normal_low`). The file gives depths in metres (SI flow units).
    """
    depth_m = _depths_m(inp_text)
    normal = np.full(len(registry), np.nan)
    elements = registry.texts("element")
    for device in registry.where("quantity", FREEBOARD.name).tolist():
        normal[device] = depth_m.get(elements[device], np.nan)
    return normal


def normal_low(
    water_low: NDArray[np.float64] | None, flood_inp: str, registry: Registry
) -> NDArray[np.float64]:
    """Return the lowest normal value of each device: the water model's, and that of dry drains.

    Args:
        water_low: What the water model says, None without one.
        flood_inp: The city's SWMM file, empty when it has no drains.
        registry: The devices.
    """
    drains = dry_freeboard_m(flood_inp, registry)
    return drains if water_low is None else np.where(np.isnan(water_low), drains, water_low)


def _depths_m(inp_text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    section = ""
    for line in inp_text.splitlines():
        words = line.partition(";")[0].split()
        if words and words[0].startswith("["):
            section = words[0].strip("[]").upper()
        elif section in _DEPTH and len(words) > _DEPTH[section]:
            depth = words[_DEPTH[section]]
            try:
                found[words[0]] = float(depth)
            except ValueError:
                continue
    return found
