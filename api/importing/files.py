"""Reading a CSV or Parquet file as a table, and telling what of it cannot be read."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from api.importing.errors import MappingError
from api.importing.mapping import CsvSpec

NAMES = pa.dictionary(pa.int32(), pa.string())
"""Type of a text column that repeats a lot."""

_PARQUET = (".parquet", ".pq")

OnRagged = Callable[[int | None, str], object]
"""Told the line (None when lines are read at once) and text of a line that is no row."""


def read_table(
    file: Path,
    csv: CsvSpec,
    texts: Sequence[str] = (),
    names: Sequence[str] = (),
    missing: Sequence[str | float] = (),
    on_ragged: OnRagged | None = None,
) -> pa.Table:
    """Return a CSV or Parquet file as a table.

    Args:
        file: The file.
        csv: How a CSV is written.
        texts: Columns read as text as they stand.
        names: Columns read as text that repeats a lot.
        missing: Values that mean: none.
        on_ragged: Told of lines that are no rows, which are left out; None to refuse them.

    Raises:
        MappingError: the file cannot be read, or holds such a line.
    """
    try:
        if file.suffix.lower() in _PARQUET:
            return pq.read_table(file)
        table = _read_csv(file, csv, texts, names, missing, on_ragged)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise MappingError(f"{file}: cannot be read: {error}; see `csv` in the mapping") from error
    try:
        _ = table.column_names
    except UnicodeDecodeError as error:
        raise MappingError(
            f"{file}: the head is no {csv.encoding} ({error}); name the file's `csv.encoding` in "
            "the mapping, such as gbk or utf-16"
        ) from error
    return table


def as_text(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """Return a column as text.

    Raises:
        MappingError: it holds lists or other things that are none; `where` names it.
    """
    try:
        return pc.cast(column, pa.string())
    except pa.ArrowException as error:
        raise MappingError(
            f"{where}: holds {column.type}, neither numbers nor text ({error}); write one value a "
            "row, or leave the column out of the file"
        ) from error


def _read_csv(
    file: Path,
    csv: CsvSpec,
    texts: Sequence[str],
    names: Sequence[str],
    missing: Sequence[str | float],
    on_ragged: OnRagged | None,
) -> pa.Table:
    ragged: list[tuple[int | None, str]] = []

    def skip(row: pacsv.InvalidRow) -> str:
        if on_ragged is None:
            ragged.append((row.number, row.text))
        else:
            on_ragged(row.number, row.text)
        return "skip"

    nulls = {"", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "None", "#N/A", "-", "--"}
    types = dict.fromkeys(names, NAMES) | dict.fromkeys(texts, pa.string())
    table = pacsv.read_csv(
        file,
        read_options=pacsv.ReadOptions(
            encoding=csv.encoding,
            skip_rows=csv.skip_rows,
            block_size=1 << 23,
            use_threads=on_ragged is not None,  # lines are only numbered one by one
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
    if ragged:
        line, text = ragged[0]
        raise MappingError(
            f"{file}: line {line}: {text[:80]!r} has not {table.num_columns} fields as the head "
            "has; put a text with the delimiter in it in quotes, or fill the line up"
        )
    return table
