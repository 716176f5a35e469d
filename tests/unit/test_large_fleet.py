"""What a large fleet asks of the platform: grouped silence, counted frames, calls of citizens."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks.bench_fleet import looped
from pipeline.adapters.inbox import InboxJournal
from pipeline.adapters.sql_store import SqlStore, sqlite_url
from pipeline.loop import Step
from pipeline.messages import Message
from pipeline.monitor.intake import Intake
from pipeline.monitor.stage import MonitorStage
from pipeline.rules import default_rules
from pipeline.runners.embedded import EmbeddedRunner
from pipeline.stage import Stage
from sensors.codecs import codec_named
from sensors.field import ClockTick, DeviceStatus, HotlineReport, encode, encode_numbered
from sensors.readings import Frame
from sensors.transports import topics
from sensors.transports.memory import MemoryBus
from tests.conformance.pressure_devices import START_MS, frame_of, pressure_registry
from tests.unit.hand_stages import HandStage

DEVICES, MINUTE_MS, CITY = 150, 60_000, "town"
REGISTRY = pressure_registry(DEVICES)
CODEC = codec_named("senml_json", REGISTRY)
TOPIC = f"tocsin/{CITY}/D01/water/g-D01/tele/senml_json"
CALL = HotlineReport("H1", START_MS, START_MS + 1, "gas_smell", "D01", 1.0, 2.0)


class Town:
    """Publishes ticks to a platform of given stages, and pumps it."""

    def __init__(self, folder: Path, stages: dict[str, Stage], steps: Sequence[Step]) -> None:
        bus = MemoryBus()
        self.client, self.tick, self.frames, self.calls = bus.client("world"), 0, 0, 0
        self.runner = EmbeddedRunner(
            stages,
            Intake({"senml_json": CODEC}),
            bus.client("platform"),
            SqlStore(sqlite_url(folder / "loop.sqlite")),
            InboxJournal(folder / "inbox.journal"),
            CITY,
            start_ms=START_MS,
            finish=lambda now_ms: (),
            steps=steps,
        )
        self.runner.start()

    def send(self, seq: int) -> None:
        sent_ms = START_MS + (self.tick + 1) * MINUTE_MS
        frame = frame_of([(seq % DEVICES, sent_ms - 1, 0.3)], seq, sent_ms=sent_ms)
        self.client.publish(TOPIC, CODEC.encode(frame))

    def call(self, report: HotlineReport) -> None:
        self.calls += 1
        payload = encode_numbered(self.calls, report)
        self.client.publish(topics.hotline_topic(CITY), payload)

    def end_tick(self, frames: int = 0) -> None:
        self.tick, self.frames = self.tick + 1, self.frames + frames
        counts = {"hotline": self.calls}
        tick = ClockTick(self.tick, START_MS + self.tick * MINUTE_MS, self.frames, counts)
        self.client.publish(topics.clock_topic(CITY), encode(tick))
        assert self.runner.pump(0.0) == 1


@contextmanager
def town(folder: Path, stages: dict[str, Stage], *steps: Step) -> Iterator[Town]:
    made = Town(folder, stages, steps)
    yield made
    made.runner.close()


def monitored(folder: Path) -> AbstractContextManager[Town]:
    stage = MonitorStage(REGISTRY, default_rules().device)
    step = Step("monitor", "monitor", Frame | DeviceStatus, "area")
    return town(folder, {"monitor": stage}, step)


def test_a_silent_fleet_is_one_entry_of_the_log(tmp_path: Path) -> None:
    with monitored(tmp_path) as place:
        for _ in range(20):
            place.end_tick()
        entries = place.runner.entries()
    assert [(entry.kind, entry.data["count"]) for entry in entries] == [
        ("DeviceHealthGroup", DEVICES)
    ]


def test_every_published_frame_is_received_or_declared_lost(tmp_path: Path) -> None:
    with monitored(tmp_path) as place:
        for seq in (0, 1, 1, 4):
            place.send(seq)
        place.end_tick(frames=3)
        counts = place.runner.frame_counts()
    assert (counts.received, counts.duplicate, counts.lost) == (3, 1, 2)
    assert counts.unaccounted(published=5, declared_lost=2) == 0
    assert counts.unaccounted(published=6, declared_lost=2) == 1


def test_a_call_to_the_hotline_reaches_the_stages_in_its_tick(tmp_path: Path) -> None:
    heard: list[Message] = []
    stage = HandStage("ear", lambda one: heard.append(one) or [])  # type: ignore[func-returns-value]
    with town(tmp_path, {"ear": stage}, Step("ear", "ear", HotlineReport, "area")) as place:
        place.end_tick()
        assert heard == []
        place.call(CALL)
        place.end_tick()
    assert heard == [CALL]


def test_the_whole_fleet_benchmark_accounts_for_every_frame() -> None:
    figure = looped(400, "stress-storm", "memory", 12)
    detail = figure.detail
    assert detail["frames_unaccounted"] == 0
    assert detail["frames"] == detail["frames_received"] > 0
    assert detail["readings"] == detail["received"]
