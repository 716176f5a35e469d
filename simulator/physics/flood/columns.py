"""From depths, flows and settings to the columns of a frame."""

import numpy as np
from numpy.typing import NDArray

from simulator.physics.flood.inp import DrainageModel
from simulator.physics.flood.orders import RUN, Orders

Floats = NDArray[np.float64]

_RUNNING_M3_S = 1e-6
_HOUR_S = 3600.0


class Columns:
    """Which row of the state becomes which quantity, by the kinds of the elements."""

    def __init__(self, model: DrainageModel) -> None:
        self._model = model
        nodes, links = np.array(model.node_kinds), np.array(model.link_kinds)
        self._gauges = len(model.gauge_ids)
        self._is_manhole = nodes == "manhole"
        self._ponds = (nodes == "road") | (nodes == "underpass")
        self._has_level = (nodes == "pump_station") | (nodes == "river_gauge")
        self._is_river = np.isfinite(model.stage_m)
        self._is_pump = links == "pump"

    def dry_depth_m(self) -> Floats:
        """Return the depth at each node when nothing flows."""
        depth = self._model.depth_m.copy()
        depth[self._is_river] = self._outside_m(0.0)
        return depth

    def ponding_cm(self, depth_m: Floats) -> Floats:
        """Return what stands on the street at each node, cm; NaN where nobody measures it."""
        return np.where(self._ponds, np.maximum(depth_m - self._model.rim_m, 0.0) * 100, np.nan)

    def node(self, depth_m: Floats, river_m: float, rain_mm: Floats) -> dict[str, Floats]:
        """Return the columns by node: those of the file, then the rain gauges."""
        depth_m = depth_m.copy()
        depth_m[self._is_river] = self._outside_m(river_m)
        none = np.full(self._gauges, np.nan)
        rain = np.concatenate((np.full(len(depth_m), np.nan), rain_mm))
        return {
            "freeboard": np.append(
                np.where(self._is_manhole, self._model.rim_m - depth_m, np.nan), none
            ),
            "ponding_depth": np.append(self.ponding_cm(depth_m), none),
            "water_level": np.append(np.where(self._has_level, depth_m, np.nan), none),
            "rainfall": rain,
        }

    def link(self, flow_m3_s: Floats, setting: Floats, orders: Orders) -> dict[str, Floats]:
        """Return the columns by link."""
        held_on = np.zeros(len(flow_m3_s), dtype=bool)
        held_on[[link for link, mode in orders.pump_mode.items() if mode == RUN]] = True
        is_running = held_on | ((setting > 0) & (flow_m3_s > _RUNNING_M3_S))
        is_open = np.ones(len(flow_m3_s), dtype=bool)
        is_open[[link for link, value in orders.setting.items() if value == 0.0]] = False
        status = np.where(self._is_pump, is_running, is_open).astype(np.float64)
        return {
            "flow": flow_m3_s * _HOUR_S,
            "pump_state": np.where(self._is_pump, status, np.nan),
            "status": status,
        }

    def _outside_m(self, river_m: float) -> Floats:
        """Return the depth the level outside makes at each outfall of fixed stage."""
        model, rivers = self._model, self._is_river
        depth: Floats = np.maximum(model.stage_m[rivers] + river_m - model.invert_m[rivers], 0.0)
        return depth
