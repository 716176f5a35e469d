"""How bytes travel between the two halves: envelopes and what every transport can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sensors.errors import TransportError


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message as it was received.

    Attributes:
        topic: Topic it was published on.
        payload: Its bytes, untouched.
        is_duplicate: Whether the wire says it may have been delivered before.
        token: What the transport needs to acknowledge it; None when nothing is owed.
    """

    topic: str
    payload: bytes
    is_duplicate: bool = False
    token: object = None


class Transport(Protocol):
    """One client's connection to the wire, at least once and with a session that is kept.

    A message received stays owed until it is handed to `ack`; what is owed comes again, marked
    as a duplicate, after a client with the same id attaches anew. Within one topic the order of
    publishing is kept; across topics and subscriptions it is not.
    """

    def subscribe(self, filters: Sequence[str]) -> None:
        """Receive what matches any of `filters` from now on, and retained messages at once.

        Raises:
            TransportError: the broker refused a filter or did not answer.
        """
        ...

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Send a message; waits while the window of unacknowledged ones is full.

        Args:
            topic: Topic without wildcards.
            payload: Bytes, possibly none.
            qos: 1 (at least once) or 0 (at most once).
            retain: Keep it as the topic's last message for later subscribers; an empty payload
                removes the one that is kept.

        Raises:
            TransportError: the window stayed full, the payload is too large or it is closed.
        """
        ...

    def flush(self, timeout_s: float) -> None:
        """Wait until every QoS 1 message published so far is acknowledged by the wire.

        Raises:
            TransportError: some were not within `timeout_s`; the message says how many.
        """
        ...

    def poll(self, timeout_s: float, limit: int = 10_000) -> list[Envelope]:
        """Return up to `limit` received messages; waits up to `timeout_s` for the first."""
        ...

    def ack(self, envelopes: Sequence[Envelope]) -> None:
        """Acknowledge messages got from `poll`; ones that are no longer owed are ignored."""
        ...

    def close(self) -> None:
        """Detach; the session stays unless it was asked to be clean. Closing twice is fine."""
        ...


MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""Largest payload any transport takes; the embedded broker is configured to the same size."""


def check_message(topic: str, payload: bytes, qos: int) -> None:
    """Refuse what no transport may carry: wildcards in a topic, QoS 2, an oversized payload.

    Raises:
        TransportError: not retryable, names the topic and what is wrong with it.
    """
    if not topic or "+" in topic or "#" in topic or " " in topic or "\0" in topic:
        raise TransportError(
            f"cannot publish on {topic!r}: a topic is not empty and has no space, + or #",
            retryable=False,
        )
    if qos not in (0, 1):
        raise TransportError(f"{topic}: qos {qos}; use 0 or 1", retryable=False)
    if len(payload) > MAX_MESSAGE_BYTES:
        raise TransportError(
            f"{topic}: payload of {len(payload)} bytes, the wire takes {MAX_MESSAGE_BYTES}; "
            "send smaller frames",
            retryable=False,
        )
