"""Moments as people write them into columns of event time, milliseconds UTC."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from api.importing.errors import MappingError
from api.importing.mapping import EPOCHS
from sensors.readings import Int64s

Bools = NDArray[np.bool_]

_PER_MS = dict(zip(EPOCHS, (1e3, 1.0, 1e-3, 1e-6), strict=True))
_ISO = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d")


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
        MappingError: nothing in the column can be read that way.
    """
    if format_ in EPOCHS:
        moments, is_read = _of_numbers(column, format_)
    else:
        stamps = _stamps(column, format_)
        if stamps.type.tz is None:
            stamps = pc.assume_timezone(stamps, zone, ambiguous="earliest", nonexistent="latest")
        is_read = pc.is_valid(stamps).to_numpy()
        whole = pc.cast(stamps, pa.timestamp("ms", "UTC"), safe=False)
        moments = pc.fill_null(pc.cast(whole, pa.int64()), 0).to_numpy()
    if len(is_read) and not is_read.any():
        first = column.drop_null()
        shown = first[0].as_py() if len(first) else None
        raise MappingError(
            f"{where}: no moment can be read as {format_!r}, such as {shown!r}; correct `format`: "
            f"iso, {', '.join(EPOCHS)}, or a pattern such as %d/%m/%Y %H:%M"
        )
    return moments.astype(np.int64, copy=False), is_read


def _of_numbers(column: pa.ChunkedArray, format_: str) -> tuple[Int64s, Bools]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = numbers_of(column)
    elif pa.types.is_timestamp(column.type):  # a reader took small whole numbers for years
        column = pc.cast(column, pa.int64())
    raw = pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan).to_numpy()
    is_read = np.isfinite(raw) & (np.abs(raw * _PER_MS[format_]) < 2**53)
    return np.where(is_read, raw * _PER_MS[format_], 0.0).round().astype(np.int64), is_read


def _stamps(column: pa.ChunkedArray, format_: str) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type):
        return column
    if pa.types.is_date(column.type):
        return pc.cast(column, pa.timestamp("ms"))
    text = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
    if format_ != "iso":
        return pc.strptime(text, format=format_, unit="ms", error_is_null=True)
    return _iso(text)


def _iso(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return ISO 8601 moments of a column in which some cannot be read, or carry zones."""
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
    zone = pc.replace_substring(pc.struct_field(parts, "zone"), ":", "")
    has_zone = pc.fill_null(pc.not_equal(zone, ""), False)
    part = pc.struct_field(parts, "part")
    digits = pc.utf8_slice_codeunits(pc.utf8_rpad(pc.utf8_slice_codeunits(part, 1), 3, "0"), 0, 3)
    add_ms = pc.cast(pc.if_else(pc.equal(pc.fill_null(part, ""), ""), "0", digits), pa.int64())
    moment = pc.add(pc.cast(found, pa.int64()), pc.fill_null(add_ms, 0))
    if not pc.any(has_zone).as_py():
        return pc.cast(moment, pa.timestamp("ms"))
    plain = pc.if_else(pc.or_(pc.equal(zone, "Z"), pc.invert(has_zone)), "+0000", zone)
    minutes = pc.add(
        pc.multiply(pc.cast(pc.utf8_slice_codeunits(plain, 1, 3), pa.int64()), 60),
        pc.cast(pc.utf8_slice_codeunits(plain, 3, 5), pa.int64()),
    )
    sign = pc.if_else(pc.equal(pc.utf8_slice_codeunits(plain, 0, 1), "-"), -1, 1)
    shift_ms = pc.multiply(pc.multiply(minutes, sign), 60_000)
    return pc.cast(pc.subtract(moment, shift_ms), pa.timestamp("ms", "UTC"))


def numbers_of(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts as float64, null where a text is no number."""
    trimmed = pc.utf8_trim_whitespace(text)
    is_number = pc.match_substring_regex(trimmed, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
    return pc.cast(pc.if_else(is_number, trimmed, None), pa.float64())
