"""A platform of one hand-written stage on a memory bus, a world that faces it, and a killer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from pipeline.adapters.inbox import InboxJournal
from pipeline.adapters.sql_store import SqlStore, sqlite_url
from pipeline.loop import Step
from pipeline.messages import Message
from pipeline.monitor.intake import Intake
from pipeline.ports import LogEntry
from pipeline.runners.embedded import EmbeddedRunner, Listener, RunnerLimits
from sensors.codecs import codec_named
from sensors.field import (
    ClockAck,
    ClockTick,
    Feedback,
    FeedbackKind,
    WorkOrder,
    decode,
    decode_numbered,
    encode,
    encode_numbered,
)
from sensors.readings import Frame
from sensors.transports import Envelope, topics
from sensors.transports.memory import MemoryBus, MemoryTransport
from tests.conformance.pressure_devices import START_MS, frame_of, pressure_registry
from tests.unit.hand_stages import CountingStage

CITY = "town"
REGISTRY = pressure_registry(3)
CODEC = codec_named("senml_json", REGISTRY)
FRAME_TOPIC = f"tocsin/{CITY}/D01/water/g-D01/tele/senml_json"
STEPS = (Step("count", "count", Frame | Feedback, "area"),)
MINUTE_MS = 60_000


class KilledError(BaseException):
    """Stands for kill -9: nothing catches it."""


@dataclass
class Killer:
    """Kills at the n-th moment at which something outside the process changes or has changed."""

    at: int | None = None
    moments: int = 0

    def moment(self) -> None:
        self.moments += 1
        if self.moments == self.at:
            raise KilledError


class WatchedStore(SqlStore):
    """A store with a moment before and after each change."""

    def __init__(self, file: Path, killer: Killer) -> None:
        super().__init__(sqlite_url(file))
        self.killer = killer

    def append(self, entries: Sequence[LogEntry], outbox: Sequence[tuple[str, str, bytes]]) -> None:
        self.killer.moment()
        super().append(entries, outbox)
        self.killer.moment()

    def mark_sent(self, keys: Sequence[str]) -> None:
        super().mark_sent(keys)
        self.killer.moment()

    def save_snapshot(self, seq: int, state: bytes) -> None:
        super().save_snapshot(seq, state)
        self.killer.moment()


class WatchedJournal(InboxJournal):
    """A journal with a moment after each change."""

    def __init__(self, file: Path, killer: Killer) -> None:
        super().__init__(file)
        self.killer = killer

    def append(self, messages: Sequence[tuple[str, bytes]]) -> None:
        super().append(messages)
        self.killer.moment()

    def restart(self, messages: Sequence[tuple[str, bytes]] = ()) -> None:
        super().restart(messages)
        self.killer.moment()


class WatchedTransport(MemoryTransport):
    """A client with a moment after each message sent or acknowledged."""

    killer: Killer

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        super().publish(topic, payload, qos=qos, retain=retain)
        self.killer.moment()

    def ack(self, envelopes: Sequence[Envelope]) -> None:
        super().ack(envelopes)
        self.killer.moment()


@dataclass
class Bench:
    """The bus, the folder, and one runner after another on them."""

    folder: Path
    killer: Killer = field(default_factory=Killer)
    limits: RunnerLimits = field(default_factory=lambda: RunnerLimits(2, 3.0))
    run: str = "run"
    bus: MemoryBus = field(default_factory=MemoryBus)
    listener: Listener | None = None
    stores: list[WatchedStore] = field(default_factory=list)
    journals: list[WatchedJournal] = field(default_factory=list)
    seconds: Iterator[int] = field(default_factory=count)

    def runner(self, stage: CountingStage | None = None) -> EmbeddedRunner:
        """Return a new runner on the folder, not started."""
        stage = stage or CountingStage()
        client = self.bus.client("platform")
        client.__class__ = WatchedTransport
        assert isinstance(client, WatchedTransport)
        client.killer = self.killer
        self.stores.append(WatchedStore(self.folder / "loop.sqlite", self.killer))
        self.journals.append(WatchedJournal(self.folder / "inbox.journal", self.killer))
        return EmbeddedRunner(
            {"count": stage},
            Intake({"senml_json": CODEC}),
            client,
            self.stores[-1],
            self.journals[-1],
            CITY,
            start_ms=START_MS,
            finish=_nothing,
            steps=STEPS,
            limits=self.limits,
            listener=self.listener,
            run=self.run,
            gateways=["g-D01"],
            clock=lambda: float(next(self.seconds)),
        )

    def entries(self) -> Sequence[LogEntry]:
        """Return the log as it is on disk."""
        return self.stores[-1].entries()

    def close(self) -> None:
        """Close what the runners were killed over."""
        for store in self.stores:
            store.close()
        for journal in self.journals:
            journal.close()
        self.stores, self.journals = [], []


def _nothing(now_ms: int) -> Sequence[Message]:
    return ()


@dataclass
class SmallWorld:
    """Publishes ticks of one gateway and listens to orders and acknowledgements."""

    bus: MemoryBus
    tick: int = 0
    frames: int = 0
    feedback: int = 0
    acks: list[ClockAck] = field(default_factory=list)
    orders: list[tuple[int, WorkOrder]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = self.bus.client("world")
        self.client.subscribe([topics.ack_topic(CITY), topics.order_filter(CITY)])

    def now_ms(self) -> int:
        return START_MS + self.tick * MINUTE_MS

    def send_frame(self, seq: int, sent_tick: int | None = None) -> None:
        sent_ms = START_MS + (self.tick if sent_tick is None else sent_tick) * MINUTE_MS
        frame = frame_of([(seq % 3, sent_ms - 1, 0.2 + seq / 1000)], seq, sent_ms=sent_ms)
        self.client.publish(FRAME_TOPIC, CODEC.encode(frame))

    def send_feedback(self) -> None:
        self.feedback += 1
        said = Feedback(f"f{self.feedback}", "o", "I-1", "T1", FeedbackKind.ARRIVED, self.now_ms())
        self.client.publish(topics.feedback_topic(CITY), encode_numbered(self.feedback, said))

    def send_clock(self, *, is_final: bool = False) -> ClockTick:
        counts = {"feedback": self.feedback}
        tick = ClockTick(self.tick, self.now_ms(), self.frames, counts, is_final)
        self.client.publish(topics.clock_topic(CITY), encode(tick))
        return tick

    def listen(self) -> None:
        for envelope in self.client.poll(0.0):
            if envelope.topic == topics.ack_topic(CITY):
                self.acks.append(decode(envelope.payload, ClockAck))
            else:
                number, order = decode_numbered(envelope.payload, WorkOrder)
                assert isinstance(order, WorkOrder)
                self.orders.append((number, order))

    def play(self, number: int, last: int) -> None:
        """Publish tick `number` of a story: a lost frame that comes late, repeats, feedback."""
        self.tick = number
        for seq in (2 * number, 2 * number + 1):
            if seq != 6:  # frame 6 of tick 3 comes two ticks later
                self.send_frame(seq)
        if number == 5:
            self.send_frame(6, sent_tick=3)
        if number % 2:
            self.send_frame(2 * number + 1)
        if number % 3 == 1:
            self.send_feedback()
        self.frames += 2
        self.send_clock(is_final=number == last)
