"""The embedded runner: the whole platform in one process, safe against `kill -9`.

What arrives is written to the inbox journal and only then acknowledged to the broker. A tick is
worked on when everything it counted is there; what follows is committed to the store together
with what must go out, and sent after that. A restart loads the newest snapshot and works
through the journal again: stages are deterministic, so the same entries come out, and those the
log already holds are compared instead of written.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import StoreError
from pipeline.event_log import EventLog
from pipeline.loop import LOOP, Step
from pipeline.messages import Message
from pipeline.monitor.intake import Intake
from pipeline.monitor.stage import MonitorStage
from pipeline.ports import EventStore, Inbox, LogEntry
from pipeline.runners.arrivals import Arrivals, Kept, TickWork
from pipeline.runners.bodies import KINDS, Body, read_body
from pipeline.runners.books import Books, Listener
from pipeline.runners.counts import FrameCounts, ReadingCounts
from pipeline.runners.marks import Mark, batches, marked
from pipeline.runners.outgoing import Outgoing, Sent
from pipeline.runners.router import Router
from pipeline.runners.told import FromOperator, Told, ToldKept
from pipeline.stage import Stage, pack, unpack
from sensors.errors import FrameError, RejectReason, TopicError
from sensors.field import ClockAck, ClockTick, Feedback, decode, encode
from sensors.transports import Envelope, Transport, topics

__all__ = [
    "Counters",
    "EmbeddedRunner",
    "FrameCounts",
    "Listener",
    "ReadingCounts",
    "RunnerLimits",
]

_NAME, _VERSION = "runner", 3
_MOST_TOPICS = 100_000


@dataclass
class _State:
    run: str
    batch: int
    is_over: bool
    arrivals: Kept
    next_seq: int
    last_hash: str
    sent: Sent
    told: ToldKept
    rejected: dict[str, int]
    stages: dict[str, bytes]


@dataclass(frozen=True)
class RunnerLimits:
    """How often and how patiently the runner works.

    Attributes:
        snapshot_every: Ticks between snapshots; a restart repeats at most so many.
        patience_s: Seconds of wall time without progress before an incomplete tick is worked
            on all the same.
    """

    snapshot_every: int = 60
    patience_s: float = 15.0


@dataclass
class Counters:
    """What the runner counted, for metrics."""

    ticks: int = 0
    incomplete_ticks: int = 0


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
        run: str = "",
        gateways: Collection[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Put the parts together; `start` does the rest.

        Args:
            stages: The stages of `steps` by name.
            intake: Decodes frames.
            transport: The platform's end of the wire.
            store: Event log, outbox and snapshots.
            journal: What was received since the last snapshot.
            city: City whose topics are heard.
            start_ms: Event time at which the run begins.
            finish: Says what follows from the end of the run.
            steps: The loop, or its beginning.
            limits: Intervals and patience.
            listener: Told of new log entries.
            run: Names scenario and seed; a store of another run is refused.
            gateways: Gateways whose frames are taken, None for any.
            clock: Wall time in seconds, for patience alone.
        """
        self._stages, self._intake, self._router = stages, intake, Router(stages, steps)
        self._transport, self._store, self._journal, self._city = transport, store, journal, city
        self._limits, self._listener, self._finish = limits or RunnerLimits(), listener, finish
        self._run, self._gateways, self._clock = run, gateways, clock
        self._arrivals = Arrivals(KINDS, Kept(last_tick_ms=start_ms))
        self._books, self._told = self._open_books(EventLog(), Sent()), Told()
        self._topics: dict[str, topics.TelemetryTopic] = {}
        self._kinds = {
            topics.feedback_topic(city): "feedback",
            topics.hotline_topic(city): "hotline",
            topics.truth_topic(city): "truth",
        }
        self._batch, self._kept_batch, self._is_replaying = 0, -1, False
        self._stuck_at: tuple[int, int] | None = None
        self._stuck_since_s = 0.0
        self.counters = Counters()
        self.is_over = False

    @property
    def now_ms(self) -> int:
        """Event time of the last tick worked on."""
        return self._arrivals.last_tick_ms

    @property
    def last_tick(self) -> int:
        """Number of the last tick worked on, 0 before the first."""
        return self._arrivals.last_tick

    def start(self) -> None:
        """Resume from what is on disk, if anything is, then subscribe and report for duty.

        Raises:
            StoreError: what is on disk belongs to another run, or was tampered with.
        """
        kept = self._store.snapshot()
        if kept is not None:
            self._restore(kept[1])
        self._books.send()
        self._replay()
        self._snapshot()
        self._transport.subscribe(
            [
                topics.telemetry_filter(self._city),
                topics.status_filter(self._city),
                topics.clock_topic(self._city),
                *self._kinds,
            ]
        )
        self.acknowledge()

    def pump(self, timeout_s: float) -> int:
        """Take in what has arrived, work on whole ticks, return how many there were."""
        envelopes = self._transport.poll(timeout_s)
        is_forced, told = self._has_lost_patience(), self._told.raws()
        if not envelopes and not is_forced and not told:
            return 0
        self._batch += 1
        raws = [*told, *((item.topic, item.payload) for item in envelopes)]
        self._journal.append(marked(raws, Mark(self._batch, is_forced)))
        self._transport.ack(envelopes)
        for topic, payload in told:
            self._receive(topic, payload)
        for envelope in envelopes:
            self._take(envelope)
        return self._work_whole_ticks(is_forced=is_forced)

    def tell(self, message: FromOperator) -> None:
        """Take an operator's act or a rule file, from any thread; the next tick works on it.

        A message with an id that was taken before is ignored. What comes of it is in the log.
        """
        self._told.tell(message)

    def acknowledge(self) -> None:
        """Tell the world which tick is done and how many orders were published (again)."""
        ack = ClockAck(self.last_tick, self._books.outgoing.sent.orders)
        self._transport.publish(topics.ack_topic(self._city), encode(ack))

    def reading_counts(self) -> ReadingCounts:
        """Return what was received, dropped as duplicate and refused so far."""
        monitor = self._stages["monitor"]
        assert isinstance(monitor, MonitorStage)
        rejected = {reason.value: n for reason, n in sorted(self._intake.rejected.items())}
        counts = monitor.counts
        return ReadingCounts(counts.received, counts.duplicate, sum(rejected.values()), rejected)

    def frame_counts(self) -> FrameCounts:
        """Return what came of the frames so far."""
        monitor = self._stages["monitor"]
        assert isinstance(monitor, MonitorStage)
        counts = monitor.counts
        return FrameCounts(counts.frames, counts.duplicate_frames, counts.lost_frames)

    def entries(self) -> Sequence[LogEntry]:
        """Return the whole event log."""
        return self._store.entries()

    def missing(self) -> str:
        """Return what the runner waits for, for people."""
        return self._arrivals.missing()

    def close(self) -> None:
        """Keep a last snapshot and release store and journal; the transport is the caller's."""
        if self._batch != self._kept_batch:
            self._snapshot()
        self._journal.close()
        self._store.close()

    # Receiving.

    def _replay(self) -> None:
        """Go through the journal in the steps in which it was received."""
        self._is_replaying = True
        self._work_whole_ticks()
        for raws, mark in batches(self._journal.read()):
            if mark.batch <= self._batch:
                continue
            self._batch = mark.batch
            for topic, payload in raws:
                self._receive(topic, payload)
            self._work_whole_ticks(is_forced=mark.is_forced)
        self._is_replaying = False
        if self._books.first_ahead is not None:
            raise StoreError(
                f"event log: nothing leads to its entries from {self._books.first_ahead} on: it "
                "belongs to another scenario, seed or version, or the inbox journal was lost"
            )

    def _has_lost_patience(self) -> bool:
        now_s, stuck_at = self._clock(), self._arrivals.stuck_at()
        if stuck_at != self._stuck_at:
            self._stuck_at, self._stuck_since_s = stuck_at, now_s
        return stuck_at is not None and now_s - self._stuck_since_s > self._limits.patience_s

    def _take(self, envelope: Envelope) -> None:
        if not self._receive(envelope.topic, envelope.payload):
            self.acknowledge()

    def _receive(self, topic: str, payload: bytes) -> bool:
        """Sort one message in; return False for a tick that was done before."""
        try:
            if topic == topics.clock_topic(self._city):
                return self._arrivals.clock(decode(payload, ClockTick))
            if self._told.receive(topic, payload):
                return True
            kind = self._kinds.get(topic)
            if kind is None:
                self._receive_telemetry(self._parsed(topic), payload)
            else:
                self._receive_numbered(kind, payload)
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

    def _receive_telemetry(self, topic: topics.TelemetryTopic, payload: bytes) -> None:
        if topic.kind == "state":
            self._receive_numbered("state", payload)
            return
        if self._gateways is not None and topic.gateway not in self._gateways:
            raise FrameError(RejectReason.UNKNOWN_DEVICE, f"no gateway {topic.gateway}")
        frame = self._intake.decode(topic.codec, topic.gateway, payload, self.now_ms)
        if frame is not None:
            self._arrivals.frame(frame)

    def _receive_numbered(self, kind: str, payload: bytes) -> None:
        number, _ = read_body(kind, payload)
        self._arrivals.numbered(kind, number, payload)

    # Working.

    def _work_whole_ticks(self, *, is_forced: bool = False) -> int:
        done = 0
        while True:
            work = self._arrivals.next_tick()
            if work is None and is_forced:
                work, is_forced = self._arrivals.next_tick(is_forced=True), False
                self.counters.incomplete_ticks += int(work is not None)
            if work is None:
                return done
            self._work(work)
            done += 1

    def _work(self, work: TickWork) -> None:
        now_ms = work.tick.time_ms
        told = self._told.next_tick(now_ms)
        if work.refused:
            self._intake.reject(RejectReason.BAD_VALUE, work.refused)
        bodies = [read_body(kind, payload)[1] for kind, payload in work.numbered]
        feedback = [body for body in bodies if isinstance(body, Feedback)]
        outputs = self._router.run([*work.frames, *_messages(bodies), *told], now_ms)
        if work.tick.is_final:
            last = list(self._finish(now_ms))
            outputs += last + self._router.run(last, now_ms, is_time_told=False)
            self.is_over = True
        self._books.enter([*feedback, *outputs], told)
        self.counters.ticks += 1
        if self.last_tick % self._limits.snapshot_every == 0 or work.tick.is_final:
            self._snapshot()
        if work.tick.wants_ack:
            self.acknowledge()

    # Keeping.

    def _snapshot(self) -> None:
        if self._is_replaying:
            return
        log = self._books.log
        rejected = sorted(self._intake.rejected.items())
        state = _State(
            run=self._run,
            batch=self._batch,
            arrivals=self._arrivals.kept(),
            is_over=self.is_over,
            next_seq=log.next_seq,
            last_hash=log.last_hash,
            sent=self._books.outgoing.sent,
            told=self._told.kept(),
            rejected={reason.value: count for reason, count in rejected},
            stages={name: stage.snapshot() for name, stage in sorted(self._stages.items())},
        )
        self._store.save_snapshot(log.next_seq - 1, pack(_NAME, _VERSION, state))
        self._journal.restart()
        self._kept_batch = self._batch

    def _restore(self, snapshot: bytes) -> None:
        state = unpack(snapshot, _NAME, _VERSION, _State)
        if state.run != self._run:
            raise StoreError(
                f"the store holds the run {state.run!r}, this is {self._run!r}; "
                "choose another folder or store"
            )
        self._arrivals, self._batch = Arrivals(KINDS, state.arrivals), state.batch
        self._books = self._open_books(EventLog(state.next_seq, state.last_hash), state.sent)
        self.is_over = state.is_over
        self._told.restore(state.told)
        self._intake.rejected = {RejectReason(name): n for name, n in state.rejected.items()}
        for name, stage in self._stages.items():
            stage.restore(state.stages[name])

    def _open_books(self, log: EventLog, sent: Sent) -> Books:
        outgoing = Outgoing(self._city, sent)
        return Books(self._store, self._transport, log, outgoing, self._listener)


def _messages(bodies: Sequence[Body]) -> list[Message]:
    """Return bodies as the stages take them: statuses one by one."""
    messages: list[Message] = []
    for body in bodies:
        messages += body if isinstance(body, tuple) else (body,)
    return messages
