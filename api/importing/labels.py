"""What really happened, from label columns and files, as true incidents."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from api.importing.devices import Mapped
from api.importing.errors import MappingError
from api.importing.files import as_text, read_table
from api.importing.mapping import LabelSpec, Mapping
from api.importing.tables import Counts, Series
from api.importing.times import moment_text, times_ms
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from sensors.readings import Int64s

_COLUMN = "column:"


def true_incidents(
    mapping: Mapping,
    series: Series,
    mapped: Sequence[Mapped],
    source: str,
    base: Path,
    counts: Counts,
) -> list[TrueIncident]:
    """Return the true incidents in the order of their onset.

    Those that end before the first sample or begin after the last are left out: nothing could
    find them.

    Args:
        mapping: Where the labels stand.
        series: The data, for label columns; its devices are those of `mapped`.
        mapped: The devices.
        source: The mapping's file, for messages.
        base: Folder that paths are relative to.
        counts: Told of those left out.

    Raises:
        MappingError: a file, column, kind, device or area cannot be used.
    """
    found: list[TrueIncident] = []
    for number, spec in enumerate(mapping.labels):
        where = f"{source}: labels[{number}]"
        maker = _Maker(spec, mapped, where)
        if spec.column is not None:
            found += _of_column(spec, series.time_ms[series.is_bad[number]], maker)
        else:
            found += _inside(_of_file(spec, mapping, maker, base), series, counts, where)
    found.sort(key=lambda one: (one.onset_ms, one.id))
    return found


def _inside(
    events: list[TrueIncident], series: Series, counts: Counts, where: str
) -> list[TrueIncident]:
    first_ms, last_ms = int(series.time_ms.min()), int(series.time_ms.max())
    inside = [
        one
        for one in events
        if one.onset_ms <= last_ms and (one.end_ms is None or one.end_ms >= first_ms)
    ]
    outside = len(events) - len(inside)
    if outside:
        counts.labels_outside += outside
        counts.notes.append(
            f"{where}: {outside} of {len(events)} events lie outside the data "
            f"({moment_text(first_ms)} to {moment_text(last_ms)}) and were left out; if they "
            "should not, correct `format` or `time.zone`"
        )
    return inside


class _Maker:
    """Makes true incidents of one entry of `labels`."""

    def __init__(self, spec: LabelSpec, mapped: Sequence[Mapped], where: str) -> None:
        self._spec, self._where = spec, where
        self._by_name = {one.name: one for one in mapped}
        self._by_id = {one.device.id: one for one in mapped}
        self._first = {one.device.area: one for one in reversed(mapped)}
        self._by_area = {one.area_name.strip(): one for one in reversed(mapped)} | self._first

    def make(
        self, number: int, onset_ms: int, end_ms: int, kind: str, device: str, area: str
    ) -> TrueIncident:
        """Return one; `device` and `area` may be empty when there is only one area."""
        spec = self._spec
        try:
            true = TrueKind(kind)
        except ValueError as error:
            known = ", ".join(TrueKind)
            raise MappingError(f"{self._where}: kind {kind!r}: use one of {known}") from error
        near = self._near(device, area)
        return TrueIncident(
            id=f"L{self._where.rsplit('[', 1)[-1].rstrip(']')}-{number}",
            kind=true,
            is_hazard=spec.is_hazard,
            domain=near.device.domain,
            area=near.device.area,
            element=near.device.element,
            x_m=near.device.x_m,
            y_m=near.device.y_m,
            level=Level.of_colour(spec.level),
            onset_ms=onset_ms,
            detectable_ms={near.device.id: onset_ms} if device else {},
            end_ms=end_ms,
            repaired_ms=end_ms,
            detail="labelled",
        )

    def _near(self, device: str, area: str) -> Mapped:
        """Return the device that stands for the place of a label."""
        if device:
            found = self._by_name.get(device) or self._by_id.get(device)
            if found is None:
                raise MappingError(f"{self._where}: device {device!r}: the data has none of it")
            return found
        if not area and len(self._first) == 1:
            return next(iter(self._first.values()))
        found = self._by_area.get(area.strip())
        if found is None:
            known = ", ".join(sorted({one.area_name.strip() for one in self._first.values()}))
            raise MappingError(f"{self._where}: area {area!r}: give `device`, or one of {known}")
        return found


def _of_column(spec: LabelSpec, bad_ms: Int64s, maker: _Maker) -> list[TrueIncident]:
    area = spec.area or ""
    moments = np.unique(bad_ms)
    return [
        maker.make(number, start, end, spec.kind, "", area)
        for number, (start, end) in enumerate(_joined(moments, moments, spec.gap * 1000))
    ]


def _of_file(spec: LabelSpec, mapping: Mapping, maker: _Maker, base: Path) -> list[TrueIncident]:
    assert spec.file is not None
    file = base / spec.file
    format_ = spec.format or mapping.time.format
    is_text = format_ != "iso" and not format_.startswith("epoch")
    moments = [name for name in (spec.start, spec.end, spec.time) if name is not None]
    columns = {"kind": spec.kind, "area": spec.area or "", "device": ""}
    if spec.device is not None:
        columns["device"] = f"{_COLUMN}{spec.device}"
    named = [value.removeprefix(_COLUMN) for value in columns.values() if _is_column(value)]
    table = read_table(file, mapping.csv, [*(moments if is_text else ()), *named])
    texts = {key: _texts(table, value, file) for key, value in columns.items()}
    start_ms = _moments(table, spec.start or spec.time or "", format_, mapping.time.zone, file)
    end_ms = start_ms
    if spec.end is not None:
        end_ms = _moments(table, spec.end, format_, mapping.time.zone, file)
    made = []
    keys = list(zip(texts["kind"], texts["device"], texts["area"], strict=True))
    for key in sorted(set(keys)):
        rows = np.flatnonzero([one == key for one in keys])
        spans = list(zip(start_ms[rows].tolist(), end_ms[rows].tolist(), strict=True))
        if spec.time is not None:
            spans = _joined(start_ms[rows], end_ms[rows], spec.gap * 1000)
        made += [(*span, *key) for span in spans]
    for start, end, *_ in made:
        if end < start:
            raise MappingError(f"{file}: an event ends before it starts ({start} ms); correct it")
    return [maker.make(number, *one) for number, one in enumerate(sorted(made))]


def _joined(start_ms: Int64s, end_ms: Int64s, gap_ms: int) -> list[tuple[int, int]]:
    """Return spans of moments of which none is further than `gap_ms` from the next."""
    if not len(start_ms):
        return []
    order = np.argsort(start_ms, kind="stable")
    start_ms, end_ms = start_ms[order], np.maximum.accumulate(end_ms[order])
    breaks = np.flatnonzero(start_ms[1:] - end_ms[:-1] > gap_ms)
    first, last = [0, *(breaks + 1).tolist()], [*breaks.tolist(), len(start_ms) - 1]
    return [(int(start_ms[a]), int(end_ms[b])) for a, b in zip(first, last, strict=True)]


def _moments(table: pa.Table, column: str, format_: str, zone: str, file: Path) -> Int64s:
    if column not in table.column_names:
        raise MappingError(f"{file}: no column {column!r}; it has {', '.join(table.column_names)}")
    moments, is_read = times_ms(table.column(column), format_, zone, f"{file}: {column}")
    if not is_read.all():
        line = int(np.flatnonzero(~is_read)[0]) + 2
        raise MappingError(f"{file}: line {line}: {column}: no moment; correct it, or `format`")
    return moments


def _texts(table: pa.Table, value: str, file: Path) -> list[str]:
    """Return a text for each row: the same for all, or that of `column:NAME`."""
    if not _is_column(value):
        return [value] * table.num_rows
    name = value.removeprefix(_COLUMN)
    if name not in table.column_names:
        raise MappingError(f"{file}: no column {name!r}; it has {', '.join(table.column_names)}")
    column = as_text(table.column(name), f"{file}: column {name!r}")
    return ["" if one is None else one for one in column.to_pylist()]


def _is_column(value: str) -> bool:
    return value.startswith(_COLUMN)
