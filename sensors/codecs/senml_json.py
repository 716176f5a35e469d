"""SenML JSON (RFC 8428), the default on the wire: readable by any SenML parser, and fast.

A frame is one pack. Its identity travels in the first record under extension labels that other
parsers ignore: `gw`, `boot`, `seq` and `st` (when it was sent, milliseconds since 1970).

Decoding has two paths. Packs of the shape `encode` writes take the fast one (typed structs and
columns); any other goes through the full resolution of the RFC. Both give the same result.
"""

import json
import math
from collections.abc import Mapping
from operator import attrgetter

import msgspec
import numpy as np

from sensors.codecs.codec import Decoded, check_size, frame_id, whole
from sensors.codecs.screening import screened
from sensors.codecs.senml import (
    NAME,
    RELATIVE_BELOW_S,
    ResolvedRecord,
    resolve_in_pack_order,
)
from sensors.errors import FrameError, RegistryError, RejectReason
from sensors.quantities import PUMP_STATE, QUANTITIES
from sensors.readings import Floats, Frame, Int32s
from sensors.registry import Registry

_QUANTITIES = tuple(QUANTITIES.values())
_WIRE_UNITS = tuple(quantity.wire_unit for quantity in _QUANTITIES)
_SCALES = np.array([quantity.wire_scale for quantity in _QUANTITIES])
_STEPS = np.array([10.0**quantity.wire_decimals for quantity in _QUANTITIES])


class _Row(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A record without unit, below a base unit."""

    n: str
    v: float
    t: float = 0.0


class _UnitRow(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A record with its own unit."""

    u: str
    n: str
    v: float
    t: float = 0.0


class _Head(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """The first record: base fields, the frame's identity and one reading."""

    bt: float
    gw: str
    boot: int
    seq: int
    st: int
    n: str
    v: float
    bu: str | None = None
    u: str | None = None
    t: float = 0.0


_ENCODER = msgspec.json.Encoder()
_NAME_OF, _VALUE_OF, _TIME_OF = attrgetter("n"), attrgetter("v"), attrgetter("t")
_HEAD = msgspec.json.Decoder(_Head)
_ROWS = msgspec.json.Decoder(list[_Row])
_UNIT_ROWS = msgspec.json.Decoder(list[_UnitRow])


class SenmlJsonCodec:
    """Frames as SenML JSON packs.

    Raises:
        RegistryError: a device id is no SenML name, so it could not be sent.
    """

    name = "senml_json"

    def __init__(self, registry: Registry) -> None:
        unfit = [device for device in registry.ids if NAME.fullmatch(device) is None]
        if unfit:
            raise RegistryError(
                f"device id {unfit[0]!r} is no SenML name: use A-Z a-z 0-9 - : . / _ "
                "and begin with a letter or digit"
            )
        self._ids = registry.ids
        self._number = dict(registry.number)  # a lookup in a plain dict takes half the time
        kinds = {quantity.name: code for code, quantity in enumerate(_QUANTITIES)}
        codes = [kinds[name] for name in registry.texts("quantity")]
        self._codes = codes
        self._kind = np.array(codes, dtype=np.int8)
        self._divisors = {unit: _divisors(unit) for one in _QUANTITIES for unit in one.accepted}
        self._no_unit: Floats = np.full(len(_QUANTITIES), math.nan)

    def encode(self, frame: Frame) -> bytes:
        """Return the frame as a pack; values are rounded to their quantity's wire decimals.

        A value that is not finite is written as `null` and refused by the receiver.

        Raises:
            FrameError: bad_time, for sample times before 1978 (SenML takes them as relative).
        """
        batch = frame.batch
        gateway, boot, seq = frame.id
        if not len(batch):
            only = {"gw": gateway, "boot": boot, "seq": seq, "st": frame.sent_ms}
            return _ENCODER.encode([only])
        first_ms = int(batch.time_ms.min())
        if first_ms < RELATIVE_BELOW_S * 1000:
            raise FrameError(RejectReason.BAD_TIME, f"{gateway}: a sample at {first_ms} ms")
        numbers = batch.device.tolist()
        names = list(map(self._ids.__getitem__, numbers))
        kinds = list(map(self._codes.__getitem__, numbers))
        is_uniform = len(set(kinds)) == 1
        values = _wire_values(batch.value, kinds[:1] if is_uniform else kinds).tolist()
        head = _Head(first_ms / 1000.0, gateway, boot, seq, frame.sent_ms, names[0], values[0])
        columns = [names[1:], values[1:]]
        if int(batch.time_ms.max()) != first_ms:
            offsets = ((batch.time_ms - first_ms) / 1000.0).tolist()
            head.t = offsets[0]
            columns.append(offsets[1:])
        records: list[msgspec.Struct] = [head]
        if is_uniform:
            head.bu = _QUANTITIES[kinds[0]].wire_unit
            records += map(_Row, *columns)
        else:
            units = list(map(_WIRE_UNITS.__getitem__, kinds))
            head.u = units[0]
            records += map(_UnitRow, units[1:], *columns)
        return _ENCODER.encode(records)

    def decode(self, payload: bytes, now_ms: int) -> Decoded:
        """Return the readings of a pack in their quantities' own units, in pack order.

        Raises:
            FrameError: the pack is refused as a whole.
        """
        check_size(payload)
        decoded = self.decode_regular(payload, now_ms)
        return self.decode_any(payload, now_ms) if decoded is None else decoded

    def decode_regular(self, payload: bytes, now_ms: int) -> Decoded | None:
        """Decode a pack of the shape `encode` writes; None when it has another shape.

        Raises:
            FrameError: its identity is out of range.
        """
        end = payload.find(b"},{") + 1
        try:
            head = _HEAD.decode(payload[1 : end or -1])
            if payload[:1] != b"[" or payload[-1:] != b"]":
                return None
            rest = b"[" + payload[end + 1 :] if end else b"[]"
            rows: list[_Row] | list[_UnitRow]
            rows = _UNIT_ROWS.decode(rest) if head.bu is None else _ROWS.decode(rest)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        try:
            numbers = [self._number[head.n], *map(self._number.__getitem__, map(_NAME_OF, rows))]
        except KeyError:
            return None
        device = np.array(numbers, dtype=np.int32)
        seconds = head.bt + np.array([head.t, *map(_TIME_OF, rows)])
        if not seconds.min() >= RELATIVE_BELOW_S:
            return None
        divisor = self._only_divisor(head, numbers)
        if divisor is None:
            divisor = self._divisor_of(head, rows, device)
        with np.errstate(over="ignore"):
            value = np.array([head.v, *map(_VALUE_OF, rows)]) / divisor + 0.0
            time_ms = np.rint(seconds * 1000.0)
        wrong = np.isnan(divisor)
        refusals = ((RejectReason.WRONG_UNIT, wrong),) if wrong.any() else ()
        id_ = frame_id(head.gw, head.boot, head.seq)
        sent_ms = whole(head.st, "st")
        return screened(id_, sent_ms, device, time_ms, value, now_ms, refusals)

    def decode_any(self, payload: bytes, now_ms: int) -> Decoded:
        """Decode any pack by the full rules of RFC 8428.

        Raises:
            FrameError: the pack is refused as a whole.
        """
        records = _parse(payload)
        first = records[0] if records else None
        resolved = resolve_in_pack_order(records, now_ms / 1000.0)
        if not isinstance(first, Mapping):
            raise FrameError(RejectReason.NO_IDENTITY, "the pack has no record")
        id_ = frame_id(first.get("gw"), first.get("boot"), first.get("seq"))
        sent_ms = whole(first.get("st"), "st")
        readings = [record for record in resolved if record.has_value]
        device = np.array([self._number.get(one.name, -1) for one in readings], dtype=np.int32)
        pairs = [
            self._value_and_divisor(one, number)
            for one, number in zip(readings, device.tolist(), strict=True)
        ]
        raw, divisor = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
        with np.errstate(over="ignore", invalid="ignore"):
            value = raw / divisor + 0.0
            time_ms = np.rint(np.array([one.time_s for one in readings]) * 1000.0)
        refusals = (
            (RejectReason.UNKNOWN_DEVICE, device < 0),
            (RejectReason.WRONG_UNIT, np.isnan(divisor)),
        )
        return screened(id_, sent_ms, device, time_ms, value, now_ms, refusals)

    def _only_divisor(self, head: _Head, numbers: list[int]) -> Floats | None:
        """Return the divisor when all readings share one, which most gateways' do; else None.

        Looked up without fancy indexing: that lets the network thread in, and for a frame of
        one reading the way back to the interpreter costs more than all the rest.
        """
        if head.bu is None or (head.u is not None and head.u != head.bu):
            return None
        codes = self._codes
        kind = codes[numbers[0]]
        if len(set(map(codes.__getitem__, numbers))) != 1:
            return None
        divisors = self._divisors.get(head.bu, self._no_unit)
        return divisors[kind : kind + 1] if not math.isnan(divisors[kind]) else None

    def _divisor_of(self, head: _Head, rows: list[_Row] | list[_UnitRow], device: Int32s) -> Floats:
        """Return what each wire value is divided by; NaN where the unit is refused."""
        kinds = self._kind[device]
        if head.bu is None or (head.u is not None and head.u != head.bu):
            own = [row.u for row in rows if isinstance(row, _UnitRow)]
            units = [head.u or "", *(own or [head.bu or ""] * len(rows))]
            table = np.array([self._divisors.get(unit, self._no_unit) for unit in units])
            return table[np.arange(len(units)), kinds]
        return self._divisors.get(head.bu, self._no_unit)[kinds]

    def _value_and_divisor(self, record: ResolvedRecord, number: int) -> tuple[float, float]:
        """Return the number on the wire and what it is divided by; NaN is what will be refused."""
        if number < 0:
            return math.nan, math.nan
        quantity = _QUANTITIES[self._kind[number]]
        unit = record.unit
        if record.value is None and unit is None:
            unit = quantity.wire_unit
        divisor = float(self._divisors.get(unit or "", self._no_unit)[self._kind[number]])
        if record.boolean is not None and quantity is PUMP_STATE and not record.is_bad:
            return float(record.boolean), divisor
        if record.value is None or record.is_bad:
            return math.nan, divisor
        return record.value, divisor


def _divisors(unit: str) -> Floats:
    """Return by how much a value in `unit` is divided for each quantity's own unit.

    Divided, not multiplied: 350000 Pa / 1e6 is 0.35 MPa to the last bit, times 1e-6 it is not.
    NaN stands for quantities that do not come in this unit.
    """
    return np.array(
        [
            one.wire_scale if unit == one.wire_unit else 1.0 / one.accepted.get(unit, math.nan)
            for one in _QUANTITIES
        ]
    )


def _wire_values(value: Floats, kinds: list[int]) -> Floats:
    """Return values in wire units, rounded to the decimals of their kinds, without -0.

    `kinds` has one entry a value, or one for all.
    """
    steps = _STEPS[kinds]
    wire: Floats = value * _SCALES[kinds]
    wire *= steps
    np.rint(wire, out=wire)
    wire /= steps
    wire += 0.0
    return wire


def _parse(payload: bytes) -> list[object]:
    """Return the records of a JSON text; numbers too large for a float become infinite."""
    try:
        records = json.loads(payload.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FrameError(RejectReason.MALFORMED, f"not JSON: {error}") from error
    if not isinstance(records, list):
        raise FrameError(RejectReason.MALFORMED, "not an array of records")
    return records
