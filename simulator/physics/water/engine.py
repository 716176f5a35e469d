"""The only file that talks to the EPANET binding: open, step, read and change, all in SI."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import epanet
import numpy as np
from numpy.typing import NDArray

from sensors.quantities import HEAD_PER_MPA_M
from simulator.errors import PhysicsError
from simulator.physics.water.api_numbers import (
    NO_SAVE,
    PRESSURE_DRIVEN,
    Count,
    Link,
    Node,
    Option,
    Time,
)
from simulator.physics.water.units import (
    CUBIC_FOOT_M3,
    FLOW_M3_H,
    FLOW_UNITS,
    FOOT_M,
    INCH_MM,
    PRESSURE_PER_M,
    is_us,
)

Floats = NDArray[np.float64]

NODE_KINDS = ("junction", "reservoir", "tank")
PIPE_KINDS = ("check_valve_pipe", "pipe")
VALVE_KINDS = ("prv", "psv", "pbv", "fcv", "tcv", "gpv", "pcv")
LINK_KINDS = (*PIPE_KINDS, "pump", *VALVE_KINDS)
_FIRST_ERROR = 100
_SET_SHUT = 2
_TEN_YEARS_S = 10 * 365 * 86_400
_WARM_UP_STEP_S = 900
_FIXES = {
    110: "look for a junction with demand and no way to a source",
    200: "mend the lines named below",
    223: "add junctions and pipes",
    224: "add a reservoir or tank",
    233: "connect the node or remove it",
    302: "check that the file exists and can be read",
}


class Control(NamedTuple):
    """One simple control as the binding gives it: kind, link, setting, node and level."""

    kind: int
    link: int
    setting: float
    node: int
    level: float


class EpanetEngine:
    """One EPANET project; several may be open at once in a process.

    Call `start` once, then `run_to` or `sub_step`; getters give the last solved moment. What is
    set between two steps acts from the next solution on, or at once after `solve`. Time is
    seconds since the file's own time 0, which falls on the clock time `clock_start_s`. Node and
    link arguments are 0-based positions in `node_ids` and `link_ids`.

    EPANET's codes 1 to 6 are warnings: they are collected in `warnings` as (time, code) and do
    not stop the run.
    """

    def __init__(self, inp: str | Path) -> None:
        """Open a model from the text of an `.inp` file, or from its path.

        Raises:
            PhysicsError: EPANET refuses the file; the message repeats the lines it complains of.
        """
        text = inp.read_text(encoding="utf-8", errors="replace") if isinstance(inp, Path) else inp
        self._folder = Path(tempfile.mkdtemp(prefix="tocsin-epanet-"))
        self._handle: int | None = None
        self.warnings: list[tuple[int, int]] = []
        self.time_s = 0
        self._step_s = 3600
        try:
            self._handle = self._call("createproject", handle=False)
            file = self._folder / "network.inp"
            file.write_text(text, encoding="utf-8")
            self._call("open", str(file), str(self._folder / "network.rpt"), "")
            # Where open files may be unlinked, not even a killed process leaves any behind.
            shutil.rmtree(self._folder, ignore_errors=True)
            self._read_units()
            self._read_tables()
            if not self.is_junction.any() or self.is_junction.all():
                raise PhysicsError("the file has no junction or no source; is it an EPANET file?")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the project and its files; closing twice does nothing."""
        self._free()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _free(self) -> None:
        if self._handle is not None:
            handle, self._handle = self._handle, None
            epanet.EN_close(handle)
            epanet.EN_deleteproject(handle)

    # --- the binding ---

    def _call(self, name: str, *arguments: object, handle: bool = True) -> Any:
        """Call `EN_<name>`; note warnings, raise errors, return the value or values."""
        if handle and self._handle is None:
            raise PhysicsError("the EPANET engine is closed; open a new one")
        first = (self._handle,) if handle else ()
        code, *values = getattr(epanet, f"EN_{name}")(*first, *arguments)
        if code >= _FIRST_ERROR:
            raise PhysicsError(self._explain(name, code))
        if code:
            self.warnings.append((self.time_s, code))
        return values[0] if len(values) == 1 else values

    def _explain(self, name: str, code: int) -> str:
        text = str(epanet.EN_geterror(code)[1])
        fix = _FIXES.get(code, "check the network file and the element named")
        report = self._folder / "network.rpt"
        lines: list[str] = []
        if name == "open" and report.is_file():
            self._free()  # the report is complete only then
            shown = report.read_text(encoding="utf-8", errors="replace").splitlines()
            lines = [line.strip() for line in shown if "rror" in line and str(code) not in line]
        return "; ".join([f"EPANET {name}: {text} (at {self.time_s} s): {fix}", *lines[:5]])

    def _node_values(self, prop: int) -> Floats:
        # The binding's *_NPY getters never free their buffer, so lists it is.
        return np.array(self._call("getnodevalues", prop), dtype=np.float64)

    def _link_values(self, prop: int) -> Floats:
        return np.array(self._call("getlinkvalues", prop), dtype=np.float64)

    def _some_values(self, nodes: NDArray[np.intp], prop: int) -> Floats:
        found = [self._call("getnodevalue", node + 1, prop) for node in nodes.tolist()]
        return np.array(found, dtype=np.float64)

    # --- what the file says ---

    def _read_units(self) -> None:
        self.flow_unit = FLOW_UNITS[self._call("getflowunits")]
        us = is_us(self.flow_unit)
        self._flow = FLOW_M3_H[self.flow_unit]
        self._length = FOOT_M if us else 1.0
        self._diameter = INCH_MM if us else 1.0
        self._volume = CUBIC_FOOT_M3 if us else 1.0

    def _read_tables(self) -> None:
        nodes = range(1, self._call("getcount", Count.NODES) + 1)
        links = range(1, self._call("getcount", Count.LINKS) + 1)
        self.node_ids = tuple(str(self._call("getnodeid", node)) for node in nodes)
        self.link_ids = tuple(str(self._call("getlinkid", link)) for link in links)
        self.node_kinds = tuple(NODE_KINDS[self._call("getnodetype", node)] for node in nodes)
        self.link_kinds = tuple(LINK_KINDS[self._call("getlinktype", link)] for link in links)
        ends = np.array([self._call("getlinknodes", link) for link in links], dtype=np.int64)
        self.from_node, self.to_node = ends.reshape(-1, 2).T - 1
        kinds = np.array(self.node_kinds, dtype=np.str_)
        self.is_junction, self.is_tank = kinds == "junction", kinds == "tank"
        self.is_pump = np.array([kind == "pump" for kind in self.link_kinds])
        self.elevation_m = self._node_values(Node.ELEVATION) * self._length
        self.length_m = self._link_values(Link.LENGTH) * self._length
        self.diameter_mm = self._link_values(Link.DIAMETER) * self._diameter
        self.clock_start_s = int(self._call("gettimeparam", Time.CLOCK_START))
        self._demands = [
            (node, category, float(self._call("getbasedemand", node, category)))
            for node in nodes
            if self.is_junction[node - 1]
            for category in range(1, self._call("getnumdemands", node) + 1)
        ]
        self.base_demand_m3_h = np.zeros(len(nodes))
        for node, _, base in self._demands:
            self.base_demand_m3_h[node - 1] += base * self._flow
        count = self._call("getcount", Count.CONTROLS)
        self._reservoir_places = np.flatnonzero(~self.is_junction & ~self.is_tank)
        self._tank_places = np.flatnonzero(self.is_tank)
        self._leaks = bool(
            self._link_values(Link.LEAK_AREA).any() or self._node_values(Node.EMITTER).any()
        )
        self.controls = {
            index: Control(*self._call("getcontrol", index))
            for index in range(1, count + 1)
            if self._call("getcontrolenabled", index)
        }

    def coordinates(self) -> Floats:
        """Return the nodes' coordinates as in the file, (nodes, 2); NaN where it gives none."""
        places = np.full((len(self.node_ids), 2), np.nan)
        for node in range(len(self.node_ids)):
            code, *place = epanet.EN_getcoord(self._handle, node + 1)
            if code == 0:
                places[node] = place
        return places

    # --- time ---

    def use_pressure_dependent_demand(self, required_m: float, exponent: float = 0.5) -> None:
        """Deliver demand in full only above `required_m` of head, and none at 0 m."""
        unit = PRESSURE_PER_M[int(self._call("getoption", Option.PRESSURE_UNITS))]
        self._call("setdemandmodel", PRESSURE_DRIVEN, 0.0, required_m * unit, exponent)

    def start(self, at_s: int, step_s: int) -> None:
        """Solve the first state at `at_s`, then advance by at most `step_s` at a time.

        Patterns, controls, rules and tanks run from the file's time 0 to `at_s` first, so the
        state is the one the file would have at that hour.
        """
        self._call("settimeparam", Time.DURATION, _TEN_YEARS_S)
        self._call("settimeparam", Time.REPORT_STEP, _TEN_YEARS_S)
        self._call("setoption", Option.UNBALANCED, 10)  # never halt for good on one bad step
        self._call("openH")
        self._call("initH", NO_SAVE)
        self.time_s = 0
        self._call("runH")
        self._step_s = step_s
        self.rush_to(at_s)

    def sub_step(self, limit_s: int) -> int:
        """Advance to the next change, at most to `limit_s`; return the seconds advanced.

        Tanks that fill or drain, controls and rules cut a step short by themselves.
        """
        self._call("settimeparam", Time.HYDRAULIC_STEP, min(self._step_s, limit_s - self.time_s))
        advanced = int(self._call("nextH"))
        if advanced <= 0:
            raise PhysicsError(f"EPANET stands still at {self.time_s} s; check the model's times")
        self.time_s += advanced
        return advanced

    def solve(self) -> None:
        """Solve the network as it now is, without advancing time."""
        self._call("runH")

    def run_to(self, t_s: int) -> None:
        """Advance to `t_s`, solving on the way as often as needed, and solve there."""
        while self.time_s < t_s:
            self.sub_step(t_s)
            self.solve()

    def rush_to(self, t_s: int, longest_s: int = _WARM_UP_STEP_S) -> None:
        """Advance to `t_s` as `run_to` does, in longer steps."""
        step_s, self._step_s = self._step_s, longest_s
        self.run_to(t_s)
        self._step_s = step_s

    # --- what the last solution says ---

    def head_m(self) -> Floats:
        """Return hydraulic heads of the nodes, metres; disconnected nodes are far below zero."""
        return self._node_values(Node.HEAD) * self._length

    def pressure_mpa(self) -> Floats:
        """Return gauge pressures of the nodes, MPa, from head and elevation."""
        return (self.head_m() - self.elevation_m) / HEAD_PER_MPA_M

    def demand_m3_h(self) -> Floats:
        """Return the consumer demand delivered at each node, m3/h; negative for supply."""
        return self._node_values(Node.DEMAND_FLOW) * self._flow

    def full_demand_m3_h(self) -> Floats:
        """Return the consumer demand asked for at each node, m3/h."""
        return self._node_values(Node.FULL_DEMAND) * self._flow

    def leakage_m3_h(self) -> Floats:
        """Return what leaks and file emitters discharge at each node, m3/h."""
        if not self._leaks:
            return np.zeros(len(self.node_ids))
        leaks = self._node_values(Node.LEAKAGE_FLOW)
        return (leaks + self._node_values(Node.EMITTER_FLOW)) * self._flow

    def reservoir_inflow_m3_h(self) -> Floats:
        """Return the flow into each reservoir, m3/h; negative where it feeds the network."""
        return self._some_values(self._reservoir_places, Node.NET_INFLOW) * self._flow

    def tank_volume_m3(self) -> Floats:
        """Return the water stored in each tank, m3; 0 for other nodes."""
        volume = np.zeros(len(self.node_ids))
        volume[self._tank_places] = (
            self._some_values(self._tank_places, Node.TANK_VOLUME) * self._volume
        )
        return volume

    def level_m(self) -> Floats:
        """Return the water level above the bottom of each tank, metres; NaN for other nodes."""
        level, tanks = np.full(len(self.node_ids), np.nan), self._tank_places
        head_m = self._some_values(tanks, Node.HEAD) * self._length
        level[tanks] = head_m - self.elevation_m[tanks]
        return level

    def flow_m3_h(self) -> Floats:
        """Return flows of the links, m3/h, positive from first to second node."""
        return self._link_values(Link.FLOW) * self._flow

    def is_open(self) -> NDArray[np.bool_]:
        """Return whether each link lets water through (a pump: runs)."""
        return self._link_values(Link.STATUS) > 0

    def pipe_leakage_m3_h(self, link: int) -> float:
        """Return what the leaks of one pipe discharge now, m3/h."""
        return float(self._call("getlinkvalue", link + 1, Link.LEAKAGE)) * self._flow

    # --- what can be changed while stepping ---

    def link_value(self, link: int, prop: int) -> float:
        """Return one property of a link in the file's unit, to hand back to `set_link_value`."""
        return float(self._call("getlinkvalue", link + 1, prop))

    def set_link_value(self, link: int, prop: int, value: float) -> None:
        """Set one property of a link (EPANET's number of it) in the file's unit."""
        self._call("setlinkvalue", link + 1, prop, float(value))

    def leak_area_mm2(self, link: int) -> float:
        """Return the open area of all leaks of a pipe, mm2."""
        per_100 = self.link_value(link, Link.LEAK_AREA)
        return per_100 * float(self.length_m[link]) / self._length / 100

    def set_leak_area_mm2(self, link: int, area_mm2: float) -> None:
        """Set the open area of a pipe's leaks, mm2, shared by its two end junctions.

        The discharge is 0.6 A sqrt(2 g h) at each end's own pressure head h.
        """
        hundreds = self.length_m[link] / self._length / 100
        self._leaks = self._leaks or area_mm2 > 0
        self.set_link_value(link, Link.LEAK_AREA, area_mm2 / hundreds)

    def set_demand_factors(self, factors: Floats) -> None:
        """Scale the file's base demand of every node by its factor."""
        listed, handle, change = factors.tolist(), self._handle, epanet.EN_setbasedemand
        if handle is None:
            raise PhysicsError("the EPANET engine is closed; open a new one")
        for node, category, base in self._demands:  # straight to the binding: there are thousands
            (code,) = change(handle, node, category, base * listed[node - 1])
            if code >= _FIRST_ERROR:
                raise PhysicsError(self._explain("setbasedemand", code))

    def set_tank_level_m(self, node: int, level_m: float) -> None:
        """Set the water level of a tank, clipped to the range the file allows."""
        low, high = (
            float(self._call("getnodevalue", node + 1, prop))
            for prop in (Node.MIN_LEVEL, Node.MAX_LEVEL)
        )
        level = min(max(level_m / self._length, low), high)
        self._call("setnodevalue", node + 1, Node.TANK_LEVEL, level)

    def take_state(self, other: "EpanetEngine") -> None:
        """Take on tank levels and the state of links from another engine of the same file.

        Both must be at the same time. Only what differs is set; solve afterwards.
        """
        levels = other.level_m()
        for node in self._tank_places.tolist():
            self._call("setnodevalue", node + 1, Node.TANK_LEVEL, levels[node] / self._length)
        mine, theirs = self._link_states(), other._link_states()  # noqa: SLF001
        for link in np.flatnonzero((mine != theirs).any(axis=0)).tolist():
            is_open, setting = theirs[:, link].tolist()
            if self.link_kinds[link] == "check_valve_pipe":
                continue
            if self.link_kinds[link] not in VALVE_KINDS or not setting:
                self.set_link_value(link, Link.STATUS, is_open)
            if is_open and setting and self.link_kinds[link] not in ("pipe", "gpv"):
                self.set_link_value(link, Link.SETTING, setting)

    def _link_states(self) -> Floats:
        """Return whether each link is meant to be open and its setting, (2, links)."""
        is_meant_open = self._link_values(Link.RAW_STATUS) != _SET_SHUT
        return np.array([is_meant_open, self._link_values(Link.SETTING)])

    def set_controls(self, indices: Sequence[int], *, active: bool) -> None:
        """Switch simple controls of the file off, or on again as the file has them."""
        for index in indices:
            control = self.controls[index] if active else Control(0, 0, 0.0, 0, 0.0)
            self._call("setcontrol", index, *control)
