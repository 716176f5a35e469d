"""A careful reader of one kind of Arrow stream: three fixed-width columns in one record batch.

Arrow's own reader trusts the offsets inside a message and can take the whole process down when
they are damaged. Here every offset is checked by Python itself, and anything but the expected
layout is refused. The format: https://arrow.apache.org/docs/format/Columnar.html (IPC) over
flatbuffers (a table points back to a vtable that says where its fields are).
"""

import struct
from typing import NamedTuple

import numpy as np

from sensors.errors import FrameError, RejectReason
from sensors.readings import Floats, Int32s, Int64s

_CONTINUATION = 0xFFFFFFFF
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_SCHEMA, _RECORD_BATCH = 1, 3
_INT, _FLOAT = 2, 3
_DOUBLE = 2
_MAX_METADATA = 32

_COLUMNS = ((b"device", _INT, 32), (b"time_ms", _INT, 64), (b"value", _FLOAT, _DOUBLE))
_PREFIX = struct.Struct("<II")
_NODES = struct.Struct("<6q")
_BUFFERS = struct.Struct("<12q")
_SLOTS = tuple(struct.Struct(f"<{count}H") for count in range(17))


class ArrowColumns(NamedTuple):
    """What a stream holds: its schema's metadata and the three columns, not copied."""

    metadata: dict[bytes, bytes]
    device: Int32s
    time_ms: Int64s
    value: Floats


class BatchLayout(NamedTuple):
    """What the message of a record batch says: sizes, rows, and where each column begins."""

    head_bytes: int
    body_bytes: int
    rows: int
    places: tuple[int, int, int]


def read_columns(payload: bytes) -> ArrowColumns:
    """Return the metadata and columns of a stream of one uncompressed batch without nulls.

    Raises:
        FrameError: malformed; any other layout, or damage.
    """
    try:
        return _stream(payload)
    except (struct.error, IndexError, ValueError) as error:
        raise _malformed(str(error)) from error


def _stream(payload: bytes) -> ArrowColumns:
    head, body = message_head(payload, 0)
    metadata = {key: head[begin:end] for key, begin, end in schema_metadata(head)}
    return columns_of(payload, metadata, body, batch_layout(message_head(payload, body)[0]))


def message_head(data: bytes, at: int) -> tuple[bytes, int]:
    """Return all of a message but its body, and where its body begins.

    Raises:
        FrameError: malformed; no message begins at `at`.
    """
    mark, size = _PREFIX.unpack_from(data, at)
    body = at + 8 + size
    if mark != _CONTINUATION or body > len(data):
        raise _malformed("not an encapsulated message")
    return data[at:body], body


def schema_metadata(head: bytes) -> list[tuple[bytes, int, int]]:
    """Return key, begin and end of each value in the metadata of a schema message.

    Raises:
        FrameError: malformed; it is no schema of the three columns.
    """
    kind, table, length = _header(head)
    if kind != _SCHEMA or length:
        raise _malformed("it does not begin with a schema")
    return _schema(head, table)


def batch_layout(head: bytes) -> BatchLayout:
    """Return what the message of a record batch says of its body.

    Raises:
        FrameError: malformed; it is no batch of three whole columns.
    """
    kind, table, length = _header(head)
    if kind != _RECORD_BATCH:
        raise _malformed("a record batch must follow the schema")
    rows, places = _batch(head, table, length)
    return BatchLayout(len(head), length, rows, places)


def columns_of(
    payload: bytes, metadata: dict[bytes, bytes], at: int, layout: BatchLayout
) -> ArrowColumns:
    """Return the columns of the batch whose message begins at `at`.

    Raises:
        FrameError: malformed; its body is cut off, or another message follows.
    """
    body = at + layout.head_bytes
    end = body + layout.body_bytes
    if end > len(payload):
        raise _malformed("the body is cut off")
    if payload[end:] not in (b"", _END):
        raise _malformed("more than one batch")
    rows, places = layout.rows, layout.places
    return ArrowColumns(
        metadata,
        np.frombuffer(payload, "<i4", rows, body + places[0]),
        np.frombuffer(payload, "<i8", rows, body + places[1]),
        np.frombuffer(payload, "<f8", rows, body + places[2]),
    )


def _header(head: bytes) -> tuple[int, int, int]:
    """Return kind, header table and length of the body of a message."""
    root = 8 + _number(head, "<I", 8)
    slots = _slots(head, root)
    if not (slots[1] and slots[2]):
        raise _malformed("a message without a header")
    length = _number(head, "<q", root + slots[3]) if slots[3] else 0
    if length < 0:
        raise _malformed("a body of negative length")
    return head[root + slots[1]], _follow(head, root + slots[2]), length


def _schema(data: bytes, table: int) -> list[tuple[bytes, int, int]]:
    """Check the columns of a schema and return its metadata: key, begin and end of the value."""
    slots = _slots(data, table)
    if slots[0] and _number(data, "<h", table + slots[0]) != 0:
        raise _malformed("not little-endian")
    fields = _vector(data, table, slots[1])
    if len(fields) != len(_COLUMNS):
        raise _malformed(f"{len(fields)} columns, need device, time_ms and value")
    for field, column in zip(fields, _COLUMNS, strict=True):
        if _column(data, field) != column:
            raise _malformed("the columns are not device int32, time_ms int64, value double")
    return [_pair(data, item) for item in _vector(data, table, slots[2])]


def _column(data: bytes, field: int) -> tuple[bytes, int, int]:
    """Return name, type and width (or precision) of a column."""
    slots = _slots(data, field)
    if not (slots[0] and slots[2] and slots[3]) or slots[4]:
        raise _malformed("a column without name or type, or with a dictionary")
    kind, type_table = data[field + slots[2]], _follow(data, field + slots[3])
    width_slot, signed_slot = _slots(data, type_table)[:2]
    if kind == _FLOAT:
        width = _number(data, "<h", type_table + width_slot) if width_slot else 0
    else:
        is_signed = bool(signed_slot and data[type_table + signed_slot])
        width = _number(data, "<i", type_table + width_slot) if width_slot and is_signed else 0
    return _text(data, field + slots[0]), kind, width


def _batch(data: bytes, table: int, body_bytes: int) -> tuple[int, tuple[int, int, int]]:
    """Return the number of rows and where in the body each column's values begin."""
    slots = _slots(data, table)
    if slots[3]:
        # A few compressed bytes could unfold to more memory than there is.
        raise _malformed("compressed; send it uncompressed")
    rows = _number(data, "<q", table + slots[0]) if slots[0] else 0
    nodes = _follow(data, table + slots[1])
    buffers = _follow(data, table + slots[2])
    if _number(data, "<I", nodes) != 3 or _number(data, "<I", buffers) != 6:
        raise _malformed("not three columns of two buffers")
    node = _NODES.unpack_from(data, nodes + 4)
    if node[0::2] != (rows, rows, rows) or node[1::2] != (0, 0, 0):
        raise _malformed("columns of different length, or with nulls")
    buffer = _BUFFERS.unpack_from(data, buffers + 4)
    places = (buffer[2], buffer[6], buffer[10])
    sizes = (buffer[3], buffer[7], buffer[11])
    for place, size, width in zip(places, sizes, (4, 8, 8), strict=True):
        if not 0 <= rows * width <= size or not 0 <= place <= body_bytes - size:
            raise _malformed("a column lies outside the body")
    return rows, places


def _slots(data: bytes, table: int) -> tuple[int, ...]:
    """Return where a table's first eight fields are, relative to it; 0 for absent ones."""
    vtable = table - _number(data, "<i", table)
    if table < 0 or vtable < 0:
        raise _malformed("an offset points before the message")
    count = min((_number(data, "<H", vtable) - 4) // 2, 8)
    return (*_SLOTS[max(count, 0)].unpack_from(data, vtable + 4), 0, 0, 0, 0, 0, 0, 0, 0)


def _vector(data: bytes, table: int, slot: int) -> list[int]:
    """Return the tables that a vector field of `table` refers to."""
    if not slot:
        return []
    start = _follow(data, table + slot)
    count = _number(data, "<I", start)
    if count > _MAX_METADATA:
        raise _malformed(f"a list of {count}")
    return [_follow(data, start + 4 + 4 * index) for index in range(count)]


def _pair(data: bytes, table: int) -> tuple[bytes, int, int]:
    slots = _slots(data, table)
    if not (slots[0] and slots[1]):
        raise _malformed("metadata without key or value")
    return _text(data, table + slots[0]), *_text_span(data, table + slots[1])


def _text(data: bytes, at: int) -> bytes:
    begin, end = _text_span(data, at)
    return data[begin:end]


def _text_span(data: bytes, at: int) -> tuple[int, int]:
    start = _follow(data, at)
    end = start + 4 + _number(data, "<I", start)
    if end > len(data):
        raise _malformed("a text is cut off")
    return start + 4, end


def _follow(data: bytes, at: int) -> int:
    """Return the place that the offset stored at `at` refers to."""
    return at + _number(data, "<I", at)


def _number(data: bytes, layout: str, at: int) -> int:
    number: int = struct.unpack_from(layout, data, at)[0]
    return number


def _malformed(detail: str) -> FrameError:
    return FrameError(RejectReason.MALFORMED, f"Arrow stream: {detail}")
