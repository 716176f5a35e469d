"""A gas leak and a flooded underpass over MQTT: found, acted on, seen to end, closed by sensors."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.bootstrap import build_world
from api.library import find_scenario
from api.plan import RunPlan, plan_run
from api.results import RunResult
from api.session import RunSession
from api.tail import recorded_readings
from pipeline.ports import LogEntry
from sensors.field import FeedbackKind
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.readings import ReadingBatch
from sensors.transports.broker import EmbeddedBroker
from sensors.transports.memory import MemoryBus
from simulator.clock import pace_of

pytestmark = [pytest.mark.system, pytest.mark.slow]

DATA = Path(__file__).parent.parent / "data"
LOOPS = {
    "short-pinhole": (TrueKind.GAS_PINHOLE, "methane", FeedbackKind.VENTILATED),
    "short-underpass": (TrueKind.PONDING, "ponding_depth", FeedbackKind.PUMPING),
}
"""Scenario → what happens in it, where it shows, and what the crew does against it."""


@dataclass(frozen=True)
class Loop:
    """A run over MQTT and the same world without a platform, with what should be in them."""

    plan: RunPlan
    result: RunResult
    folder: Path
    alone: Path
    kind: TrueKind
    quantity: str
    act: FeedbackKind

    def entries(self, kind: str) -> list[LogEntry]:
        """Return the entries of a kind in the event log of the run."""
        lines = (self.folder / "events.jsonl").read_bytes().splitlines()
        found = (msgspec.json.decode(line, type=LogEntry) for line in lines)
        return [entry for entry in found if entry.kind == kind]

    def case(self) -> LogEntry:
        """Return the evaluation of the one incident that matches the truth."""
        (case,) = [entry for entry in self.entries("CaseEvaluation") if entry.data["truth"]]
        return case

    def truth(self) -> TrueIncident:
        """Return the newest version of what happened."""
        text = (self.folder / "truth.jsonl").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        rows = [line["truth"] for line in lines if line["truth"]["kind"] == self.kind.value]
        return msgspec.convert(rows[-1], TrueIncident)

    def alarms(self) -> list[LogEntry]:
        """Return what was said of the first measured alarm of the case, no forecast."""
        incidents = [e for e in self.entries("Incident") if e.subject == self.case().subject]
        known = set().union(*(incident.data["alarms"] for incident in incidents))
        alarms = [e for e in self.entries("Alarm") if e.data["quantity"] == self.quantity]
        measured = [e for e in alarms if e.data["id"] in known and e.data["confidence"] is None]
        return [e for e in measured if e.data["id"] == measured[0].data["id"]]

    def acted_ms(self) -> int:
        """Return when the crew did what ought to be seen."""
        feedback = [e for e in self.entries("Feedback") if e.subject == self.case().subject]
        return min(e.time_ms for e in feedback if e.data["kind"] == self.act.value)

    def readings(self, folder: Path, from_ms: int, to_ms: int) -> ReadingBatch:
        """Return what the device that gave the alarm recorded."""
        device = self.plan.registry.ids.index(self.alarms()[0].data["device"])
        return recorded_readings(folder, device, from_ms, to_ms, 10_000)


def run(plan: RunPlan, out: Path, **options: Any) -> RunResult:
    with RunSession(plan, out, **options) as session:
        while not session.is_over:
            session.step()
        return session.finish()


def run_alone(plan: RunPlan, out: Path) -> None:
    """Let the same things happen in a world to which nobody comes."""
    parts = build_world(plan, MemoryBus().client("world"), out, wants_ack=False)
    while not parts.world.is_over:
        parts.world.advance()
    parts.world.close()
    parts.recorder.close()


@pytest.fixture(scope="module")
def broker_url() -> Iterator[str]:
    with EmbeddedBroker() as broker:
        yield broker.url


@pytest.fixture(scope="module", params=LOOPS)
def loop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, broker_url: str
) -> Loop:
    file = find_scenario(str(DATA / f"{request.param}.yaml"))
    plan = plan_run(file.scenario, file.path)
    folder = tmp_path_factory.mktemp(request.param)
    run_alone(plan, folder / "alone")
    result = run(plan, folder / "run", transport="mqtt", broker=broker_url)
    return Loop(plan, result, folder / "run", folder / "alone", *LOOPS[request.param])


def test_the_hazard_is_found_and_nothing_else_is_claimed(loop: Loop) -> None:
    summary = loop.result.summary
    assert summary["incidents"] == {"true": 1, "found": 1, "missed": 0, "false": 0, "late": 0}
    truth = loop.truth()
    assert loop.case().data["truth"] == truth.id
    assert truth.onset_ms <= min(truth.detectable_ms.values()) < loop.alarms()[0].time_ms
    assert loop.alarms()[0].data["device"] in truth.detectable_ms


def test_the_act_of_a_crew_is_in_the_physics(loop: Loop) -> None:
    """Until it acts the devices read what they read in a world without crews; then less."""
    orders = [e for e in loop.entries("Dispatch") if e.subject == loop.case().subject]
    assert any(entry.data["order"] for entry in orders)
    acted_ms, raised = loop.acted_ms(), loop.alarms()[0].data["value"]
    start_ms = loop.plan.scenario.start_ms
    before, same = (loop.readings(place, start_ms, acted_ms) for place in (loop.folder, loop.alone))
    assert before.value.tolist() == same.value.tolist()
    assert before.value.max() >= raised > 0
    end_ms = start_ms + loop.plan.scenario.duration * 1000
    after, left = (loop.readings(place, acted_ms, end_ms) for place in (loop.folder, loop.alone))
    assert after.value[-1] < 0.3 * before.value.max()
    assert after.value[-1] < 0.3 * left.value[-1]


def test_the_alarm_clears_and_sensors_close_the_case(loop: Loop) -> None:
    assert loop.alarms()[-1].data["state"] == "cleared"
    assert loop.acted_ms() < loop.alarms()[-1].time_ms
    case = loop.case().subject
    closures = [entry for entry in loop.entries("Closure") if entry.subject == case]
    assert [entry.data["is_verified"] for entry in closures] == [True]
    status = [entry.data["status"] for entry in loop.entries("Incident") if entry.subject == case]
    assert status[-1] == "closed"
    assert loop.truth().end_ms is not None


def test_every_frame_and_every_cubic_metre_is_accounted_for(loop: Loop) -> None:
    manifest = json.loads((loop.folder / "manifest.json").read_text())
    frames = manifest["frames"]
    assert frames["published"] == frames["received"] > 0
    assert frames["unaccounted"] == frames["gaps"] == 0
    assert abs(manifest["water_balance"]["error_share"]) <= 0.02
    balances = manifest["balances"]
    assert abs(balances["flood"]["continuity_error"]) <= 0.02
    assert bool(balances["flood"]["rainfall"]) == bool(loop.plan.storms)
    assert balances["gas"]["imbalance"] <= 1e-6
    assert balances["gas"]["demand"] + balances["gas"]["leakage"] == pytest.approx(
        balances["gas"]["inflow"], rel=1e-5
    )


def test_memory_and_another_pace_give_the_same_recording(loop: Loop, tmp_path: Path) -> None:
    again = run(loop.plan, tmp_path / "run", pace=pace_of("3600"))
    assert again.summary["recording_hash"] == loop.result.summary["recording_hash"]
    assert again.summary["pace"]["actual"] <= 3700
