"""The world as a whole on a small town: incidents, crews, devices, the wire and the truth."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sensors.city import City
from sensors.codecs import codec_named
from sensors.devices.faults import Fault, FaultKind
from sensors.field import Act, ClockTick, DeviceStatus, Feedback, WorkOrder, decode_numbered
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from sensors.readings import Frame
from sensors.registry import Registry
from sensors.transports import Envelope
from sensors.transports.memory import MemoryBus
from sensors.transports.recording import RecordingReader
from simulator.city.generate import generate_town
from simulator.crews import CrewTimes
from simulator.errors import InjectionError
from simulator.fleet import HEARTBEAT_MS, Fleet
from simulator.hazards.water import WaterHazard
from simulator.incidents.plan import IncidentPlan
from simulator.physics.water.network import WaterNetwork
from simulator.recorder import Recorder
from simulator.wire import WorldWire
from simulator.world import World, WorldClock

START_MS = 1_780_324_200_000  # 2026-06-01T14:30:00Z
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
PIPE, JUNCTION, PUMP = "P0018", "J0012", "PU1"
BURST = IncidentPlan("B1", TrueKind.BURST, PIPE, START_MS + 5 * MINUTE_MS, outflow_m3_h=60.0)
MEND = (Act.ISOLATE, Act.REPAIR, Act.RESTORE)
QUICK = CrewTimes(1.0, 1.0, 1.0, 5.0, 1.0, spread=0.0)


@pytest.fixture(scope="module")
def town() -> tuple[City, Registry]:
    """Return a town whose tower is wide and low: its level hardly moves and one pump runs."""
    city, registry = generate_town(3, junctions=40)
    tower = re.compile(r"^ TK1 (\S+) \S+ (\S+) (\S+) \S+ ", re.MULTILINE)
    text, count = tower.subn(r" TK1 \1 2.30 \2 \3 60.0 ", city.networks["water"])
    assert count == 1
    return replace(city, networks={"water": text}), registry


class Town:
    """A world under test and a client that hears everything it says."""

    def __init__(
        self, world: World, bus: MemoryBus, registry: Registry, water: WaterHazard
    ) -> None:
        self.world, self.registry, self.water = world, registry, water
        self._client = bus.client("listener")
        self._client.subscribe(["tocsin/#"])
        self.heard: list[Envelope] = []
        self.clock: list[ClockTick] = []

    def run(self, ticks: int = 0, *, to_end: bool = False) -> "Town":
        done = 0
        while not self.world.is_over if to_end else done < ticks:
            self.clock.append(self.world.advance())
            self.heard += self._client.poll(0.0)
            done += 1
        return self

    def truth(self, incident: str = "B1") -> TrueIncident:
        return self.world.truth.incidents[incident]

    def gap(self) -> NDArray[np.float64]:
        """Return true value minus the twin's at each device, no value counting as 0."""
        return self.world.gap()

    def outflow(self, pipe: str) -> float:
        """Return what the leak of a pipe discharges now, m3/h."""
        return self.water.network.leak_outflow(pipe)

    def is_as_twin(self) -> bool:
        """Whether no device can tell the world from the twin, by the rule of the truth."""
        limit = 2 * self.registry.numbers("accuracy")
        return bool(np.all(np.abs(np.nan_to_num(self.gap())) <= limit))

    def flow(self, device_element: str) -> float:
        elements = self.registry.texts("element")
        quantities = self.registry.texts("quantity")
        pairs = list(zip(elements, quantities, strict=True))
        return float(self.world.true_values[pairs.index((device_element, "flow"))])

    def said(self, leaf: str, kind: type[Any]) -> list[Any]:
        payloads = [item.payload for item in self.heard if item.topic.endswith(f"/{leaf}")]
        return [decode_numbered(payload, kind)[1] for payload in payloads]

    def order(self, acts: Sequence[Act], *targets: str, name: str = "W1") -> None:
        """Send the first team, from where it waits."""
        team = self.world.city.teams()[0]
        place = (team.x_m, team.y_m)
        order = WorkOrder(
            name,
            f"I/{name}",
            team.id,
            "water",
            Level.YELLOW,
            tuple(acts),
            targets,
            *place,
            0,
            {},
            "",
        )
        self.world.take_orders([order])


class Towns:
    """Makes worlds of the one small town and closes them."""

    def __init__(self, city: City, registry: Registry) -> None:
        self.city, self.registry = city, registry
        self.stack = ExitStack()

    def __call__(
        self,
        *plans: IncidentPlan,
        hours: float = 6.0,
        faults: Sequence[Fault] = (),
        seed: int = 1,
        folder: Path | None = None,
        crew_times: CrewTimes = QUICK,
    ) -> Town:
        bus, fleet = MemoryBus(), Fleet(self.registry, seed, faults=faults)
        gateways = self.registry.texts("gateway")
        wire = WorldWire(
            bus.client("world"),
            self.city.id,
            codec_named("senml_json", self.registry),
            fleet.gateway_topics,
            dict(zip(self.registry.ids, gateways, strict=True)),
        )
        inp = self.city.networks["water"]
        water = WaterHazard(
            self.city, WaterNetwork(inp, START_MS), WaterNetwork(inp, START_MS), START_MS
        )
        world = World(
            self.city,
            self.registry,
            WorldClock(START_MS, START_MS + round(hours * HOUR_MS), MINUTE_MS),
            hazards={"water": water},
            fleet=fleet,
            wire=wire,
            recorder=None if folder is None else Recorder(folder),
            crew_times=crew_times,
            seed=seed,
        )
        self.stack.callback(world.close)
        for plan in plans:
            world.inject(plan)
        return Town(world, bus, self.registry, water)


@pytest.fixture
def towns(town: tuple[City, Registry]) -> Iterator[Towns]:
    made = Towns(*town)
    with made.stack:
        yield made


def pressures(town: Town) -> NDArray[np.bool_]:
    is_pressure: NDArray[np.bool_] = np.array(town.registry.texts("quantity")) == "pressure"
    return is_pressure


def of_kind(kind: TrueKind, element: str, **changes: Any) -> IncidentPlan:
    return replace(BURST, kind=kind, element=element, **changes)


def test_without_incidents_the_world_is_its_twin(towns: Towns) -> None:
    town = towns().run(60)
    np.testing.assert_array_equal(np.nan_to_num(town.gap()), 0.0)
    assert town.world.true_incidents() == ()


def test_a_burst_lowers_the_pressure_at_the_devices(towns: Towns) -> None:
    town = towns(BURST).run(10)
    drop_mpa = -town.gap()[pressures(town)]
    assert drop_mpa.min() > 0
    assert drop_mpa.max() > 0.01
    truth = town.truth()
    assert truth.onset_ms == BURST.onset_ms
    assert min(truth.detectable_ms.values()) == START_MS + 6 * MINUTE_MS
    assert truth.level is Level.YELLOW
    assert truth.area == "D02"


def test_nothing_shows_before_the_onset(towns: Towns) -> None:
    town = towns(BURST).run(5)
    np.testing.assert_array_equal(np.nan_to_num(town.gap()), 0.0)
    assert town.world.true_incidents() == ()
    town.run(1)
    assert not town.is_as_twin()


def test_isolating_a_burst_brings_the_pressure_back_to_the_twin(towns: Towns) -> None:
    town = towns(BURST).run(8)
    assert not town.is_as_twin()
    town.order(MEND, PIPE)
    town.run(20)
    truth = town.truth()
    assert truth.end_ms is not None
    assert truth.repaired_ms is not None
    told = {item.kind.value: item.time_ms for item in town.said("feedback", Feedback)}
    assert (truth.end_ms, truth.repaired_ms) == (told["isolated"], told["restored"])
    limit_mpa = 2 * town.registry.numbers("accuracy")
    assert (np.abs(town.gap()) < limit_mpa)[pressures(town)].all()


def test_a_shut_pipe_leaks_no_more_though_it_is_not_mended(towns: Towns) -> None:
    town = towns(BURST).run(8)
    town.order([Act.ISOLATE], PIPE)
    town.run(20)
    assert town.outflow(PIPE) == 0.0
    assert town.truth().end_ms is not None
    assert town.truth().repaired_ms is None


def test_reopened_without_mending_it_leaks_again(towns: Towns) -> None:
    town = towns(BURST).run(8)
    town.order([Act.ISOLATE, Act.RESTORE], PIPE)
    town.run(20)
    assert town.outflow(PIPE) > 20.0
    assert town.truth().end_ms is None


def test_a_crew_finds_the_burst_from_the_pipe_next_to_it(towns: Towns) -> None:
    town = towns(BURST).run(8)
    town.order(MEND, "P0056", "P0028")  # P0028 meets P0018 in J0018
    town.run(30)
    found = [item for item in town.said("feedback", Feedback) if item.kind.value == "found"]
    assert [item.element for item in found] == [PIPE]
    assert town.truth().repaired_ms is not None


def test_orders_that_do_not_fit_leave_the_world_running(towns: Towns) -> None:
    town = towns(BURST).run(8)
    town.order([Act.RESTART_PUMP], "NOWHERE", PIPE, JUNCTION)
    town.order([Act.OPEN_VALVE], "PU1", name="W2")
    town.run(90)
    told = town.said("feedback", Feedback)
    assert sum(item.note.startswith("cannot ") for item in told) == 4
    assert "not_found" not in [item.kind.value for item in told]  # that would end the order
    assert [item.kind.value for item in told].count("done") == 2
    assert town.truth().end_ms is None


def test_a_crew_that_comes_upon_a_shut_valve_opens_it(towns: Towns) -> None:
    town = towns(of_kind(TrueKind.VALVE_CLOSURE, "PT1", outflow_m3_h=0.0)).run(8)
    town.order(MEND, "PT1")
    town.run(30)
    kinds = [item.kind.value for item in town.said("feedback", Feedback)]
    assert kinds[3:] == ["found", "isolated", "repaired", "restored", "done"]
    truth = town.truth()
    assert truth.end_ms == truth.repaired_ms
    assert truth.end_ms is not None


@pytest.mark.parametrize(
    ("kind", "element", "sizes"),
    [
        (TrueKind.BURST, PIPE, {"outflow_m3_h": 40.0}),
        (TrueKind.SLOW_LEAK, PIPE, {"outflow_m3_h": 40.0, "growth_ms": 5 * MINUTE_MS}),
        (TrueKind.VALVE_CLOSURE, "P0046", {}),
        (TrueKind.DEMAND_SURGE, JUNCTION, {"factor": 60.0}),
    ],
)
def test_an_incident_with_a_duration_changes_the_physics_and_ends(
    towns: Towns, kind: TrueKind, element: str, sizes: dict[str, Any]
) -> None:
    plan = IncidentPlan(
        "X", kind, element, START_MS + 5 * MINUTE_MS, duration_ms=10 * MINUTE_MS, **sizes
    )
    town = towns(plan).run(14)
    worst = float(np.nanmax(np.abs(town.gap()[pressures(town)])))
    assert worst > 0.005
    assert town.truth("X").detectable_ms != {}
    assert town.truth("X").end_ms is None
    town.run(6)
    end_ms = START_MS + 15 * MINUTE_MS
    assert (town.truth("X").end_ms, town.truth("X").repaired_ms) == (end_ms, end_ms)
    after = float(np.nanmax(np.abs(town.gap()[pressures(town)])))
    assert after < worst / 3  # what lingers is the level of the tank


@pytest.mark.parametrize("kind", [TrueKind.PUMP_TRIP, TrueKind.PUMP_SWITCH])
def test_a_standing_pump_delivers_nothing_until_its_duration_is_over(
    towns: Towns, kind: TrueKind
) -> None:
    plan = of_kind(kind, PUMP, outflow_m3_h=0.0, duration_ms=10 * MINUTE_MS)
    town = towns(plan).run(4)
    assert town.flow(PUMP) > 1.0
    town.run(6)
    assert town.flow(PUMP) == 0.0
    assert town.truth().is_hazard is (kind is TrueKind.PUMP_TRIP)
    town.run(7)
    assert town.flow(PUMP) > 1.0
    assert town.truth().repaired_ms == START_MS + 15 * MINUTE_MS


def test_a_crew_brings_a_tripped_pump_back(towns: Towns) -> None:
    town = towns(of_kind(TrueKind.PUMP_TRIP, PUMP, outflow_m3_h=0.0)).run(10)
    assert town.flow(PUMP) == 0.0
    town.order([Act.RESTART_PUMP], PUMP)
    town.run(60)
    assert town.flow(PUMP) > 1.0
    restored = [item for item in town.said("feedback", Feedback) if item.kind == "restored"]
    assert town.truth().repaired_ms == restored[0].time_ms


def test_a_slow_leak_is_told_later_than_a_burst_of_its_size(towns: Towns) -> None:
    first = []
    for kind, growth_ms in ((TrueKind.BURST, 0), (TrueKind.SLOW_LEAK, HOUR_MS)):
        town = towns(of_kind(kind, PIPE, growth_ms=growth_ms)).run(80)
        first.append(min(town.truth().detectable_ms.values()))
    assert first[0] == START_MS + 6 * MINUTE_MS < first[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "B1"}, "incident id 'B1' is taken; choose another"),
        ({"id": "F1"}, "incident id 'F1' is taken; choose another"),
        ({"onset_ms": START_MS - 1}, "incident N: onset .* lies in the past; use"),
        ({"onset_ms": START_MS + 6 * HOUR_MS}, "incident N: onset .* after the end of the run"),
        ({"element": "PU1"}, "incident N: burst needs a pipe, but 'PU1' is a pump"),
        ({"element": "NONE"}, "incident N: burst needs a pipe, but 'NONE' does not exist"),
        ({"element": PIPE}, f"incident N: B1 strikes '{PIPE}' at that time; choose another"),
    ],
)
def test_incidents_that_cannot_be_are_refused_and_change_nothing(
    towns: Towns, change: dict[str, Any], said: str
) -> None:
    device = towns.registry.ids[0]
    fault = Fault(device, FaultKind.STUCK, START_MS, START_MS + HOUR_MS)
    town = towns(BURST, faults=[fault])
    plan = replace(BURST, id="N", element="P0030", onset_ms=START_MS)
    with pytest.raises(InjectionError, match=said):
        town.world.inject(replace(plan, **change))
    town.run(10)
    assert [truth.id for truth in town.world.true_incidents()] == ["B1", "F1"]


def test_an_incident_may_be_injected_while_running(towns: Towns) -> None:
    town = towns().run(3)
    with pytest.raises(InjectionError, match="in the past"):
        town.world.inject(replace(BURST, onset_ms=town.world.now_ms - 1))
    town.world.inject(replace(BURST, onset_ms=town.world.now_ms))
    town.run(1)
    assert town.truth().onset_ms == START_MS + 3 * MINUTE_MS
    assert not town.is_as_twin()


def test_a_pipe_may_burst_again_after_its_repair(towns: Towns) -> None:
    town = towns(replace(BURST, duration_ms=5 * MINUTE_MS)).run(15)
    town.world.inject(replace(BURST, id="B2", onset_ms=town.world.now_ms))
    town.run(2)
    assert town.outflow(PIPE) > 20.0
    assert town.truth("B2").level is Level.YELLOW


def test_device_faults_are_in_the_truth_as_decoys(towns: Towns) -> None:
    device = towns.registry.ids[0]
    fault = Fault(device, FaultKind.BIAS, START_MS, START_MS + HOUR_MS, -0.2)
    town = towns(faults=[fault]).run(1)
    assert town.said("truth", TrueIncident) == [town.truth("F1")]
    truth = town.truth("F1")
    assert (truth.kind, truth.is_hazard, truth.element) == (TrueKind.DEVICE_FAULT, False, device)


def test_the_truth_on_the_wire_is_the_newest_of_each_tick(towns: Towns) -> None:
    town = towns(replace(BURST, duration_ms=10 * MINUTE_MS)).run(30)
    told = town.said("truth", TrueIncident)
    assert told[-1] == town.truth()
    detectable = [len(item.detectable_ms) for item in told]
    assert detectable == sorted(detectable)
    assert 1 < len(told) < 30


def frames_heard(town: Town) -> list[Frame]:
    codec = codec_named("senml_json", town.registry)
    tele = [item.payload for item in town.heard if "/tele/" in item.topic]
    return [codec.decode(payload, town.world.now_ms).frame for payload in tele]


def test_every_published_frame_and_reading_is_accounted_for(towns: Towns, tmp_path: Path) -> None:
    until_ms = START_MS + 6 * HOUR_MS
    gateways = sorted(set(towns.registry.texts("gateway")))
    faults = [
        Fault(gateways[0], FaultKind.FRAME_LOSS, START_MS, until_ms, 0.3),
        Fault(gateways[-1], FaultKind.FRAME_REPLAY, START_MS, until_ms, 0.3),
    ]
    town = towns(BURST, hours=2, faults=faults, folder=tmp_path).run(to_end=True)
    totals, frames = town.world.totals, frames_heard(town)
    distinct = {frame.id: len(frame.batch) for frame in frames}
    assert totals.lost_frames > 0
    assert totals.duplicate_frames > 0
    assert len(frames) == len(distinct) + totals.duplicate_frames
    assert len(distinct) == totals.frames - totals.lost_frames == town.clock[-1].frames
    assert sum(distinct.values()) == totals.readings - totals.lost_readings
    recorder = town.world._recorder
    assert recorder is not None
    recorder.close()
    recorded = list(RecordingReader(tmp_path).frames())
    assert [frame.id for frame in recorded] == [frame.id for frame in frames]


def test_the_clock_ticks_to_the_end_and_says_so(towns: Towns) -> None:
    town = towns(hours=0.25).run(to_end=True)
    assert [tick.tick for tick in town.clock] == list(range(1, 16))
    assert [tick.time_ms - START_MS for tick in town.clock] == [n * MINUTE_MS for n in range(1, 16)]
    assert [tick.is_final for tick in town.clock] == [False] * 14 + [True]


def test_every_device_beats_once_in_its_interval(towns: Towns) -> None:
    town = towns(hours=HEARTBEAT_MS / HOUR_MS).run(to_end=True)
    beats = [beat for group in town.said("json", tuple[DeviceStatus, ...]) for beat in group]
    assert sorted(beat.device for beat in beats) == sorted(town.registry.ids)
    assert all(0.0 < beat.battery <= 1.0 for beat in beats)


def test_the_water_of_a_run_is_balanced(towns: Towns) -> None:
    totals = towns(BURST).run(60).world.totals
    assert totals.inflow_m3 > 50.0
    assert abs(totals.imbalance_m3) < 0.01 * totals.inflow_m3


def traces(town: Town) -> tuple[dict[str, str], list[Envelope]]:
    town.run(8).order(MEND, PIPE)
    town.run(40)
    recorder = town.world._recorder
    assert recorder is not None
    return recorder.close(), [replace(item, token=None) for item in town.heard]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    towns: Towns, tmp_path: Path
) -> None:
    spread = CrewTimes(1.0, 1.0, 1.0, 5.0, 1.0, spread=0.3)
    runs = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        town = towns(BURST, seed=seed, folder=tmp_path / name, crew_times=spread)
        runs.append(traces(town))
    assert runs[0] == runs[1]
    assert [key for key in runs[0][0] if runs[0][0][key] == runs[2][0][key]] == []


def test_closing_twice_is_fine(towns: Towns) -> None:
    world = towns().run(1).world
    world.close()
    world.close()


def test_a_device_fault_is_told_when_it_begins(towns: Towns) -> None:
    device = towns.registry.ids[0]
    late = Fault(device, FaultKind.STUCK, START_MS + 3 * MINUTE_MS, START_MS + HOUR_MS)
    town = towns(faults=[late]).run(3)
    assert town.world.true_incidents() == ()
    assert [item.id for item in town.run(1).world.true_incidents()] == ["F1"]
