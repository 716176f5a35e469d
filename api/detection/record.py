"""What one run says about detection: each event and false incident, and where a miss was lost."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from api.detection.hazards import hazard_of_claim, hazard_of_kind
from api.detection.lean import LeanRun
from pipeline.evaluate.matching import events
from pipeline.evaluate.reasons import Reason
from pipeline.messages import PATROLLED
from sensors.ground_truth import TrueIncident
from sensors.levels import Level

FORMAT = 1
_MINUTE_MS = 60_000.0
_NEITHER = (Reason.NO_HAZARD_CLAIMED, Reason.TOLD_LATE)
"""Reasons of incidents that are neither hits nor false."""
_HOUR_MS = 3_600_000.0


class EventRecord(msgspec.Struct, frozen=True):
    """A true event and what became of it.

    Attributes:
        id: True incident.
        hazard: Hazard of the tables.
        kind: True kind.
        level: True level, 1 red to 4 blue.
        element: What it befell.
        detail: Its size and circumstances in the truth's own words.
        devices: How many devices it moved by more than twice their noise; 0: no device could
            have shown it, whatever the rules.
        seen_min: Minutes from onset until the first of them was moved so.
        harm_min: Minutes from onset to harm; None while there was none.
        is_hit: Whether an incident matched it.
        incident: That incident.
        delay_min: Minutes from `seen_min` to the first issue.
        lead_min: Minutes from the first issue at the level it had when harm began, or worse, to
            harm.
        lead_any_min: Minutes from the first issue at any level to harm.
        location_m: Distance between where it was held to be and where it was, metres.
        first_rule: Rule of the first alarm of that incident (of a miss: at a moved device).
        rules: Rules that raised an alarm of that incident, or at a moved device, first ones first.
        lost_at: Of a miss, where it was lost; empty for a hit.
    """

    id: str
    hazard: str
    kind: str
    level: int
    element: str
    detail: str
    devices: int
    seen_min: float | None
    harm_min: float | None
    is_hit: bool
    incident: str = ""
    delay_min: float | None = None
    lead_min: float | None = None
    lead_any_min: float | None = None
    location_m: float | None = None
    first_rule: str = ""
    rules: tuple[str, ...] = ()
    lost_at: str = ""


class FalseRecord(msgspec.Struct, frozen=True):
    """An incident that claimed a hazard where none was.

    Attributes:
        id: Incident.
        hazard: Hazard of the tables it claimed.
        cause: Cause it claimed.
        level: Worst level it was told at.
        issued_min: Minutes from the start of the run.
        rules: Rules of its alarms, first ones first.
        near: True thing of its domain that was going on then (`kind id`), nearest first; empty
            when nothing was.
        near_m: How far away that was, metres.
    """

    id: str
    hazard: str
    cause: str
    level: int
    issued_min: float
    rules: tuple[str, ...]
    near: str = ""
    near_m: float | None = None


class RunRecord(msgspec.Struct, frozen=True):
    """One run: a line of the results file.

    Attributes:
        key: Names scenario, places, rules and seed; a run with a known key is not done again.
        error: Why there is no result; empty when there is one.
        hours: Event time.
        alarms: Alarms raised.
        announced: Those that were put before operators.
        patrols: Incidents that sent a patrol and claimed no hazard; None in files of older
            versions.
        events_hash: Last hash of the event log.
    """

    key: str
    scenario: str
    seed: int
    error: str = ""
    wall_s: float = 0.0
    hours: float = 0.0
    devices: int = 0
    readings: int = 0
    alarms: int = 0
    announced: int = 0
    patrols: int | None = None
    events: tuple[EventRecord, ...] = ()
    false: tuple[FalseRecord, ...] = ()
    events_hash: str = ""
    format: int = FORMAT


class Said:
    """What the platform said about alarms and incidents, by what is asked of it.

    Attributes:
        alarms: Alarm → first version that was raised, else the first provisional one.
        confirmed: Incident → newest confirmed version.
        worst: Incident → worst level it was told at.
        issued: Incident → when it was first told.
        last: Incident → newest version, confirmed or not.
        verdicts: Incident → newest verdict.
        matches: True event → incident.
        raised: Alarms raised.
        announced: Those put before operators.
    """

    def __init__(self, said: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Take messages in order: name of the class and its fields as plain values."""
        self.alarms: dict[str, dict[str, Any]] = {}
        self.confirmed: dict[str, dict[str, Any]] = {}
        self.worst: dict[str, int] = {}
        self.issued: dict[str, int] = {}
        self.last: dict[str, dict[str, Any]] = {}
        self.verdicts: dict[str, dict[str, Any]] = {}
        self.matches: dict[str, str] = {}
        self.raised = self.announced = 0
        for kind, data in said:
            if kind == "Alarm":
                self._alarm(data)
            elif kind == "Incident":
                self._incident(data)
            elif kind == "CaseEvaluation":
                self.verdicts[data["incident"]] = data
            elif kind == "RunEvaluation":
                self.matches = data["matches"]

    def _alarm(self, data: dict[str, Any]) -> None:
        if data["state"] == "raised":
            self.raised += 1
            self.announced += not data.get("held")
        known = self.alarms.get(data["id"])
        if known is None or (known["state"] == "provisional" and data["state"] == "raised"):
            self.alarms[data["id"]] = data

    def _incident(self, data: dict[str, Any]) -> None:
        name = data["id"]
        self.last[name] = data
        if data["status"] == "confirmed":
            self.confirmed[name] = data
            self.worst[name] = min(data["level"], self.worst.get(name, data["level"]))
            self.issued.setdefault(name, data["time_ms"])

    def rules_of(self, alarms: Sequence[str]) -> tuple[str, ...]:
        """Return the rules of alarms, by time of the first alarm of each."""
        known = [self.alarms[name] for name in alarms if name in self.alarms]
        known.sort(key=lambda item: (item["time_ms"], item["rule"]))
        return tuple(dict.fromkeys(item["rule"] for item in known))


def record_of(run: LeanRun, start_ms: int) -> dict[str, Any]:
    """Return the fields of a `RunRecord` that follow from what was said and what was true."""
    log = Said((entry.kind, entry.data) for entry in run.entries)
    happened = events(run.truths.values())
    taken = {truth: incident for truth, incident in log.matches.items() if truth in happened}
    found = [
        _event(truth, taken.get(name, ""), log, run.end_ms)
        for name, truth in sorted(happened.items())
    ]
    wrong = [
        _false(log.confirmed[name], log, run.truths, start_ms)
        for name, verdict in sorted(log.verdicts.items())
        if not verdict["is_hit"] and verdict["reason"] not in _NEITHER
    ]
    return {
        "wall_s": round(run.wall_s, 2),
        "hours": (run.end_ms - start_ms) / _HOUR_MS,
        "readings": run.readings,
        "alarms": log.raised,
        "announced": log.announced,
        "patrols": sum(one["cause"] in PATROLLED for one in log.confirmed.values()),
        "events": tuple(found),
        "false": tuple(wrong),
        "events_hash": run.entries[-1].hash if run.entries else "",
    }


def _event(truth: TrueIncident, incident: str, log: Said, end_ms: int) -> EventRecord:
    first_ms = min(truth.detectable_ms.values(), default=None)
    verdict = log.verdicts.get(incident, {})
    own = _alarms_at(truth, log, end_ms)
    alarms = log.last[incident]["alarms"] if incident else [item["id"] for item in own]
    rules = log.rules_of(alarms)
    return EventRecord(
        id=truth.id,
        hazard=hazard_of_kind(truth.kind),
        kind=truth.kind.value,
        level=int(truth.level),
        element=truth.element,
        detail=truth.detail,
        devices=len(truth.detectable_ms),
        seen_min=None if first_ms is None else (first_ms - truth.onset_ms) / _MINUTE_MS,
        harm_min=None
        if truth.harm_ms is None
        else round((truth.harm_ms - truth.onset_ms) / _MINUTE_MS, 3),
        is_hit=bool(incident),
        incident=incident,
        delay_min=verdict.get("detection_delay_min"),
        lead_min=verdict.get("lead_time_min"),
        lead_any_min=_lead_any_min(truth, verdict.get("detection_delay_min")),
        location_m=verdict.get("location_error_m"),
        first_rule=rules[0] if rules else "",
        rules=rules,
        lost_at="" if incident else lost_at(truth, log, end_ms),
    )


def _lead_any_min(truth: TrueIncident, delay_min: float | None) -> float | None:
    """Return minutes from the first issue at any level to harm; the delay tells when that was."""
    if truth.harm_ms is None or delay_min is None:
        return None
    first_ms = min(truth.detectable_ms.values(), default=truth.onset_ms)
    return round((truth.harm_ms - first_ms) / _MINUTE_MS - delay_min, 3)


def _alarms_at(truth: TrueIncident, log: Said, end_ms: int) -> list[dict[str, Any]]:
    """Return the alarms at devices an event moved, while it could be told of."""
    last_ms = max(truth.end_ms or end_ms, truth.repaired_ms or 0)
    found = [
        item
        for item in log.alarms.values()
        if item["device"] in truth.detectable_ms and truth.onset_ms <= item["time_ms"] <= last_ms
    ]
    return sorted(found, key=lambda item: (item["time_ms"], item["id"]))


def lost_at(truth: TrueIncident, log: Said, end_ms: int) -> str:
    """Return where in the loop a miss was lost: stage, and what came of it there.

    Args:
        truth: The event nothing matched.
        log: What the platform said.
        end_ms: End of the run.
    """
    alarms = _alarms_at(truth, log, end_ms)
    if not truth.detectable_ms:
        return "physics: no device moved by twice its noise"
    if not alarms:
        return "warn: no alarm at a moved device"
    raised = {item["id"] for item in alarms if item["state"] == "raised"}
    if not raised:
        return "warn: provisional alarms only"
    cases = [case for case in log.last.values() if raised & set(case["alarms"])]
    if not cases:
        return "assess: alarms in no incident"
    confirmed = [case for case in cases if case["id"] in log.confirmed]
    if not confirmed:
        return f"assess: {cases[-1]['status']}, {cases[-1]['reason']}"
    others = {incident: name for name, incident in log.matches.items()}
    for case in confirmed:
        if case["id"] in others:
            return f"assess: in the incident of {_label(others[case['id']])}"
        if log.verdicts.get(case["id"], {}).get("reason") == Reason.TOLD_LATE:
            return f"assess: told as {case['cause']}, too long after harm began"
        if log.verdicts.get(case["id"], {}).get("reason") == Reason.NO_HAZARD_CLAIMED:
            return f"assess: told as {case['cause']}, no hazard claimed"
    return f"assess: told as {confirmed[0]['cause']}, not matched in place, time or domain"


def _label(truth: str) -> str:
    return "another event" if truth else "nothing"


def _false(
    case: Mapping[str, Any], log: Said, truths: Mapping[str, TrueIncident], start_ms: int
) -> FalseRecord:
    issued_ms = log.issued[case["id"]]
    place = case["location"]
    near = sorted(
        (round(_distance_m(place, truth)), truth.kind.value, truth.id)
        for truth in truths.values()
        if truth.domain == case["domain"]
        and truth.onset_ms <= issued_ms <= (truth.repaired_ms or truth.end_ms or issued_ms)
    )
    return FalseRecord(
        id=case["id"],
        hazard=hazard_of_claim(case["domain"], case["cause"]),
        cause=case["cause"],
        level=int(Level(log.worst[case["id"]])),
        issued_min=round((issued_ms - start_ms) / _MINUTE_MS, 3),
        rules=log.rules_of(log.last[case["id"]]["alarms"]),
        near=f"{near[0][1]} {near[0][2]}" if near else "",
        near_m=float(near[0][0]) if near else None,
    )


def _distance_m(place: Mapping[str, Any], truth: TrueIncident) -> float:
    return float(((place["x_m"] - truth.x_m) ** 2 + (place["y_m"] - truth.y_m) ** 2) ** 0.5)
