"""The wire inside one process: a bus with sessions that behave as a broker's do."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sensors.errors import TransportError
from sensors.transports import Envelope, check_message
from sensors.transports.topics import matches


@dataclass(slots=True)
class _Session:
    """What the bus keeps of a client: filters, messages waiting and messages owed."""

    client_id: str
    is_clean: bool
    epoch: int = 0
    is_attached: bool = True
    filters: list[str] = field(default_factory=list)
    waiting: deque[Envelope] = field(default_factory=deque)
    owed: dict[int, Envelope] = field(default_factory=dict)

    def wants(self, topic: str) -> bool:
        return any(matches(one, topic) for one in self.filters)

    def attach(self) -> None:
        """Start a new connection: what was owed comes first, marked as a duplicate."""
        self.epoch += 1
        self.is_attached = True
        self.waiting.extendleft(
            replace(envelope, is_duplicate=True) for envelope in reversed(self.owed.values())
        )
        self.owed.clear()


class MemoryBus:
    """A broker in memory: in order, at least once, payloads passed on without copying.

    A session is kept by client id until it is closed as a clean one. A message that matches
    several filters of a client is delivered once.

    Args:
        window: Messages that may wait for one client; a publisher waits beyond that.
        stall_s: How long it waits before `publish` gives up with a TransportError.
    """

    def __init__(self, *, window: int = 100_000, stall_s: float = 30.0) -> None:
        self.window = window
        self.stall_s = stall_s
        self.changed = threading.Condition()
        self._sessions: dict[str, _Session] = {}
        self._retained: dict[str, bytes] = {}
        self._next_token = 0

    def client(self, client_id: str, *, clean: bool = False) -> "MemoryTransport":
        """Attach a client; one with the same id that is still attached is cut off.

        Args:
            client_id: Stable id; what the session owes from before is delivered again.
            clean: Begin with nothing and keep nothing after `close`.
        """
        with self.changed:
            session = self._sessions.get(client_id)
            if session is None or clean or session.is_clean:
                epoch = 0 if session is None else session.epoch + 1
                session = _Session(client_id, clean, epoch)
                self._sessions[client_id] = session
            else:
                session.attach()
            self.changed.notify_all()
            return MemoryTransport(self, client_id, session.epoch)

    def session(self, client_id: str, epoch: int) -> _Session:
        """Return the session of a client that is attached; TransportError when it is not."""
        session = self._sessions.get(client_id)
        if session is None or session.epoch != epoch or not session.is_attached:
            raise TransportError(f"memory client {client_id!r} is closed", retryable=False)
        return session

    def deliver(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Put a message into every session that wants it (the caller holds `changed`)."""
        takers = [one for one in self._sessions.values() if one.wants(topic)]
        for session in takers:
            self._wait_for_room(session)
        if retain:
            self._keep(topic, payload)
        for session in takers:
            if qos == 0 and not session.is_attached:
                continue
            session.waiting.append(self._envelope(topic, payload, qos))
        self.changed.notify_all()

    def deliver_retained(self, session: _Session, filters: Sequence[str]) -> None:
        """Put the retained messages that match `filters` into a session."""
        for topic, payload in sorted(self._retained.items()):
            if any(matches(one, topic) for one in filters):
                session.waiting.append(self._envelope(topic, payload, 1))
        self.changed.notify_all()

    def detach(self, client_id: str, epoch: int) -> None:
        """End a connection; a clean session is forgotten."""
        session = self._sessions.get(client_id)
        if session is None or session.epoch != epoch:
            return
        session.is_attached = False
        if session.is_clean:
            del self._sessions[client_id]
        self.changed.notify_all()

    def _envelope(self, topic: str, payload: bytes, qos: int) -> Envelope:
        if qos == 0:
            return Envelope(topic, payload)
        self._next_token += 1
        return Envelope(topic, payload, token=self._next_token)

    def _keep(self, topic: str, payload: bytes) -> None:
        if payload:
            self._retained[topic] = payload
        else:
            self._retained.pop(topic, None)

    def _wait_for_room(self, session: _Session) -> None:
        has_room = self.changed.wait_for(
            lambda: len(session.waiting) < self.window, timeout=self.stall_s
        )
        if not has_room:
            raise TransportError(
                f"client {session.client_id!r} leaves {len(session.waiting)} messages unread; "
                "poll it, or close its session as a clean one",
                retryable=True,
            )


class MemoryTransport:
    """One client of a `MemoryBus`; see `Transport`."""

    def __init__(self, bus: MemoryBus, client_id: str, epoch: int) -> None:
        self._bus = bus
        self._client_id = client_id
        self._epoch = epoch

    def subscribe(self, filters: Sequence[str]) -> None:
        """Receive what matches any of `filters`, retained messages first."""
        with self._bus.changed:
            session = self._session()
            session.filters.extend(one for one in filters if one not in session.filters)
            self._bus.deliver_retained(session, filters)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Put a message into every matching session; waits while one of them is full."""
        check_message(topic, payload, qos)
        with self._bus.changed:
            self._session()
            self._bus.deliver(topic, payload, qos, retain)

    def flush(self, timeout_s: float) -> None:
        """Do nothing: a message is delivered when `publish` returns."""
        with self._bus.changed:
            self._session()

    def poll(self, timeout_s: float, limit: int = 10_000) -> list[Envelope]:
        """Return up to `limit` messages; waits up to `timeout_s` for the first."""
        with self._bus.changed:
            session = self._session()
            until = time.monotonic() + timeout_s
            while not session.waiting and (left_s := until - time.monotonic()) > 0:
                self._bus.changed.wait(left_s)
                session = self._session()
            taken = [session.waiting.popleft() for _ in range(min(limit, len(session.waiting)))]
            for envelope in taken:
                if isinstance(envelope.token, int):
                    session.owed[envelope.token] = envelope
            self._bus.changed.notify_all()
            return taken

    def ack(self, envelopes: Sequence[Envelope]) -> None:
        """Forget messages that were owed."""
        with self._bus.changed:
            owed = self._session().owed
            for envelope in envelopes:
                if isinstance(envelope.token, int):
                    owed.pop(envelope.token, None)

    def close(self) -> None:
        """Detach; what is owed or waiting is kept for the next client with this id."""
        with self._bus.changed:
            self._bus.detach(self._client_id, self._epoch)

    def _session(self) -> _Session:
        return self._bus.session(self._client_id, self._epoch)
