"""What every codec keeps: the round trip, its limits, and that no bytes ever break it."""

import json
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors.codecs import (
    CODEC_NAMES,
    MAX_FUTURE_MS,
    MAX_PAST_MS,
    MAX_PAYLOAD_BYTES,
    Codec,
    codec_named,
)
from sensors.errors import FrameError, RejectReason
from sensors.quantities import QUANTITIES
from sensors.readings import Frame, FrameId, ReadingBatch
from sensors.registry import Device, Registry

NOW_MS = 1_760_000_000_123
QUANTITY_NAMES = ("pressure", "flow", "water_level", "pump_state")


def device(number: int) -> Device:
    quantity = QUANTITY_NAMES[number % 4]
    nan = float("nan")
    return Device(
        f"D{number:03d}:x", "kind", quantity, "water", "A1", f"J{number}", "gw", 0.0, 0.0,
        60, 10, 0, 0.0, 1.0, 0.001, 0.0001, nan, nan, 0.2,
    )  # fmt: skip


REGISTRY = Registry.of([device(number) for number in range(24)])
CODECS = {name: codec_named(name, REGISTRY) for name in CODEC_NAMES}
WIRE_TOLERANCE = {
    name: 0.5 * 10.0**-quantity.wire_decimals / quantity.wire_scale
    for name, quantity in QUANTITIES.items()
}


@pytest.fixture(params=CODEC_NAMES)
def codec(request: pytest.FixtureRequest) -> Codec:
    return CODECS[request.param]


def frame_of(rows: Sequence[tuple[int, int, float]], seq: int = 7) -> Frame:
    devices, times, values = zip(*rows, strict=True) if rows else ((), (), ())
    return Frame(FrameId("gw-1", 3, seq), NOW_MS - 5, ReadingBatch.of(devices, times, values))


readings = st.tuples(
    st.integers(0, len(REGISTRY) - 1),
    st.integers(NOW_MS - MAX_PAST_MS, NOW_MS + MAX_FUTURE_MS),
    st.floats(-1e6, 1e6),
)
one_quantity = st.integers(0, 3).flatmap(
    lambda kind: st.lists(
        readings.map(lambda row: (row[0] // 4 * 4 + kind, row[1], row[2])), max_size=20
    )
)
packs = st.one_of(st.lists(readings, max_size=20), one_quantity)


@pytest.mark.parametrize("name", CODEC_NAMES)
@given(rows=packs, seq=st.integers(0, 2**53 - 1))
def test_a_frame_comes_back_with_times_exact_and_values_at_wire_precision(
    name: str, rows: list[tuple[int, int, float]], seq: int
) -> None:
    frame = frame_of(rows, seq)
    decoded = CODECS[name].decode(CODECS[name].encode(frame), NOW_MS)
    assert (decoded.frame.id, decoded.frame.sent_ms) == (frame.id, frame.sent_ms)
    assert decoded.rejected == {}
    back = decoded.frame.batch
    np.testing.assert_array_equal(back.device, frame.batch.device)
    np.testing.assert_array_equal(back.time_ms, frame.batch.time_ms)
    tolerance = [WIRE_TOLERANCE[QUANTITY_NAMES[number % 4]] for number in back.device]
    slack = 4e-16 * np.abs(frame.batch.value)  # two roundings of a multiplication
    assert (np.abs(back.value - frame.batch.value) <= np.array(tolerance) * 1.001 + slack).all()
    assert (back.device.dtype, back.time_ms.dtype) == (np.int32, np.int64)


@pytest.mark.parametrize("name", CODEC_NAMES)
@given(rows=packs)
def test_what_was_decoded_once_survives_any_further_trip_unchanged(
    name: str, rows: list[tuple[int, int, float]]
) -> None:
    codec = CODECS[name]
    once = codec.decode(codec.encode(frame_of(rows)), NOW_MS).frame
    payload = codec.encode(once)
    twice = codec.decode(payload, NOW_MS).frame
    np.testing.assert_array_equal(twice.batch.value, once.batch.value)
    assert codec.encode(twice) == payload


def test_readings_too_far_from_now_are_counted_and_the_others_kept(codec: Codec) -> None:
    rows = [
        (0, NOW_MS + MAX_FUTURE_MS, 1.0),
        (0, NOW_MS + MAX_FUTURE_MS + 1, 2.0),
        (0, NOW_MS - MAX_PAST_MS - 1, 3.0),
        (0, NOW_MS - MAX_PAST_MS, 4.0),
    ]
    decoded = codec.decode(codec.encode(frame_of(rows)), NOW_MS)
    assert decoded.rejected == {RejectReason.FAR_FUTURE: 1, RejectReason.FAR_PAST: 1}
    assert decoded.frame.batch.value.tolist() == [1.0, 4.0]


def test_values_that_are_no_numbers_are_counted(codec: Codec) -> None:
    rows = [(2, NOW_MS, float("nan")), (2, NOW_MS, 5.0), (2, NOW_MS, float("inf"))]
    decoded = codec.decode(codec.encode(frame_of(rows)), NOW_MS)
    assert decoded.rejected == {RejectReason.BAD_VALUE: 2}
    assert decoded.frame.batch.value.tolist() == [5.0]


def test_a_payload_over_the_limit_is_refused_unread(codec: Codec) -> None:
    with pytest.raises(FrameError, match="too_large"):
        codec.decode(b"[" * (MAX_PAYLOAD_BYTES + 1), NOW_MS)


def test_a_payload_at_the_limit_is_looked_at(codec: Codec) -> None:
    with pytest.raises(FrameError, match="malformed"):
        codec.decode(b"[" * MAX_PAYLOAD_BYTES, NOW_MS)


def test_an_unknown_codec_is_refused_by_name() -> None:
    with pytest.raises(FrameError, match="unknown_codec: 'morse'"):
        codec_named("morse", REGISTRY)


GOOD = {
    name: codec.encode(frame_of([(n % 5, NOW_MS - n, 0.3 + n) for n in range(9)]))
    for name, codec in CODECS.items()
}


def outcome(codec: Codec, payload: bytes) -> str:
    """Decode; anything but a result or a FrameError breaks the test."""
    try:
        decoded = codec.decode(payload, NOW_MS)
    except FrameError as error:
        return error.reason
    batch = decoded.frame.batch
    assert all(count > 0 for count in decoded.rejected.values())
    assert np.isfinite(batch.value).all()
    assert (batch.device >= 0).all()
    assert (batch.device < len(REGISTRY)).all()
    assert (np.abs(batch.time_ms - NOW_MS) <= MAX_PAST_MS).all()
    return "decoded"


@pytest.mark.parametrize("name", CODEC_NAMES)
@given(payload=st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_frame_error(name: str, payload: bytes) -> None:
    assert outcome(CODECS[name], payload) != "decoded"


@pytest.mark.parametrize("name", CODEC_NAMES)
def test_every_truncation_is_refused(name: str) -> None:
    outcomes = Counter(outcome(CODECS[name], GOOD[name][:end]) for end in range(len(GOOD[name])))
    whole = 8 if name == "arrow_ipc" else 0  # an Arrow stream may end without its end marker
    assert outcomes["decoded"] <= whole + 1
    assert outcomes["malformed"] >= len(GOOD[name]) - whole - 1


@pytest.mark.parametrize("name", CODEC_NAMES)
@settings(max_examples=300)
@given(data=st.data())
def test_no_damage_raises_anything_but_a_frame_error(name: str, data: st.DataObject) -> None:
    payload = bytearray(GOOD[name])
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    assert outcome(CODECS[name], bytes(payload))


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from([10**400, -(10**30), 1.7e9, 2**28, "D000:x", "D003:x", "Pa", "m3/h", "°"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
labels = st.sampled_from(
    "bn bt bu bv bs bver n u v vs vb vd s t ut gw boot seq st x x_".split()  # noqa: SIM905
)


@settings(max_examples=150)
@given(records=st.lists(st.dictionaries(labels, json_values, max_size=6), max_size=4))
def test_no_json_raises_anything_but_a_frame_error(records: list[dict[str, object]]) -> None:
    identity = {"gw": "g", "boot": 1, "seq": 2, "st": 3}
    payload = json.dumps([{**identity, **(records[0] if records else {})}, *records[1:]])
    assert outcome(CODECS["senml_json"], payload.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[{"gw":"g","boot":1,"seq":1,"st":1,"bu":"Pa","n":"D000:x","v":1e400}]', "bad_value"),
        ('[{"gw":"g","boot":1,"seq":1,"st":1,"bu":"Pa","n":"D000:x","v":NaN}]', "bad_value"),
        ('[{"gw":"g","boot":1,"seq":1,"st":1,"bu":"Pa","n":"D000:x","v":true}]', "bad_value"),
        ('[{"gw":"g","boot":1,"seq":1,"st":1,"bu":"Pa","n":"D000:x","v":"1"}]', "bad_value"),
        ('[{"gw":"g","boot":1,"seq":1,"st":1,"bu":"Pa","n":"D000:x","v":1,"vs":"1"}]', "bad_value"),
        ('[{"gw":"g","boot":1,"seq":1,"st":1,"bu":"Pa","n":"D000:x","vb":true}]', "bad_value"),
        ('[{"gw":"g","boot":1,"seq":1,"st":1,"n":"D000:x","vs":"low"}]', "bad_value"),
        ('[{"gw":"g","boot":1,"seq":1,"st":1,"bu":"m3/h","n":"D000:x","v":1}]', "wrong_unit"),
        ('[{"gw":"g","boot":1,"seq":1,"st":1,"n":"D000:x","v":1}]', "wrong_unit"),
        ('[{"gw":"g","boot":1,"seq":1,"st":1,"bu":"Pa","n":"D999:x","v":1}]', "unknown_device"),
        ('[{"gw":"g","boot":1,"seq":1,"st":1,"bu":"Pa","n":"D000:x","v":1,"t":"x"}]', "bad_time"),
        (
            '[{"gw":"g","boot":1,"seq":1,"st":1,"bu":"Pa","n":"D000:x","v":1,"t":9e99}]',
            "far_future",
        ),
    ],
)
def test_a_bad_reading_is_counted_under_its_reason(text: str, expected: str) -> None:
    decoded = CODECS["senml_json"].decode(text.encode(), NOW_MS)
    assert decoded.rejected == {RejectReason(expected): 1}
    assert len(decoded.frame.batch) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[" * 100_000, "malformed"),
        ("{}", "malformed"),
        ("[1]", "malformed"),
        ("[]", "no_identity"),
        ('[{"n":"D000:x","u":"Pa","v":1}]', "no_identity"),
        ('[{"gw":"g","boot":-1,"seq":1,"st":1}]', "no_identity"),
        ('[{"gw":"g","boot":1,"seq":1e300,"st":1}]', "no_identity"),
        ('[{"gw":"g","boot":1,"seq":true,"st":1}]', "no_identity"),
        ('[{"gw":"Ä","boot":1,"seq":1,"st":1}]', "no_identity"),
        ('[{"gw":"g","boot":1,"seq":1,"st":1,"new_":1}]', "must_understand"),
        ('[{"gw":"g","boot":1,"seq":1,"st":1,"bver":11}]', "must_understand"),
        ('[{"gw":"g","boot":1,"seq":1,"st":1,"bt":"x"}]', "malformed"),
        ('[{"gw":"g","boot":1,"seq":1,"st":1,"n":"a b","v":1}]', "malformed"),
    ],
)
def test_a_bad_pack_is_refused_whole(text: str, expected: str) -> None:
    with pytest.raises(FrameError) as refusal:
        CODECS["senml_json"].decode(text.encode(), NOW_MS)
    assert refusal.value.reason == expected


def test_arrow_refuses_a_frame_of_another_registry() -> None:
    other = codec_named("arrow_ipc", Registry.of([device(number) for number in range(23)]))
    with pytest.raises(FrameError, match="registry_mismatch"):
        other.decode(GOOD["arrow_ipc"], NOW_MS)


def test_arrow_counts_numbers_outside_the_registry() -> None:
    rows = [(-1, NOW_MS, 1.0), (24, NOW_MS, 1.0), (23, NOW_MS, 1.0)]
    decoded = CODECS["arrow_ipc"].decode(CODECS["arrow_ipc"].encode(frame_of(rows)), NOW_MS)
    assert decoded.rejected == {RejectReason.UNKNOWN_DEVICE: 2}
    assert decoded.frame.batch.device.tolist() == [23]


def arrow_stream(columns: dict[str, pa.Array], **options: object) -> bytes:
    """Return an Arrow stream with the metadata of a good frame but other columns."""
    metadata = pa.ipc.open_stream(GOOD["arrow_ipc"]).schema.metadata
    fields = [pa.field(name, array.type, nullable=False) for name, array in columns.items()]
    schema = pa.schema(fields, metadata=metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(list(columns.values()), schema=schema))
    return bytes(sink.getvalue())


def columns(rows: int, value: pa.Array | None = None) -> dict[str, pa.Array]:
    return {
        "device": pa.array([0] * rows, pa.int32()),
        "time_ms": pa.array([NOW_MS] * rows, pa.int64()),
        "value": pa.array([1.0] * rows) if value is None else value,
    }


def test_arrow_takes_a_plain_stream_of_the_right_columns() -> None:
    decoded = CODECS["arrow_ipc"].decode(arrow_stream(columns(2)), NOW_MS)
    assert decoded.frame.batch.value.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "payload",
    [
        arrow_stream(columns(50_000), compression="zstd"),
        arrow_stream(columns(50_000), compression="lz4"),
        arrow_stream(columns(2, pa.array([1.0, None]))),
        arrow_stream(columns(2, pa.array([1, 2], pa.int64()))),
        arrow_stream({"device": pa.array([1], pa.int32())}),
    ],
    ids=["zstd", "lz4", "nulls", "integer values", "columns missing"],
)
def test_arrow_refuses_streams_of_another_layout(payload: bytes) -> None:
    with pytest.raises(FrameError, match="malformed"):
        CODECS["arrow_ipc"].decode(payload, NOW_MS)
