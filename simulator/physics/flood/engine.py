"""The only file that talks to the SWMM binding: open, step, read and change, all in SI."""

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from swmm.toolkit import shared_enum as codes
from swmm.toolkit import solver

from simulator.errors import PhysicsError
from simulator.physics.flood.inp import FLOW_M3_S, FOOT_M, INCH_MM

Floats = NDArray[np.float64]

_US = frozenset({"CFS", "GPM", "MGD"})
_CUBIC_FOOT_M3 = FOOT_M**3
TOTALS = ("rain_mm", "infiltration_mm", "runoff", "inflow", "outflow", "flooding", "storage")
"""Names of `SwmmEngine.totals`: mm over the catchments, else m3 since the start."""


class SwmmEngine:
    """The SWMM model of this process; opening a second one would replace the first silently.

    Call `step` until `time_s` is where it should be; getters give the last solved moment. What
    is set between two steps acts from the next one on. Node, link and gauge arguments are
    0-based positions in `node_ids`, `link_ids`, `gauge_ids`.
    """

    _is_taken = False

    def __init__(self, text: str, hotstart: bytes | None = None) -> None:
        """Open and start a model from the text of an `.inp` file.

        Args:
            text: The whole file.
            hotstart: State to begin with, from `hotstart()` of the same network.

        Raises:
            PhysicsError: SWMM refuses the file, or a model is open in this process already.
        """
        if SwmmEngine._is_taken:
            raise PhysicsError("SWMM holds one model a process; close it, or use FloodNetwork")
        SwmmEngine._is_taken = True
        self._is_open = True
        self.time_s = 0.0
        self._folder = Path(tempfile.mkdtemp(prefix="tocsin-swmm-"))
        try:
            self._open(text, hotstart)
            self._read_tables()
        except BaseException:
            self.close()
            raise
        finally:
            # The engine holds its files open; unlinked, they go when the process does.
            shutil.rmtree(self._folder, ignore_errors=True)
        self._stored_m3 = 0.0
        self._stored_m3 = self.totals()[-1]

    def _open(self, text: str, hotstart: bytes | None) -> None:
        file, report = self._folder / "drains.inp", self._folder / "drains.rpt"
        file.write_text(text, encoding="utf-8")
        try:
            solver.swmm_open(str(file), str(report), str(self._folder / "drains.out"))
            if hotstart is not None:
                state = self._folder / "drains.hsf"
                state.write_bytes(hotstart)
                solver.swmm_hotstart(codes.HotstartFile.USE, str(state))
            solver.swmm_start(0)
        except Exception as error:
            self._is_open = SwmmEngine._is_taken = False
            solver.swmm_close()  # the report is complete only then; a second close would abort
            shown = report.read_text("utf-8", "replace") if report.is_file() else ""
            lines = [line.strip() for line in shown.splitlines() if "ERROR" in line]
            message = "; ".join(lines[:5]) or str(error).strip()
            raise PhysicsError(f"SWMM open: {message}: mend the lines named") from error

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
        """End the run and free the model; closing twice does nothing."""
        if not self._is_open:
            return
        self._is_open = False
        SwmmEngine._is_taken = False
        try:
            self._call("swmm_end")
        except PhysicsError:
            pass  # it was never started
        finally:
            solver.swmm_close()

    @staticmethod
    def _call(name: str, *arguments: object) -> Any:
        try:
            return getattr(solver, name)(*arguments)
        except Exception as error:
            message = str(error).strip() or "failed"
            raise PhysicsError(f"SWMM {name}: {message}: check the element named") from error

    def _read_tables(self) -> None:
        kinds = codes.ObjectType
        self.node_ids = self._ids(kinds.NODE)
        self.link_ids = self._ids(kinds.LINK)
        self.gauge_ids = self._ids(kinds.GAGE)
        unit = self._call("simulation_get_unit", codes.UnitProperty.FLOW_UNIT)
        name = codes.FlowUnits(unit).name
        self.is_us = name in _US
        self._flow = FLOW_M3_S[name]
        self._length = FOOT_M if self.is_us else 1.0
        self._volume = _CUBIC_FOOT_M3 if self.is_us else 1.0
        self._depth_mm = INCH_MM if self.is_us else 1.0
        nodes = range(len(self.node_ids))
        full = codes.NodeProperty.FULL_DEPTH
        self.full_depth_m = self._length * np.array(
            [self._call("node_get_parameter", node, full) for node in nodes]
        )

    def _ids(self, kind: Any) -> tuple[str, ...]:
        count = self._call("project_get_count", kind)
        return tuple(self._call("project_get_id", kind, place) for place in range(count))

    # --- time ---

    def step(self) -> bool:
        """Advance one routing step; False: the file's end is reached, nothing more happens."""
        days = float(self._call("swmm_step"))
        if days <= 0:
            return False
        self.time_s = days * 86_400
        return True

    # --- results ---

    def depth_m(self) -> Floats:
        """Return the water over the bottom of each node, m."""
        get, key = solver.node_get_result, codes.NodeResult.DEPTH
        values = [get(node, key) for node in range(len(self.node_ids))]
        return np.array(values, dtype=np.float64) * self._length

    def volume_m3(self, node: int) -> float:
        """Return the water that stands at one node, ponded water included, m3."""
        return float(solver.node_get_result(node, codes.NodeResult.VOLUME)) * self._volume

    def node_depth_m(self, node: int) -> float:
        """Return the water over the bottom of one node, m."""
        return float(solver.node_get_result(node, codes.NodeResult.DEPTH)) * self._length

    def flow_m3_s(self) -> Floats:
        """Return the flow of each link, m3/s, below 0 against its direction."""
        get, key = solver.link_get_result, codes.LinkResult.FLOW
        values = [get(link, key) for link in range(len(self.link_ids))]
        return np.array(values, dtype=np.float64) * self._flow

    def setting(self, link: int) -> float:
        """Return the setting of one link: 0 shut or off, 1 open or on."""
        return float(solver.link_get_result(link, codes.LinkResult.SETTING))

    def totals(self) -> Floats:
        """Return the totals since the start, in the order of `TOTALS`."""
        routing = self._call("system_get_routing_totals")
        runoff = self._call("system_get_runoff_totals")
        inflow = routing.dwInflow + routing.exInflow + routing.iiInflow + routing.gwInflow
        lost = routing.flooding + routing.evapLoss + routing.seepLoss
        # The binding converts every total but the storage, which stays in cubic feet.
        stored_m3 = routing.finalStorage * _CUBIC_FOOT_M3 - self._stored_m3
        # Without catchments the depths of rain are 0 / 0.
        totals: Floats = np.nan_to_num(
            [
                runoff.rainfall * self._depth_mm,
                (runoff.infil + runoff.evap) * self._depth_mm,
                routing.wwInflow * self._volume,
                inflow * self._volume,
                routing.outflow * self._volume,
                lost * self._volume,
                stored_m3,
            ]
        )
        return totals

    # --- changes ---

    def set_rain(self, gauge: int, rate_mm_h: float) -> None:
        """Set the intensity at a gauge, mm/h, until it is set again."""
        self._call("raingage_set_precipitation", gauge, rate_mm_h / self._depth_mm)

    def set_setting(self, link: int, setting: float) -> None:
        """Open (1), shut (0) or throttle a pump, orifice or weir; shut or open a conduit."""
        self._call("link_set_target_setting", link, setting)

    def set_entry_loss(self, link: int, coefficient: float) -> None:
        """Set the local loss of a conduit in velocity heads; it must have had one in the file."""
        self._call("link_set_parameter", link, codes.LinkProperty.INLET_LOSS, coefficient)

    def set_inflow(self, node: int, flow_m3_s: float) -> None:
        """Set the flow into a node from outside, m3/s; below 0 takes water out."""
        self._call("node_set_total_inflow", node, flow_m3_s / self._flow)

    def set_stage(self, node: int, level_m: float) -> None:
        """Set the level outside an outfall, m in the height system of the file."""
        self._call("outfall_set_stage", node, level_m / self._length)

    def hotstart(self) -> bytes:
        """Return the present state, to be given to a new engine."""
        with tempfile.TemporaryDirectory(prefix="tocsin-swmm-") as folder:
            file = Path(folder) / "drains.hsf"
            self._call("swmm_hotstart", codes.HotstartFile.SAVE, str(file))
            return file.read_bytes()
