"""The world of a small whole city: gas, flood and fire water from cause to repair."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from sensors.codecs import codec_named
from sensors.devices.faults import Fault, FaultKind
from sensors.field import Act, HotlineReport, WorkOrder, decode_numbered
from sensors.ground_truth import TrueKind
from sensors.levels import Level
from sensors.transports.memory import MemoryBus
from simulator.city.profiles import place_fleet
from simulator.city.whole import generate_city
from simulator.crews import CrewTimes
from simulator.fleet import Fleet
from simulator.hazards.elements import Elements
from simulator.hazards.fire import FireHazard
from simulator.hazards.flood import FloodHazard
from simulator.hazards.gas import GasHazard
from simulator.hazards.water import WaterHazard
from simulator.hotline import Hotline
from simulator.incidents.plan import IncidentPlan
from simulator.physics.fire.network import BuildingNetwork
from simulator.physics.flood.network import FloodNetwork
from simulator.physics.flood.rain_field import RainField
from simulator.physics.flood.storm import Storm
from simulator.physics.gas.network import GasNetwork
from simulator.physics.water.network import WaterNetwork
from simulator.recorder import Recorder
from simulator.wire import WorldWire
from simulator.world import Weather, World, WorldClock

START_MS = 1_780_272_000_000
MINUTE_MS = 60_000
STORM = Storm("S1", START_MS + 10 * MINUTE_MS, 300, (100.0,) * 6)


class Story:
    """A city of 100 corners under a storm, with a gas leak and a failed underpass pump."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        city = generate_city(3, 100)
        self.registry = place_fleet(city, "default", 1)
        self.elements = elements = Elements(city)
        device = self.registry.ids[0]
        stuck = Fault(device, FaultKind.STUCK, START_MS, START_MS + 10**9, cause="batch 7")
        fleet, bus, texts = Fleet(self.registry, 1, faults=[stuck]), MemoryBus(), city.networks
        gateways = self.registry.texts("gateway")
        wire = WorldWire(
            bus.client("world"),
            city.id,
            codec_named("senml_json", self.registry),
            fleet.gateway_topics,
            dict(zip(self.registry.ids, gateways, strict=True)),
        )
        self.platform = bus.client("platform")
        self.platform.subscribe(["tocsin/+/world/hotline"])
        flood = FloodNetwork(texts["flood"], RainField([STORM]), START_MS)
        water = [WaterNetwork(texts["water"], START_MS) for _ in range(2)]
        fire = BuildingNetwork(texts["fire"], START_MS)
        hazards = {
            "water": WaterHazard(city, water[0], water[1], START_MS),
            "gas": GasHazard(elements, lambda ms: GasNetwork(texts["gas"], ms), START_MS),
            "flood": FloodHazard(elements, flood, START_MS),
            "fire": FireHazard(elements, fire, START_MS),
        }
        self.recorder = Recorder(folder)
        self.world = World(
            city,
            self.registry,
            WorldClock(START_MS, START_MS + 150 * MINUTE_MS, MINUTE_MS),
            hazards=hazards,
            elements=elements,
            fleet=fleet,
            wire=wire,
            recorder=self.recorder,
            crew_times=CrewTimes(1.0, 1.0, 1.0, 5.0, 1.0, spread=0.0),
            hotline=Hotline(city, 1),
            weather=Weather(2.0, (STORM,)),
        )
        stack.callback(self.world.close)

    def order(self, name: str, domain: str, acts: tuple[Act, ...], *targets: str) -> None:
        skilled = [team for team in self.world.city.teams() if domain in team.skills]
        place = self.world.place_of(targets[0])
        assert place is not None
        team = (skilled or list(self.world.city.teams()))[0]
        order = WorkOrder(
            name, name, team.id, domain, Level.ORANGE, acts, targets, *place, 0, {}, ""
        )
        self.world.take_orders([order])

    def run(self, ticks: int) -> None:
        for _ in range(ticks):
            self.world.advance()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("city")
    with ExitStack() as stack:
        made = Story(stack, folder)
        world, elements = made.world, made.elements
        spaces = elements.of_kind("gas", "manhole_space")
        pipe = min(
            elements.of_kind("gas", "pipe", is_node=False),
            key=lambda item: np.hypot(item.x_m - spaces[3].x_m, item.y_m - spaces[3].y_m),
        )
        pump = elements.of_kind("flood", "pump", is_node=False)[0]
        spot = elements.of_kind("flood", "underpass")[0]
        leak = IncidentPlan(
            "G1", TrueKind.GAS_STRIKE, pipe.id, START_MS + 2 * MINUTE_MS, amount=15.0
        )
        world.inject(leak)
        world.inject(IncidentPlan("P1", TrueKind.DRAIN_PUMP_FAILURE, pump.id, START_MS))
        made.run(35)
        made.order("W1", "gas", (Act.VENTILATE, Act.ISOLATE, Act.REPAIR, Act.RESTORE), spaces[3].id)
        made.order("W2", "flood", (Act.CLOSE_ROAD, Act.START_PUMP, Act.REOPEN), pump.id, spot.id)
        made.order("W3", "water", (Act.CHECK_DEVICE,), made.registry.ids[0])
        made.run(115)
        yield made


def test_a_strike_reaches_its_spaces_does_harm_and_is_mended(story: Story) -> None:
    truth = story.world.truth.incidents["G1"]
    assert truth.level.is_worse_than(Level.YELLOW)
    assert truth.detectable_ms
    assert truth.harm_ms is not None
    assert truth.end_ms is not None
    assert truth.repaired_ms is not None
    assert truth.onset_ms < truth.harm_ms < truth.end_ms < truth.repaired_ms


def test_an_underpass_floods_by_itself_and_says_why(story: Story) -> None:
    found = [
        truth
        for truth in story.world.true_incidents()
        if truth.kind is TrueKind.PONDING and truth.element.startswith("FU")
    ]
    assert found
    assert "storm S1" in found[0].detail
    assert "drain_pump_failure P1" in found[0].detail
    assert found[0].detectable_ms
    assert STORM.start_ms < found[0].onset_ms


def test_the_pump_runs_again_after_the_crew(story: Story) -> None:
    assert story.world.truth.incidents["P1"].repaired_ms is not None


def test_the_storm_is_in_the_truth_and_is_no_hazard(story: Story) -> None:
    truth = story.world.truth.incidents["S1"]
    assert (truth.is_hazard, truth.domain) == (False, "flood")
    assert truth.end_ms == STORM.start_ms + 30 * MINUTE_MS


def test_a_mended_device_is_over_in_the_truth(story: Story) -> None:
    truth = story.world.truth.incidents["F1"]
    assert truth.detail == "stuck 0, batch 7"
    assert truth.end_ms == truth.repaired_ms
    assert truth.end_ms is not None
    assert truth.end_ms < START_MS + 60 * MINUTE_MS


def test_all_that_flows_is_balanced(story: Story) -> None:
    balances = story.world.totals.balances
    assert sorted(balances) == ["fire", "flood", "gas", "water"]
    assert balances["gas"]["imbalance"] <= 1e-6
    flood = balances["flood"]
    assert abs(flood["error"]) <= 0.02 * flood["rainfall"]
    assert abs(story.world.totals.imbalance_m3) <= 0.02 * story.world.totals.inflow_m3


def test_calls_are_published_recorded_and_counted(story: Story) -> None:
    payloads = [envelope.payload for envelope in story.platform.poll(0.0)]
    calls = [decode_numbered(payload, HotlineReport) for payload in payloads]
    assert [number for number, _ in calls] == list(range(1, len(calls) + 1))
    assert story.world.totals.calls == len(calls) > 0
    assert "hotline" in story.recorder.close()
