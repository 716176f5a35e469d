"""Moments as people write them into columns of event time, milliseconds UTC."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from api.importing.errors import MappingError
from api.importing.mapping import EPOCHS
from sensors.readings import Int64s

Bools = NDArray[np.bool_]

EARLIEST_MS = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp()) * 1000
LATEST_MS = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp()) * 1000
"""No sample of an instrument lies outside: such moments are misread."""

_PER_MS = dict(zip(EPOCHS, (1e3, 1.0, 1e-3, 1e-6), strict=True))
_ISO = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_MODERN_MS = tuple(
    int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1000 for year in (1980, 1990, 2100)
)
"""Counts since 1970 that come to less than the first are doubted when another unit makes them
lie between the others."""


def times_ms(column: pa.ChunkedArray, format_: str, zone: str, where: str) -> tuple[Int64s, Bools]:
    """Return event times and which of them could be read; the others are 0.

    A moment that summer time makes twice is taken as the first, one that it leaves out as the
    first moment after the gap.

    Args:
        column: Text, numbers or timestamps.
        format_: `iso`, `epoch_s` …, or a strptime pattern.
        zone: Zone of moments that carry none.
        where: File and key, for messages.

    Raises:
        MappingError: nothing in the column can be read that way, or all of it lies outside the
            years 1900 to 2200, or is a count in another unit than `format_` says.
    """
    try:
        moments, is_read = _read(column, format_, zone)
    except pa.ArrowException as error:
        raise MappingError(f"{where}: holds {column.type}, no moments: {error}") from error
    if len(is_read) and not is_read.any():
        raise MappingError(
            f"{where}: no moment can be read as {format_!r}, such as {_first(column)!r}; correct "
            f"`format`: iso, {', '.join(EPOCHS)}, or a pattern such as %d/%m/%Y %H:%M"
        )
    if len(is_read):
        shown = column.slice(int(np.flatnonzero(is_read)[0]), 1)
        _check_years(moments[is_read], shown, format_, where)
    return moments, is_read


def is_likely(moments: Int64s) -> Bools:
    """Return which event times lie in the years that instruments live in, 1900 to 2200."""
    likely: Bools = (moments >= EARLIEST_MS) & (moments < LATEST_MS)
    return likely


def moment_text(time_ms: int) -> str:
    """Return an event time for people, or the years it lies beyond."""
    if not EARLIEST_MS <= time_ms < LATEST_MS:
        return "before 1900" if time_ms < EARLIEST_MS else "after 2200"
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _check_years(moments: Int64s, shown: pa.ChunkedArray, format_: str, where: str) -> None:
    """Refuse a column of which no moment can be meant; single wild ones are dealt with later.

    `shown` holds the first value that was read.
    """
    is_absurd = not is_likely(moments).any()
    old_ms, low_ms, high_ms = _MODERN_MS
    meant = ""
    if format_ in EPOCHS and (is_absurd or int(moments.max()) < old_ms):
        for other in EPOCHS:
            per_ms = _PER_MS[other] / _PER_MS[format_]
            first_ms, last_ms = int(moments.min()) * per_ms, int(moments.max()) * per_ms
            if low_ms <= first_ms <= last_ms < high_ms:
                meant = f": as {other!r} they lie in {moment_text(int(first_ms))[:4]}"
    if is_absurd or meant:
        raise MappingError(
            f"{where}: read as {format_!r} all moments are absurd, such as {_first(shown)!r} = "
            f"{moment_text(int(moments[0]))}; correct `time.format`{meant}"
        )


def _first(column: pa.ChunkedArray) -> object:
    """Return the first value that is not empty; None without one."""
    for chunk in column.chunks:
        filled = chunk.drop_null()
        if len(filled):
            return _plain(filled[:1])
    return None


def _plain(value: pa.Array) -> object:
    """Return one value for people; Python has no moments of nanoseconds or of the year 12000."""
    if pa.types.is_timestamp(value.type):
        return pc.strftime(pc.cast(value, pa.timestamp("ms"), safe=False))[0].as_py()
    return value[0].as_py()


def _read(column: pa.ChunkedArray, format_: str, zone: str) -> tuple[Int64s, Bools]:
    if format_ in EPOCHS:
        return _of_numbers(column, format_)
    if pa.types.is_timestamp(column.type):
        stamps = column
    elif pa.types.is_date(column.type):
        stamps = pc.cast(column, pa.timestamp("ms"))
    else:
        text = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
        if format_ == "iso":
            return _filled(_iso(text, zone))
        stamps = pc.strptime(text, format=format_, unit="ms", error_is_null=True)
    if stamps.type.tz is None:
        stamps = _in_zone(stamps, zone)
    return _filled(pc.cast(pc.cast(stamps, pa.timestamp("ms", "UTC"), safe=False), pa.int64()))


def _filled(moments: pa.ChunkedArray) -> tuple[Int64s, Bools]:
    is_read = pc.is_valid(moments).to_numpy()
    return pc.fill_null(moments, 0).to_numpy().astype(np.int64, copy=False), is_read


def _in_zone(stamps: pa.ChunkedArray, zone: str) -> pa.ChunkedArray:
    return pc.assume_timezone(stamps, zone, ambiguous="earliest", nonexistent="latest")


def _of_numbers(column: pa.ChunkedArray, format_: str) -> tuple[Int64s, Bools]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = numbers_of(column)
    elif pa.types.is_timestamp(column.type):  # a reader took small whole numbers for years
        column = pc.cast(column, pa.int64())
    raw = pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan).to_numpy()
    is_read = np.isfinite(raw) & (np.abs(raw * _PER_MS[format_]) < 2**53)
    return np.where(is_read, raw * _PER_MS[format_], 0.0).round().astype(np.int64), is_read


def _iso(text: pa.ChunkedArray, zone: str) -> pa.ChunkedArray:
    """Return ISO 8601 moments, int64 ms, null where there is none; each row by its own offset.

    A row that carries no offset is taken in `zone`, whatever the others carry.
    """
    parts = pc.extract_regex(
        text,
        r"^(?P<stamp>\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?)(?P<part>[.,]\d+)? ?"
        r"(?P<zone>Z|[+-]\d\d:?\d\d)?$",
    )
    stamp = pc.struct_field(parts, "stamp")
    found = None
    for pattern in _ISO:
        one = pc.strptime(stamp, format=pattern, unit="ms", error_is_null=True)
        found = one if found is None else pc.coalesce(found, one)
    offset = pc.replace_substring(pc.struct_field(parts, "zone"), ":", "")
    has_offset = pc.fill_null(pc.not_equal(offset, ""), False)
    part = pc.struct_field(parts, "part")
    digits = pc.utf8_slice_codeunits(pc.utf8_rpad(pc.utf8_slice_codeunits(part, 1), 3, "0"), 0, 3)
    add_ms = pc.cast(pc.if_else(pc.equal(pc.fill_null(part, ""), ""), "0", digits), pa.int64())
    moment = pc.add(pc.cast(found, pa.int64()), pc.fill_null(add_ms, 0))
    if pc.all(has_offset).as_py():
        return pc.subtract(moment, _shift_ms(offset, has_offset))
    naive = pc.cast(pc.if_else(has_offset, None, moment), pa.timestamp("ms"))
    local = pc.cast(_in_zone(naive, zone), pa.int64())
    if not pc.any(has_offset).as_py():
        return local
    return pc.if_else(has_offset, pc.subtract(moment, _shift_ms(offset, has_offset)), local)


def _shift_ms(offset: pa.ChunkedArray, has_offset: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return how far clocks of an offset such as `+0800` or `Z` are ahead of UTC; 0 without."""
    plain = pc.if_else(pc.or_(pc.equal(offset, "Z"), pc.invert(has_offset)), "+0000", offset)
    minutes = pc.add(
        pc.multiply(pc.cast(pc.utf8_slice_codeunits(plain, 1, 3), pa.int64()), 60),
        pc.cast(pc.utf8_slice_codeunits(plain, 3, 5), pa.int64()),
    )
    sign = pc.if_else(pc.equal(pc.utf8_slice_codeunits(plain, 0, 1), "-"), -1, 1)
    return pc.multiply(pc.multiply(minutes, sign), 60_000)


def numbers_of(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts as float64, null where a text is no number."""
    trimmed = pc.utf8_trim_whitespace(text)
    is_number = pc.match_substring_regex(trimmed, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
    return pc.cast(pc.if_else(is_number, trimmed, None), pa.float64())
