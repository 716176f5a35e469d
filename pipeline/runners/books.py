"""The books: what follows from a tick is entered in log and outbox at once, and sent after that.

After a restart the stages say again what they said before: entries the log already holds are
compared instead of written. Where many devices change alike in one tick (`health_group`) the
log gets one entry for all of them.
"""

from collections.abc import Callable, Sequence

from pipeline.errors import StoreError
from pipeline.event_log import EventLog
from pipeline.health_group import DeviceHealthGroup, grouped
from pipeline.messages import Message, Transition
from pipeline.ports import EventStore, LogEntry
from pipeline.runners.outgoing import Outgoing
from pipeline.runners.told import FromOperator
from pipeline.runners.told import enter as told_entries
from sensors.field import Feedback
from sensors.transports import Transport

Listener = Callable[[Sequence[LogEntry]], None]
"""Called with new entries after they are committed."""

_FLUSH_S = 30.0
_ENTERED = Transition | Feedback | DeviceHealthGroup


class Books:
    """Event log and outbox over a store, and the transport that empties the outbox."""

    def __init__(
        self,
        store: EventStore,
        transport: Transport,
        log: EventLog,
        outgoing: Outgoing,
        listener: Listener | None = None,
    ) -> None:
        """Go on after the end of `log`; what the store holds beyond it is to come again."""
        self.log, self.outgoing = log, outgoing
        self._store, self._transport, self._listener = store, transport, listener
        self._ahead = {entry.seq: entry.hash for entry in store.entries(after=log.next_seq - 1)}

    @property
    def first_ahead(self) -> int | None:
        """The first entry that is to come again, None when all have."""
        return min(self._ahead, default=None)

    def enter(self, messages: Sequence[Message], told: Sequence[FromOperator] = ()) -> None:
        """Enter what operators told and what one tick led to, then send what goes out.

        Raises:
            StoreError: it is not what the log holds for this tick.
        """
        is_known = self.log.next_seq in self._ahead
        entries = [self._checked(entry) for entry in told_entries(self.log, told)]
        entries += [
            self._entry(message) for message in grouped(messages) if isinstance(message, _ENTERED)
        ]
        sending = [out for out in map(self.outgoing.of, messages) if out is not None]
        if is_known or not (entries or sending):
            return
        self._store.append(entries, sending)
        if sending:
            self.send()
        if entries and self._listener is not None:
            self._listener(entries)

    def send(self) -> None:
        """Send what the outbox holds unsent, oldest first."""
        unsent = self._store.unsent()
        if not unsent:
            return
        for _, topic, payload in unsent:
            self._transport.publish(topic, payload)
        self._transport.flush(_FLUSH_S)
        self._store.mark_sent([key for key, _, _ in unsent])

    def _entry(self, message: Transition | Feedback | DeviceHealthGroup) -> LogEntry:
        return self._checked(self.log.add(message))

    def _checked(self, entry: LogEntry) -> LogEntry:
        """Return an entry, compared with the one the log holds already, if it does."""
        if self._ahead.pop(entry.seq, entry.hash) != entry.hash:
            raise StoreError(
                f"event log: entry {entry.seq} came out differently after the restart; the log "
                "belongs to another scenario, seed or version"
            )
        return entry
