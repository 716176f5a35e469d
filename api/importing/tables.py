"""Reading CSV and Parquet files of real devices into columns, however dirty they are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from api.importing.errors import MappingError
from api.importing.files import NAMES, as_text, read_table
from api.importing.mapping import CsvSpec, Mapping
from api.importing.marks import Mark, mark_text, marked
from api.importing.times import Bools, numbers_of, times_ms
from sensors.readings import Floats, Int32s, Int64s


@dataclass
class Counts:
    """What was found wrong; nothing of it is dropped without being counted here.

    Attributes:
        rows: Values read, missing ones among them.
        no_time: Values without a moment that can be read, left out.
        wild_time: Values whose moment lies absurdly far from the others, left out.
        wild_received: Values that came absurdly far from when the others came: taken as received
            when they were sampled.
        no_device: Values of devices nobody mapped, left out.
        missing: Values that are empty, no number or marked bad: kept as NaN.
        ragged: Lines with too few or too many fields, left out.
        duplicates: Values of a device and moment that came before: kept.
        out_of_range: Values outside the range of their instrument: kept.
        out_of_order: Values that stand behind a later one of the same device: kept.
        labels_outside: Labelled events before the first or after the last sample, left out.
        unmapped: Names of devices nobody mapped, the first few.
        notes: What of the mapping had no effect or is probably meant otherwise, for people.
    """

    rows: int = 0
    no_time: int = 0
    wild_time: int = 0
    no_device: int = 0
    missing: int = 0
    ragged: int = 0
    duplicates: int = 0
    out_of_range: int = 0
    out_of_order: int = 0
    wild_received: int = 0
    labels_outside: int = 0
    unmapped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Series:
    """Values as the files have them, in their units; all columns of one length.

    Attributes:
        names: Names of the devices.
        device: Place in `names`.
        time_ms: Sample time.
        value: Value in the unit of the file; NaN where there is none.
        received_ms: When it arrived; the sample time where the file does not tell.
        is_bad: Place of an entry of `labels` with a column → whether that marks the value.
        unreadable: Columns of values of which no text is a number, with such a text.
    """

    names: tuple[str, ...]
    device: Int32s
    time_ms: Int64s
    value: Floats
    received_ms: Int64s
    is_bad: dict[int, Bools] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "Series":
        """Return some rows."""
        return Series(
            self.names,
            self.device[rows],
            self.time_ms[rows],
            self.value[rows],
            self.received_ms[rows],
            {entry: flags[rows] for entry, flags in self.is_bad.items()},
            self.unreadable,
        )


@dataclass
class _Seen:
    """What was met in any of the files: marks by their key, and columns with a number."""

    marks: dict[str, set[int]] = field(default_factory=dict)
    numbers: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)

    def marked(self, key: str, column: pa.ChunkedArray, marks: Sequence[Mark], where: str) -> Bools:
        """Return which rows are marked, and note which marks were seen."""
        found, places = marked(column, marks, where)
        self.marks.setdefault(key, set()).update(places)
        return found

    def missed(self, key: str, marks: Sequence[Mark], column: str) -> list[str]:
        """Return a sentence for each mark of a key that never occurred."""
        seen = self.marks.get(key, set())
        return [
            f"{key}: {mark_text(mark)} never occurs in column {column!r}; correct its spelling"
            for place, mark in enumerate(marks)
            if place not in seen
        ]


def read_series(files: Sequence[Path], mapping: Mapping, counts: Counts) -> Series:
    """Return what all files hold, in their order.

    Raises:
        MappingError: a file is missing or no table, or lacks a column the mapping names.
    """
    seen = _Seen()
    parts = [_one(file, mapping, counts, seen) for file in files]
    names = tuple(sorted({name for part in parts for name in part.names}))
    place = {name: number for number, name in enumerate(names)}
    device = [np.array([place[n] for n in p.names], np.int32)[p.device] for p in parts if p.names]
    if mapping.quality is not None:
        counts.notes += seen.missed("bad_quality", mapping.bad_quality, mapping.quality)
    for entry, column in mapping.label_columns.items():
        key = f"labels[{entry}].values"
        counts.notes += seen.missed(key, mapping.labels[entry].values, column)
    return Series(
        names,
        np.concatenate(device) if device else np.zeros(0, np.int32),
        np.concatenate([part.time_ms for part in parts if part.names] or [np.zeros(0, np.int64)]),
        np.concatenate([part.value for part in parts if part.names] or [np.zeros(0)]),
        np.concatenate(
            [part.received_ms for part in parts if part.names] or [np.zeros(0, np.int64)]
        ),
        {
            entry: np.concatenate([part.is_bad[entry] for part in parts])
            for entry in mapping.label_columns
        },
        {name: text for name, text in seen.texts.items() if name not in seen.numbers},
    )


def _one(file: Path, mapping: Mapping, counts: Counts, seen: _Seen) -> Series:
    spec, labels = mapping.time, mapping.label_columns
    table = _read_data(file, mapping, counts)
    needed = [spec.column, spec.received, mapping.device, *labels.values(), *mapping.value_columns]
    doubled = {name for name in table.column_names if table.column_names.count(name) > 1}
    for name in sorted(doubled):
        if mapping.is_wide or name in (*needed, mapping.quality):
            raise MappingError(f"{file}: column {name!r}: stands there twice; rename one")
    for name in (*needed, mapping.quality):
        if name is not None and name not in table.column_names:
            raise MappingError(
                f"{file}: no column {name!r}; it has {', '.join(map(repr, table.column_names))}; "
                "correct the mapping"
            )
    where = f"{file}: time.column {spec.column!r}"
    time_ms, is_read = times_ms(table.column(spec.column), spec.format, spec.zone, where)
    received_ms = time_ms
    if spec.received is not None:
        told_ms, is_told = times_ms(
            table.column(spec.received), spec.format, spec.zone, f"{file}: time.received"
        )
        received_ms = np.where(is_told, np.maximum(told_ms, time_ms), time_ms)
    is_bad = {
        entry: seen.marked(
            f"labels[{entry}].values",
            table.column(name),
            mapping.labels[entry].values,
            f"{file}: column {name!r}",
        )
        for entry, name in labels.items()
    }
    columns, names, device = _values(table, mapping, str(file), seen)
    count, many = table.num_rows, len(columns)
    value = np.concatenate(columns) if columns else np.zeros(0)
    for one in mapping.missing:
        if isinstance(one, float | int):
            value[value == one] = np.nan
    counts.rows += len(value)
    counts.no_time += many * int(count - np.count_nonzero(is_read))
    series = Series(
        names,
        device,
        np.tile(time_ms, many),
        value,
        np.tile(received_ms, many),
        {entry: np.tile(flags, many) for entry, flags in is_bad.items()},
    )
    keep = np.tile(is_read, many) & (device >= 0)
    counts.no_device += int(np.count_nonzero(np.tile(is_read, many) & (device < 0)))
    return series if keep.all() else series.take(keep)


def _read_data(file: Path, mapping: Mapping, counts: Counts) -> pa.Table:
    """Return a data file; moments that are not plainly ISO are read as text."""
    spec = mapping.time
    texts = [] if spec.format == "iso" or spec.format.startswith("epoch") else [spec.column]
    texts += [*([mapping.quality] if mapping.quality else []), *mapping.label_columns.values()]
    if spec.received is not None and texts and texts[0] == spec.column:
        texts.append(spec.received)
    names = [] if mapping.device is None else [mapping.device]

    def count(line: int | None, text: str) -> None:
        counts.ragged += 1

    return read_table(file, mapping.csv, texts, names, mapping.missing, count)


def _values(
    table: pa.Table, mapping: Mapping, file: str, seen: _Seen
) -> tuple[list[Floats], tuple[str, ...], Int32s]:
    """Return the value columns, the names of their devices and the device of each value."""
    count = table.num_rows
    if mapping.is_wide:
        others = (mapping.time.column, mapping.time.received, *mapping.label_columns.values())
        names = tuple(name for name in table.column_names if name not in others and name)
        device = np.repeat(np.arange(len(names), dtype=np.int32), count)
        return [_floats(table, name, mapping.csv, file, seen) for name in names], names, device
    assert mapping.device is not None
    column = table.column(mapping.device)
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(as_text(column, f"{file}: column {mapping.device!r}"))
    column = column.unify_dictionaries().combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], NAMES)
    known = [str(name) for name in column.dictionary.to_pylist()]
    code = pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
    wanted = mapping.value_columns
    columns = [_floats(table, name, mapping.csv, file, seen) for name in wanted]
    if mapping.quality is not None:
        quality = table.column(mapping.quality)
        where = f"{file}: column {mapping.quality!r}"
        is_bad = seen.marked("bad_quality", quality, mapping.bad_quality, where)
        columns = [np.where(is_bad, np.nan, values) for values in columns]
    if len(wanted) == 1:
        return columns, tuple(known), code
    names = tuple(f"{one}.{name}" for name in wanted for one in known)
    device = np.concatenate(
        [np.where(code < 0, -1, code + place * len(known)) for place in range(len(wanted))]
    )
    return columns, names, device.astype(np.int32)


def _floats(table: pa.Table, name: str, csv: CsvSpec, file: str, seen: _Seen) -> Floats:
    """Return values as float64, NaN for what is no finite number."""
    column, where = table.column(name), f"{file}: column {name!r}"
    kind = column.type
    if pa.types.is_boolean(kind):
        column = pc.cast(column, pa.int64())
    elif not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        text = as_text(column, where)
        column = numbers_of(
            text if csv.decimal == "." else pc.replace_substring(text, csv.decimal, ".")
        )
        if text.null_count < len(text) and column.null_count == len(column):
            seen.texts.setdefault(name, text.drop_null()[0].as_py())
    if column.null_count < len(column):
        seen.numbers.add(name)
    filled = pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan)
    values = np.array(filled.to_numpy(), dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    return values
