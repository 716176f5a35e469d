"""What incidents, crews and weather can change in a gas network, by name."""

import difflib
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from simulator.errors import InjectionError
from simulator.physics.base import Disturbance
from simulator.physics.gas.laws import Floats
from simulator.physics.gas.model import SPACE_KINDS, GasModel
from simulator.physics.gas.solver import GasSolver
from simulator.physics.gas.spaces import Spaces


class Disturbances:
    """Carries out disturbances on one network and remembers what is in force.

    Kinds:
        leak: Pipe; amount = diameter of the hole in mm, set (not added), half of its area at
            each end; 0 ends it.
        well_leak: Valve well; amount = Nm3/h its valve loses in full supply; 0 ends it.
        repair: Pipe or valve well; ends its leak.
        close: Pipe; the valves at both ends are shut, so its leak stops.
        open: Pipe; the valves are opened. A leak that was not repaired runs again.
        ventilate: Space; amount = air changes an hour by fans; 0 ends it.
        biogas: Manhole, valve well or other space; amount = m3/h of methane from sewage on the
            warmest day, beside what is always there, reached slowly; 0 ends it, as slowly.
        demand: Node of the pipes; amount = factor on its demand, 1 is normal.
        regulator: Regulator; amount = factor on its set-point, 1 is normal; 0 shuts it.
        wind: No element (""); amount = m/s.

    Attributes:
        surge: Factor on the demand of each node.
        is_changed: Whether the pipes must be solved again; the network clears it.
    """

    def __init__(self, model: GasModel, solver: GasSolver, spaces: Spaces) -> None:
        self.surge: Floats = np.ones(len(model.nodes.id))
        self.is_changed = False
        self._solver, self._spaces = solver, spaces
        self._set_kpa = solver.set_kpa.copy()
        self._groups: Mapping[str, Mapping[str, int]] = {
            "pipe": _places(model.pipes.id),
            "regulator": _places(model.regulators.id),
            "node": _places(model.nodes.id),
            "space": _places(model.spaces.id),
        }
        self._kinds: dict[str, str] = dict.fromkeys(model.pipes.id, "pipe")
        self._kinds |= dict.fromkeys(model.regulators.id, "regulator")
        self._kinds |= dict(zip(model.nodes.id, model.nodes.kind, strict=True))
        self._kinds |= dict(zip(model.spaces.id, model.spaces.kind, strict=True))
        node = self._groups["node"]
        self._well_node = {
            well: node[name]
            for well, name in zip(model.spaces.id, model.spaces.node, strict=True)
            if name
        }
        self._well_nm3_h: dict[str, float] = {}

    def apply(self, disturbance: Disturbance) -> None:
        """Change the network; InjectionError when kind, element or amount do not fit."""
        kind, element, amount = disturbance.kind, disturbance.element, disturbance.amount
        act = _ACTS.get(kind)
        if act is None:
            known = ", ".join(_ACTS)
            raise InjectionError(f"gas knows no disturbance {kind!r}; use one of {known}")
        if not (math.isfinite(amount) and amount >= 0):
            raise InjectionError(f"gas {kind} of {amount} on {element!r}; use 0 or more")
        act(self, element, amount)

    def place_of_pipe(self, element: str) -> int | None:
        """Return the position of a pipe, None when the element is not one."""
        return self._groups["pipe"].get(element)

    def node_of_well(self, element: str) -> int | None:
        """Return the node whose valve a well holds, None when the element is not a well."""
        return self._well_node.get(element)

    def well_share(self, element: str) -> float:
        """Return a well's share of what the valves at its node lose together."""
        node = self._well_node[element]
        together = self._solver.well_nm3_h[node]
        return self._well_nm3_h.get(element, 0.0) / together if together > 0 else 0.0

    def leaking_wells(self) -> Mapping[str, float]:
        """Return the wells whose valves leak, with what they lose in full supply, Nm3/h."""
        return self._well_nm3_h

    def leak(self, pipe: str, hole_mm: float) -> None:
        """Set the hole in a pipe."""
        self._solver.hole_mm2[self._place(pipe, "pipe")] = math.pi * (hole_mm / 2) ** 2
        self.is_changed = True

    def well_leak(self, well: str, nm3_h: float) -> None:
        """Set what the valve in a well loses."""
        self._place(well, "space", ("valve_well",))
        if well not in self._well_node:
            raise InjectionError(f"valve well {well!r} holds no valve; give it a node in the file")
        self._well_nm3_h[well] = nm3_h
        if nm3_h == 0:
            del self._well_nm3_h[well]
        node = self._well_node[well]
        self._solver.well_nm3_h[node] = math.fsum(
            amount for name, amount in self._well_nm3_h.items() if self._well_node[name] == node
        )
        self.is_changed = True

    def repair(self, element: str, _amount: float) -> None:
        """End the leak of a pipe or of a valve."""
        if self._kinds.get(element) == "valve_well":
            self.well_leak(element, 0.0)
            return
        self._place(element, "pipe", ("pipe", "valve_well"))
        self.leak(element, 0.0)

    def close(self, pipe: str, _amount: float) -> None:
        """Shut the valves at both ends of a pipe."""
        self._solver.is_open[self._place(pipe, "pipe")] = False
        self.is_changed = True

    def open(self, pipe: str, _amount: float) -> None:
        """Open the valves at both ends of a pipe."""
        self._solver.is_open[self._place(pipe, "pipe")] = True
        self.is_changed = True

    def ventilate(self, space: str, changes_h: float) -> None:
        """Set the fans of a space."""
        self._spaces.extra_changes_h[self._place(space, "space", SPACE_KINDS)] = changes_h

    def biogas(self, space: str, m3_h: float) -> None:
        """Set the additional sewer gas of a space."""
        place = self._place(space, "space", SPACE_KINDS)
        self._spaces.biogas_m3_h[place] = self._spaces.usual_biogas_m3_h[place] + m3_h

    def demand(self, node: str, factor: float) -> None:
        """Scale the demand of a node."""
        self.surge[self._place(node, "node", ("junction", "regulator_out", "source"))] = factor
        self.is_changed = True

    def regulator(self, regulator: str, factor: float) -> None:
        """Scale the set-point of a regulator."""
        place = self._place(regulator, "regulator")
        self._solver.set_kpa[place] = self._set_kpa[place] * factor
        self.is_changed = True

    def wind(self, _element: str, m_s: float) -> None:
        """Set the wind over the whole city."""
        self._spaces.wind_m_s = m_s

    def _place(self, element: str, group: str, kinds: tuple[str, ...] = ()) -> int:
        kinds = kinds or (group,)
        kind = self._kinds.get(element)
        if kind in kinds:
            return self._groups[group].get(element, 0)
        fitting = sorted(name for name, its_kind in self._kinds.items() if its_kind in kinds)
        near = difflib.get_close_matches(element, fitting[:_SEARCHED], n=3, cutoff=0.3)
        near = near or fitting[:3]
        what = " or ".join(kinds)
        found = f"{element!r} is a {kind}" if kind else f"there is no {element!r}"
        hint = f"did you mean {', '.join(near)}?" if near else f"this network has no {what}"
        raise InjectionError(f"a {what} of the gas network is needed, but {found}; {hint}")


_SEARCHED = 5000
"""A close spelling is looked for among so many ids, so that a refusal stays quick."""


def _places(ids: list[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(ids)}


_ACTS: Mapping[str, Callable[[Disturbances, str, float], None]] = MappingProxyType(
    {
        "leak": Disturbances.leak,
        "well_leak": Disturbances.well_leak,
        "repair": Disturbances.repair,
        "close": Disturbances.close,
        "open": Disturbances.open,
        "ventilate": Disturbances.ventilate,
        "biogas": Disturbances.biogas,
        "demand": Disturbances.demand,
        "regulator": Disturbances.regulator,
        "wind": Disturbances.wind,
    }
)
"""Kind of a disturbance → what carries it out."""
