"""Several recordings under two rule sets, added up."""

from collections.abc import Sequence
from typing import Any

from api.backtest.compare import Comparison
from api.detection.intervals import Estimate, wilson
from api.detection.writing import grid, shown

_SIDES = ("a", "b")
_HOUR_MS = 3_600_000


def totals(comparisons: Sequence[Comparison]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return, under A and B: events, hits, false incidents, alarms, load, POD and FAR ratio."""
    hours = sum(one.end_ms - one.start_ms for one in comparisons) / _HOUR_MS
    found = []
    for side in range(2):
        hits, missed, false, alarms = (
            sum(int(one.scores[name][side] or 0) for one in comparisons)
            for name in ("found", "missed", "false", "alarms")
        )
        announced = sum(sum(one.load[side].spans) for one in comparisons)
        found.append(
            {
                "found": hits,
                "missed": missed,
                "false": false,
                "alarms": alarms,
                "announced_per_hour": round(announced / hours, 3) if hours else 0.0,
                "worst_10min": max((one.load[side].worst_10min for one in comparisons), default=0),
                "pod": wilson(hits, hits + missed),
                "far_ratio": wilson(false, hits + false),
            }
        )
    return found[0], found[1]


def totals_text(comparisons: Sequence[Comparison]) -> str:
    """Return the totals as Markdown, shares with their 95 % intervals."""
    a, b = totals(comparisons)
    rows = [[name.replace("_", " "), _text(a[name]), _text(b[name])] for name in a]
    table = grid(["", "A", "B"], rows)
    return f"## All {len(comparisons)} recordings\n\n{table}\n"


def totals_json(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Return the totals as plain values; an interval is [low, high]."""
    return {
        side: {name: _plain(value) for name, value in found.items()}
        for side, found in zip(_SIDES, totals(comparisons), strict=True)
    }


def _text(value: Estimate | float) -> str:
    return shown(value, is_share=True) if isinstance(value, Estimate) else f"{value:g}"


def _plain(value: object) -> object:
    if isinstance(value, Estimate):
        return {"value": value.value, "interval": [value.low, value.high]}
    return value
