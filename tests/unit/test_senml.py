"""SenML: every example of RFC 8428 §5 resolves as printed, and the fast path is the full one."""

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors.codecs import Decoded, SenmlJsonCodec
from sensors.codecs.senml import resolve
from sensors.errors import FrameError, RegistryError
from sensors.readings import Frame, FrameId, ReadingBatch
from sensors.registry import Device, Registry

OW = "urn:dev:ow:10e2073a01080063"
NOW_MS = 1_760_000_000_500
NAN = float("nan")


def device(name: str, quantity: str) -> Device:
    return Device(
        name, "kind", quantity, "water", "A1", "J1", "gw", 0.0, 0.0,
        60, 10, 0, 0.0, 1.0, 0.001, 0.0001, NAN, NAN, 0.2,
    )  # fmt: skip


REGISTRY = Registry.of(
    [device("p1", "pressure"), device("p2", "pressure"), device("f1", "flow"),
     device("s1", "pump_state"), device("h1", "water_level")]
)  # fmt: skip
CODEC = SenmlJsonCodec(REGISTRY)


def rows(text: str, now_s: float = 0.0) -> list[tuple[str, str | None, float | None, float]]:
    return [(one.name, one.unit, one.value, one.time_s) for one in resolve(json.loads(text), now_s)]


def test_rfc_single_datapoint_is_taken_as_now() -> None:
    text = '[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]'
    assert rows(text, now_s=1.7e9) == [(OW, "Cel", 23.1, 1.7e9)]


def test_rfc_multiple_datapoints_share_the_base_name() -> None:
    text = f'[{{"bn":"{OW}:","n":"voltage","u":"V","v":120.1}},{{"n":"current","u":"A","v":1.2}}]'
    assert rows(text) == [(f"{OW}:voltage", "V", 120.1, 0.0), (f"{OW}:current", "A", 1.2, 0.0)]


def test_rfc_series_counts_back_from_the_base_time_and_overrides_the_base_unit() -> None:
    text = """[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,
        "n":"voltage","u":"V","v":120.1},
        {"n":"current","t":-5,"v":1.2},{"n":"current","t":-4,"v":1.3},
        {"n":"current","t":-3,"v":1.4},{"n":"current","t":-2,"v":1.5},
        {"n":"current","t":-1,"v":1.6},{"n":"current","v":1.7}]"""
    name, end_s = "urn:dev:ow:10e2073a0108006:", 1276020076.001
    expected = [
        (name + "current", "A", value, pytest.approx(end_s + offset, abs=1e-6))
        for offset, value in ((-5, 1.2), (-4, 1.3), (-3, 1.4), (-2, 1.5), (-1, 1.6))
    ]
    expected += [(name + "voltage", "V", 120.1, end_s), (name + "current", "A", 1.7, end_s)]
    assert rows(text) == expected


def test_rfc_stream_needs_neither_name_nor_unit_in_later_records() -> None:
    series = [(10, 21.3), (20, 21.4), (30, 21.4), (40, 21.5), (50, 21.5), (60, 21.5), (70, 21.6)]
    records: list[object] = [{"bn": OW, "bt": 1.320067464e9, "bu": "%RH", "v": 21.2}]
    records += [{"t": offset, "v": value} for offset, value in series]
    resolved = resolve(records)
    assert [one.time_s - 1320067464 for one in resolved] == [0, 10, 20, 30, 40, 50, 60, 70]
    assert {(one.name, one.unit) for one in resolved} == {(OW, "%RH")}


def test_rfc_multiple_measurements_resolve_as_printed_in_the_next_section() -> None:
    text = """[{"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":20},
        {"u":"lon","v":24.30621},{"u":"lat","v":60.07965},
        {"t":60,"v":20.3},{"u":"lon","t":60,"v":24.30622},{"u":"lat","t":60,"v":60.07965},
        {"t":120,"v":20.7},{"u":"lon","t":120,"v":24.30623},{"u":"lat","t":120,"v":60.07966},
        {"u":"%EL","t":150,"v":98},
        {"t":180,"v":21.2},{"u":"lon","t":180,"v":24.30628},{"u":"lat","t":180,"v":60.07967}]"""
    expected = [
        ("%RH", 1320067464, 20), ("lon", 1320067464, 24.30621), ("lat", 1320067464, 60.07965),
        ("%RH", 1320067524, 20.3), ("lon", 1320067524, 24.30622), ("lat", 1320067524, 60.07965),
        ("%RH", 1320067584, 20.7), ("lon", 1320067584, 24.30623), ("lat", 1320067584, 60.07966),
        ("%EL", 1320067614, 98),
        ("%RH", 1320067644, 21.2), ("lon", 1320067644, 24.30628), ("lat", 1320067644, 60.07967),
    ]  # fmt: skip
    assert rows(text) == [(OW, unit, value, time_s) for unit, time_s, value in expected]


def test_rfc_multiple_data_types_keep_their_type() -> None:
    text = f"""[{{"bn":"{OW}:","n":"temp","u":"Cel","v":23.1}},{{"n":"label","vs":"Machine Room"}},
        {{"n":"open","vb":false}},{{"n":"nfc-reader","vd":"aGkgCg"}}]"""
    temp, label, is_open, reader = resolve(json.loads(text))
    assert (temp.value, temp.string, temp.boolean, temp.data) == (23.1, None, None, None)
    assert (label.value, label.string) == (None, "Machine Room")
    assert (is_open.name, is_open.boolean) == (f"{OW}:open", False)
    assert (reader.data, reader.is_bad) == ("aGkgCg", False)


def test_rfc_collection_changes_the_base_name_but_keeps_the_base_time() -> None:
    text = """[{"bn":"2001:db8::2/","bt":1.320078429e+09,"n":"temperature","u":"Cel","v":25.2},
        {"n":"humidity","u":"%RH","v":30},
        {"bn":"2001:db8::1/","n":"temperature","u":"Cel","v":12.3},
        {"n":"humidity","u":"%RH","v":67}]"""
    assert rows(text) == [
        ("2001:db8::2/temperature", "Cel", 25.2, 1320078429),
        ("2001:db8::2/humidity", "%RH", 30, 1320078429),
        ("2001:db8::1/temperature", "Cel", 12.3, 1320078429),
        ("2001:db8::1/humidity", "%RH", 67, 1320078429),
    ]


def test_rfc_actuators_may_be_set_relative_to_now_or_at_a_time() -> None:
    lights = '[{"bt":%s,"bu":"/","n":"2001:db8::3","v":1},{"n":"2001:db8::4","v":1}]'
    assert [row[3] for row in rows(lights % "0.02", now_s=1.7e9)] == [1.7e9 + 0.02] * 2
    dimmed = """[{"bt":1.320078429e+09,"bu":"/","n":"2001:db8::3","v":0.5},
        {"n":"2001:db8::4","v":0.5},{"n":"2001:db8::3","t":0.1,"v":0},
        {"n":"2001:db8::4","t":0.1,"v":0}]"""
    assert [row[2] for row in rows(dimmed)] == [0.5, 0.5, 0, 0]
    assert [row[3] for row in rows(dimmed)] == [1320078429.0] * 2 + [1320078429.1] * 2


def test_base_value_and_base_sum_are_added_and_stand_in_for_a_missing_field() -> None:
    first, second, third = resolve(
        [{"bn": "a", "bv": 10, "bs": 100, "v": 1, "s": 5}, {"t": 1}, {"t": 2, "bv": -3, "v": 1}]
    )
    assert (first.value, first.sum) == (11, 105)
    assert (second.value, second.sum) == (10, 100)
    assert (third.value, third.sum) == (-2, 100)


def test_a_sum_alone_is_a_record_without_value() -> None:
    (record,) = resolve([{"n": "meter", "u": "J", "s": 7, "ut": 60}])
    assert (record.value, record.sum, record.update_s, record.has_value) == (None, 7, 60, False)


def test_a_time_alone_is_a_record_without_value() -> None:
    (record,) = resolve([{"n": "meter", "t": 5}], now_s=1.7e9)
    assert (record.time_s, record.has_value) == (1.7e9 + 5, False)


@pytest.mark.parametrize(
    ("time_s", "expected"),
    [(-5.0, 1.7e9 - 5), (2**28 - 1, 1.7e9 + 2**28 - 1), (2**28, 2**28), (1.6e9, 1.6e9)],
)
def test_times_below_two_to_the_28_are_relative(time_s: float, expected: float) -> None:
    assert resolve([{"n": "a", "t": time_s, "v": 1}], now_s=1.7e9)[0].time_s == expected


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([{"n": "a", "v": 1, "future_": 1}], "must_understand"),
        ([{"n": "a", "v": 1, "bver": 11}], "must_understand"),
        ([{"n": "a", "v": 1, "bver": math.nan}], "must_understand"),
        ([{"n": "a", "v": 1, "bver": 5}, {"n": "b", "v": 1, "bver": 6}], "malformed"),
        ([{"n": "-a", "v": 1}], "malformed"),
        ([{"n": "a b", "v": 1}], "malformed"),
        ([{"v": 1}], "malformed"),
        ([{"n": 3, "v": 1}], "malformed"),
        ([{"bn": "a", "bt": True, "v": 1}], "malformed"),
        (["a"], "malformed"),
    ],
)
def test_a_pack_that_must_not_be_read_is_refused(records: list[object], reason: str) -> None:
    with pytest.raises(FrameError) as refusal:
        resolve(records)
    assert refusal.value.reason == reason


def test_unknown_labels_are_ignored_unless_they_end_in_an_underscore() -> None:
    assert resolve([{"n": "a", "v": 1, "l": "x", "_x": 2}])[0].value == 1


def pack(*records: dict[str, object]) -> bytes:
    identity = {"gw": "gw-1", "boot": 1, "seq": 2, "st": NOW_MS}
    return json.dumps([{**identity, **records[0]}, *records[1:]]).encode()


def test_values_come_back_in_the_own_unit_of_each_quantity() -> None:
    payload = pack(
        {"bn": "p", "bu": "bar", "n": "1", "v": 3.5},
        {"n": "2", "u": "kPa", "v": 350},
        {"bn": "", "n": "f1", "u": "l/s", "v": 10},
        {"n": "h1", "u": "cm", "v": 250},
    )
    batch = CODEC.decode(payload, NOW_MS).frame.batch
    np.testing.assert_allclose(batch.value, [0.35, 0.35, 36.0, 2.5], rtol=1e-12)
    assert batch.time_ms.tolist() == [NOW_MS] * 4


def test_a_pump_state_may_be_a_boolean() -> None:
    batch = CODEC.decode(
        pack({"n": "s1", "vb": True}, {"n": "s1", "vb": False}), NOW_MS
    ).frame.batch
    assert batch.value.tolist() == [1.0, 0.0]


def test_one_pack_may_hold_records_refused_for_different_reasons() -> None:
    payload = pack(
        {"n": "p1", "u": "Pa", "v": 1e5},
        {"n": "zz", "u": "Pa", "v": 1},
        {"n": "p1", "u": "m3/h", "v": 1},
        {"n": "p1", "u": "Pa", "v": None},
        {"n": "p1", "u": "Pa", "t": 1},
    )
    decoded = CODEC.decode(payload, NOW_MS)
    assert decoded.rejected == {"unknown_device": 1, "wrong_unit": 1, "bad_value": 1}
    assert decoded.frame.batch.value.tolist() == [0.1]  # to the last bit


def test_encoding_is_plain_senml_with_the_identity_first() -> None:
    batch = ReadingBatch.of([0, 1], [NOW_MS + 250, NOW_MS], [0.35, 0.36])
    payload = CODEC.encode(Frame(FrameId("gw-1", 4, 9), NOW_MS, batch))
    assert json.loads(payload) == [
        {"bt": 1760000000.5, "gw": "gw-1", "boot": 4, "seq": 9, "st": NOW_MS,
         "bu": "Pa", "n": "p1", "v": 350000.0, "t": 0.25},
        {"n": "p2", "v": 360000.0, "t": 0.0},
    ]  # fmt: skip
    assert [one.name for one in resolve(json.loads(payload))] == ["p2", "p1"]


def test_samples_that_other_parsers_would_take_as_relative_are_not_sent() -> None:
    with pytest.raises(FrameError, match="bad_time"):
        CODEC.encode(Frame(FrameId("g", 0, 0), 0, ReadingBatch.of([0], [1000], [1.0])))


def test_a_registry_with_an_id_that_is_no_senml_name_is_refused() -> None:
    with pytest.raises(RegistryError, match="no SenML name"):
        SenmlJsonCodec(Registry.of([device("pump 7", "flow")]))


def same(fast: Decoded, full: Decoded) -> bool:
    left, right = fast.frame, full.frame
    return (
        (left.id, left.sent_ms, fast.rejected) == (right.id, right.sent_ms, full.rejected)
        and left.batch.device.tolist() == right.batch.device.tolist()
        and left.batch.time_ms.tolist() == right.batch.time_ms.tolist()
        and left.batch.value.tobytes() == right.batch.value.tobytes()
    )


numbers = st.one_of(
    st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False)
)
offsets = st.one_of(st.integers(-(10**6), 10**6), st.floats(-1e5, 1e5), numbers)
units = st.sampled_from(["Pa", "kPa", "m3/h", "/", "1", "m", "furlong", ""])
names = st.sampled_from(REGISTRY.ids)
plain = st.fixed_dictionaries({"n": names, "v": numbers}, optional={"t": offsets})
with_unit = st.fixed_dictionaries({"n": names, "u": units, "v": numbers}, optional={"t": offsets})
heads = st.fixed_dictionaries(
    {
        "bt": st.one_of(st.floats(1.75e9, 1.77e9), st.integers(0, 2 * 10**9)),
        "gw": st.sampled_from(["gw-1", 'a"},{"b', "", "ü"]),
        "boot": st.integers(-1, 2**60),
        "seq": st.integers(0, 2**31),
        "st": st.integers(0, 2**41),
        "n": names,
        "v": numbers,
    },
    optional={"u": units, "t": offsets},
)
regular_packs = st.one_of(
    st.tuples(heads, units, st.lists(plain, max_size=6)).map(
        lambda parts: [{**parts[0], "bu": parts[1]}, *parts[2]]
    ),
    st.tuples(heads, st.lists(with_unit, max_size=6)).map(lambda parts: [parts[0], *parts[1]]),
)


def refusal_or(decode: Callable[[bytes, int], Decoded | None], payload: bytes) -> object:
    try:
        return decode(payload, NOW_MS)
    except FrameError as error:
        return error.reason


@settings(max_examples=400)
@given(regular_packs)
def test_the_fast_path_gives_what_the_full_rules_give(records: list[dict[str, object]]) -> None:
    payload = json.dumps(records).encode()
    fast = refusal_or(CODEC.decode_regular, payload)
    full = refusal_or(CODEC.decode_any, payload)
    if isinstance(fast, Decoded):
        assert isinstance(full, Decoded)
        assert same(fast, full)
    elif fast is not None:
        assert fast == full


batches = st.lists(
    st.tuples(
        st.integers(0, len(REGISTRY) - 1),
        st.integers(NOW_MS - 10**8, NOW_MS),
        st.floats(-1e4, 1e4),
    ),
    min_size=1,
    max_size=30,
)


@given(batches)
def test_what_the_encoder_writes_takes_the_fast_path_and_reads_the_same_on_the_full_one(
    readings: list[tuple[int, int, float]],
) -> None:
    devices, times, values = zip(*readings, strict=True)
    frame = Frame(FrameId("g", 0, 0), NOW_MS, ReadingBatch.of(devices, times, values))
    payload = CODEC.encode(frame)
    fast = CODEC.decode_regular(payload, NOW_MS)
    assert fast is not None
    assert same(fast, CODEC.decode_any(payload, NOW_MS))
