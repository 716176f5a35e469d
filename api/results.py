"""What a run came to: counts, scores, hashes, and the files that keep them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from api.plan import RunPlan
from pipeline.event_log import FIRST_HASH, as_lines
from pipeline.loop import STAGES
from pipeline.messages import BulletinKind, IncidentStatus
from pipeline.ports import LogEntry
from pipeline.runners.counts import FrameCounts, ReadingCounts
from pipeline.runners.embedded import EmbeddedRunner
from simulator.world import World, WorldTotals

_PASSED_BY = {
    "monitor": ("Incident", None, None),
    "warn": ("Incident", None, None),
    "assess": ("Incident", "status", IncidentStatus.CONFIRMED.value),
    "dispatch": ("Dispatch", "order", ...),
    "supervise": ("Closure", None, None),
    "evaluate": ("CaseEvaluation", None, None),
    "report": ("Bulletin", "kind", BulletinKind.FINAL.value),
}
"""The log entry that shows an incident has passed a stage: kind, and a field with its value."""

COUNTS = ("true", "found", "missed", "false", "late")
"""How true incidents and claims are counted: `late` ones were told too late to count."""


def counts_text(incidents: Mapping[str, int]) -> str:
    """Return the counts of a scored run in one line for people."""
    text = (
        f"{incidents['found']} of {incidents['true']} incidents found, "
        f"{incidents['false']} false, {incidents['missed']} missed"
    )
    return f"{text}, {incidents['late']} of them told too late" if incidents["late"] else text


@dataclass(frozen=True)
class RunResult:
    """The outcome of a run.

    Attributes:
        summary: What `--json` prints.
        report: File of the run's summary report; None when the run broke off before it.
        event_ms: Event time that passed.
    """

    summary: Mapping[str, Any]
    report: Path | None
    event_ms: int = 0

    def to_json(self) -> str:
        """Return the summary as one JSON object, in ASCII for any terminal or pipe."""
        return json.dumps(self.summary, indent=1)


class PassedCounter:
    """Counts how many incidents have passed each stage, entry by entry."""

    def __init__(self) -> None:
        self._passed: dict[str, set[str]] = {stage: set() for stage in STAGES}

    def add(self, entries: Sequence[LogEntry]) -> None:
        """Take the next entries of the log."""
        for entry in entries:
            for stage, (kind, field, wanted) in _PASSED_BY.items():
                if entry.kind == kind and _shows(entry, field, wanted):
                    self._passed[stage].add(entry.subject)

    def counts(self) -> dict[str, int]:
        """Return stage → number of incidents that passed it."""
        return {stage: len(cases) for stage, cases in self._passed.items()}


def stages_passed(entries: Sequence[LogEntry]) -> dict[str, int]:
    """Return how many incidents have passed each stage, by the event log."""
    counter = PassedCounter()
    counter.add(entries)
    return counter.counts()


@dataclass(frozen=True)
class RunFacts:
    """What a session knows of its run beside the event log.

    Attributes:
        plan: What was run.
        world: The world, at its end.
        counts: Readings as the platform counted them.
        frames: Frames as the platform counted them.
        hashes: Hash of each recorded part.
        asked_pace: The pace as asked for.
        worst_lag_s: Largest lag behind it, seconds.
        wall_s: How long the run took.
        transport: Name of the wire.
        out: The run's folder.
        failure: Why the run broke off, empty when it did not.
    """

    plan: RunPlan
    world: World
    counts: ReadingCounts
    frames: FrameCounts
    hashes: Mapping[str, str]
    asked_pace: str
    worst_lag_s: float
    wall_s: float
    transport: str
    out: Path
    failure: str = ""


def result_of(facts: RunFacts, entries: Sequence[LogEntry]) -> RunResult:
    """Write the result files of a run into its folder and return the result."""
    plan, world = facts.plan, facts.world
    events = entries[-1].hash if entries else FIRST_HASH
    event_ms = world.now_ms - plan.scenario.start_ms
    summary: dict[str, Any] = {
        "tocsin": version("tocsin"),
        "scenario": plan.scenario.name,
        "city": plan.city.id,
        "seed": plan.seed,
        "complete": world.is_over,
        "recording_hash": recording_hash(plan.scenario.digest, plan.seed, facts.hashes, events),
        "readings": _readings(world.totals, facts.counts),
        "frames": _frames(world.totals, facts.frames),
        "incidents": _incidents(world, entries),
        "evaluation": _evaluation(entries),
        "alarm_load": _alarm_load(entries),
        "stages": stages_passed(entries),
        "pace": {
            "asked": facts.asked_pace,
            "actual": _ratio(event_ms / 1000.0, facts.wall_s),
            "worst_lag_s": round(facts.worst_lag_s, 3),
        },
        "water_balance": _balance(world.totals),
        **_balances(world.totals),
        "transport": facts.transport,
        "wall_s": round(facts.wall_s, 3),
        "out": str(facts.out),
    }
    if facts.failure:
        summary["failure"] = facts.failure
    report = write_result(facts.out, summary, entries, facts.hashes)
    return RunResult(summary, report, event_ms)


def world_result(
    plan: RunPlan,
    world: World,
    hashes: Mapping[str, str],
    wall_s: float,
    out: Path,
    failure: str = "",
) -> dict[str, Any]:
    """Write the manifest of a world that ran alone and return its summary."""
    totals = world.totals
    summary: dict[str, Any] = {
        "tocsin": version("tocsin"),
        "scenario": plan.scenario.name,
        "city": plan.city.id,
        "seed": plan.seed,
        "complete": world.is_over,
        "ticks": world.tick_number,
        "readings": {"published": totals.readings, "lost": totals.lost_readings},
        "frames": {"published": totals.frames, "lost": totals.lost_frames},
        **_balances(totals),
        "actual_pace": _ratio((world.now_ms - plan.scenario.start_ms) / 1000.0, wall_s),
        "wall_s": round(wall_s, 3),
        "out": str(out),
    }
    if failure:
        summary["failure"] = failure
    _write_manifest(out, summary, hashes)
    return summary


def platform_result(plan: RunPlan, runner: EmbeddedRunner, out: Path) -> dict[str, Any]:
    """Write the events and reports of a platform that ran alone and return its summary."""
    entries = runner.entries()
    counts = runner.reading_counts()
    summary: dict[str, Any] = {
        "tocsin": version("tocsin"),
        "scenario": plan.scenario.name,
        "city": plan.city.id,
        "complete": has_ended(entries),
        "ticks": runner.last_tick,
        "events": len(entries),
        "events_hash": entries[-1].hash if entries else FIRST_HASH,
        "readings": {
            "received": counts.received,
            "duplicate": counts.duplicate,
            "rejected": counts.rejected,
        },
        "evaluation": _evaluation(entries),
        "alarm_load": _alarm_load(entries),
        "stages": stages_passed(entries),
        "out": str(out),
    }
    write_result(out, summary, entries, {})
    return summary


def write_result(
    out: Path, summary: Mapping[str, Any], entries: Sequence[LogEntry], hashes: Mapping[str, str]
) -> Path | None:
    """Write events, manifest, CAP messages and reports; return the run's summary report."""
    with (out / "events.jsonl").open("w", encoding="utf-8") as lines:
        for line in as_lines(entries):
            lines.write(line + "\n")
    _write_manifest(out, summary, hashes)
    write_caps(out / "cap", entries)
    return write_reports(out / "reports", entries)


def has_ended(entries: Sequence[LogEntry]) -> bool:
    """Return whether the platform has done the world's last tick: the run is scored."""
    return any(entry.kind == "RunEvaluation" for entry in reversed(entries))


def write_reports(folder: Path, entries: Sequence[LogEntry]) -> Path | None:
    """Write every bulletin as Markdown and JSON; return the summary's file if there is one."""
    folder.mkdir(exist_ok=True)
    summary: Path | None = None
    for entry in entries:
        if entry.kind != "Bulletin":
            continue
        file = folder / f"{entry.data['id']}.md"
        file.write_text(entry.data["markdown"], encoding="utf-8")
        text = json.dumps(entry.data, ensure_ascii=False, indent=1)
        file.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
        if entry.data["kind"] == BulletinKind.SUMMARY.value:
            summary = file
    return summary


def write_caps(folder: Path, entries: Sequence[LogEntry]) -> int:
    """Write the CAP message of every warning notice as XML; return how many there are."""
    messages = {
        entry.data["id"]: entry.data["cap"]
        for entry in entries
        if entry.kind == "Bulletin" and entry.data.get("cap")
    }
    for name, xml in messages.items():
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.xml").write_text(xml, encoding="utf-8")
    return len(messages)


def recording_hash(scenario: str, seed: int, hashes: Mapping[str, str], events: str) -> str:
    """Return the hash of a recording: scenario, seed, readings, truth, feedback and event log."""
    parts = [scenario, str(seed), *(f"{name}={hashes[name]}" for name in sorted(hashes)), events]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _write_manifest(out: Path, summary: Mapping[str, Any], hashes: Mapping[str, str]) -> None:
    manifest = {**summary, "format": 1, "hashes": dict(hashes)}
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    (out / "manifest.json").write_text(text + "\n", encoding="utf-8")


def _shows(entry: LogEntry, field: str | None, wanted: object) -> bool:
    if field is None:
        return True
    value = entry.data.get(field)
    return value is not None if wanted is ... else value == wanted


def _readings(totals: WorldTotals, counts: ReadingCounts) -> dict[str, int]:
    return {
        "published": totals.readings,
        "received": counts.received,
        "lost": totals.lost_readings,
        "lost_frames": totals.lost_frames,
        "duplicate": counts.duplicate,
        "rejected": counts.rejected,
    }


def _frames(totals: WorldTotals, counts: FrameCounts) -> dict[str, int]:
    """Return what came of the frames; `unaccounted` is 0 when none was lost silently."""
    return {
        "published": totals.frames,
        "received": counts.received,
        "declared_lost": totals.lost_frames,
        "duplicate": counts.duplicate,
        "gaps": counts.lost,
        "unaccounted": counts.unaccounted(totals.frames, totals.lost_frames),
    }


def _incidents(world: World, entries: Sequence[LogEntry]) -> dict[str, int | None]:
    """Return the counts; of a run that broke off only how many true ones had begun."""
    last = _last(entries, "RunEvaluation")
    if last is None:
        true = sum(item.is_hazard for item in world.true_incidents())
        return {**dict.fromkeys(COUNTS), "true": true}
    return {name: last[name] for name in COUNTS}


def _evaluation(entries: Sequence[LogEntry]) -> dict[str, Any]:
    last = _last(entries, "RunEvaluation")
    names = (
        "pod",
        "far_ratio",
        "csi",
        "bias",
        "lead_time_min",
        "lead_time_all_min",
        "detection_delay_min",
        "location_error_m",
        "location_error_pipes",
        "timeliness",
        "alarms",
    )
    return {name: None if last is None else last.get(name) for name in names}


_LOAD = (
    "operators",
    "activations",
    "announced",
    "announced_per_hour",
    "per_operator_10_min_mean",
    "per_operator_10_min_max",
    "flood_share",
)
"""The figures of alarm management a summary shows; all of them are in the log and the report."""


def _alarm_load(entries: Sequence[LogEntry]) -> dict[str, Any]:
    last = _last(entries, "RunEvaluation") or {}
    figures = last.get("alarms_kpi", {})
    return {name: figures.get(name) for name in _LOAD}


def _last(entries: Sequence[LogEntry], kind: str) -> dict[str, Any] | None:
    return next((entry.data for entry in reversed(entries) if entry.kind == kind), None)


def _balance(totals: WorldTotals) -> dict[str, float]:
    share = abs(totals.imbalance_m3) / totals.inflow_m3 if totals.inflow_m3 else 0.0
    return {"inflow_m3": round(totals.inflow_m3, 1), "error_share": round(share, 6)}


def _balances(totals: WorldTotals) -> dict[str, Any]:
    """Return what the other domains conserved, when the city has any, and how many called.

    Sums over the run in m3 (Nm3 of gas); `imbalance` is the worst error of a node's balance as
    a share of the inflow, `continuity_error` the water lost as a share of what came in.
    """
    others = {
        domain: {name: _short(amount) for name, amount in sorted(sums.items())}
        for domain, sums in sorted(totals.balances.items())
        if domain != "water"
    }
    for sums in others.values():
        if "rainfall" in sums:
            came_m3 = sums["rainfall"] + sums["inflow"]
            sums["continuity_error"] = _short(sums["error"] / came_m3) if came_m3 else 0.0
    return {"balances": others, "hotline_calls": totals.calls} if others else {}


def _short(amount: float) -> float:
    """Return a number with 6 significant digits."""
    return float(f"{amount:.6g}")


def _ratio(event_s: float, wall_s: float) -> float:
    return round(event_s / wall_s, 1) if wall_s > 0 else 0.0
