"""What a run came to: passed stages, hashes, manifest, events and reports on disk."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from api.plan import RunPlan, plan_run
from api.results import (
    PassedCounter,
    RunFacts,
    counts_text,
    has_ended,
    recording_hash,
    result_of,
    stages_passed,
    world_result,
    write_reports,
    write_result,
)
from pipeline.event_log import FIRST_HASH, EventLog
from pipeline.loop import STAGES
from pipeline.messages import (
    Bulletin,
    BulletinKind,
    CaseEvaluation,
    IncidentStatus,
    RunEvaluation,
    Transition,
)
from pipeline.ports import LogEntry
from pipeline.runners.counts import FrameCounts, ReadingCounts
from sensors.field import Feedback
from simulator.scenario import Scenario
from simulator.world import World, WorldTotals
from tests.unit.loop_messages import T0, closure, dispatch, incident, order, truth

CASE = CaseEvaluation("I-1", "B1", True, 4.0, None, 0.0, 0, 7, 7, T0, "matched")
RUN = RunEvaluation(
    true=2,
    found=1,
    missed=1,
    false=0,
    pod=0.5,
    far_ratio=0.0,
    csi=0.5,
    bias=0.5,
    lead_time_min=None,
    lead_time_all_min=None,
    detection_delay_min=4.0,
    location_error_m=10.0,
    timeliness=1.0,
    alarms=9,
    matches={"B1": "I-1"},
    time_ms=T0,
    reason="run_ended",
    location_error_pipes=1.5,
)
HASHES = {"readings": "aa", "truth": "bb", "feedback": "cc"}


def bulletin(kind: BulletinKind, name: str = "B-1", case: str = "I-1") -> Bulletin:
    return Bulletin(name, kind, 1, case, "题 title", {"a": "b"}, f"# {name} 题\n", T0, "confirmed")


def log(*messages: Transition | Feedback) -> list[LogEntry]:
    writer = EventLog()
    return [writer.add(message) for message in messages]


OPENED = incident(status=IncidentStatus.ASSESSING)
PATH: tuple[tuple[Transition, tuple[str, ...]], ...] = (
    (OPENED, ("monitor", "warn")),
    (incident(version=2), ("assess",)),
    (dispatch(order()), ("dispatch",)),
    (bulletin(BulletinKind.FLASH), ()),
    (closure(T0), ("supervise",)),
    (CASE, ("evaluate",)),
    (bulletin(BulletinKind.FINAL), ("report",)),
)


# --- passed stages ---


@pytest.mark.parametrize("length", range(len(PATH) + 1))
def test_a_case_has_passed_the_stages_that_its_entries_show(length: int) -> None:
    passed = stages_passed(log(*(message for message, _ in PATH[:length])))
    expected = {stage for _, stages in PATH[:length] for stage in stages}
    assert {stage for stage, count in passed.items() if count == 1} == expected
    assert sum(passed.values()) == len(expected)
    assert list(passed) == list(STAGES)


def test_a_case_counts_once_and_each_case_counts() -> None:
    entries = log(OPENED, incident(), incident(version=3), incident("I-2"), incident("I-2"))
    assert stages_passed(entries)["assess"] == 2


def test_a_dismissed_case_stops_at_assess_and_one_without_a_team_at_dispatch() -> None:
    dismissed = stages_passed(log(OPENED, incident(status=IncidentStatus.DISMISSED)))
    assert (dismissed["warn"], dismissed["assess"]) == (1, 0)
    assert stages_passed(log(incident(), dispatch(None)))["dispatch"] == 0


def test_counting_entry_by_entry_is_counting_all_at_once() -> None:
    entries = log(*(message for message, _ in PATH))
    counter = PassedCounter()
    for entry in entries:
        counter.add([entry])
    assert counter.counts() == stages_passed(entries)


# --- hashes ---


def test_the_recording_hash_covers_scenario_seed_every_part_and_the_events() -> None:
    first = recording_hash("s", 1, HASHES, "e")
    others = [
        recording_hash("t", 1, HASHES, "e"),
        recording_hash("s", 2, HASHES, "e"),
        recording_hash("s", 1, HASHES, "f"),
        *(recording_hash("s", 1, {**HASHES, part: "zz"}, "e") for part in HASHES),
    ]
    assert len({first, *others}) == len(others) + 1


def test_the_recording_hash_does_not_hang_on_the_order_of_the_parts() -> None:
    backwards = dict(reversed(HASHES.items()))
    assert recording_hash("s", 1, backwards, "e") == recording_hash("s", 1, HASHES, "e")


# --- files ---


def test_events_are_written_a_line_each_in_order(tmp_path: Path) -> None:
    entries = log(*(message for message, _ in PATH))
    write_result(tmp_path, {}, entries, {})
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["hash"] for line in lines] == [entry.hash for entry in entries]
    assert [line["data"] for line in lines] == [entry.data for entry in entries]


def test_the_manifest_has_the_summary_its_format_and_the_hashes(tmp_path: Path) -> None:
    write_result(tmp_path, {"scenario": "河", "complete": True}, [], HASHES)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest == {"scenario": "河", "complete": True, "format": 1, "hashes": HASHES}


def test_every_report_is_written_as_markdown_and_json(tmp_path: Path) -> None:
    summary = bulletin(BulletinKind.SUMMARY, "B-run-1", "")
    entries = log(bulletin(BulletinKind.FLASH), summary)
    assert write_reports(tmp_path / "reports", entries) == tmp_path / "reports" / "B-run-1.md"
    assert (tmp_path / "reports" / "B-1.md").read_text(encoding="utf-8") == "# B-1 题\n"
    data = json.loads((tmp_path / "reports" / "B-1.json").read_text(encoding="utf-8"))
    assert data == entries[0].data


def test_a_run_without_its_summary_report_has_none_to_name(tmp_path: Path) -> None:
    assert write_reports(tmp_path / "reports", log(bulletin(BulletinKind.FLASH))) is None


# --- summaries ---


class FakeWorld(World):
    """A world that is at a moment, without a network behind it."""

    def __init__(self, plan: RunPlan, minutes: int) -> None:
        self._start_ms = plan.scenario.start_ms
        self.now_ms = self._start_ms + minutes * 60_000
        self.tick_number = minutes
        self.totals = WorldTotals(
            readings=100, lost_readings=3, frames=10, lost_frames=1, inflow_m3=200.0
        )
        self.totals.imbalance_m3 = -0.5
        self._over_ms = self._start_ms + plan.scenario.duration * 1000

    @property
    def is_over(self) -> bool:
        return self.now_ms >= self._over_ms

    def true_incidents(self) -> tuple[Any, ...]:
        return (truth(), truth("S1", is_hazard=False))


PLAN = plan_run(
    Scenario.model_validate(
        {
            "format": 1,
            "name": "hour",
            "city": {"generate": {"junctions": 40}},
            "start": "2026-06-01T00:00:00+08:00",
            "duration": "1h",
        }
    ),
    Path("hour.yaml"),
)


@pytest.fixture(name="facts_after")
def _facts_after(tmp_path: Path) -> Iterator[Any]:
    def facts(minutes: int, **changes: Any) -> RunFacts:
        fields: dict[str, Any] = {
            "plan": PLAN,
            "world": FakeWorld(PLAN, minutes),
            "counts": ReadingCounts(97, 2, 1, {"malformed": 1}),
            "frames": FrameCounts(9, 1, 0),
            "hashes": HASHES,
            "asked_pace": "600",
            "worst_lag_s": 0.01234,
            "wall_s": 6.0,
            "transport": "memory",
            "out": tmp_path,
        }
        return RunFacts(**(fields | changes))

    return facts


def test_the_summary_has_what_the_command_line_promises(facts_after: Any, tmp_path: Path) -> None:
    entries = log(*(message for message, _ in PATH), RUN, bulletin(BulletinKind.SUMMARY, "B-run"))
    result = result_of(facts_after(60), entries)
    summary = json.loads(result.to_json())
    assert summary["complete"] is True
    assert summary["readings"] == {
        "published": 100,
        "received": 97,
        "lost": 3,
        "lost_frames": 1,
        "duplicate": 2,
        "rejected": 1,
    }
    assert summary["frames"] == {
        "published": 10,
        "received": 9,
        "declared_lost": 1,
        "duplicate": 1,
        "gaps": 0,
        "unaccounted": 0,
    }
    assert summary["incidents"] == {"true": 2, "found": 1, "missed": 1, "false": 0, "late": 0}
    assert summary["evaluation"]["pod"] == 0.5
    assert summary["evaluation"]["location_error_pipes"] == 1.5
    promised = {
        "pod",
        "far_ratio",
        "csi",
        "lead_time_min",
        "detection_delay_min",
        "location_error_m",
    }
    assert promised <= set(summary["evaluation"])
    assert summary["stages"] == dict.fromkeys(STAGES, 1)
    assert summary["pace"] == {"asked": "600", "actual": 600.0, "worst_lag_s": 0.012}
    assert summary["water_balance"] == {"inflow_m3": 200.0, "error_share": 0.0025}
    assert (summary["wall_s"], summary["out"]) == (6.0, str(tmp_path))
    assert summary["recording_hash"] == recording_hash(
        PLAN.scenario.digest, PLAN.seed, HASHES, entries[-1].hash
    )
    assert result.report == tmp_path / "reports" / "B-run.md"
    assert result.event_ms == 3_600_000
    assert "failure" not in summary


def test_a_run_that_broke_off_is_not_scored(facts_after: Any, tmp_path: Path) -> None:
    result = result_of(facts_after(20, failure="the broker is gone"), log(OPENED))
    summary = result.summary
    assert summary["complete"] is False
    assert summary["failure"] == "the broker is gone"
    assert summary["incidents"] == {
        "true": 1,
        "found": None,
        "missed": None,
        "false": None,
        "late": None,
    }
    assert set(summary["evaluation"].values()) == {None}
    assert result.report is None
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["complete"], manifest["failure"]) == (False, "the broker is gone")


def test_a_run_without_events_is_hashed_too(facts_after: Any) -> None:
    summary = result_of(facts_after(60), []).summary
    expected = recording_hash(PLAN.scenario.digest, PLAN.seed, HASHES, FIRST_HASH)
    assert summary["recording_hash"] == expected


def test_a_world_alone_says_how_far_it_came(tmp_path: Path) -> None:
    summary = world_result(PLAN, FakeWorld(PLAN, 30), HASHES, 3.0, tmp_path, "no more")
    assert (summary["complete"], summary["ticks"], summary["failure"]) == (False, 30, "no more")
    assert summary["actual_pace"] == 600.0
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest == {**summary, "format": 1, "hashes": HASHES}


@pytest.mark.parametrize(("messages", "ended"), [((), False), ((OPENED,), False), ((RUN,), True)])
def test_a_run_has_ended_when_it_is_scored(messages: Sequence[Transition], ended: bool) -> None:
    assert has_ended(log(*messages)) is ended


@pytest.mark.parametrize(
    ("late", "text"),
    [
        (0, "1 of 3 incidents found, 1 false, 2 missed"),
        (1, "1 of 3 incidents found, 1 false, 2 missed, 1 of them told too late"),
    ],
)
def test_counts_are_told_in_one_line(late: int, text: str) -> None:
    counts = {"true": 3, "found": 1, "missed": 2, "false": 1, "late": late}
    assert counts_text(counts) == text
