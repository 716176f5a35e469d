"""The event log as a hash chain: who decided what, when and why, in an order nobody can change."""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from pipeline.errors import StoreError
from pipeline.health_group import DeviceHealthGroup
from pipeline.messages import Transition
from pipeline.ports import LogEntry
from sensors.field import Feedback

FIRST_HASH = "0" * 64
"""What the first entry names as the hash before it."""


class EventLog:
    """Numbers and chains transitions; keeps only the end of the chain."""

    def __init__(self, next_seq: int = 0, last_hash: str = FIRST_HASH) -> None:
        self.next_seq, self.last_hash = next_seq, last_hash

    def add(self, message: Transition | Feedback | DeviceHealthGroup) -> LogEntry:
        """Return the next entry for a message; its data are as JSON keeps them (NaN is None)."""
        data = msgspec.json.decode(msgspec.json.encode(message), type=dict[str, object])
        if isinstance(message, Feedback):
            stage, actor, subject = "field", message.team, message.incident
            reason = message.kind.value
        else:
            stage, actor, subject = message.STAGE, message.actor, message.subject
            reason = message.reason
        entry = chained(
            self.next_seq,
            message.time_ms,
            stage,
            type(message).__name__,
            actor,
            subject,
            reason,
            data,
            self.last_hash,
        )
        self.next_seq, self.last_hash = entry.seq + 1, entry.hash
        return entry


def chained(
    seq: int,
    time_ms: int,
    stage: str,
    kind: str,
    actor: str,
    subject: str,
    reason: str,
    data: dict[str, object],
    prev_hash: str,
) -> LogEntry:
    """Return an entry with its hash: SHA-256 over the hash before and the entry as sorted JSON."""
    content = [seq, time_ms, stage, kind, actor, subject, reason, data]
    text = msgspec.json.encode(content, order="sorted")
    digest = hashlib.sha256(prev_hash.encode() + text).hexdigest()
    return LogEntry(seq, time_ms, stage, kind, actor, subject, reason, data, prev_hash, digest)


def verify(entries: Iterable[LogEntry], last_hash: str | None = None) -> int:
    """Check the chain from its beginning and return how many entries hold.

    Args:
        entries: The whole log.
        last_hash: Hash of its last entry as known from elsewhere. The chain alone cannot show
            that entries are missing at its end.

    Raises:
        StoreError: an entry was changed, dropped, added or moved; it names the first such `seq`.
    """
    last, count = FIRST_HASH, 0
    for entry in entries:
        again = chained(
            count,
            entry.time_ms,
            entry.stage,
            entry.kind,
            entry.actor,
            entry.subject,
            entry.reason,
            entry.data,
            last,
        )
        if again != entry:
            raise StoreError(f"event log: entry {entry.seq} does not follow from the one before")
        last, count = entry.hash, count + 1
    if last_hash is not None and last != last_hash:
        raise StoreError(f"event log: entries are missing after {count - 1}")
    return count


def as_lines(entries: Sequence[LogEntry]) -> Iterable[str]:
    """Return entries as JSON lines."""
    return (msgspec.json.encode(entry).decode() for entry in entries)
