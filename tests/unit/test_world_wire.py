"""The world's end of the wire on a memory bus: order, counts, numbers, acknowledgements."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.codecs import codec_named
from sensors.errors import TopicError
from sensors.field import (
    Act,
    ClockAck,
    ClockTick,
    DeviceStatus,
    Feedback,
    FeedbackKind,
    WorkOrder,
    decode,
    decode_numbered,
    encode,
    encode_numbered,
)
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from sensors.readings import Frame, FrameId, ReadingBatch
from sensors.registry import Device, Registry
from sensors.transports import Envelope, topics
from sensors.transports.memory import MemoryBus, MemoryTransport
from simulator.wire import WorldWire

DEVICE = Device(
    id="a",
    kind="network_pressure",
    quantity="pressure",
    domain="water",
    area="D01",
    element="1",
    gateway="G1",
    x_m=0.0,
    y_m=0.0,
    interval_s=300,
    alarm_interval_s=60,
    upload_s=0,
    range_low=0.0,
    range_high=1.6,
    accuracy=0.002,
    resolution=0.0,
    alarm_low=float("nan"),
    alarm_high=float("nan"),
    max_step=0.6,
)
SAMPLE_MS = 1_750_000_000_000
REGISTRY = Registry.of([DEVICE, replace(DEVICE, id="b", gateway="G2", area="D02")])
ORDER = WorkOrder(
    "W1", "I1", "T1", "water", Level.RED, (Act.ISOLATE,), ("P1",), 0.0, 0.0, 0, {}, "nearest"
)
FEEDBACK = Feedback("W1/1", "W1", "I1", "T1", FeedbackKind.ACCEPTED, 5)
TRUTH = TrueIncident(
    "A", TrueKind.BURST, True, "water", "D01", "P1", 0.0, 0.0, Level.BLUE, 5, {"a": 7}
)


class Ends:
    """The world's wire and a client that hears all of it."""

    def __init__(self, **options: Any) -> None:
        bus = MemoryBus()
        self.platform: MemoryTransport = bus.client("platform")
        self.platform.subscribe(["tocsin/c/#"])
        self.wire = WorldWire(
            bus.client("world"),
            "c",
            codec_named("senml_json", REGISTRY),
            {"G1": ("D01", "water"), "G2": ("D02", "water")},
            {"a": "G1", "b": "G2"},
            **options,
        )

    def tick(
        self,
        number: int = 1,
        frames: Sequence[Frame] = (),
        statuses: Sequence[DeviceStatus] = (),
        feedback: Sequence[Feedback] = (),
        truths: Sequence[TrueIncident] = (),
        is_final: bool = False,
    ) -> ClockTick:
        return self.wire.publish_tick(
            number,
            number * 60_000,
            frames,
            statuses=statuses,
            feedback=feedback,
            truths=truths,
            is_final=is_final,
        )

    def heard(self) -> list[Envelope]:
        return self.platform.poll(0.0)

    def send_orders(self, *numbers: int) -> None:
        for number in numbers:
            order = replace(ORDER, id=f"W{number}")
            self.platform.publish(topics.order_topic("c", order.id), encode_numbered(number, order))

    def send_ack(self, tick: int, orders: int = 0) -> None:
        self.platform.publish(topics.ack_topic("c"), encode(ClockAck(tick, orders)))

    def taken(self) -> list[str]:
        self.wire.collect(0.0)
        return [order.id for order in self.wire.take_orders()]


def frame(gateway: str, seq: int) -> Frame:
    device = 0 if gateway == "G1" else 1
    batch = ReadingBatch.of([device], [SAMPLE_MS], [0.3])
    return Frame(FrameId(gateway, 0, seq), SAMPLE_MS + 1, batch)


def test_frames_go_out_before_the_clock_each_on_its_gateways_topic() -> None:
    ends = Ends()
    ends.tick(frames=[frame("G1", 0), frame("G2", 0)])
    assert [envelope.topic for envelope in ends.heard()] == [
        "tocsin/c/D01/water/G1/tele/senml_json",
        "tocsin/c/D02/water/G2/tele/senml_json",
        "tocsin/c/world/clock",
    ]


def test_the_clock_counts_distinct_frames_of_the_whole_run() -> None:
    ends = Ends()
    doubled = [frame("G1", 0), frame("G1", 0), frame("G2", 0)]
    assert ends.tick(1, doubled).frames == 2
    assert ends.tick(2).frames == 2
    assert ends.tick(3, [frame("G1", 1)]).frames == 3
    tele = [envelope for envelope in ends.heard() if "/tele/" in envelope.topic]
    assert len(tele) == 4


def test_the_returned_clock_is_the_published_one() -> None:
    ends = Ends(wants_ack=False)
    tick = ends.tick(9, [frame("G1", 0)], feedback=[FEEDBACK], is_final=True)
    assert decode(ends.heard()[-1].payload, ClockTick) == tick
    assert (tick.tick, tick.time_ms, tick.is_final, tick.wants_ack) == (9, 540_000, True, False)
    assert tick.messages == {"state": 0, "feedback": 1, "truth": 0}


@pytest.mark.parametrize(
    ("name", "message", "topic"),
    [
        ("feedback", FEEDBACK, "tocsin/c/world/feedback"),
        ("truths", TRUTH, "tocsin/c/world/truth"),
    ],
)
def test_messages_are_numbered_from_1_without_gaps(name: str, message: Any, topic: str) -> None:
    ends = Ends()
    for number, count in enumerate([2, 0, 3], start=1):
        options: dict[str, Any] = {name: [message] * count}
        tick = ends.tick(number, **options)
    heard = [envelope for envelope in ends.heard() if envelope.topic == topic]
    read = [decode_numbered(envelope.payload, type(message)) for envelope in heard]
    assert read == [(number, message) for number in range(1, 6)]
    assert tick.messages[name.removesuffix("s")] == 5


def test_status_messages_are_gathered_by_gateway() -> None:
    ends = Ends()
    beats = [DeviceStatus("b", 1, 0.9), DeviceStatus("a", 2, 0.8), DeviceStatus("b", 3, 0.7)]
    tick = ends.tick(statuses=beats)
    *states, _clock = ends.heard()
    assert [envelope.topic for envelope in states] == [
        "tocsin/c/D01/water/G1/state/json",
        "tocsin/c/D02/water/G2/state/json",
    ]
    read = [decode_numbered(state.payload, tuple[DeviceStatus, ...]) for state in states]
    assert read == [(1, (beats[1],)), (2, (beats[0], beats[2]))]
    assert tick.messages["state"] == 2


def test_acknowledgements_only_go_forward() -> None:
    ends = Ends()
    ends.tick(1)
    ends.tick(2)
    assert not ends.wire.is_acknowledged(0)
    for tick, expected in ((0, [True, False]), (2, [True, True]), (1, [True, True])):
        ends.send_ack(tick)
        ends.wire.collect(0.0)
        assert [ends.wire.is_acknowledged(number) for number in (0, 2)] == expected
    assert not ends.wire.is_acknowledged(3)


@pytest.mark.parametrize(("tick", "orders"), [(10**12, 0), (2, 0), (1, -1)])
def test_an_absurd_acknowledgement_is_counted_and_ignored(tick: int, orders: int) -> None:
    ends = Ends()
    ends.tick(1)
    ends.send_ack(tick, orders)
    ends.wire.collect(0.0)
    assert not ends.wire.is_acknowledged(1)
    assert ends.wire.bad_messages == 1


def test_a_later_word_on_the_same_tick_repairs_a_forged_one() -> None:
    ends = Ends()
    ends.tick(1)
    ends.send_ack(1, orders=10**9)
    ends.wire.collect(0.0)
    assert not ends.wire.is_acknowledged(1)
    ends.send_ack(1)
    ends.wire.collect(0.0)
    assert ends.wire.is_acknowledged(1)


def test_a_tick_is_acknowledged_only_with_all_its_orders() -> None:
    ends = Ends()
    ends.tick(1)
    ends.send_ack(1, orders=2)
    ends.send_orders(2)
    ends.wire.collect(0.0)
    assert not ends.wire.is_acknowledged(1)
    ends.send_orders(1)
    ends.wire.collect(0.0)
    assert ends.wire.is_acknowledged(1)
    assert ends.taken() == ["W1", "W2"]
    assert ends.wire.is_acknowledged(1)


@given(st.permutations(range(1, 7)), st.integers(0, 6))
def test_orders_are_taken_in_number_order_whatever_the_arrival(
    numbers: list[int], repeated: int
) -> None:
    ends = Ends()
    ends.send_orders(*numbers, *numbers[:repeated])
    assert ends.taken() == ["W1", "W2", "W3", "W4", "W5", "W6"]
    ends.send_orders(*numbers)
    assert ends.taken() == []


def test_an_order_overtaken_by_later_ones_still_comes() -> None:
    ends = Ends()
    ends.send_orders(2, 3)
    assert ends.taken() == ["W2", "W3"]
    ends.send_orders(1, 2, 3)
    assert ends.taken() == ["W1"]
    assert ends.wire.bad_messages == 0


GARBAGE: list[Callable[[], bytes]] = [
    lambda: b"",
    lambda: b"\xff\xfe",
    lambda: b"{",
    lambda: b'{"n": "one"}',
    lambda: b"[" * 5000,
    lambda: encode_numbered(0, ORDER),
    lambda: encode_numbered(-3, ORDER),
]


@pytest.mark.parametrize("topic", [topics.ack_topic("c"), topics.order_topic("c", "W1")])
@pytest.mark.parametrize("payload", GARBAGE)
def test_malformed_messages_are_counted_and_never_raised(
    topic: str, payload: Callable[[], bytes]
) -> None:
    ends = Ends()
    ends.platform.publish(topic, payload())
    ends.send_orders(1)
    assert ends.taken() == ["W1"]
    assert ends.wire.bad_messages == 1
    assert not ends.wire.is_acknowledged(0)


def test_a_damaged_order_is_counted_and_does_not_hold_up_the_clock() -> None:
    ends = Ends()
    ends.tick(1)
    ends.platform.publish(topics.order_topic("c", "W1"), encode_numbered(1, {"id": 5}))
    ends.send_orders(2)
    ends.send_ack(1, orders=2)
    assert ends.taken() == ["W2"]
    assert ends.wire.bad_messages == 1
    assert ends.wire.is_acknowledged(1)


def test_collected_messages_are_owed_no_more() -> None:
    bus = MemoryBus()
    world, platform = bus.client("world"), bus.client("platform")
    wire = WorldWire(world, "c", codec_named("senml_json", REGISTRY), {}, {})
    platform.publish(topics.ack_topic("c"), encode(ClockAck(1, 0)))
    wire.collect(0.0)
    world.close()
    assert bus.client("world").poll(0.0) == []


def test_a_reserved_area_is_refused_when_the_wire_is_made() -> None:
    codec = codec_named("senml_json", REGISTRY)
    with pytest.raises(TopicError, match="an area cannot be called 'world'"):
        WorldWire(MemoryBus().client("w"), "c", codec, {"G1": ("world", "water")}, {})
