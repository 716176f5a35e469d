"""A real run's messages as they crossed the wire, to be played to a platform again and again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from api.bootstrap import build_platform, build_world
from api.library import find_scenario
from api.plan import RunPlan, plan_run
from pipeline.ports import LogEntry
from pipeline.runners.embedded import EmbeddedRunner, RunnerLimits
from sensors.transports import topics
from sensors.transports.memory import MemoryBus

SHORT = Path(__file__).parent.parent / "data" / "short-burst.yaml"
Raw = tuple[str, bytes]


@dataclass(frozen=True)
class WireStory:
    """What the world published, tick by tick, and what an undisturbed platform made of it."""

    plan: RunPlan
    ticks: Sequence[Sequence[Raw]]
    entries: Sequence[LogEntry]
    rejected: int

    @property
    def city(self) -> str:
        return self.plan.city.id

    @cached_property
    def frames(self) -> Sequence[Raw]:
        """Frames of readings from all over the run."""
        every = [one for tick in self.ticks for one in tick if "/tele/" in one[0]]
        return every[:: max(1, len(every) // 50)]

    @cached_property
    def numbered(self) -> Sequence[Raw]:
        """Numbered messages: statuses, feedback, truth."""
        kinds = ("/state/", "/world/feedback", "/world/truth")
        return [one for tick in self.ticks for one in tick if any(kind in one[0] for kind in kinds)]


def record_story(out: Path, duration_s: int = 4 * 3600) -> WireStory:
    """Run the short burst for a while, listening in."""
    file = find_scenario(str(SHORT))
    scenario = file.scenario.model_copy(update={"duration": duration_s})
    plan = plan_run(scenario, file.path)
    bus = MemoryBus()
    tap = bus.client("tap")
    tap.subscribe([f"tocsin/{plan.city.id}/#"])
    platform = build_platform(plan, bus.client("platform"), out / "platform")
    parts = build_world(plan, bus.client("world"), out / "world")
    platform.start()
    ticks: list[list[Raw]] = []
    try:
        while not parts.world.is_over:
            parts.wire.collect(0.0)
            parts.world.take_orders(parts.wire.take_orders())
            tick = parts.world.advance()
            platform.pump(0.0)
            assert platform.last_tick == tick.tick
            heard = tap.poll(0.0)
            tap.ack(heard)
            ticks.append([(one.topic, one.payload) for one in heard if _is_from_world(one.topic)])
        entries, counts = platform.entries(), platform.reading_counts()
    finally:
        platform.close()
        parts.recorder.close()
        parts.world.close()
    return WireStory(plan, ticks, entries, counts.rejected)


def _is_from_world(topic: str) -> bool:
    return topic.split("/")[2] != "platform"


@contextmanager
def open_platform(
    story: WireStory, bus: MemoryBus, out: Path, snapshot_every: int = 60
) -> Iterator[EmbeddedRunner]:
    """Start a platform of the story's plan; it is closed in the end."""
    runner = build_platform(
        story.plan, bus.client("platform"), out, limits=RunnerLimits(snapshot_every)
    )
    try:
        runner.start()
        yield runner
    finally:
        runner.close()


def clock_topic_of(story: WireStory) -> str:
    return topics.clock_topic(story.city)
