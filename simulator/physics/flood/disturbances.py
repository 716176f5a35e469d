"""What incidents and crews may do to the drains, turned into standing orders for the worker."""

from collections.abc import Callable

import numpy as np

from simulator.errors import InjectionError
from simulator.physics.base import Disturbance
from simulator.physics.flood.inp import DrainageModel
from simulator.physics.flood.orders import AUTOMATIC, OFF, RUN, Orders

_SHUT_SHARE = 0.999
_HOUR_S = 3600.0
_WET = frozenset({"manhole", "road", "underpass", "pump_station"})


def entry_loss(blocked_share: float) -> float:
    """Return the local loss of a blockage in velocity heads of the open section.

    Weisbach's sharp-edged contraction: with r the open share of the section the jet narrows to
    (0.63 + 0.37 r³) r of it, and the loss is (1 / jet - 1)².
    """
    opened = 1.0 - blocked_share
    jet = (0.63 + 0.37 * opened**3) * opened
    return float((1.0 / jet - 1.0) ** 2)


class Disturbances:
    """The disturbances in force.

    Kinds, with the element and the amount each takes:

    - `pump_off`, `pump_on`, `pump_run` (pump): hold off; back to its depths; hold on.
    - `block` (conduit, share of the section lost, 0 to 1; 0 clears), `clear` (conduit, or a
      node: every conduit that ends there).
    - `gate_close`, `gate_open` (gate).
    - `river` ("", m above the normal stage): level outside every outfall of fixed stage.
    - `inflow` (node, m3/h from outside; 0 ends), `mobile_pump` (node, m3/h taken out; 0 ends).
    - `barrier` (road spot or underpass, 1 or 0): keeps out what runs over the street to it.
    """

    def __init__(self, model: DrainageModel) -> None:
        self.orders = Orders()
        self.is_changed = False
        self.river_m = 0.0
        self._model = model
        self._nodes = {id: n for n, id in enumerate(model.node_ids)}
        self._links = {id: n for n, id in enumerate(model.link_ids)}
        self._known: dict[str, Callable[[str, float], None]] = {
            "pump_off": lambda element, _: self._pump(element, OFF),
            "pump_on": lambda element, _: self._pump(element, AUTOMATIC),
            "pump_run": lambda element, _: self._pump(element, RUN),
            "block": self._block,
            "clear": self._clear,
            "gate_close": lambda element, _: self._gate(element, 0.0),
            "gate_open": lambda element, _: self._gate(element, 1.0),
            "river": self._river,
            "inflow": self._inflow,
            "mobile_pump": self._mobile_pump,
            "barrier": self._barrier,
        }

    @property
    def is_filling(self) -> bool:
        """Whether water comes in without rain: from outside, or from a river above normal."""
        return bool(self.orders.inflow_m3_s) or self.river_m > 0

    def apply(self, disturbance: Disturbance) -> None:
        """Take a disturbance into force.

        Raises:
            InjectionError: the kind or the element is unknown, or they do not fit.
        """
        act = self._known.get(disturbance.kind)
        if act is None:
            known = ", ".join(self._known)
            raise InjectionError(f"flood: no disturbance {disturbance.kind!r}; known are {known}")
        if not np.isfinite(disturbance.amount):
            raise InjectionError(f"flood {disturbance.kind}: amount must be a finite number")
        act(disturbance.element, disturbance.amount)
        self.is_changed = True

    def _link(self, element: str, kind: str) -> int:
        place = self._links.get(element)
        if place is None or self._model.link_kinds[place] != kind:
            raise InjectionError(f"flood: {element!r} is no {kind} of the drains")
        return place

    def _node(self, element: str) -> int:
        place = self._nodes.get(element)
        if place is None or self._model.node_kinds[place] not in _WET:
            wanted = "manhole, ponding spot, underpass or pump station"
            raise InjectionError(f"flood: {element!r} is no {wanted}")
        return place

    def _pump(self, element: str, mode: int) -> None:
        self.orders.pump_mode[self._link(element, "pump")] = mode

    def _gate(self, element: str, setting: float) -> None:
        self.orders.setting[self._link(element, "gate")] = setting

    def _block(self, element: str, share: float) -> None:
        if not 0 <= share <= 1:
            raise InjectionError(f"flood block {element}: the share is {share}; give 0 to 1")
        self._throttle(self._link(element, "conduit"), share)

    def _throttle(self, link: int, share: float) -> None:
        is_shut = share >= _SHUT_SHARE
        self.orders.setting[link] = 0.0 if is_shut else 1.0
        self.orders.entry_loss[link] = 0.01 + (0.0 if is_shut else entry_loss(share))

    def _clear(self, element: str, _: float) -> None:
        if element in self._links:
            self._throttle(self._link(element, "conduit"), 0.0)
            return
        node = self._node(element)
        ends = np.flatnonzero((self._model.from_node == node) | (self._model.to_node == node))
        for link in ends.tolist():
            if link in self.orders.entry_loss:
                self._throttle(link, 0.0)

    def _river(self, _: str, above_m: float) -> None:
        self.river_m = above_m
        for node in np.flatnonzero(np.isfinite(self._model.stage_m)).tolist():
            self.orders.stage_m[node] = float(self._model.stage_m[node]) + above_m

    def _inflow(self, element: str, flow_m3_h: float) -> None:
        node = self._node(element)
        self.orders.inflow_m3_s.pop(node, None)
        if flow_m3_h:
            self.orders.inflow_m3_s[node] = flow_m3_h / _HOUR_S

    def _mobile_pump(self, element: str, flow_m3_h: float) -> None:
        if flow_m3_h < 0:
            raise InjectionError(f"flood mobile_pump {element}: {flow_m3_h} m3/h; give 0 or more")
        node = self._node(element)
        self.orders.mobile_m3_s.pop(node, None)
        if flow_m3_h:
            self.orders.mobile_m3_s[node] = flow_m3_h / _HOUR_S

    def _barrier(self, element: str, is_up: float) -> None:
        node = self._node(element)
        if self._model.node_kinds[node] not in ("road", "underpass"):
            raise InjectionError(f"flood: {element!r} is no ponding spot or underpass")
        is_overland = np.array([kind == "overland" for kind in self._model.link_kinds])
        for link in np.flatnonzero(is_overland & (self._model.to_node == node)).tolist():
            self.orders.setting[link] = 0.0 if is_up else 1.0
