"""Reading CSV and Parquet files of real devices into columns, however dirty they are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from api.importing.errors import MappingError
from api.importing.mapping import CsvSpec, Mapping
from api.importing.times import numbers_of, times_ms
from sensors.readings import Floats, Int32s, Int64s

_PARQUET = (".parquet", ".pq")
_NAMES = pa.dictionary(pa.int32(), pa.string())


@dataclass
class Counts:
    """What was found wrong; nothing of it is dropped without being counted here.

    Attributes:
        rows: Values read, missing ones among them.
        no_time: Values without a moment that can be read, left out.
        wild_time: Values whose moment lies absurdly far from the others, left out.
        no_device: Values of devices nobody mapped, left out.
        missing: Values that are empty, no number or marked bad: kept as NaN.
        ragged: Lines with too few or too many fields, left out.
        duplicates: Values of a device and moment that came before: kept.
        out_of_range: Values outside the range of their instrument: kept.
        out_of_order: Values that stand behind a later one of the same device: kept.
        unmapped: Names of devices nobody mapped, the first few.
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
    unmapped: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Series:
    """Values as the files have them, in their units; all columns of one length.

    Attributes:
        names: Names of the devices.
        device: Place in `names`.
        time_ms: Sample time.
        value: Value in the unit of the file; NaN where there is none.
        received_ms: When it arrived; the sample time where the file does not tell.
        is_bad: Whether a label column marks it; None without one.
    """

    names: tuple[str, ...]
    device: Int32s
    time_ms: Int64s
    value: Floats
    received_ms: Int64s
    is_bad: NDArray[np.bool_] | None = None

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "Series":
        """Return some rows."""
        return Series(
            self.names,
            self.device[rows],
            self.time_ms[rows],
            self.value[rows],
            self.received_ms[rows],
            None if self.is_bad is None else self.is_bad[rows],
        )


def read_series(files: Sequence[Path], mapping: Mapping, counts: Counts) -> Series:
    """Return what all files hold, in their order.

    Raises:
        MappingError: a file is missing or no table, or lacks a column the mapping names.
    """
    label = next((one.column for one in mapping.labels if one.column is not None), None)
    parts = [_one(file, mapping, label, counts) for file in files]
    names = tuple(sorted({name for part in parts for name in part.names}))
    place = {name: number for number, name in enumerate(names)}
    device = [np.array([place[n] for n in p.names], np.int32)[p.device] for p in parts if p.names]
    flags = [part.is_bad for part in parts if part.is_bad is not None]
    return Series(
        names,
        np.concatenate(device) if device else np.zeros(0, np.int32),
        np.concatenate([part.time_ms for part in parts if part.names] or [np.zeros(0, np.int64)]),
        np.concatenate([part.value for part in parts if part.names] or [np.zeros(0)]),
        np.concatenate(
            [part.received_ms for part in parts if part.names] or [np.zeros(0, np.int64)]
        ),
        np.concatenate(flags) if flags else None,
    )


def read_table(
    file: Path,
    csv: CsvSpec,
    texts: Sequence[str] = (),
    names: Sequence[str] = (),
    missing: Sequence[str | float] = (),
    counts: Counts | None = None,
) -> pa.Table:
    """Return a CSV or Parquet file as a table.

    Args:
        file: The file.
        csv: How a CSV is written.
        texts: Columns read as text as they stand.
        names: Columns read as text that repeats a lot.
        missing: Values that mean: none.
        counts: Told of lines that are no rows.

    Raises:
        MappingError: the file cannot be read.
    """
    try:
        if file.suffix.lower() in _PARQUET:
            return pq.read_table(file)
        return _read_csv(file, csv, texts, names, missing, counts or Counts())
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise MappingError(f"{file}: cannot be read: {error}; see `csv` in the mapping") from error


def _read_csv(
    file: Path,
    csv: CsvSpec,
    texts: Sequence[str],
    names: Sequence[str],
    missing: Sequence[str | float],
    counts: Counts,
) -> pa.Table:
    def skip(row: pacsv.InvalidRow) -> str:
        counts.ragged += 1
        return "skip"

    nulls = {"", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "None", "#N/A", "-", "--"}
    types = dict.fromkeys(names, _NAMES) | dict.fromkeys(texts, pa.string())
    return pacsv.read_csv(
        file,
        read_options=pacsv.ReadOptions(
            encoding=csv.encoding, skip_rows=csv.skip_rows, block_size=1 << 23
        ),
        parse_options=pacsv.ParseOptions(delimiter=csv.delimiter, invalid_row_handler=skip),
        convert_options=pacsv.ConvertOptions(
            column_types=types,
            decimal_point=csv.decimal,
            null_values=sorted(nulls | {str(one) for one in missing}),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )


def _one(file: Path, mapping: Mapping, label: str | None, counts: Counts) -> Series:
    spec = mapping.time
    table = _read_data(file, mapping, label, counts)
    needed = [spec.column, spec.received, mapping.device, label, *mapping.value_columns]
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
    is_bad = None if label is None else _marked(table.column(label), mapping, label)
    columns, names, device = _values(table, mapping, label, is_read)
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
        None if is_bad is None else np.tile(is_bad, many),
    )
    keep = np.tile(is_read, many) & (device >= 0)
    counts.no_device += int(np.count_nonzero(np.tile(is_read, many) & (device < 0)))
    return series if keep.all() else series.take(keep)


def _read_data(file: Path, mapping: Mapping, label: str | None, counts: Counts) -> pa.Table:
    """Return a data file; moments that are not plainly ISO are read as text."""
    spec = mapping.time
    texts = [] if spec.format == "iso" or spec.format.startswith("epoch") else [spec.column]
    texts += [name for name in (mapping.quality, label) if name is not None]
    if spec.received is not None and texts and texts[0] == spec.column:
        texts.append(spec.received)
    names = [] if mapping.device is None else [mapping.device]
    return read_table(file, mapping.csv, texts, names, mapping.missing, counts)


def _values(
    table: pa.Table, mapping: Mapping, label: str | None, is_read: NDArray[np.bool_]
) -> tuple[list[Floats], tuple[str, ...], Int32s]:
    """Return the value columns, the names of their devices and the device of each value."""
    count = table.num_rows
    if mapping.is_wide:
        spec = mapping.time
        names = tuple(
            name
            for name in table.column_names
            if name not in (spec.column, spec.received, label) and name
        )
        device = np.repeat(np.arange(len(names), dtype=np.int32), count)
        return [_floats(table.column(name), mapping.csv) for name in names], names, device
    assert mapping.device is not None
    column = table.column(mapping.device)
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(pc.cast(column, pa.string()))
    column = column.unify_dictionaries().combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], _NAMES)
    known = [str(name) for name in column.dictionary.to_pylist()]
    code = pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
    wanted = mapping.value_columns
    is_good = _good_quality(table, mapping)
    columns = []
    for name in wanted:
        values = _floats(table.column(name), mapping.csv)
        columns.append(values if is_good is None else np.where(is_good, values, np.nan))
    if len(wanted) == 1:
        return columns, tuple(known), code
    names = tuple(f"{one}.{name}" for name in wanted for one in known)
    device = np.concatenate(
        [np.where(code < 0, -1, code + place * len(known)) for place in range(len(wanted))]
    )
    return columns, names, device.astype(np.int32)


def _good_quality(table: pa.Table, mapping: Mapping) -> NDArray[np.bool_] | None:
    if mapping.quality is None:
        return None
    marks = pa.array([_as_text(mark) for mark in mapping.bad_quality], pa.string())
    text = pc.cast(table.column(mapping.quality), pa.string())
    bad: NDArray[np.bool_] = pc.is_in(text, value_set=marks).to_numpy()
    return ~bad


def _marked(column: pa.ChunkedArray, mapping: Mapping, label: str) -> NDArray[np.bool_]:
    spec = next(one for one in mapping.labels if one.column == label)
    numbers = numbers_of(pc.cast(column, pa.string()))
    marks = [float(one) for one in spec.values if isinstance(one, float | int | bool)]
    texts = pa.array([_as_text(mark) for mark in spec.values], pa.string())
    hit = pc.is_in(pc.cast(column, pa.string()), value_set=texts)
    found: NDArray[np.bool_] = pc.or_(
        hit, pc.fill_null(pc.is_in(numbers, value_set=pa.array(marks, pa.float64())), False)
    ).to_numpy()
    return found


def _floats(column: pa.ChunkedArray, csv: CsvSpec) -> Floats:
    """Return values as float64, NaN for what is no finite number."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = pc.cast(column, pa.string()), pa.string()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        if csv.decimal != ".":
            column = pc.replace_substring(column, csv.decimal, ".")
        column = numbers_of(column)
    elif not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        column = (
            pc.cast(column, pa.int64())
            if pa.types.is_boolean(kind)
            else numbers_of(pc.cast(column, pa.string()))
        )
    filled = pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan)
    values = np.array(filled.to_numpy(), dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def _as_text(mark: str | float | bool) -> str:
    if isinstance(mark, bool):
        return str(mark).lower()
    return f"{mark:g}" if isinstance(mark, float | int) else mark
