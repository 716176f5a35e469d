"""Which incident belongs to which true one: near in place and time, one to one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import hypot

from sensors.ground_truth import TrueIncident

_HOUR_MS = 3_600_000
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class MatchLimits:
    """How near an incident must be to count for a true one (domain reference, proposed).

    Attributes:
        distance_m: Largest distance, unless both lie in the same area.
        before_onset_h: An issue may come so long before the onset.
        after_harm_min: It may come so long after harm began; any time before the end of the
            run when no harm came.
    """

    distance_m: float = 500.0
    before_onset_h: float = 6.0
    after_harm_min: float = 30.0


@dataclass(frozen=True, slots=True)
class FoundCase:
    """An incident that left the platform, as the matching sees it."""

    id: str
    domain: str
    area: str
    x_m: float
    y_m: float
    issued_ms: int


def match(
    truths: Iterable[TrueIncident],
    found: Iterable[FoundCase],
    end_ms: int,
    limits: MatchLimits | None = None,
) -> dict[str, str]:
    """Return found incident → true incident, one to one, earliest first.

    Incidents take their turn by time of issue; each takes the free true incident that began
    first. Decoys (`is_hazard` False) are never taken. The order of the arguments is of no
    account.

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
    for case in sorted(found, key=lambda item: (item.issued_ms, item.id)):
        taken = _first_match(case, free, end_ms, tolerances)
        if taken is not None:
            matches[case.id] = taken.id
            free.remove(taken)
    return matches


def is_match(case: FoundCase, truth: TrueIncident, end_ms: int, limits: MatchLimits) -> bool:
    """Return whether an incident is near enough to a true one in domain, place and time."""
    if case.domain != truth.domain:
        return False
    if case.area != truth.area and distance_m(case, truth) > limits.distance_m:
        return False
    first_ms = truth.onset_ms - round(limits.before_onset_h * _HOUR_MS)
    if truth.harm_ms is None:
        last_ms = end_ms
    else:
        last_ms = truth.harm_ms + round(limits.after_harm_min * _MINUTE_MS)
    return first_ms <= case.issued_ms <= last_ms


def distance_m(case: FoundCase, truth: TrueIncident) -> float:
    """Return the straight distance between where it was held to be and where it was."""
    return hypot(case.x_m - truth.x_m, case.y_m - truth.y_m)


def _first_match(
    case: FoundCase, free: Sequence[TrueIncident], end_ms: int, limits: MatchLimits
) -> TrueIncident | None:
    return next((truth for truth in free if is_match(case, truth, end_ms, limits)), None)
