"""The platform's own, imperfect model of a water network, for `assess` and `warn`."""

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from api.leak_response import LeakResponse, solution_of
from pipeline.ports import Conditions
from sensors.quantities import FLOW, HEAD_PER_MPA_M, PRESSURE, PUMP_STATE, WATER_LEVEL
from sensors.registry import Registry
from simulator.physics.water.api_numbers import Link, Option
from simulator.physics.water.engine import PIPE_KINDS, EpanetEngine
from simulator.randomness import keys, normal

Floats = NDArray[np.float64]

DAY_S = 86_400
SERVICE_HEAD_M = 14.0
"""Head below which consumers get less than they ask for (0.14 MPa, end-of-network minimum)."""
_NAMED_HEAD_M = 30.0
_ORIFICE = 0.6 * math.sqrt(2 * 9.81)
_DISCONNECTED_M = -1000.0
_CACHED_STATES = 1024
_DAY_STEP_S = 900
_SOLVED_EACH = 2000
"""Pipes of a network up to which every leak asked for is solved (a solution takes 1 to 5 ms)."""
_FEW = 8
"""Leaks asked for at once that are solved even in a larger network; more are screened."""


class _Number(IntEnum):
    """Numbers of EPANET's C interface that only single moments need."""

    INIT_STATUS = 4
    INIT_SETTING = 5
    PATTERN_START = 4
    TRIALS = 0
    ACCURACY = 1
    FROM_SCRATCH = 10


@dataclass(frozen=True, slots=True)
class ModelErrors:
    """How wrong the platform's copy of the network is.

    Attributes:
        roughness: Standard deviation of the log of the factor on each pipe's roughness.
        demand: The same for each junction's base demand.
        level_m: Standard deviation of a constant error on each tank's level, metres.
        seed: Seed of the model's own random streams; never the world's.
    """

    roughness: float = 0.1
    demand: float = 0.1
    level_m: float = 0.0
    seed: int = 1


def leak_area_mm2(leak_m3_h: float) -> float:
    """Return the open area that discharges `leak_m3_h` at 30 m head (orifice, C = 0.6)."""
    return leak_m3_h / 3600 / (_ORIFICE * math.sqrt(_NAMED_HEAD_M)) * 1e6


class SteadyNetwork(EpanetEngine):
    """A model that solves single moments, each from scratch, with imposed pumps and tanks.

    Every solution starts from the same initial flows, so it depends on nothing solved before
    and a restarted platform gets the same numbers.
    """

    def __init__(self, inp_text: str, errors: ModelErrors, driven_pumps: Sequence[str]) -> None:
        """Open the network, make it wrong by `errors` and take `driven_pumps` off controls."""
        super().__init__(inp_text)
        self.level_error_m = spoil(self, errors)
        self._pumps = {
            link: index
            for index, link in enumerate(self.link_ids)
            if self.is_pump[index] and link in driven_pumps
        }
        self._initial = {
            pump: (
                self.link_value(index, _Number.INIT_STATUS),
                self.link_value(index, _Number.INIT_SETTING),
                self.link_value(index, Link.SPEED_PATTERN),
            )
            for pump, index in self._pumps.items()
        }
        self._tanks = {
            self.node_ids[node]: (node, level_m)
            for node, level_m in enumerate(self.initial_level_m().tolist())
            if self.is_tank[node]
        }
        self._companions = self._take_off_controls()
        self._pattern_start_s = int(self._call("gettimeparam", _Number.PATTERN_START))
        self.use_pressure_dependent_demand(SERVICE_HEAD_M)
        self._call("setoption", _Number.ACCURACY, 1e-6)
        self._call("setoption", _Number.TRIALS, 200)
        self._call("setoption", Option.UNBALANCED, 10)
        self._call("openH")

    def _take_off_controls(self) -> dict[tuple[str, bool], list[tuple[int, bool]]]:
        """Switch off the controls of driven pumps; return what else their triggers move.

        A link that a file's control moves at the very trigger that starts or stops a pump (a
        bypass, say) is held where the measured pump says it must be.
        """
        names = {index: pump for pump, index in self._pumps.items()}
        moved = {
            (control.kind, control.node, control.level): (names[control.link - 1], control)
            for control in self.controls.values()
            if control.link - 1 in names
        }
        companions: dict[tuple[str, bool], list[tuple[int, bool]]] = {}
        off = []
        for number, control in self.controls.items():
            trigger = moved.get((control.kind, control.node, control.level))
            if control.link - 1 in names:
                off.append(number)
            elif trigger is not None and not self.is_pump[control.link - 1]:
                off.append(number)
                key = (trigger[0], trigger[1].setting > 0)
                companions.setdefault(key, []).append((control.link - 1, control.setting > 0))
        self.set_controls(off, active=False)
        return companions

    def impose(self, conditions: Conditions) -> None:
        """Set pumps and tank levels to what was measured; the rest to what the file has.

        A measured level carries the model's error, so its copy of the tank is as wrong as it is.
        """
        for pump, index in self._pumps.items():
            status, setting, pattern = self._initial[pump]
            is_on = conditions.pump_on.get(pump, status > 0)
            self.set_link_value(index, Link.SPEED_PATTERN, pattern if is_on else 0)
            self.set_link_value(index, _Number.INIT_STATUS, float(is_on))
            if is_on:  # a pump the file starts closed has no speed of its own
                self.set_link_value(index, _Number.INIT_SETTING, setting or 1.0)
            for link, is_open in self._companions.get((pump, is_on), ()):
                self.set_link_value(link, _Number.INIT_STATUS, float(is_open))
        for tank, (node, filed_m) in self._tanks.items():
            level_m = conditions.tank_level_m.get(tank, filed_m)
            self.set_tank_level_m(node, level_m + self.level_error_m[node])

    def initial_level_m(self) -> Floats:
        """Return the level each tank starts from in the file, metres; 0 for other nodes."""
        self._call("openH")
        self._call("initH", _Number.FROM_SCRATCH)
        self.solve()
        levels: Floats = np.nan_to_num(self.level_m())
        self._call("closeH")
        return levels

    def solve_at(self, file_s: int) -> None:
        """Solve the moment `file_s` seconds after the file's own time 0."""
        self._call("settimeparam", _Number.PATTERN_START, self._pattern_start_s + file_s)
        self._call("initH", _Number.FROM_SCRATCH)
        self.solve()
        self.warnings.clear()


def spoil(engine: EpanetEngine, errors: ModelErrors) -> Floats:
    """Multiply roughness and demand of `engine` by their errors; return the level errors, m."""
    pipes = [index for index, kind in enumerate(engine.link_kinds) if kind in PIPE_KINDS]
    names = [engine.link_ids[index] for index in pipes]
    rough = np.exp(errors.roughness * normal(keys(errors.seed, "model.roughness", names), 0))
    for index, factor in zip(pipes, rough.tolist(), strict=True):
        value = engine.link_value(index, Link.ROUGHNESS)
        engine.set_link_value(index, Link.ROUGHNESS, value * factor)
    demand = normal(keys(errors.seed, "model.demand", engine.node_ids), 0)
    is_consumer = engine.base_demand_m3_h > 0  # a supply node's inflow is metered, so known
    engine.set_demand_factors(np.where(is_consumer, np.exp(errors.demand * demand), 1.0))
    level: Floats = errors.level_m * normal(keys(errors.seed, "model.level", engine.node_ids), 0)
    return level


class WaterNetworkModel:
    """A `pipeline.ports.NetworkModel` over EPANET, fed only with a file and with readings."""

    def __init__(
        self,
        inp_text: str,
        registry: Registry,
        errors: ModelErrors,
        utc_offset_ms: int,
        start_ms: int | None = None,
    ) -> None:
        """Open the platform's copy of the network.

        Args:
            inp_text: The network as its owner filed it (`.inp` text).
            registry: The devices whose readings are modelled.
            errors: How wrong the copy is.
            utc_offset_ms: Local time minus UTC, for the daily demand patterns.
            start_ms: First moment of the operator's timeline, whose patterns may be longer than
                a day; None when every day follows the file's first one.

        Raises:
            PhysicsError: EPANET refuses the file.
        """
        self._start_ms = start_ms
        self._text, self._errors, self._utc_offset_ms = inp_text, errors, utc_offset_ms
        quantity, element = registry.texts("quantity"), registry.texts("element")
        domain = registry.texts("domain")
        pumps = [
            name
            for name, measured, of in zip(element, quantity, domain, strict=True)
            if measured == PUMP_STATE.name and of == "water"
        ]
        self._engine = SteadyNetwork(inp_text, errors, pumps)
        self._devices = len(registry)
        place = {
            PRESSURE.name: {node: index for index, node in enumerate(self._engine.node_ids)},
            FLOW.name: {link: index for index, link in enumerate(self._engine.link_ids)},
        }
        place |= {WATER_LEVEL.name: place[PRESSURE.name], PUMP_STATE.name: place[FLOW.name]}
        self._watched = {}
        for name, index in place.items():
            rows = [
                (device, index[element[device]])
                for device in registry.where("quantity", name).tolist()
                if domain[device] == "water" and element[device] in index
            ]
            self._watched[name] = np.array(rows, dtype=np.int64).reshape(-1, 2).T
        self._known = np.concatenate([device for device, _ in self._watched.values()])
        self._pipes = tuple(
            link
            for link, kind in zip(self._engine.link_ids, self._engine.link_kinds, strict=True)
            if kind in PIPE_KINDS
        )
        self._link = place[FLOW.name]
        self._states: OrderedDict[object, Floats] = OrderedDict()
        self._response: tuple[object, LeakResponse] | None = None

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
        """Free the engine; the model is unusable afterwards."""
        self._engine.close()

    @property
    def pipes(self) -> Sequence[str]:
        """Ids of the pipes that can leak, in the order of the file."""
        return self._pipes

    def expect(self, at_ms: int, conditions: Conditions) -> Floats:
        """Return what undisturbed devices would show at `at_ms` (see `NetworkModel`)."""
        key = self._state_key(at_ms, conditions)
        state = self._states.get(key)
        if state is None:
            self._engine.impose(conditions)
            self._engine.solve_at(self._file_time_s(at_ms))
            state = self._shown(self._engine)[self._known]
            self._states[key] = state
            if len(self._states) > _CACHED_STATES:
                self._states.popitem(last=False)
        else:
            self._states.move_to_end(key)
        expected = np.full(self._devices, np.nan)
        expected[self._known] = state
        return expected

    def _state_key(self, at_ms: int, conditions: Conditions) -> tuple[object, ...]:
        return (
            self._file_time_s(at_ms),
            tuple(sorted(conditions.pump_on.items())),
            tuple((k, round(v, 3)) for k, v in sorted(conditions.tank_level_m.items())),
        )

    def leak_changes(
        self,
        at_ms: int,
        conditions: Conditions,
        pipes: Sequence[str],
        leak_m3_h: float,
        devices: NDArray[np.integer] | None = None,
    ) -> Floats:
        """Return the change a leak in each pipe would make (see `NetworkModel`)."""
        if len(self._pipes) > _SOLVED_EACH and len(pipes) > _FEW:
            changes = self._screened(at_ms, conditions, pipes, leak_m3_h)
        else:
            changes = self._solved(at_ms, conditions, pipes, leak_m3_h)
        asked = np.arange(self._devices) if devices is None else devices
        shown = np.full((len(pipes), len(asked)), np.nan)
        place = np.full(self._devices, -1)
        place[self._known] = np.arange(len(self._known))
        has = place[asked] >= 0
        shown[:, has] = changes[:, place[asked][has]]
        return shown

    def _solved(
        self, at_ms: int, conditions: Conditions, pipes: Sequence[str], leak_m3_h: float
    ) -> Floats:
        """Return the changes at the `_known` devices, each leak solved."""
        undisturbed = self.expect(at_ms, conditions)
        file_s, area_mm2 = self._file_time_s(at_ms), leak_area_mm2(leak_m3_h)
        changes = np.zeros((len(pipes), len(self._known)))
        self._engine.impose(conditions)
        for row, pipe in enumerate(pipes):
            link = self._link[pipe]
            own_mm2 = self._engine.leak_area_mm2(link)
            self._engine.set_leak_area_mm2(link, own_mm2 + area_mm2)
            self._engine.solve_at(file_s)
            changes[row] = (self._shown(self._engine) - undisturbed)[self._known]
            self._engine.set_leak_area_mm2(link, own_mm2)
        return changes

    def _screened(
        self, at_ms: int, conditions: Conditions, pipes: Sequence[str], leak_m3_h: float
    ) -> Floats:
        """Return the same to first order (`LeakResponse`); tanks and pumps stay as they are."""
        key = (*self._state_key(at_ms, conditions), leak_m3_h)
        if self._response is None or self._response[0] != key:
            self._engine.impose(conditions)
            self._engine.solve_at(self._file_time_s(at_ms))
            self._response = key, LeakResponse(solution_of(self._engine), leak_m3_h)
        links = np.array([self._link[pipe] for pipe in pipes], dtype=np.int64)
        (pressure, node), (flow, link) = self._watched[PRESSURE.name], self._watched[FLOW.name]
        head_m, flow_m3_h = self._response[1].changes(links, node, link)
        still = np.zeros((len(pipes), len(self._known) - len(pressure) - len(flow)))
        return np.concatenate([head_m / HEAD_PER_MPA_M, flow_m3_h, still], axis=1)

    def normal_low(self, day_ms: int) -> Floats:
        """Return the lowest value each pressure device shows in a normal day, MPa.

        The day that holds `day_ms` is run from the file's own time 0 with its controls; NaN for
        other devices.
        """
        device, node = self._watched[PRESSURE.name]
        low = np.full(self._devices, np.nan)
        with EpanetEngine(self._text) as engine:
            spoil(engine, self._errors)
            engine.use_pressure_dependent_demand(SERVICE_HEAD_M)
            engine.start(0, _DAY_STEP_S)
            low[device] = _pressure_mpa(engine)[node]
            while engine.time_s < DAY_S:
                engine.sub_step(DAY_S)
                engine.solve()
                low[device] = np.minimum(low[device], _pressure_mpa(engine)[node])
        return low

    def _file_time_s(self, at_ms: int) -> int:
        """Return seconds since the file's time 0, whole minutes (see `start_ms`)."""
        if self._start_ms is not None and at_ms >= self._start_ms:
            first_s = self._first_day_s(self._start_ms)
            return first_s + (at_ms - self._start_ms) // 60_000 * 60
        return self._first_day_s(at_ms)

    def _first_day_s(self, at_ms: int) -> int:
        clock_s = (at_ms + self._utc_offset_ms) // 60_000 * 60
        return int((clock_s - self._engine.clock_start_s) % DAY_S)

    def _shown(self, engine: EpanetEngine) -> Floats:
        """Return what each device would show in the engine's last solution."""
        shown = np.full(self._devices, np.nan)
        columns = {
            PRESSURE.name: _pressure_mpa(engine),
            FLOW.name: engine.flow_m3_h(),
            WATER_LEVEL.name: engine.level_m(),
            PUMP_STATE.name: engine.is_open().astype(np.float64),
        }
        for name, column in columns.items():
            device, index = self._watched[name]
            shown[device] = column[index]
        return shown


def _pressure_mpa(engine: EpanetEngine) -> Floats:
    """Return node pressures as an instrument shows them: 0 where there is no supply."""
    head_m = engine.head_m() - engine.elevation_m
    return np.where(head_m < _DISCONNECTED_M, 0.0, np.maximum(head_m, 0.0) / HEAD_PER_MPA_M)
