"""Which incident belongs to which true one: near in place and time, one to one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import hypot

from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import worst

_HOUR_MS = 3_600_000
_MINUTE_MS = 60_000
_MAINS = "water"
_OF_A_PLACE = frozenset({TrueKind.PONDING, TrueKind.PUMP_TRIP})
"""Kinds of which several at one place are one event; two leaks always are two."""


@dataclass(frozen=True, slots=True)
class MatchLimits:
    """How near an incident must be to count for a true one (domain reference, proposed).

    Attributes:
        distance_m: Largest distance, unless both lie in the same area.
        before_onset_h: The issue of a forecast may come so long before the onset.
        before_measured_min: The issue of anything else may come so long before it: one sampling
            interval. Told earlier, it was told of something that had not begun.
        after_harm_min: It may come so long after harm began; any time before the end of the
            run when no harm came.
        same_place_m: True incidents of one kind so near to each other are one event while their
            times overlap: both pumps of a house, the underpass and the road above it.
    """

    distance_m: float = 500.0
    before_onset_h: float = 6.0
    before_measured_min: float = 5.0
    after_harm_min: float = 30.0
    same_place_m: float = 25.0


@dataclass(frozen=True, slots=True)
class FoundCase:
    """An incident that left the platform, as the matching sees it.

    `is_forecast`: it was told as something to come, before anything was measured.
    """

    id: str
    domain: str
    area: str
    x_m: float
    y_m: float
    issued_ms: int
    elements: tuple[str, ...] = ()
    is_forecast: bool = False


def events(
    truths: Iterable[TrueIncident], limits: MatchLimits | None = None
) -> dict[str, TrueIncident]:
    """Return the hazards to be found, by id: true incidents that are one event count once.

    An event has the id and place of its part that began first, the worst level, the earliest
    harm and detection of all, and ends with the last. Decoys are left out. The order of the
    arguments is of no account.
    """
    tolerances = limits or MatchLimits()
    found: list[TrueIncident] = []
    for truth in sorted(truths, key=lambda item: (item.onset_ms, item.id)):
        if not truth.is_hazard:
            continue
        for place, event in enumerate(found):
            if _is_part(truth, event, tolerances.same_place_m):
                found[place] = _joined(event, truth)
                break
        else:
            found.append(truth)
    return {event.id: event for event in found}


def match(
    truths: Iterable[TrueIncident],
    found: Iterable[FoundCase],
    end_ms: int,
    limits: MatchLimits | None = None,
) -> dict[str, str]:
    """Return found incident → true incident, one to one, earliest first.

    Incidents take their turn by time of issue; each takes the free true incident that began
    first. Outside the water mains, whose pipes are found by their neighbours, an incident first
    takes the true one at an element it names: of two flooded spots in one area each gets its own.
    Decoys (`is_hazard` False) are never taken. The order of the arguments is of no account.

    Args:
        truths: Everything that really happened.
        found: Incidents that left the platform.
        end_ms: End of the run, the last moment for truths that did no harm.
        limits: Tolerances.
    """
    tolerances = limits or MatchLimits()
    free = sorted(
        (truth for truth in truths if truth.is_hazard),
        key=lambda truth: (truth.onset_ms, truth.id),
    )
    matches: dict[str, str] = {}
    turns = sorted(found, key=lambda item: (item.issued_ms, item.id))
    exact = [(case, True) for case in turns if case.domain != _MAINS]
    for case, at_element in [*exact, *((case, False) for case in turns)]:
        if case.id in matches:
            continue
        there = [truth for truth in free if truth.element in case.elements] if at_element else free
        taken = _first_match(case, there, end_ms, tolerances)
        if taken is not None:
            matches[case.id] = taken.id
            free.remove(taken)
    return matches


def match_late(
    truths: Iterable[TrueIncident],
    found: Iterable[FoundCase],
    matches: Mapping[str, str],
    end_ms: int,
    limits: MatchLimits | None = None,
) -> dict[str, str]:
    """Return found incident → true one it told of while that lasted, but too late to count.

    The true one stays missed; the incident is not false, for what it told of was there. One to
    one, earliest first, among those that `matches` (of `match`) leaves; one that is found already
    takes no second incident.
    """
    tolerances = limits or MatchLimits()
    taken = set(matches.values())
    free = sorted(
        (truth for truth in truths if truth.is_hazard and truth.id not in taken),
        key=lambda truth: (truth.onset_ms, truth.id),
    )
    late: dict[str, str] = {}
    for case in sorted(found, key=lambda item: (item.issued_ms, item.id)):
        if case.id in matches:
            continue
        there = (one for one in free if _is_late(case, one, end_ms, tolerances))
        truth = next(there, None)
        if truth is not None:
            late[case.id] = truth.id
            free.remove(truth)
    return late


def is_match(case: FoundCase, truth: TrueIncident, end_ms: int, limits: MatchLimits) -> bool:
    """Return whether an incident is near enough to a true one in domain, place and time."""
    if not _is_there(case, truth, limits):
        return False
    if case.is_forecast:
        first_ms = truth.onset_ms - round(limits.before_onset_h * _HOUR_MS)
    else:
        first_ms = truth.onset_ms - round(limits.before_measured_min * _MINUTE_MS)
    return first_ms <= case.issued_ms <= _last_ms(truth, end_ms, limits)


def _is_there(case: FoundCase, truth: TrueIncident, limits: MatchLimits) -> bool:
    if case.domain != truth.domain:
        return False
    return case.area == truth.area or distance_m(case, truth) <= limits.distance_m


def _last_ms(truth: TrueIncident, end_ms: int, limits: MatchLimits) -> int:
    """Return the last moment at which telling of it counts."""
    if truth.harm_ms is None:
        return end_ms
    return truth.harm_ms + round(limits.after_harm_min * _MINUTE_MS)


def _is_late(case: FoundCase, truth: TrueIncident, end_ms: int, limits: MatchLimits) -> bool:
    over_ms = end_ms if truth.end_ms is None else truth.end_ms
    is_while = _last_ms(truth, end_ms, limits) < case.issued_ms <= over_ms
    return is_while and _is_there(case, truth, limits)


def _is_part(truth: TrueIncident, event: TrueIncident, reach_m: float) -> bool:
    """Return whether a later true incident is part of an event that has begun before it."""
    if truth.kind is not event.kind or truth.kind not in _OF_A_PLACE:
        return False
    is_while = event.end_ms is None or truth.onset_ms <= event.end_ms
    return is_while and hypot(truth.x_m - event.x_m, truth.y_m - event.y_m) <= reach_m


def _joined(event: TrueIncident, part: TrueIncident) -> TrueIncident:
    seen = dict(event.detectable_ms)
    for device, moment in part.detectable_ms.items():
        seen[device] = min(moment, seen.get(device, moment))
    harms = [moment for moment in (event.harm_ms, part.harm_ms) if moment is not None]
    is_over = event.end_ms is not None and part.end_ms is not None
    return replace(
        event,
        level=worst(event.level, part.level) or event.level,
        detectable_ms=seen,
        harm_ms=min(harms, default=None),
        end_ms=max(event.end_ms or 0, part.end_ms or 0) if is_over else None,
    )


def distance_m(case: FoundCase, truth: TrueIncident) -> float:
    """Return the straight distance between where it was held to be and where it was."""
    return hypot(case.x_m - truth.x_m, case.y_m - truth.y_m)


def _first_match(
    case: FoundCase, free: Sequence[TrueIncident], end_ms: int, limits: MatchLimits
) -> TrueIncident | None:
    return next((truth for truth in free if is_match(case, truth, end_ms, limits)), None)
