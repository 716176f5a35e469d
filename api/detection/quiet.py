"""What operators are told when nothing happens: alarms an hour, flood share, warnings, by rule."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from math import nan
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from api.detection.writing import grid
from pipeline.evaluate.kpis import SLOT_MS, AlarmBook
from pipeline.health_group import DeviceHealthGroup
from pipeline.messages import (
    Alarm,
    AlarmFlood,
    AlarmHandling,
    AlarmState,
    DeviceHealth,
    Incident,
    IncidentStatus,
    Message,
    WarningNotice,
    WarningStatus,
)
from pipeline.ports import LogEntry
from pipeline.rules import RuleSet
from sensors.levels import Level

MOST_ANNOUNCED_H = 72.0
"""Aim of a quiet time: 12 operators at the 6 alarms an hour of ISA-18.2 (domain/README §2.9)."""
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_SLOTS = HOUR_MS // SLOT_MS
_KINDS: Mapping[str, type] = MappingProxyType(
    {
        one.__name__: one
        for one in (
            Alarm,
            AlarmFlood,
            AlarmHandling,
            DeviceHealth,
            DeviceHealthGroup,
            Incident,
            WarningNotice,
        )
    }
)
_MAY_BE_NAN = ("value", "limit", "before")
"""Figures of an alarm that a log, which is JSON, tells as null when they are not known."""
_BEGINS = frozenset({AlarmState.RAISED, AlarmState.PROVISIONAL})
_KEPT = (Alarm, AlarmHandling, AlarmFlood, Incident)


@dataclass(frozen=True, slots=True)
class RuleLoad:
    """What one rule put before operators: alarms raised, those announced, and why others not."""

    rule: str
    raised: int
    announced: int
    held: dict[str, int]


@dataclass(frozen=True, slots=True)
class AlarmLoad:
    """Figures of alarm management over a stretch of event time.

    Attributes:
        name: Recording or scenario.
        devices: Devices of the city.
        hours: How long, event time.
        operators: Operators of a shift, by the rule set.
        raised: Alarms raised, told or not.
        announced: Alarms put before operators (`AlarmBook`).
        announced_h: The same an hour, mean.
        worst_h: Most of them in one hour of the clock that runs from the beginning.
        worst_at_h: Which hour that was, from 0.
        first_h: Those of the first hour, in which nothing is learned yet.
        per_operator_10_min: Announced for each operator and 10 minutes, mean and most.
        flood_share: Share of the 10 minutes an operator spent in a flood.
        health: Events of devices' health that turned on.
        floods: Floods that were told as one event: of alarms, and of devices' health.
        opened: Incidents that were opened, those dismissed later too.
        incidents: Incidents that were confirmed, by cause.
        issued: Warnings that went out, by domain and colour.
        first_incident_s: Seconds from the first activation to the first incident opened or flood
            told, None when there was none; an activation is an alarm raised (or provisional) or a
            health event turned on.
        incidents_per_alarm: Confirmed incidents over alarms raised.
        incidents_per_activation: The same over all activations.
        rules: What each rule did, worst first.
        wall_s: Seconds of wall time it took.
    """

    name: str
    devices: int
    hours: float
    operators: float
    raised: int
    announced: int
    announced_h: float
    worst_h: int
    worst_at_h: int
    first_h: int
    per_operator_10_min: tuple[float, float]
    flood_share: float
    health: int
    floods: int
    opened: int
    incidents: dict[str, int]
    issued: dict[str, int]
    first_incident_s: float | None
    incidents_per_alarm: float | None
    incidents_per_activation: float | None
    rules: tuple[RuleLoad, ...]
    wall_s: float = 0.0

    @property
    def is_quiet(self) -> bool:
        """Whether operators were left in peace: few alarms an hour and no warning."""
        return self.announced_h < MOST_ANNOUNCED_H and not self.issued


def load_of(
    messages: Iterable[Message | DeviceHealthGroup],
    rules: RuleSet,
    *,
    start_ms: int,
    end_ms: int,
    name: str = "",
    devices: int = 0,
    wall_s: float = 0.0,
) -> AlarmLoad:
    """Return the figures of everything that was said between two moments, in order."""
    book = AlarmBook()
    book.begin(start_ms)
    health, first_ms, opened_ms = 0, end_ms + 1, end_ms + 1
    raised: Counter[str] = Counter()
    held: dict[str, Counter[str]] = {}
    opened: set[str] = set()
    confirmed: dict[str, str] = {}
    issued: dict[str, str] = {}
    for one in messages:
        if isinstance(one, _KEPT):
            book.note(one)
        if isinstance(one, Alarm):
            if one.state in _BEGINS:
                first_ms = min(first_ms, one.time_ms)
            if one.state is AlarmState.RAISED:
                raised[one.rule] += 1
                if one.held:
                    held.setdefault(one.rule, Counter())[str(one.held)] += 1
        elif isinstance(one, DeviceHealth | DeviceHealthGroup):
            if one.is_on:
                first_ms = min(first_ms, one.time_ms)
                health += one.count if isinstance(one, DeviceHealthGroup) else 1
        elif isinstance(one, Incident):
            opened_ms = min(opened_ms, one.time_ms)
            opened.add(one.id)
            if one.status is IncidentStatus.CONFIRMED:
                confirmed.setdefault(one.id, f"{one.domain} {one.cause}")
        elif isinstance(one, AlarmFlood):
            opened_ms = min(opened_ms, one.time_ms)
        elif isinstance(one, WarningNotice) and one.status is WarningStatus.ISSUED:
            issued.setdefault(one.id, f"{one.domain} {Level(one.level).colour}")
    policy = rules.alarms
    figures = book.figures(end_ms, policy)
    by_hour = _by_hour(book.slots, start_ms)
    worst = max(by_hour, key=lambda hour: (by_hour[hour], -hour), default=0)
    hours = (end_ms - start_ms) / HOUR_MS
    return AlarmLoad(
        name=name,
        devices=devices,
        hours=round(hours, 3),
        operators=policy.operators,
        raised=book.activations,
        announced=book.announced,
        announced_h=round(book.announced / hours, 2) if hours else 0.0,
        worst_h=by_hour.get(worst, 0),
        worst_at_h=worst,
        first_h=by_hour.get(0, 0),
        per_operator_10_min=(
            _number(figures["per_operator_10_min_mean"]),
            _number(figures["per_operator_10_min_max"]),
        ),
        flood_share=_number(figures["flood_share"]),
        health=health,
        floods=book.floods,
        opened=len(opened),
        incidents=_counted(confirmed.values()),
        issued=_counted(issued.values()),
        first_incident_s=(opened_ms - first_ms) / 1000 if opened_ms <= end_ms else None,
        incidents_per_alarm=_share(len(confirmed), book.activations),
        incidents_per_activation=_share(len(confirmed), book.activations + health),
        rules=tuple(
            RuleLoad(rule, count, book.by_rule.get(rule, 0), dict(held.get(rule, {})))
            for rule, count in sorted(
                raised.items(), key=lambda item: (-book.by_rule.get(item[0], 0), item[0])
            )
        ),
        wall_s=round(wall_s, 1),
    )


def measure(
    source: str, rules: RuleSet, *, days: float | None = None, seed: int | None = None,
    told: Callable[[float], object] = bool,
) -> AlarmLoad:  # fmt: skip
    """Replay a recording, or run a scenario in memory, and return its figures.

    Args:
        source: Folder of a recording, or file or name of a scenario.
        rules: The rule set.
        days: Of a recording, only so much of its beginning; None for all of it.
        seed: Seed of a scenario's run; None for its own.
        told: Told the hours done, about once a day of a recording.

    Raises:
        TransportError: the recording is damaged.
        ScenarioError: there is no such scenario, or it is wrong.
    """
    if (Path(source) / "readings").is_dir():
        return _of_recording(Path(source), rules, days, told)
    return _of_scenario(source, rules, seed)


def messages_of(entries: Iterable[LogEntry]) -> Iterator[Message | DeviceHealthGroup]:
    """Yield what the entries of an event log say about alarms, incidents, warnings, devices."""
    for entry in entries:
        kind = _KINDS.get(entry.kind)
        if kind is not None:
            unknown = {name: nan for name in _MAY_BE_NAN if entry.data.get(name, 0.0) is None}
            yield msgspec.convert({**entry.data, **unknown}, kind, strict=False)


def as_markdown(load: AlarmLoad) -> str:
    """Return the figures for people."""
    mean, most = load.per_operator_10_min
    aim = f"{load.announced_h:g} an hour (aim: below {MOST_ANNOUNCED_H:g})"
    rows = [
        ("devices, hours", f"{load.devices:,}, {load.hours:g}"),
        ("alarms raised, announced", f"{load.raised}, {load.announced}"),
        ("announced", aim),
        ("worst hour", f"{load.worst_h} in hour {load.worst_at_h}; first hour {load.first_h}"),
        (f"per operator ({load.operators:g}) and 10 min", f"mean {mean:g}, most {most:g}"),
        ("share of time in flood", f"{load.flood_share:g}"),
        ("health events", str(load.health)),
        ("warnings issued", _listed(load.issued)),
        ("floods told as one event", str(load.floods)),
        ("incidents opened", str(load.opened)),
        ("incidents confirmed", _listed(load.incidents)),
        ("incidents per alarm, per activation", _ratios(load)),
        ("first incident after first activation", _seconds(load.first_incident_s)),
        ("wall time", f"{load.wall_s:g} s"),
    ]
    by_rule = [
        [one.rule, str(one.raised), str(one.announced), _listed(one.held)] for one in load.rules
    ]
    head = ["rule", "raised", "announced", "held"]
    return f"# {load.name}\n\n{grid(['', ''], rows)}\n\n{grid(head, by_rule)}\n"


def as_dict(load: AlarmLoad) -> dict[str, Any]:
    """Return the figures as plain values, with `is_quiet`."""
    return {**asdict(load), "is_quiet": load.is_quiet}


def _of_recording(
    folder: Path, rules: RuleSet, days: float | None, told: Callable[[float], object]
) -> AlarmLoad:
    from api.replaying.source import RecordedTick, Recording, replay_detection

    recording = Recording.open(folder)
    end_ms = recording.end_ms
    if days is not None:
        end_ms = min(end_ms, recording.start_ms + round(days * DAY_MS))

    def ticks() -> Iterator[RecordedTick]:
        for tick in recording.ticks(to_ms=end_ms):
            yield tick
            done_ms = tick.now_ms - recording.start_ms
            if done_ms % DAY_MS == 0:
                told(done_ms / HOUR_MS)

    result = replay_detection(recording, rules, ticks=ticks())
    return load_of(
        result.messages,
        rules,
        start_ms=recording.start_ms,
        end_ms=result.end_ms,
        name=str(folder),
        devices=len(recording.registry),
        wall_s=result.wall_s,
    )


def _of_scenario(source: str, rules: RuleSet, seed: int | None) -> AlarmLoad:
    from api.detection.lean import run_lean
    from api.library import find_scenario
    from api.plan import plan_run

    file = find_scenario(source)
    plan = plan_run(file.scenario, file.path, seed=seed)
    run = run_lean(plan, rules)
    return load_of(
        messages_of(run.entries),
        rules,
        start_ms=plan.scenario.start_ms,
        end_ms=run.end_ms,
        name=f"{plan.scenario.name}, seed {plan.seed}",
        devices=len(plan.registry),
        wall_s=run.wall_s,
    )


def _by_hour(slots: Mapping[int, int], start_ms: int) -> dict[int, int]:
    """Return hour from the beginning → announced, from counts of 10 minutes."""
    hours: Counter[int] = Counter()
    for slot, count in slots.items():
        hours[(slot - start_ms // SLOT_MS) // _SLOTS] += count
    return hours


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _number(figure: object) -> float:
    return float(figure) if isinstance(figure, int | float) else 0.0


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def _ratios(load: AlarmLoad) -> str:
    both = (load.incidents_per_alarm, load.incidents_per_activation)
    return ", ".join("-" if one is None else f"{one:.1%}" for one in both)


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:g} s"
