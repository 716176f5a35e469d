"""What a case rests on: the numbers behind its alarms and the findings of warning models."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite

from pipeline.messages import Alarm, AlarmState, FindingEffect, Incident, ModelFinding
from pipeline.report.words import count_text, level_text
from pipeline.rules import Rule
from sensors.levels import Level

MOST = 20
"""So many alarms of a case are kept, the worst first (proposed: what one page shows)."""
SHOWN = 8
"""So many of them are listed in a report; the others are counted (proposed)."""
_OVER = (AlarmState.CLEARED, AlarmState.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Ground:
    """One alarm by its numbers; `confidence` is None for what was measured."""

    alarm: str
    device: str
    rule: str
    level: Level
    value: float
    limit: float
    unit: str
    confidence: float | None
    sample_ms: int

    @classmethod
    def of(cls, alarm: Alarm) -> "Ground":
        """Return the numbers of an alarm."""
        return cls(
            alarm.id,
            alarm.device,
            alarm.rule,
            alarm.level,
            alarm.value,
            alarm.limit,
            alarm.unit,
            alarm.confidence,
            alarm.sample_ms,
        )


def note_alarm(standing: dict[str, Ground], alarm: Alarm) -> None:
    """Keep the newest numbers of an alarm that stands, forget those of one that does not."""
    if alarm.state in _OVER:
        standing.pop(alarm.id, None)
    else:
        standing[alarm.id] = Ground.of(alarm)


def gather(
    kept: Mapping[str, Ground], alarms: Iterable[str], standing: Mapping[str, Ground]
) -> dict[str, Ground]:
    """Return the numbers behind a case with those of its standing alarms taken in.

    Of each alarm the worst numbers stay; of all alarms the worst `MOST`.
    """
    found = dict(kept)
    for name in alarms:
        new, old = standing.get(name), found.get(name)
        if new is not None and (old is None or not old.level.is_worse_than(new.level)):
            found[name] = new
    worst_first = sorted(found.values(), key=lambda one: (one.level, one.sample_ms, one.alarm))
    return {one.alarm: one for one in worst_first[:MOST]}


def ground_lines(grounds: Iterable[Ground], rules: Mapping[str, Rule]) -> list[str]:
    """Return each alarm with rule, value, limit, level and the sources of the rule."""
    worst_first = sorted(grounds, key=lambda one: (one.level, one.sample_ms, one.alarm))
    lines = [_line(one, rules.get(one.rule)) for one in worst_first[:SHOWN]]
    left = len(worst_first) - SHOWN
    return lines if left <= 0 else [*lines, f"and {count_text(left, 'alarm', 'alarms')} more"]


def first_sample_ms(alarms: Iterable[str], otherwise_ms: int) -> int:
    """Return the first violating sample that alarm ids name, `otherwise_ms` when none does."""
    tails = (alarm.rpartition("/")[2] for alarm in alarms)
    return min((int(tail) for tail in tails if tail.isdigit()), default=otherwise_ms)


def is_of(finding: ModelFinding, incident: Incident) -> bool:
    """Return whether a model's finding is about an incident: alarms, devices or place agree."""
    if not set(finding.evidence).isdisjoint(incident.alarms):
        return True
    if not set(finding.devices).isdisjoint(incident.devices):
        return True
    return not set(finding.elements).isdisjoint(incident.location.candidates)


def finding_line(finding: ModelFinding) -> str:
    """Return in words what a warning model found."""
    if not finding.is_on:
        return f"Model {finding.model} no longer finds it"
    what = {
        FindingEffect.RAISE: f"speaks for level {level_text(finding.level)}",
        FindingEffect.LOWER: "speaks for one level less",
        FindingEffect.HOLD: f"speaks for no more than level {level_text(finding.level)}",
        FindingEffect.EXPLAIN: f"explains it by {finding.cause or 'another cause'}",
        FindingEffect.CONSEQUENCE: "sees a worse consequence",
    }[finding.effect]
    figure = f", {finding.value:.3g} {finding.unit}".rstrip() if isfinite(finding.value) else ""
    sure = f"{finding.confidence:.0%} sure"
    return f"Model {finding.model} {finding.version} {what}{figure}, {sure} ({finding.reason})"


def _line(ground: Ground, rule: Rule | None) -> str:
    sources = f"; sources {', '.join(rule.sources)}" if rule and rule.sources else ""
    unit = f" {ground.unit}" if ground.unit else ""
    value = f"{ground.value:.3g}{unit}" if isfinite(ground.value) else "no value"
    sure = "" if ground.confidence is None else f", forecast {ground.confidence:.0%} sure"
    return (
        f"{ground.rule} at {ground.device}: {value} against {ground.limit:.3g}{unit}, "
        f"level {level_text(ground.level)}{sure}{sources}"
    )
