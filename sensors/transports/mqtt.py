"""The wire over any MQTT 3.1.1 broker: manual acknowledgement, bounded window, kept session.

Order is kept within a topic. It is not kept across subscriptions: some brokers (NATS) serve
each of them independently.
"""

import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from sensors.errors import TransportError
from sensors.transports import Envelope, check_message

WINDOW = 2_000
"""Unacknowledged QoS 1 messages at most; an unbounded queue makes the client collapse."""

CONNECT_TIMEOUT_S = 10.0
"""How long connecting or subscribing may take."""

STALL_S = 60.0
"""How long `publish` waits for room, through reconnects, before it gives up."""

_KEEPALIVE_S = 30
_LONGEST_BACKOFF_S = 5


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker is and how to get in."""

    host: str
    port: int
    is_tls: bool
    user: str | None
    password: str | None

    @classmethod
    def parse(cls, url: str) -> "BrokerAddress":
        """Return the parts of `mqtt://[user:password@]host[:port]`, or `mqtts://` with TLS.

        Raises:
            TransportError: it is no such URL.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise TransportError(f"broker URL {url!r}: {error}", retryable=False) from error
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path.strip("/"):
            raise TransportError(
                f"broker URL {url!r}: write it as mqtt://host:port or mqtts://user:pass@host:port",
                retryable=False,
            )
        is_tls = parts.scheme == "mqtts"
        user = None if parts.username is None else unquote(parts.username)
        password = None if parts.password is None else unquote(parts.password)
        return cls(parts.hostname, port or (8883 if is_tls else 1883), is_tls, user, password)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class _Token:
    """What an acknowledgement needs; packet ids mean nothing on a later connection."""

    connection: int
    packet: int


class MqttTransport:
    """One MQTT client with a network thread of its own; see `Transport`.

    It reconnects by itself and keeps its session. Use few clients and many topics: hundreds of
    clients in one process run into the limits of `select`.

    Args:
        url: `mqtt://[user:password@]host[:port]` or `mqtts://…`.
        client_id: Stable and unique at the broker; two clients with one id cut each other off.
        clean: Begin with nothing and leave nothing behind.
        window: Unacknowledged QoS 1 messages at most.

    Raises:
        TransportError: the broker cannot be reached or refuses the client.
    """

    def __init__(
        self, url: str, client_id: str, *, clean: bool = False, window: int = WINDOW
    ) -> None:
        self.address = BrokerAddress.parse(url)
        self._client_id = client_id
        self._window = window
        self._news = threading.Condition()
        self._received: deque[Envelope] = deque()
        self._connection = 0
        self._refusal: ReasonCode | None = None
        self._is_connected = False
        self._is_closed = False
        self._network: threading.Thread | None = None
        self._granted: dict[int, list[ReasonCode]] = {}
        self._filters: list[str] = []
        self._sending = threading.Lock()
        self._unacked: set[int] = set()
        self._acked: deque[int] = deque()
        self._acks_wanted = 1
        self._client = self._new_client(client_id, clean)
        self._connect()

    def subscribe(self, filters: Sequence[str]) -> None:
        """Receive what matches any of `filters`, once the broker has granted all of them."""
        self._check_open()
        if not filters:
            return
        code, packet = self._client.subscribe([(one, 1) for one in filters])
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or packet is None:
            raise TransportError(f"{self.address}: cannot subscribe: {code.name}", retryable=True)
        with self._news:
            is_answered = self._news.wait_for(lambda: packet in self._granted, CONNECT_TIMEOUT_S)
            codes = self._granted.pop(packet, [])
        if not is_answered:
            raise TransportError(f"{self.address}: no answer to a subscription", retryable=True)
        for one, granted in zip(filters, codes, strict=True):
            if granted.value != 1:
                raise TransportError(
                    f"{self.address} refuses to serve {one!r} with QoS 1 ({granted}); check the "
                    "client's rights, and with NATS that max_ack_pending times the number of "
                    "subscriptions stays below 65535",
                    retryable=False,
                )
        self._filters.extend(one for one in filters if one not in self._filters)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Send a message; waits while the window is full, through reconnects as well."""
        self._check_open()
        check_message(topic, payload, qos)
        with self._sending:
            if qos == 0:
                self._client.publish(topic, payload, 0, retain)
                return
            self._settle()
            if len(self._unacked) >= self._window:
                room = max(1, self._window // 4)
                self._wait_until_unacked(self._window - room, STALL_S)
            info = self._client.publish(topic, payload, 1, retain)
            if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
                raise TransportError(
                    f"{self.address}: packet id {info.mid} is still unacknowledged after all "
                    "others were used; the broker lost an acknowledgement",
                    retryable=True,
                )
            self._unacked.add(info.mid)

    def flush(self, timeout_s: float) -> None:
        """Wait until the broker has acknowledged every QoS 1 message published so far."""
        self._check_open()
        with self._sending:
            self._wait_until_unacked(0, timeout_s)

    def poll(self, timeout_s: float, limit: int = 10_000) -> list[Envelope]:
        """Return up to `limit` received messages; waits up to `timeout_s` for the first."""
        self._check_open()
        with self._news:
            if not self._received:
                self._news.wait_for(lambda: self._received or self._is_closed, timeout_s)
            count = min(limit, len(self._received))
            return [self._received.popleft() for _ in range(count)]

    def ack(self, envelopes: Sequence[Envelope]) -> None:
        """Acknowledge messages; those of an earlier connection will come again instead."""
        self._check_open()
        current = self._connection
        for envelope in envelopes:
            token = envelope.token
            if isinstance(token, _Token) and token.connection == current:
                self._client.ack(token.packet, 1)

    def close(self) -> None:
        """Disconnect and end the network thread; the broker keeps the session."""
        if self._is_closed:
            return
        with self._news:
            self._is_closed = True
            self._news.notify_all()
        client = self._client
        client.disconnect()
        with suppress(AttributeError):  # paho may forget its thread while waiting for it
            client.loop_stop()
        if self._network is not None:
            self._network.join()
        # paho may leave its socket open, and closes the rest when it is freed: let that be now.
        left_open = client.socket()
        if left_open is not None:
            left_open.close()
        client.on_connect = client.on_disconnect = client.on_subscribe = None
        client.on_publish = client.on_message = None

    def _new_client(self, client_id: str, clean: bool) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=clean,
            protocol=MQTTv311,
            manual_ack=True,
        )
        client.max_inflight_messages_set(0)  # `publish` bounds them; paho scans all on each ack
        client.reconnect_delay_set(1, _LONGEST_BACKOFF_S)
        client.connect_timeout = CONNECT_TIMEOUT_S
        if self.address.user is not None:
            client.username_pw_set(self.address.user, self.address.password)
        if self.address.is_tls:
            client.tls_set()
        client.on_socket_open = _send_without_delay
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def _connect(self) -> None:
        try:
            self._client.connect(self.address.host, self.address.port, _KEEPALIVE_S)
        except (OSError, ValueError) as error:
            raise TransportError(
                f"no MQTT broker at {self.address} ({error}); start one with `tocsin broker` "
                "or name another one with --broker",
                retryable=True,
            ) from error
        self._client.loop_start()
        with self._news:
            self._news.wait_for(lambda: self._is_connected or self._refusal, CONNECT_TIMEOUT_S)
        if self._is_connected:
            return
        self.close()
        why = "it does not answer as an MQTT broker" if self._refusal is None else self._refusal
        raise TransportError(
            f"the broker at {self.address} refused client {self._client_id!r}: {why}; "
            "check user, password and client id",
            retryable=False,
        )

    def _check_open(self) -> None:
        if self._is_closed:
            raise TransportError(f"MQTT client {self._client_id!r} is closed", retryable=False)

    def _settle(self) -> None:
        """Take acknowledged packets off the window (the caller holds `_sending`).

        The network thread only appends to `_acked`: it holds locks of its own that `publish`
        needs, so it must never wait for `_sending`.
        """
        while self._acked:
            self._unacked.discard(self._acked.popleft())

    def _wait_until_unacked(self, goal: int, timeout_s: float) -> None:
        """Wait until at most `goal` messages are unacknowledged; TransportError when not."""
        until = time.monotonic() + timeout_s
        self._settle()
        while len(self._unacked) > goal:
            left_s = until - time.monotonic()
            if left_s <= 0 or self._is_closed:
                raise TransportError(
                    f"{self.address} left {len(self._unacked)} messages unacknowledged after "
                    f"{timeout_s:g} s; check that the broker is up and has room on its disk",
                    retryable=True,
                )
            with self._news:
                self._acks_wanted = len(self._unacked) - goal
                if len(self._acked) < self._acks_wanted:
                    self._news.wait(min(left_s, 0.5))
            self._settle()

    def _on_connect(
        self,
        client: Client,
        userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if not reason.is_failure and self._filters and not flags.session_present:
            client.subscribe([(one, 1) for one in self._filters])
        self._network = threading.current_thread()
        with self._news:
            if reason.is_failure:
                self._refusal = reason
            else:
                self._connection += 1
                self._is_connected = True
            self._news.notify_all()

    def _on_disconnect(
        self,
        client: Client,
        userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._is_connected = False

    def _on_subscribe(
        self,
        client: Client,
        userdata: object,
        packet: int,
        codes: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        with self._news:
            self._granted[packet] = codes
            self._news.notify_all()

    def _on_publish(
        self,
        client: Client,
        userdata: object,
        packet: int,
        reason: ReasonCode,
        properties: Properties,
    ) -> None:
        self._acked.append(packet)
        if len(self._acked) >= self._acks_wanted:
            with self._news:
                self._news.notify_all()

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        token = _Token(self._connection, message.mid) if message.qos else None
        envelope = Envelope(message.topic, bytes(message.payload), message.dup, token)
        with self._news:
            self._received.append(envelope)
            self._news.notify_all()


def _send_without_delay(client: Client, userdata: object, sock: object) -> None:
    """Switch off Nagle's algorithm: it holds small packets back for tens of milliseconds."""
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
