"""What the platform's own people tell it: acts and rule files, kept like what came by wire.

`tell` may be called from any thread; at the next pump it is written to the inbox journal, and
the next tick's stages are given it, in the order in which it was told. A second message with an
id that was taken before is dropped.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from pipeline.event_log import EventLog, chained
from pipeline.messages import OperatorAct, RuleText
from pipeline.ports import LogEntry
from pipeline.runners.marks import Raw
from sensors.field import decode, encode

FromOperator = OperatorAct | RuleText
"""What people tell the platform."""

_ACT, _RULES = "$operator/act", "$operator/rules"
"""Topics in the journal; no wire has them, for no filter of the platform begins with `$`."""
_MOST_IDS = 10_000


@dataclass
class ToldKept:
    """What a snapshot keeps: acts and rule files that wait for a tick, ids taken before."""

    acts: list[OperatorAct] = field(default_factory=list)
    rules: list[RuleText] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)


class Told:
    """Messages of operators on their way to the next tick."""

    def __init__(self) -> None:
        self._queue: deque[FromOperator] = deque()
        self._waiting: list[FromOperator] = []
        self._seen: dict[str, None] = {}

    def tell(self, message: FromOperator) -> None:
        """Take a message from any thread."""
        self._queue.append(message)

    def raws(self) -> list[Raw]:
        """Return what was told since the last call, as the journal keeps it."""
        raws: list[Raw] = []
        while self._queue:
            message = self._queue.popleft()
            topic = _ACT if isinstance(message, OperatorAct) else _RULES
            raws.append((topic, encode(message)))
        return raws

    def receive(self, topic: str, payload: bytes) -> bool:
        """Sort in one message of the journal; return False when it is none of an operator's.

        Raises:
            FrameError: malformed.
        """
        if topic not in (_ACT, _RULES):
            return False
        message: FromOperator = (
            decode(payload, OperatorAct) if topic == _ACT else decode(payload, RuleText)
        )
        if message.id not in self._seen:
            self._seen[message.id] = None
            self._waiting.append(message)
            if len(self._seen) > _MOST_IDS:
                del self._seen[next(iter(self._seen))]
        return True

    def next_tick(self, now_ms: int) -> list[FromOperator]:
        """Return what waits; what says it was done later than now, or never, is done now."""
        waiting, self._waiting = self._waiting, []
        return [
            one if 0 < one.time_ms <= now_ms else replace(one, time_ms=now_ms) for one in waiting
        ]

    def kept(self) -> ToldKept:
        """Return everything as a snapshot keeps it."""
        return ToldKept(
            [one for one in self._waiting if isinstance(one, OperatorAct)],
            [one for one in self._waiting if isinstance(one, RuleText)],
            [one.id for one in self._waiting],
            list(self._seen),
        )

    def restore(self, kept: ToldKept) -> None:
        """Go on with what a snapshot kept; what was told since and not journaled stays."""
        waiting: dict[str, FromOperator] = {one.id: one for one in kept.acts}
        waiting |= {one.id: one for one in kept.rules}
        self._waiting = [waiting[name] for name in kept.order]
        self._seen = dict.fromkeys(kept.seen)


def enter(log: EventLog, messages: Sequence[FromOperator]) -> list[LogEntry]:
    """Return the log entries of what operators told: stage `operator`, actor who told it."""
    entries: list[LogEntry] = []
    for one in messages:
        data = msgspec.json.decode(msgspec.json.encode(one), type=dict[str, object])
        is_act = isinstance(one, OperatorAct)
        subject = (one.target or one.id) if isinstance(one, OperatorAct) else one.source
        entry = chained(
            log.next_seq,
            one.time_ms,
            "operator",
            type(one).__name__,
            one.by,
            subject,
            str(data["kind"]) if is_act else "rules_given",
            data,
            log.last_hash,
        )
        log.next_seq, log.last_hash = entry.seq + 1, entry.hash
        entries.append(entry)
    return entries
