"""The world's end of the wire: publishes ticks, takes orders and acknowledgements."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

from sensors.codecs import Codec
from sensors.errors import FrameError, RejectReason
from sensors.field import (
    ClockAck,
    ClockTick,
    DamagedMessage,
    DeviceStatus,
    Feedback,
    HotlineReport,
    WorkOrder,
    decode,
    decode_numbered,
    encode,
    encode_numbered,
)
from sensors.ground_truth import TrueIncident
from sensors.readings import Frame
from sensors.transports import Transport, topics
from sensors.transports.topics import TelemetryKind


class WorldWire:
    """Publishes what the world produces and collects what the platform sends.

    `bad_messages` counts acknowledgements and orders that could not be read. An order whose
    number can be read counts as arrived, so that a damaged one does not hold up the clock.

    Frames of a tick go out before its clock message, and the clock message counts them, so the
    platform knows when it has all of them whatever order they arrive in.
    """

    def __init__(
        self,
        transport: Transport,
        city: str,
        codec: Codec,
        gateways: Mapping[str, tuple[str, str]],
        device_gateway: Mapping[str, str],
        *,
        wants_ack: bool = True,
    ) -> None:
        self._transport, self._city, self._codec = transport, city, codec
        self._topics = {
            gateway: _topic(city, area, domain, gateway, TelemetryKind.TELE, codec.name)
            for gateway, (area, domain) in gateways.items()
        }
        self._state_topics = {
            gateway: _topic(city, area, domain, gateway, TelemetryKind.STATE, "json")
            for gateway, (area, domain) in gateways.items()
        }
        self._device_gateway = device_gateway
        self._wants_ack = wants_ack
        self._sent = {"state": 0, "feedback": 0, "truth": 0}
        self._frames = 0
        self._orders: dict[int, WorkOrder] = {}
        self._orders_whole = 0
        self._orders_ahead: set[int] = set()
        self._ack = ClockAck(tick=-1, orders=0)
        self._last_tick = 0
        self.bad_messages = 0
        transport.subscribe([topics.ack_topic(city), topics.order_filter(city)])

    def publish_tick(
        self,
        number: int,
        time_ms: int,
        frames: Sequence[Frame],
        *,
        statuses: Sequence[DeviceStatus],
        feedback: Sequence[Feedback],
        truths: Sequence[TrueIncident],
        calls: Sequence[HotlineReport] = (),
        is_final: bool,
    ) -> ClockTick:
        """Publish everything of one tick, then its clock message, and return that.

        Calls to the hotline are counted once there has been one.
        """
        for frame in frames:
            topic = self._topics[frame.id.gateway]
            self._transport.publish(topic, self._codec.encode(frame))
        self._frames += len({frame.id for frame in frames})
        self._publish_statuses(statuses)
        for message in feedback:
            self._publish("feedback", topics.feedback_topic(self._city), message)
        for truth in truths:
            self._publish("truth", topics.truth_topic(self._city), truth)
        for call in calls:
            self._publish("hotline", topics.hotline_topic(self._city), call)
        tick = ClockTick(number, time_ms, self._frames, dict(self._sent), is_final, self._wants_ack)
        self._last_tick = number
        self._transport.publish(topics.clock_topic(self._city), encode(tick))
        return tick

    def collect(self, timeout_s: float) -> None:
        """Take in orders and acknowledgements that have arrived."""
        envelopes = self._transport.poll(timeout_s)
        ack_topic = topics.ack_topic(self._city)
        for envelope in envelopes:
            try:
                if envelope.topic == ack_topic:
                    self._take_ack(decode(envelope.payload, ClockAck))
                else:
                    self._take_order(envelope.payload)
            except FrameError:
                self.bad_messages += 1
        self._transport.ack(envelopes)

    def is_acknowledged(self, tick: int) -> bool:
        """Return whether the platform has done `tick` and all its orders are here."""
        return self._ack.tick >= tick and self._orders_whole >= self._ack.orders

    def take_orders(self) -> list[WorkOrder]:
        """Return the orders that arrived since the last call, in the order they were numbered."""
        return [self._orders.pop(number) for number in sorted(self._orders)]

    def _take_ack(self, ack: ClockAck) -> None:
        """Take an acknowledgement forward; a later word on the same tick replaces the earlier."""
        if ack.tick > self._last_tick or ack.orders < 0:
            raise FrameError(RejectReason.BAD_VALUE, f"tick {ack.tick} was never published")
        if ack.tick >= self._ack.tick:
            self._ack = ack

    def _take_order(self, payload: bytes) -> None:
        number, order = decode_numbered(payload, WorkOrder)
        if number < 1:
            raise FrameError(RejectReason.MALFORMED, f"order number {number}; they start at 1")
        if number <= self._orders_whole or number in self._orders_ahead:
            return
        if isinstance(order, DamagedMessage):
            self.bad_messages += 1
        else:
            self._orders[number] = order
        self._orders_ahead.add(number)
        while self._orders_whole + 1 in self._orders_ahead:
            self._orders_whole += 1
            self._orders_ahead.remove(self._orders_whole)

    def _publish(self, kind: str, topic: str, message: object) -> None:
        self._sent[kind] = self._sent.get(kind, 0) + 1
        self._transport.publish(topic, encode_numbered(self._sent[kind], message))

    def _publish_statuses(self, statuses: Sequence[DeviceStatus]) -> None:
        by_gateway: Callable[[DeviceStatus], str] = lambda status: self._device_gateway[  # noqa: E731
            status.device
        ]
        for gateway, group in groupby(sorted(statuses, key=by_gateway), key=by_gateway):
            self._publish("state", self._state_topics[gateway], tuple(group))


def _topic(city: str, area: str, domain: str, gateway: str, kind: TelemetryKind, codec: str) -> str:
    return str(topics.TelemetryTopic(city, area, domain, gateway, kind, codec))
