"""What two rule sets make of the same recording: alarms, incidents, scores, operators' load."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from api.replaying.source import DetectionResult
from pipeline.messages import Alarm, AlarmState, CaseEvaluation, Incident
from sensors.levels import Level, worst

SAME_WITHIN_MS = 6 * 3_600_000
"""Alarms of one rule at one device this near in time are one and the same (proposed)."""
LOAD_MS = 600_000
"""Operators' load is counted in intervals of 10 min, as in the sources of alarm management."""
FLOOD_ABOVE = 10
"""A 10-min interval with more alarms than this is a flood (prosys.com, domain reference §2.9)."""
_SCORES = ("true", "found", "missed", "false", "pod", "far_ratio", "csi", "lead_time_min",
           "lead_time_all_min", "detection_delay_min", "location_error_m", "alarms")  # fmt: skip
_ENDED = (AlarmState.CLEARED, AlarmState.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class AlarmCourse:
    """An alarm from raise to clear.

    Attributes:
        device: Its device.
        rule: Its rule.
        raised_ms: Event time at which it was raised.
        cleared_ms: When it cleared; None when it stood at the end.
        level: Worst level it reached.
        is_announced: Whether it was put before operators.
    """

    device: str
    rule: str
    raised_ms: int
    cleared_ms: int | None
    level: Level
    is_announced: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """One alarm or incident under A and under B.

    Attributes:
        what: `alarm` or `incident`.
        name: `device/rule`, or the incident.
        change: `new`, `gone`, `earlier`, `later`, `level` or `same` (B against A).
        a_ms: When it was raised or first told under A, None for never.
        b_ms: The same under B.
        a_level: Worst level under A.
        b_level: The same under B.
        is_true: Of an incident, whether it matched a true one; None for alarms.
    """

    what: str
    name: str
    change: str
    a_ms: int | None
    b_ms: int | None
    a_level: Level | None
    b_level: Level | None
    is_true: bool | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """Alarms put before operators: mean an hour, worst 10 min, share of 10-min spans in flood."""

    per_hour: float
    worst_10min: int
    flood_share: float
    spans: tuple[int, ...]


@dataclass(frozen=True)
class Comparison:
    """A recording under two rule sets.

    Attributes:
        recording: Its name.
        start_ms: Where it begins.
        end_ms: Where it ends.
        alarms: Alarm courses under A and B.
        differences: Alarms, then incidents.
        scores: Score → (A, B); None without truth.
        load: Load under A and B.
    """

    recording: str
    start_ms: int
    end_ms: int
    alarms: tuple[tuple[AlarmCourse, ...], tuple[AlarmCourse, ...]]
    differences: tuple[Difference, ...]
    scores: Mapping[str, tuple[float | None, float | None]]
    load: tuple[Load, Load]

    def counts(self, what: str) -> dict[str, int]:
        """Return change → how many alarms or incidents."""
        found = [item.change for item in self.differences if item.what == what]
        return {name: found.count(name) for name in sorted(set(found))}


def compare(name: str, a: DetectionResult, b: DetectionResult) -> Comparison:
    """Compare what two rule sets made of one recording."""
    courses = (courses_of(a.alarms), courses_of(b.alarms))
    return Comparison(
        recording=name,
        start_ms=a.start_ms,
        end_ms=a.end_ms,
        alarms=courses,
        differences=(*_alarm_differences(*courses), *_incident_differences(a, b)),
        scores={key: (_score(a, key), _score(b, key)) for key in _SCORES},
        load=(
            load_of(courses[0], a.start_ms, a.end_ms),
            load_of(courses[1], b.start_ms, b.end_ms),
        ),
    )


def courses_of(alarms: Iterable[Alarm]) -> tuple[AlarmCourse, ...]:
    """Return alarms that were raised, from raise to clear, by time, device and rule."""
    last: dict[str, AlarmCourse] = {}
    for alarm in alarms:
        known = last.get(alarm.id)
        if known is None:
            if alarm.state is AlarmState.RAISED:
                last[alarm.id] = AlarmCourse(
                    alarm.device, alarm.rule, alarm.time_ms, None, alarm.level, _is_announced(alarm)
                )
            continue
        last[alarm.id] = AlarmCourse(
            known.device,
            known.rule,
            known.raised_ms,
            alarm.time_ms if alarm.state in _ENDED else None,
            worst(known.level, alarm.level) or known.level,
            known.is_announced or _is_announced(alarm),
        )
    return tuple(sorted(last.values(), key=lambda one: (one.raised_ms, one.device, one.rule)))


def _is_announced(alarm: Alarm) -> bool:
    return not alarm.held and alarm.state not in _ENDED


def load_of(alarms: Sequence[AlarmCourse], start_ms: int, end_ms: int) -> Load:
    """Return the load of operators from `start_ms` to `end_ms`."""
    spans = max(1, -(-(end_ms - start_ms) // LOAD_MS))
    raised = np.array([one.raised_ms for one in alarms if one.is_announced], dtype=np.int64)
    place = np.clip((raised - start_ms - 1) // LOAD_MS, 0, spans - 1)
    counts = np.bincount(place, minlength=spans)
    hours = max(end_ms - start_ms, 1) / 3_600_000
    return Load(
        per_hour=round(len(raised) / hours, 3),
        worst_10min=int(counts.max()),
        flood_share=round(float((counts > FLOOD_ABOVE).mean()), 4),
        spans=tuple(counts.tolist()),
    )


def _alarm_differences(
    first: Sequence[AlarmCourse], second: Sequence[AlarmCourse]
) -> list[Difference]:
    found = []
    old, new = _by_name(first), _by_name(second)
    for name in sorted({*old, *new}):
        for a, b in _paired(old.get(name, []), new.get(name, [])):
            found.append(
                _difference(
                    "alarm",
                    name,
                    (a.raised_ms, a.level) if a else None,
                    (b.raised_ms, b.level) if b else None,
                )
            )
    return found


def _by_name(alarms: Sequence[AlarmCourse]) -> dict[str, list[AlarmCourse]]:
    found: dict[str, list[AlarmCourse]] = {}
    for alarm in alarms:
        found.setdefault(f"{alarm.device}/{alarm.rule}", []).append(alarm)
    return found


def _paired(
    old: Sequence[AlarmCourse], new: Sequence[AlarmCourse]
) -> list[tuple[AlarmCourse | None, AlarmCourse | None]]:
    """Return alarms of one rule at one device in pairs, those nearest in time first."""
    near = sorted(
        (abs(a.raised_ms - b.raised_ms), i, j)
        for i, a in enumerate(old)
        for j, b in enumerate(new)
        if abs(a.raised_ms - b.raised_ms) <= SAME_WITHIN_MS
    )
    pairs: dict[int, int] = {}
    for _, i, j in near:
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    left = [(one, new[pairs[i]] if i in pairs else None) for i, one in enumerate(old)]
    rest = [(None, one) for j, one in enumerate(new) if j not in pairs.values()]
    return [*left, *rest]


def _incident_differences(a: DetectionResult, b: DetectionResult) -> list[Difference]:
    """Return incidents in pairs: of the same true event, of the same id, or of a common device."""
    old, new = _told(a), _told(b)
    matched = [dict(side.evaluation.matches) if side.evaluation else {} for side in (a, b)]
    names_a, names_b = sorted(old), sorted(new)
    pairs = {matched[0][t]: matched[1][t] for t in sorted(matched[0]) if t in matched[1]}
    for name in names_a:
        if name in pairs:
            continue
        free = [other for other in names_b if other not in pairs.values()]
        same = [other for other in free if other == name]
        near = [
            other for other in free if old[name][0].devices and _meet(old[name][0], new[other][0])
        ]
        if same or near:
            pairs[name] = (same or near)[0]
    truths = ({*matched[0].values()}, {*matched[1].values()})
    rows = []
    for name in names_a:
        other = pairs.get(name)
        is_true = name in truths[0] or other in truths[1]
        b_side = None if other is None or other not in new else new[other][1:]
        rows.append(_difference("incident", name, old[name][1:], b_side, is_true=is_true))
    taken = set(pairs.values())
    for name in names_b:
        if name not in taken:
            is_true = name in truths[1]
            rows.append(_difference("incident", name, None, new[name][1:], is_true=is_true))
    return rows


def _told(side: DetectionResult) -> dict[str, tuple[Incident, int, Level]]:
    """Return incident → newest version, when it was first told, worst level it was told at."""
    unclaimed = {
        one.incident for one in side.of(CaseEvaluation) if one.reason == "no_hazard_claimed"
    }
    found: dict[str, tuple[Incident, int, Level]] = {}
    for one in side.of(Incident):
        if one.id in side.incidents and one.status.value == "confirmed" and one.id not in unclaimed:
            known = found.get(one.id)
            level = worst(one.level, known[2] if known else None) or one.level
            found[one.id] = (one, known[1] if known else one.time_ms, level)
    return found


def _meet(one: Incident, other: Incident) -> bool:
    return bool(set(one.devices) & set(other.devices))


def _difference(
    what: str,
    name: str,
    a: tuple[int, Level] | None,
    b: tuple[int, Level] | None,
    *,
    is_true: bool | None = None,
) -> Difference:
    if a is None:
        change = "new"
    elif b is None:
        change = "gone"
    elif a[0] != b[0]:
        change = "earlier" if b[0] < a[0] else "later"
    else:
        change = "same" if a[1] == b[1] else "level"
    a_ms, a_level = a or (None, None)
    b_ms, b_level = b or (None, None)
    return Difference(what, name, change, a_ms, b_ms, a_level, b_level, is_true)


def _score(side: DetectionResult, key: str) -> float | None:
    if side.evaluation is None:
        return None
    found: Any = getattr(side.evaluation, key)
    return None if found is None else float(found)
