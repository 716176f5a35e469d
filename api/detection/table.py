"""Tables of detection: per hazard and size, per kind, per scenario, with 95 % intervals."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from api.detection.hazards import hazards
from api.detection.intervals import Estimate, csi, mean, wilson
from api.detection.record import EventRecord, FalseRecord, RunRecord
from sensors.levels import Level

ALL = "all"
"""Size of a row over all sizes."""
_MILDEST_FIRST = (Level.BLUE, Level.YELLOW, Level.ORANGE, Level.RED)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: events and false incidents of one group.

    Attributes:
        group: Hazard, kind or scenario.
        size: Level of the events, `all` for every one.
        runs: Runs with such an event or false incident.
        events: True events.
        seen: Those that moved a device by more than twice its noise, or were found: what rules
            could find.
        hits: Events found.
        false: False incidents; of a size, those told at that level at worst.
        pod: Found of those that could be seen.
        pod_all: Found of all events.
        far: False of all claims (FAR ratio).
        csi: Critical success index over all events; interval by seed.
        lead_min: Minutes from the first issue at or above the level the event had when harm began
            to harm, over hits with harm that were told at that level.
        lead_all_min: The same over all events with harm, a miss or too low a level as 0.
        lead_any_min: Minutes from the first issue at any level to harm, over hits with harm.
        delay_min: Minutes from the first moment any device could show it to the first issue.
        location_m: Distance between where it was held to be and where it was.
    """

    group: str
    size: str
    runs: int
    events: int
    seen: int
    hits: int
    false: int
    pod: Estimate
    pod_all: Estimate
    far: Estimate
    csi: Estimate
    lead_min: Estimate
    lead_all_min: Estimate
    lead_any_min: Estimate
    delay_min: Estimate
    location_m: Estimate


@dataclass(frozen=True, slots=True)
class Loss:
    """Where misses were lost, or which rules made false incidents: a reason and how often."""

    group: str
    size: str
    reason: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class Tables:
    """Everything a campaign says.

    Attributes:
        hazards: Per hazard: all sizes, then each size.
        kinds: Per true kind and size; false incidents have no kind, so their columns are empty.
        scenarios: Per scenario.
        first: Rule whose alarm came first, by hazard: hits.
        losses: Where misses were lost.
        inventions: What false incidents were made of: cause and rules, and what was near.
        errors: Runs that failed, with the reason.
        load: Alarms an hour by scenario, raised and put before operators, and patrols a day that
            claimed nothing; None where a run of an older version did not count them.
    """

    hazards: tuple[Row, ...]
    kinds: tuple[Row, ...]
    scenarios: tuple[Row, ...]
    first: tuple[Loss, ...]
    losses: tuple[Loss, ...]
    inventions: tuple[Loss, ...]
    errors: tuple[str, ...]
    load: dict[str, tuple[float, float, float | None]]


@dataclass(frozen=True, slots=True)
class _Item:
    run: RunRecord
    event: EventRecord | None = None
    false: FalseRecord | None = None


def tables_of(records: Iterable[RunRecord]) -> Tables:
    """Return the tables of runs; the order of the runs is of no account."""
    every = sorted(records, key=lambda record: record.key)
    runs = [record for record in every if not record.error]
    items = [_Item(run, event=event) for run in runs for event in run.events]
    items += [_Item(run, false=false) for run in runs for false in run.false]
    order = [item.name for item in hazards()]
    by_hazard = _grouped(items, lambda item: _claim(item).hazard)
    names = sorted(
        by_hazard, key=lambda name: (order.index(name) if name in order else len(order), name)
    )
    by_kind = _grouped([i for i in items if i.event], lambda i: i.event.kind if i.event else "")
    by_scenario = _grouped(items, lambda item: item.run.scenario)
    quiet = {run.scenario for run in runs} - set(by_scenario)
    return Tables(
        hazards=tuple(row for name in names for row in _with_sizes(name, by_hazard[name])),
        kinds=tuple(row for name in sorted(by_kind) for row in _with_sizes(name, by_kind[name])),
        scenarios=tuple(
            _row(name, ALL, by_scenario.get(name, [])) for name in sorted({*by_scenario, *quiet})
        ),
        first=_counted(
            (event.hazard, ALL, event.first_rule, "")
            for run in runs
            for event in run.events
            if event.is_hit
        ),
        losses=_counted(
            (event.kind, _size(event.level), event.lost_at, _name(run, event.id))
            for run in runs
            for event in run.events
            if not event.is_hit
        ),
        inventions=_counted(
            (false.hazard, _size(false.level), _made_of(false), _name(run, false.id))
            for run in runs
            for false in run.false
        ),
        errors=tuple(f"{run.scenario}, seed {run.seed}: {run.error}" for run in every if run.error),
        load=_load(runs),
    )


def _claim(item: _Item) -> EventRecord | FalseRecord:
    claim = item.event or item.false
    assert claim is not None
    return claim


def _grouped(items: Iterable[_Item], key: Callable[[_Item], str]) -> dict[str, list[_Item]]:
    groups: dict[str, list[_Item]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups


def _with_sizes(name: str, items: Sequence[_Item]) -> list[Row]:
    rows = [_row(name, ALL, items)]
    for level in _MILDEST_FIRST:
        here = [item for item in items if _claim(item).level == level]
        if here:
            rows.append(_row(name, _size(level), here))
    return rows


def _row(group: str, size: str, items: Sequence[_Item]) -> Row:
    events = [item for item in items if item.event is not None]
    hits = [item for item in events if item.event and item.event.is_hit]
    false = len(items) - len(events)
    seen = [item for item in events if item.event and (item.event.devices or item.event.is_hit)]
    seen_hits = sum(bool(item.event and item.event.is_hit) for item in seen)
    harmed = [item for item in events if item.event and item.event.harm_min is not None]
    return Row(
        group=group,
        size=size,
        runs=len({item.run.key for item in items}),
        events=len(events),
        seen=len(seen),
        hits=len(hits),
        false=false,
        pod=wilson(seen_hits, len(seen)),
        pod_all=wilson(len(hits), len(events)),
        far=wilson(false, len(hits) + false),
        csi=csi(_counts(items)),
        lead_min=_mean(hits, lambda event: event.lead_min),
        lead_all_min=_mean(harmed, lambda event: event.lead_min or 0.0),
        lead_any_min=_mean(hits, lambda event: event.lead_any_min),
        delay_min=_mean(hits, lambda event: event.delay_min),
        location_m=_mean(hits, lambda event: event.location_m),
    )


def _counts(items: Sequence[_Item]) -> dict[Hashable, tuple[int, int, int]]:
    """Return (hits, false, misses) by seed."""
    counts: dict[Hashable, list[int]] = defaultdict(lambda: [0, 0, 0])
    for item in items:
        place = 1 if item.event is None else 0 if item.event.is_hit else 2
        counts[item.run.seed][place] += 1
    return {seed: (hits, false, missed) for seed, (hits, false, missed) in counts.items()}


def _mean(items: Iterable[_Item], of: Callable[[EventRecord], float | None]) -> Estimate:
    by_seed: dict[Hashable, list[float]] = defaultdict(list)
    for item in items:
        value = None if item.event is None else of(item.event)
        if value is not None:
            by_seed[item.run.seed].append(value)
    return mean(by_seed)


def _counted(found: Iterable[tuple[str, str, str, str]]) -> tuple[Loss, ...]:
    counts: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], str] = {}
    for group, size, reason, example in found:
        counts[group, size, reason] += 1
        examples.setdefault((group, size, reason), example)
    rows = [Loss(*key, count, examples[key]) for key, count in counts.items()]
    return tuple(sorted(rows, key=lambda row: (-row.count, row.group, row.size, row.reason)))


def _made_of(false: FalseRecord) -> str:
    rules = " + ".join(false.rules[:3]) or "no alarm"
    near = f" near {false.near.split(' ', 1)[0]}" if false.near else ""
    return f"{false.cause} by {rules}{near}"


def _size(level: int) -> str:
    return Level(level).colour


def _name(run: RunRecord, thing: str) -> str:
    return f"{run.scenario} seed {run.seed}: {thing}"


def _load(runs: Sequence[RunRecord]) -> dict[str, tuple[float, float, float | None]]:
    by_scenario: dict[str, list[RunRecord]] = defaultdict(list)
    for run in runs:
        by_scenario[run.scenario].append(run)
    found = {}
    for name, some in sorted(by_scenario.items()):
        hours = sum(run.hours for run in some)
        patrols = [run.patrols for run in some if run.patrols is not None]
        if hours:
            found[name] = (
                round(sum(run.alarms for run in some) / hours, 2),
                round(sum(run.announced for run in some) / hours, 2),
                round(24 * sum(patrols) / hours, 2) if len(patrols) == len(some) else None,
            )
    return found
