"""Whatever happens in a scenario of the library is in its truth: hazards, decoys and faults."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from api.bootstrap import build_world
from api.library import find_scenario
from api.plan import RunPlan, plan_run
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from sensors.transports.memory import MemoryBus

pytestmark = [pytest.mark.system, pytest.mark.slow]

ENOUGH_MS = 3 * 3_600_000
SCENARIOS = (
    "biogas-decoy",
    "burst-floods-underpass",
    "device-fault-day",
    "fault-day",
    "gas-pinhole",
    "slow-leak",
    "storm-100mm",
)
"""Those of which the time until three hours after the last thing has begun
passes in seconds."""
DECOYS = {
    TrueKind.BIOGAS,
    TrueKind.DEVICE_FAULT,
    TrueKind.DIGGING,
    TrueKind.DRAIN_PUMP_FAILURE,
    TrueKind.PUMP_SWITCH,
    TrueKind.STORM,
}
"""What is no hazard by itself, or is a cause of one that has its own entry."""


@dataclass(frozen=True)
class Happened:
    """A scenario that ran without a platform: what was planned, and what the truth says."""

    plan: RunPlan
    now_ms: int
    truths: dict[str, TrueIncident]


class _Line(msgspec.Struct):
    truth: TrueIncident


@pytest.fixture(scope="module", params=SCENARIOS)
def happened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Happened:
    file = find_scenario(request.param)
    plan = plan_run(file.scenario, file.path)
    begins = [item.onset_ms for item in plan.incidents] + [item.end_ms for item in plan.storms]
    until_ms = max(begins, default=plan.scenario.start_ms) + ENOUGH_MS
    folder = tmp_path_factory.mktemp("world")
    parts = build_world(plan, MemoryBus().client("world"), folder, wants_ack=False)
    while not parts.world.is_over and parts.world.now_ms < until_ms:
        parts.world.advance()
    parts.world.close()
    parts.recorder.close()
    lines = Path(folder / "truth.jsonl").read_bytes().splitlines()
    truths = [msgspec.json.decode(line, type=_Line).truth for line in lines]
    return Happened(plan, parts.world.now_ms, {truth.id: truth for truth in truths})


def test_all_that_was_planned_has_begun_in_the_truth(happened: Happened) -> None:
    for item in happened.plan.incidents:
        truth = happened.truths[item.id]
        assert (truth.kind, truth.element) == (item.kind, item.element)
        assert truth.onset_ms == item.onset_ms
    for storm in happened.plan.storms:
        assert happened.truths[storm.id].onset_ms == storm.start_ms


def test_every_true_thing_has_its_place_and_level(happened: Happened) -> None:
    areas = {row["id"] for row in happened.plan.city.rows("areas")}
    for truth in happened.truths.values():
        assert truth.area in areas or truth.kind is TrueKind.STORM
        assert truth.level in Level
        assert truth.is_hazard != (truth.kind in DECOYS)


def test_every_hazard_says_which_devices_can_tell_and_since_when(happened: Happened) -> None:
    registry = happened.plan.registry
    hazards = [truth for truth in happened.truths.values() if truth.is_hazard]
    planned = {item.id for item in happened.plan.incidents if item.kind not in DECOYS}
    assert planned <= {truth.id for truth in hazards}
    for truth in hazards:
        assert truth.detectable_ms
        assert set(truth.detectable_ms) <= set(registry.ids)
        assert all(truth.onset_ms <= moment for moment in truth.detectable_ms.values())
        assert truth.harm_ms is None or truth.harm_ms >= truth.onset_ms


def test_every_fault_of_a_device_is_labelled(happened: Happened) -> None:
    drawn = {
        (fault.target, fault.start_ms)
        for fault in happened.plan.faults
        if fault.start_ms < happened.now_ms
    }
    kind = TrueKind.DEVICE_FAULT
    told = {(t.element, t.onset_ms) for t in happened.truths.values() if t.kind is kind}
    assert drawn <= told
    assert told <= {(fault.target, fault.start_ms) for fault in happened.plan.faults}
