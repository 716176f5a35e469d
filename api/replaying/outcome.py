"""What a replay came to, and how it differs from the run that was recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from api.replaying.playback import Playback
from api.replaying.recording import Recording
from api.results import COUNTS, RunResult, stages_passed, write_result
from api.rule_choice import note_rules
from pipeline.event_log import FIRST_HASH
from pipeline.messages import AlarmState, IncidentStatus
from pipeline.ports import LogEntry
from pipeline.rules import RuleSet
from pipeline.runners.counts import FrameCounts, ReadingCounts

_SCORES = (
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


@dataclass(frozen=True)
class ReplayFacts:
    """What a session knows of its replay beside the event log.

    Attributes:
        recording: What was replayed.
        rules: The rule set.
        playback: The recording's end of the wire, as far as it got.
        counts: Readings as the platform counted them.
        frames: Frames as the platform counted them.
        asked_pace: The pace as asked for.
        wall_s: How long it took.
        transport: Name of the wire.
        out: Folder of the result.
        failure: Why it broke off, empty when it did not.
    """

    recording: Recording
    rules: RuleSet
    playback: Playback
    counts: ReadingCounts
    frames: FrameCounts
    asked_pace: str
    wall_s: float
    transport: str
    out: Path
    failure: str = ""


def replay_result(facts: ReplayFacts, entries: Sequence[LogEntry]) -> RunResult:
    """Write the result files of a replay into its folder and return the result."""
    recording, playback = facts.recording, facts.playback
    event_ms = playback.now_ms - recording.start_ms
    last = next((one.data for one in reversed(entries) if one.kind == "RunEvaluation"), None)
    scores = last or {}
    summary: dict[str, Any] = {
        "tocsin": version("tocsin"),
        "replay_of": str(recording.folder),
        "scenario": recording.scenario.name,
        "city": recording.city.id,
        "seed": recording.seed,
        "complete": playback.is_over,
        "events_hash": _last_hash(entries),
        "recorded": difference(
            recording.entries(), entries, None if playback.is_over else playback.now_ms
        ),
        "loop": {
            "is_open": True,
            "orders": len(playback.loop.issued),
            "unanswered": len(playback.loop.unanswered),
            "feedback_given": playback.loop.given,
            "feedback_withheld": playback.loop.withheld,
        },
        "readings": {
            "published": playback.readings,
            "received": facts.counts.received,
            "duplicate": facts.counts.duplicate,
            "rejected": facts.counts.rejected,
        },
        "frames": {
            "published": playback.frames,
            "received": facts.frames.received,
            "duplicate": facts.frames.duplicate,
            "unaccounted": facts.frames.unaccounted(playback.frames, 0),
        },
        "incidents": {name: scores.get(name) for name in COUNTS},
        "evaluation": {name: scores.get(name) for name in _SCORES},
        "stages": stages_passed(entries),
        "pace": {
            "asked": facts.asked_pace,
            "actual": round(event_ms / 1000.0 / facts.wall_s, 1) if facts.wall_s > 0 else 0.0,
        },
        "transport": facts.transport,
        "wall_s": round(facts.wall_s, 3),
        "out": str(facts.out),
    }
    if facts.failure:
        summary["failure"] = facts.failure
    report = write_result(facts.out, summary, entries, {})
    return RunResult(note_rules(facts.out, summary, facts.rules), report, event_ms)


def difference(
    before: Sequence[LogEntry], after: Sequence[LogEntry], until_ms: int | None = None
) -> dict[str, Any] | None:
    """Return how a replay's alarms and incidents differ from the recorded run's.

    None when the recording holds no run of the platform. An alarm is known by its id, which
    names device, rule and first sample; an incident by its id. A replay that was broken off is
    compared with what was recorded until then, `until_ms`.
    """
    if not before:
        return None
    if until_ms is not None:
        before = [one for one in before if one.time_ms <= until_ms]
    told: dict[str, Any] = {"is_same": _last_hash(before) == _last_hash(after)}
    for name, raised in (("alarms", _raised), ("incidents", _confirmed)):
        old, new = raised(before), raised(after)
        told[name] = {"same": len(old & new), "only_recorded": sorted(old - new)}
        told[name]["only_replayed"] = sorted(new - old)
    return told


def _last_hash(entries: Sequence[LogEntry]) -> str:
    return entries[-1].hash if entries else FIRST_HASH


def _raised(entries: Sequence[LogEntry]) -> set[str]:
    return {
        one.subject
        for one in entries
        if one.kind == "Alarm" and one.data["state"] == AlarmState.RAISED.value
    }


def _confirmed(entries: Sequence[LogEntry]) -> set[str]:
    return {
        one.subject
        for one in entries
        if one.kind == "Incident" and one.data["status"] == IncidentStatus.CONFIRMED.value
    }
