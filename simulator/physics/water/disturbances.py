"""What incidents, crews and operators can change in a water network, by name."""

import difflib
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from simulator.errors import InjectionError
from simulator.physics.base import Disturbance
from simulator.physics.water.api_numbers import Link
from simulator.physics.water.engine import PIPE_KINDS, VALVE_KINDS, EpanetEngine
from simulator.physics.water.overrides import LinkOverrides
from simulator.physics.water.units import FOOT_M

LEAK_HEAD_M = 30.0
"""Head at which the amount of a `leak` is stated, metres."""

ORIFICE_M3_H = 4.8149766 * np.sqrt(FOOT_M) * 3600
"""Discharge of 1 m2 of leak under 1 m of head, m3/h: 0.6 sqrt(2 g) as EPANET rounds it."""


class Disturbances:
    """Carries out disturbances on one engine and remembers what is in force.

    Kinds:
        leak: Pipe; amount = discharge in m3/h at 30 m head, set (not added). It follows the
            square root of the head and leaves half at each end of the pipe, or wholly at the
            other end when one end is a tank or reservoir.
        repair: Pipe; ends its leak.
        close: Pipe or valve; the valves at both ends are shut, so its leak stops running.
        open: Pipe or valve; given back to its controls, or opened against them when it was
            not closed by `close`. A leak that was not repaired runs again.
        pump_off, pump_run: Pump; stands, or runs at normal speed, whatever its controls say.
        pump_on: Pump; given back to the file's controls.
        demand: Junction; amount = factor on its demand.
        roughness: Pipe; amount = factor on the file's roughness coefficient.
        tank_level: Tank; amount = level in metres, clipped to the tank's range.
    """

    def __init__(self, engine: EpanetEngine) -> None:
        self.overrides = LinkOverrides(engine)
        self.surge = np.ones(len(engine.node_ids))
        self.is_demand_changed = False
        self._engine = engine
        self._node = {name: place for place, name in enumerate(engine.node_ids)}
        self._link = {name: place for place, name in enumerate(engine.link_ids)}
        self._leak_mm2: dict[int, float] = {}
        self._file_leak_mm2: dict[int, float] = {}
        self._file_roughness: dict[int, float] = {}

    def apply(self, disturbance: Disturbance) -> None:
        """Change the engine; InjectionError when kind and element are unknown or do not fit."""
        act = _ACTS.get(disturbance.kind)
        if act is None:
            raise InjectionError(
                f"water knows no disturbance {disturbance.kind!r}; use one of {', '.join(_ACTS)}"
            )
        act(self, disturbance.element, disturbance.amount)

    def leak_outflow_m3_h(self, pipe: str) -> float:
        """Return what the injected leak of a pipe discharges now; 0 when it has none."""
        link = self._link_of(pipe, "pipe", PIPE_KINDS)
        open_mm2 = self._engine.leak_area_mm2(link)
        if self._leak_mm2.get(link, 0.0) == 0 or open_mm2 == 0:
            return 0.0
        share = self._leak_mm2[link] / open_mm2
        return self._engine.pipe_leakage_m3_h(link) * share

    def leak(self, pipe: str, m3_h_at_30_m: float) -> None:
        """Set the leak of a pipe."""
        if m3_h_at_30_m < 0:
            raise InjectionError(f"leak of {m3_h_at_30_m} m3/h on {pipe!r}; use 0 or more")
        link = self._link_of(pipe, "pipe", PIPE_KINDS)
        self._leak_mm2[link] = m3_h_at_30_m / np.sqrt(LEAK_HEAD_M) / ORIFICE_M3_H * 1e6
        if not self.overrides.is_held_shut(link):
            self._set_leak(link, runs=True)

    def repair(self, pipe: str, _amount: float) -> None:
        """End the leak of a pipe."""
        self.leak(pipe, 0.0)

    def close(self, element: str, _amount: float) -> None:
        """Shut the valves at both ends of a pipe, or a valve."""
        link = self._link_of(element, "pipe or valve", PIPE_KINDS + VALVE_KINDS)
        self.overrides.hold(link, is_open=False)
        self._set_leak(link, runs=False)

    def open(self, element: str, _amount: float) -> None:
        """Open a pipe or valve."""
        link = self._link_of(element, "pipe or valve", PIPE_KINDS + VALVE_KINDS)
        if self.overrides.is_held_shut(link):
            self.overrides.release(link)
        elif not self._engine.is_open()[link]:
            self.overrides.hold(link, is_open=True)
        self._set_leak(link, runs=True)

    def pump_off(self, pump: str, _amount: float) -> None:
        """Stop a pump against its controls."""
        self.overrides.hold(self._link_of(pump, "pump", ("pump",)), is_open=False)

    def pump_run(self, pump: str, _amount: float) -> None:
        """Run a pump at normal speed against its controls."""
        self.overrides.hold(self._link_of(pump, "pump", ("pump",)), is_open=True)

    def pump_on(self, pump: str, _amount: float) -> None:
        """Give a pump back to its controls."""
        self.overrides.release(self._link_of(pump, "pump", ("pump",)))

    def demand(self, junction: str, factor: float) -> None:
        """Scale the demand of a junction; 1 is normal."""
        self.surge[self._node_of(junction, "junction")] = factor
        self.is_demand_changed = True

    def roughness(self, pipe: str, factor: float) -> None:
        """Scale the file's roughness coefficient of a pipe."""
        link = self._link_of(pipe, "pipe", PIPE_KINDS)
        normal = self._file_roughness.setdefault(
            link, self._engine.link_value(link, Link.ROUGHNESS)
        )
        self._engine.set_link_value(link, Link.ROUGHNESS, normal * factor)

    def tank_level(self, tank: str, level_m: float) -> None:
        """Set the water level of a tank."""
        self._engine.set_tank_level_m(self._node_of(tank, "tank"), level_m)

    def _set_leak(self, link: int, *, runs: bool) -> None:
        if self._engine.link_kinds[link] not in PIPE_KINDS:
            return
        file_mm2 = self._file_leak_mm2.setdefault(link, self._engine.leak_area_mm2(link))
        total_mm2 = file_mm2 + self._leak_mm2.get(link, 0.0)
        self._engine.set_leak_area_mm2(link, total_mm2 if runs else 0.0)

    def _node_of(self, element: str, kind: str) -> int:
        kinds = dict(zip(self._engine.node_ids, self._engine.node_kinds, strict=True))
        _check(element, kind, (kind,), kinds)
        return self._node[element]

    def _link_of(self, element: str, what: str, kinds: tuple[str, ...]) -> int:
        link = self._link.get(element)
        if link is None or self._engine.link_kinds[link] not in kinds:
            known = dict(zip(self._engine.link_ids, self._engine.link_kinds, strict=True))
            _check(element, what, kinds, known)
        return self._link[element]


def _check(element: str, what: str, kinds: tuple[str, ...], known: Mapping[str, str]) -> None:
    kind = known.get(element)
    if kind in kinds:
        return
    fitting = sorted(name for name, its_kind in known.items() if its_kind in kinds)
    near = difflib.get_close_matches(element, fitting, n=3, cutoff=0.3) or fitting[:3]
    found = f"{element!r} is a {kind}" if kind else f"there is no {element!r}"
    hint = f"did you mean {', '.join(near)}?" if near else f"this network has no {what}"
    raise InjectionError(f"a {what} of the water network is needed, but {found}; {hint}")


_ACTS: Mapping[str, Callable[[Disturbances, str, float], None]] = MappingProxyType(
    {
        "leak": Disturbances.leak,
        "repair": Disturbances.repair,
        "close": Disturbances.close,
        "open": Disturbances.open,
        "pump_off": Disturbances.pump_off,
        "pump_run": Disturbances.pump_run,
        "pump_on": Disturbances.pump_on,
        "demand": Disturbances.demand,
        "roughness": Disturbances.roughness,
        "tank_level": Disturbances.tank_level,
    }
)
"""Kind of a disturbance → what carries it out."""
