"""The embedded runner: the whole platform in one process, safe against `kill -9`.

What arrives is written to the inbox journal and only then acknowledged to the broker. A tick is
worked on when everything it counted is there; what follows is committed to the store together
with what must go out, and sent after that. A restart loads the newest snapshot and works
through the journal again: stages are deterministic, so the same entries come out, and those the
log already holds are compared instead of written.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import StoreError
from pipeline.event_log import FIRST_HASH, EventLog
from pipeline.loop import LOOP, Step
from pipeline.messages import Message, Transition
from pipeline.monitor.intake import Intake
from pipeline.monitor.stage import MonitorStage
from pipeline.ports import EventStore, Inbox, LogEntry
from pipeline.runners.arrivals import Arrivals, Body, Raw, Seen, TickWork
from pipeline.runners.outgoing import Outgoing
from pipeline.runners.router import Router
from pipeline.stage import Stage, pack, unpack
from sensors.errors import FrameError, RejectReason, TopicError
from sensors.field import (
    ClockAck,
    ClockTick,
    DamagedMessage,
    DeviceStatus,
    Feedback,
    decode,
    decode_numbered,
    encode,
)
from sensors.ground_truth import TrueIncident
from sensors.transports import Envelope, Transport, topics

_NAME, _VERSION = "runner", 1
_MOST_TOPICS = 100_000


@dataclass
class _State:
    seen: Seen
    next_seq: int
    last_hash: str
    orders: int
    published: int
    rejected: dict[str, int]
    stages: dict[str, bytes]


@dataclass(frozen=True)
class RunnerLimits:
    """How often and how patiently the runner works.

    Attributes:
        snapshot_every: Ticks between snapshots; a restart repeats at most so many.
        patience_polls: Fruitless polls before an incomplete tick is worked on all the same.
    """

    snapshot_every: int = 60
    patience_polls: int = 300


@dataclass
class Counters:
    """What the runner counted, for metrics."""

    ticks: int = 0
    incomplete_ticks: int = 0


@dataclass(frozen=True, slots=True)
class ReadingCounts:
    """Readings as the platform counted them; `rejected` has 1 for a frame refused whole."""

    received: int
    duplicate: int
    rejected: int
    by_reason: dict[str, int]


Listener = Callable[[Sequence[LogEntry]], None]
"""Called with new entries after they are committed."""


class EmbeddedRunner:
    """The platform's seven stages over one transport, store and journal."""

    def __init__(
        self,
        stages: Mapping[str, Stage],
        intake: Intake,
        transport: Transport,
        store: EventStore,
        journal: Inbox,
        city: str,
        *,
        start_ms: int,
        finish: Callable[[int], Sequence[Message]],
        steps: Sequence[Step] = LOOP,
        limits: RunnerLimits | None = None,
        listener: Listener | None = None,
    ) -> None:
        self._stages, self._intake, self._router = stages, intake, Router(stages, steps)
        self._transport, self._store, self._journal, self._city = transport, store, journal, city
        self._limits, self._listener, self._finish = limits or RunnerLimits(), listener, finish
        self._arrivals, self._log = Arrivals(Seen(last_tick_ms=start_ms)), EventLog()
        self._outgoing = Outgoing(city)
        self._logged: dict[int, str] = {}
        self._topics: dict[str, topics.TelemetryTopic] = {}
        self._idle_polls = 0
        self.counters = Counters()
        self.is_over = False

    @property
    def now_ms(self) -> int:
        """Event time of the last tick worked on."""
        return self._arrivals.seen.last_tick_ms

    @property
    def last_tick(self) -> int:
        """Number of the last tick worked on, 0 before the first."""
        return self._arrivals.seen.last_tick

    def start(self) -> None:
        """Resume from what is on disk, if anything is, then subscribe and report for duty."""
        kept = self._store.snapshot()
        if kept is not None:
            self._restore(kept[1])
        ahead = self._store.entries(after=self._log.next_seq - 1)
        self._logged = {entry.seq: entry.hash for entry in ahead}
        for topic, payload in list(self._journal.read()):
            self._receive(topic, payload)
        self._work_whole_ticks()
        self._send_unsent()
        self._transport.subscribe(
            [
                topics.telemetry_filter(self._city),
                topics.status_filter(self._city),
                topics.clock_topic(self._city),
                topics.feedback_topic(self._city),
                topics.truth_topic(self._city),
            ]
        )
        self.acknowledge()

    def pump(self, timeout_s: float) -> int:
        """Take in what has arrived, work on whole ticks, return how many there were."""
        envelopes = self._transport.poll(timeout_s)
        if envelopes:
            self._journal.append([(item.topic, item.payload) for item in envelopes])
            self._transport.ack(envelopes)
        self._idle_polls = 0 if envelopes else self._idle_polls + 1
        for envelope in envelopes:
            self._take(envelope)
        is_forced = self._arrivals.is_waiting and self._idle_polls > self._limits.patience_polls
        return self._work_whole_ticks(is_forced=is_forced)

    def acknowledge(self) -> None:
        """Tell the world which tick is done and how many orders were published (again)."""
        ack = ClockAck(self.last_tick, self._outgoing.orders)
        self._transport.publish(topics.ack_topic(self._city), encode(ack))

    def reading_counts(self) -> ReadingCounts:
        """Return what was received, dropped as duplicate and refused so far."""
        monitor = self._stages["monitor"]
        assert isinstance(monitor, MonitorStage)
        rejected = {reason.value: n for reason, n in sorted(self._intake.rejected.items())}
        counts = monitor.counts
        return ReadingCounts(
            counts.received, counts.duplicate, sum(rejected.values()), rejected
        )

    def entries(self) -> Sequence[LogEntry]:
        """Return the whole event log."""
        return self._store.entries()

    def missing(self) -> str:
        """Return what the runner waits for, for people."""
        return self._arrivals.missing()

    def close(self) -> None:
        """Keep a last snapshot and release store and journal; the transport is the caller's."""
        self._snapshot()
        self._journal.close()
        self._store.close()

    # Receiving.

    def _take(self, envelope: Envelope) -> None:
        if not self._receive(envelope.topic, envelope.payload):
            self.acknowledge()

    def _receive(self, topic: str, payload: bytes) -> bool:
        """Sort one message in; return False for a tick that was done before."""
        raw = (topic, payload)
        try:
            if topic == topics.clock_topic(self._city):
                return self._arrivals.clock(decode(payload, ClockTick), raw)
            if topic == topics.feedback_topic(self._city):
                self._numbered("feedback", payload, Feedback, raw)
            elif topic == topics.truth_topic(self._city):
                self._numbered("truth", payload, TrueIncident, raw)
            else:
                self._receive_telemetry(self._parsed(topic), payload, raw)
        except TopicError:
            self._intake.reject(RejectReason.BAD_TOPIC)
        except FrameError as error:
            self._intake.reject(error.reason)
        return True

    def _parsed(self, topic: str) -> topics.TelemetryTopic:
        known = self._topics.get(topic)
        if known is None:
            known = topics.TelemetryTopic.parse(topic)
            if len(self._topics) < _MOST_TOPICS:
                self._topics[topic] = known
        return known

    def _receive_telemetry(self, topic: topics.TelemetryTopic, payload: bytes, raw: Raw) -> None:
        if topic.kind == "state":
            self._numbered("state", payload, tuple[DeviceStatus, ...], raw)
            return
        frame = self._intake.decode(topic.codec, topic.gateway, payload, self.now_ms)
        if frame is not None:
            self._arrivals.frame(frame, raw)

    def _numbered(self, kind: str, payload: bytes, body_type: type[Body], raw: Raw) -> None:
        number, body = decode_numbered(payload, body_type)
        self._arrivals.numbered(kind, number, body, raw)

    # Working.

    def _work_whole_ticks(self, *, is_forced: bool = False) -> int:
        done = 0
        while (work := self._arrivals.next_tick(is_forced=is_forced)) is not None:
            self.counters.incomplete_ticks += int(is_forced)
            is_forced = False
            self._work(work)
            done += 1
        return done

    def _work(self, work: TickWork) -> None:
        now_ms = work.tick.time_ms
        given: list[Message] = list(work.frames)
        for body in work.numbered:
            if isinstance(body, DamagedMessage):
                self._intake.reject(RejectReason.MALFORMED)
            elif isinstance(body, tuple):
                given += body
            else:
                given.append(body)
        outputs = self._router.run(given, now_ms)
        if work.tick.is_final:
            last = list(self._finish(now_ms))
            outputs += last + self._router.run(last, now_ms)
            self.is_over = True
        feedback = [body for body in work.numbered if isinstance(body, Feedback)]
        self._commit([*feedback, *outputs])
        self.counters.ticks += 1
        if self.last_tick % self._limits.snapshot_every == 0 or work.tick.is_final:
            self._snapshot()
        if work.tick.wants_ack:
            self.acknowledge()

    def _commit(self, messages: Sequence[Message]) -> None:
        entries: list[LogEntry] = []
        sending: list[tuple[str, str, bytes]] = []
        is_known = self._log.next_seq in self._logged
        for message in messages:
            if isinstance(message, Transition | Feedback):
                entry = self._log.add(message)
                if self._logged.pop(entry.seq, entry.hash) != entry.hash:
                    raise StoreError(
                        f"event log: entry {entry.seq} came out differently after the restart; "
                        "the log belongs to another scenario, seed or version"
                    )
                if not is_known:
                    entries.append(entry)
            outgoing = self._outgoing.of(message)
            if outgoing is not None and not is_known:
                sending.append(outgoing)
        if not entries and not sending:
            return
        self._store.append(entries, sending)
        self._send(sending)
        if self._listener is not None:
            self._listener(entries)

    def _send(self, sending: Sequence[tuple[str, str, bytes]]) -> None:
        if not sending:
            return
        for _, topic, payload in sending:
            self._transport.publish(topic, payload)
        self._transport.flush(30.0)
        self._store.mark_sent([key for key, _, _ in sending])

    def _send_unsent(self) -> None:
        self._send(self._store.unsent())

    # Keeping.

    def _snapshot(self) -> None:
        state = _State(
            seen=self._arrivals.seen,
            next_seq=self._log.next_seq,
            last_hash=self._log.last_hash,
            orders=self._outgoing.orders,
            published=self._outgoing.published,
            rejected={reason.value: count for reason, count in sorted(self._intake.rejected.items())},
            stages={name: stage.snapshot() for name, stage in sorted(self._stages.items())},
        )
        self._store.save_snapshot(self._log.next_seq - 1, pack(_NAME, _VERSION, state))
        self._journal.restart(self._arrivals.pending())

    def _restore(self, snapshot: bytes) -> None:
        state = unpack(snapshot, _NAME, _VERSION, _State)
        self._arrivals = Arrivals(state.seen)
        self._log = EventLog(state.next_seq, state.last_hash or FIRST_HASH)
        self._outgoing = Outgoing(self._city, state.orders, state.published)
        self._intake.rejected = {RejectReason(name): n for name, n in state.rejected.items()}
        for name, stage in self._stages.items():
            stage.restore(state.stages[name])
