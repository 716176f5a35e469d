"""Detection tables as Markdown for people, JSON and CSV for programs."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from api.detection.intervals import Estimate
from api.detection.table import Loss, Row, Tables

_SHARES = ("pod", "pod_all", "far", "csi")
_TITLES = {
    "group": "",
    "size": "size",
    "events": "n",
    "seen": "seen",
    "hits": "hits",
    "false": "false",
    "pod": "POD of seen",
    "pod_all": "POD of all",
    "far": "FAR ratio",
    "csi": "CSI",
    "lead_min": "lead, hits (min)",
    "lead_all_min": "lead, misses 0 (min)",
    "lead_any_min": "lead, any level (min)",
    "delay_min": "delay (min)",
    "location_m": "place (m)",
}
_KIND_COLUMNS = tuple(name for name in _TITLES if name not in ("false", "far", "csi"))
_LONGEST = 12
"""Rows of losses and inventions that are printed; JSON has all."""
_LEGEND = """\
`n`: true events. `seen`: those that moved at least one device by more than twice its noise, or
were found; the rest no rule can find. POD of seen = found / seen, POD of all = found / n, FAR
ratio = false / (hits + false), CSI = hits / (hits + false + misses). Intervals are 95 %: Wilson's
for POD and FAR, bootstrap over seeds for the others. False incidents have no true size: they count
in the row of the worst level they were told at. Lead: from the first issue at or above the level
the event had when harm began to that moment; `any level`: from the first issue at all."""


def markdown(tables: Tables, title: str) -> str:
    """Return the tables for people."""
    parts = [f"# {title}", _LEGEND, "## Hazard and size", _grid(tables.hazards, tuple(_TITLES))]
    parts += ["## Kind and size", _grid(tables.kinds, _KIND_COLUMNS)]
    parts += ["## Scenario", _grid(tables.scenarios, tuple(_TITLES))]
    parts += ["## Alarms and patrols", _load(tables)]
    for name, losses in (
        ("First rule of the hits", tables.first),
        ("Where misses were lost", tables.losses),
        ("What false incidents were made of", tables.inventions),
    ):
        parts += [f"## {name}", _losses(losses)]
    if tables.errors:
        parts += ["## Runs that failed", "\n".join(f"- {item}" for item in tables.errors)]
    return "\n\n".join(parts) + "\n"


def as_json(tables: Tables) -> str:
    """Return everything as one JSON object; an estimate is {value, low, high}."""
    return json.dumps(asdict(tables), ensure_ascii=False, indent=1)


def as_csv(tables: Tables) -> str:
    """Return the rows of hazards, kinds and scenarios; an estimate is three columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [item.name for item in fields(Row)]
    estimates = {name for name in names if name in (*_SHARES,) or name.endswith(("_min", "_m"))}
    head = [
        [name, f"{name}_low", f"{name}_high"] if name in estimates else [name] for name in names
    ]
    writer.writerow(["table", *(column for group in head for column in group)])
    for table in ("hazards", "kinds", "scenarios"):
        rows: Sequence[Row] = getattr(tables, table)
        for row in rows:
            writer.writerow([table, *(cell for name in names for cell in _cells(row, name))])
    return text.getvalue()


def write_tables(results: Path, tables: Tables, title: str) -> list[Path]:
    """Write `.md`, `.json` and `.csv` beside the results file and return them."""
    texts = {".md": markdown(tables, title), ".json": as_json(tables), ".csv": as_csv(tables)}
    files = []
    for suffix, text in texts.items():
        file = results.with_suffix(suffix)
        file.write_text(text, encoding="utf-8")
        files.append(file)
    return files


def shown(estimate: Estimate, *, is_share: bool = False) -> str:
    """Return a figure with its interval, such as `0.97 [0.83–0.99]`; `-` for none."""
    if estimate.value is None:
        return "-"
    digits = 2 if is_share else 1
    text = f"{estimate.value:.{digits}f}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} [{estimate.low:.{digits}f}–{estimate.high:.{digits}f}]"


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; numbers are aligned by the reader's renderer."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _grid(rows: Iterable[Row], columns: Sequence[str]) -> str:
    return grid([_TITLES[name] for name in columns], ([_text(r, n) for n in columns] for r in rows))


def _text(row: Row, name: str) -> str:
    value = getattr(row, name)
    if isinstance(value, Estimate):
        return shown(value, is_share=name in _SHARES)
    return str(value)


def _cells(row: Row, name: str) -> list[object]:
    value = getattr(row, name)
    if isinstance(value, Estimate):
        return [value.value, value.low, value.high]
    return [value]


def _losses(losses: Sequence[Loss]) -> str:
    if not losses:
        return "None."
    rows = [[row.group, row.size, str(row.count), row.reason, row.example] for row in losses]
    more = (
        f"\n\n… and {len(rows) - _LONGEST} more in the JSON file." if len(rows) > _LONGEST else ""
    )
    return grid(["", "size", "times", "what", "for example"], rows[:_LONGEST]) + more


def _load(tables: Tables) -> str:
    rows = [
        [name, f"{raised:g}", f"{told:g}", "-" if patrols is None else f"{patrols:g}"]
        for name, (raised, told, patrols) in tables.load.items()
    ]
    return grid(["", "raised an hour", "put before operators an hour", "patrols a day"], rows)
