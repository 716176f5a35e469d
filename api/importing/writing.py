"""Writes an import as a recording: city, devices, clock, readings, truth, manifest."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from api.cities import write_city
from api.importing.convert import Converted, convert
from api.importing.devices import Mapped, map_devices
from api.importing.errors import MappingError
from api.importing.ids import FOREIGN
from api.importing.labels import true_incidents
from api.importing.mapping import Mapping, load_mapping
from api.importing.tables import Counts, Series, read_series
from api.session import refuse_used_folder
from sensors.city import City, Row
from sensors.ground_truth import TrueIncident
from sensors.registry import Registry
from sensors.transports.recorded_columns import ReadingColumns, write_columns
from simulator.scenario import Scenario

_SHORTEST_TICK_S, _LONGEST_TICK_S = 60, 3600
_MOST_TICKS = 10_000_000
"""19 years of minutes: more are a mistake, and would run for hours."""


@dataclass(frozen=True)
class Imported:
    """What an import came to.

    Attributes:
        out: The recording's folder.
        counts: What was found in the files.
        registry: The devices.
        scenario: Name and clock.
        truths: Labelled incidents.
        frames: Frames written.
    """

    out: Path
    counts: Counts
    registry: Registry
    scenario: Scenario
    truths: tuple[TrueIncident, ...]
    frames: int

    def summary(self) -> dict[str, Any]:
        """Return what `--json` prints and the manifest holds."""
        scenario = self.scenario
        return {
            "tocsin": version("tocsin"),
            "scenario": scenario.name,
            "city": scenario.name,
            "seed": 0,
            "complete": True,
            "imported": True,
            "devices": len(self.registry),
            "start": scenario.start.isoformat(),
            "duration_s": scenario.duration,
            "tick_s": scenario.tick,
            "readings": {"published": int(self.counts.rows) - self._dropped()},
            "frames": {"published": self.frames},
            "truths": len(self.truths),
            "found": asdict(self.counts),
            "out": str(self.out),
        }

    def _dropped(self) -> int:
        counts = self.counts
        return counts.no_time + counts.wild_time + counts.no_device


def import_series(mapping_file: Path, files: Sequence[Path], out: Path) -> Imported:
    """Turn files of real devices into a recording.

    Args:
        mapping_file: What their columns mean.
        files: CSV or Parquet files.
        out: Folder of the recording.

    Raises:
        MappingError: naming file, key, value and fix.
        FileExistsError: `out` holds a run already.
    """
    refuse_used_folder(out)
    mapping, counts = load_mapping(mapping_file), Counts()
    source, base = str(mapping_file), mapping_file.parent
    series = read_series(files, mapping, counts)
    mapped, left, idle = map_devices(series.names, mapping, source, base)
    counts.unmapped = left[:20]
    _note(counts, mapping, series, mapped, idle)
    converted = convert(series, mapped, counts)
    truths = true_incidents(mapping, converted.series, converted.mapped, source, base, counts)
    scenario = _scenario(mapping, converted, source)
    city = _city(mapping, converted)
    out.mkdir(parents=True, exist_ok=True)
    columns = _columns(converted, scenario)
    digest = write_columns(out, columns)
    write_city(out / "city", city, converted.registry)
    (out / "scenario.json").write_text(scenario.model_dump_json(indent=1) + "\n", "utf-8")
    _write_truth(out, truths, scenario)
    frames = int(columns.frame[-1]) + 1
    done = Imported(out, counts, converted.registry, scenario, tuple(truths), frames)
    manifest = {**done.summary(), "format": 1, "hashes": {"readings": digest}}
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    (out / "manifest.json").write_text(text + "\n", "utf-8")
    return done


def _note(
    counts: Counts, mapping: Mapping, series: Series, mapped: Sequence[Mapped], idle: Sequence[str]
) -> None:
    """Tell of devices of the table without data, and of columns that hold no number at all."""
    if idle:
        shown = ", ".join(map(repr, idle[:10])) + (" ..." if len(idle) > 10 else "")
        counts.notes.append(
            f"devices_table: {len(idle)} of its devices are not in the data: {shown}; correct "
            "their names"
        )
    names = {one.name for one in mapped}
    for column, text in sorted(series.unreadable.items()):
        if mapping.is_wide and column not in names:
            continue
        hint = "correct the column"
        for mark in ",.":
            if mark != mapping.csv.decimal and mark in text and any(map(str.isdigit, text)):
                hint = f"if {mark!r} is its decimal mark, give `csv: {{decimal: {mark!r}}}`"
        counts.notes.append(
            f"column {column!r}: none of its texts is a number, such as {text!r}; {hint}"
        )


def _scenario(mapping: Mapping, converted: Converted, source: str) -> Scenario:
    """Return name and clock: whole ticks from before the first sample to after the last arrival."""
    series = converted.series
    shortest_s = int(converted.registry.numbers("interval_s").min())
    tick_s = mapping.tick or max(_SHORTEST_TICK_S, min(shortest_s, _LONGEST_TICK_S))
    tick_ms = tick_s * 1000
    start_ms = ((int(series.time_ms.min()) - 1) // tick_ms) * tick_ms
    end_ms = -(-int(series.received_ms.max()) // tick_ms) * tick_ms
    if (end_ms - start_ms) // tick_ms > _MOST_TICKS:
        raise MappingError(
            f"{source}: tick: {(end_ms - start_ms) // tick_ms:,} ticks of {tick_s} s, at most "
            f"{_MOST_TICKS:,} are run; give a longer `tick`, or correct the moments"
        )
    moment = datetime.fromtimestamp(start_ms / 1000, ZoneInfo(mapping.time.zone))
    offset = moment.utcoffset() or timedelta(0)
    return Scenario.model_validate(
        {
            "format": 1,
            "name": mapping.name,
            "title": mapping.title or f"Real devices: {mapping.name}",
            "teaches": "Imported series; the platform runs open loop over them.",
            "city": {"folder": "city"},
            "start": moment.astimezone(timezone(offset)),
            "duration": max(1, (end_ms - start_ms) // tick_ms) * tick_s,
            "tick": tick_s,
            "seed": 0,
            "codec": "arrow_ipc",
        }
    )


def _city(mapping: Mapping, converted: Converted) -> City:
    """Return a city that has the devices' areas and nothing else.

    An area is called what its id says, or what the mapping says where the id is no plain word.
    """
    registry = converted.registry
    names = {
        one.device.area: one.area_name.strip()
        for one in converted.mapped
        if one.device.area.startswith(FOREIGN)
    }
    areas = np.array(registry.texts("area"))
    x_m, y_m = registry.numbers("x_m"), registry.numbers("y_m")
    rows: list[Row] = [
        {
            "id": str(area),
            "name": names.get(str(area), str(area)),
            "kind": "area",
            "district": "",
            "x_m": float(x_m[areas == area].mean()),
            "y_m": float(y_m[areas == area].mean()),
        }
        for area in np.unique(areas)
    ]
    return City.of_rows(mapping.name, mapping.title or mapping.name, {"areas": rows})


def _columns(converted: Converted, scenario: Scenario) -> ReadingColumns:
    """Return the readings as frames: one a tick and gateway, sent at the end of the tick."""
    series, registry = converted.series, converted.registry
    tick_ms = scenario.tick * 1000
    names, gateway_of = np.unique(np.array(registry.texts("gateway")), return_inverse=True)
    tick = -((scenario.start_ms - series.received_ms) // tick_ms)
    gateway = gateway_of.astype(np.int64)[series.device]
    key = np.maximum(tick, 1) * len(names) + gateway
    if (key[1:] < key[:-1]).any():
        order = np.argsort(key, kind="stable")
        key, series = key[order], series.take(order)
    is_first = np.diff(key, prepend=-1) > 0
    frame = np.cumsum(is_first) - 1
    firsts = np.flatnonzero(is_first)
    of_frame = key[firsts] % len(names)
    seq = np.empty(len(firsts), np.int64)
    for number in range(len(names)):
        rows = of_frame == number
        seq[rows] = np.arange(np.count_nonzero(rows))
    return ReadingColumns(
        frame=frame,
        gateway=of_frame.astype(np.int32)[frame],
        gateways=[str(name) for name in names],
        seq=seq[frame],
        sent_ms=scenario.start_ms + (key // len(names)) * tick_ms,
        device=series.device,
        time_ms=series.time_ms,
        value=series.value,
    )


def _write_truth(out: Path, truths: Sequence[TrueIncident], scenario: Scenario) -> None:
    """Write what really happened, told with the tick of its onset; no crew ever reported."""
    (out / "feedback.jsonl").write_bytes(b"")
    with (out / "truth.jsonl").open("wb") as file:
        for truth in truths:
            told_ms = min(max(truth.onset_ms, scenario.start_ms + 1), scenario.end_ms)
            line = {"time_ms": told_ms, "truth": truth}
            file.write(msgspec.json.encode(line, order="sorted") + b"\n")
