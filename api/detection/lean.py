"""A run without a disk: the same world, wire and seven stages; log and truth stay in memory."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from api.bootstrap import build_stages, build_world
from api.plan import RunPlan
from pipeline.evaluate.stage import EvaluateStage
from pipeline.monitor.intake import Intake
from pipeline.ports import LogEntry
from pipeline.rules import RuleSet
from pipeline.runners.embedded import EmbeddedRunner, RunnerLimits
from sensors.codecs import CODEC_NAMES, codec_named
from sensors.field import Feedback, HotlineReport
from sensors.ground_truth import TrueIncident
from sensors.readings import Frame
from sensors.transports.memory import MemoryBus
from simulator.errors import SimulatorError
from simulator.recorder import Recorder

_NEVER = 1_000_000_000
"""Ticks between snapshots: nothing is resumed."""
_MOST_PUMPS = 10_000
"""Each takes in up to 10,000 messages; a tick of the largest city has some 200,000."""


@dataclass(frozen=True)
class LeanRun:
    """What a lean run leaves.

    Attributes:
        entries: The whole event log.
        truths: Every true incident in its last version, by id.
        end_ms: Event time of the last tick.
        readings: Readings the platform received.
        wall_s: How long the run took, without making the city.
    """

    entries: Sequence[LogEntry]
    truths: dict[str, TrueIncident]
    end_ms: int
    readings: int
    wall_s: float


class TruthKeeper(Recorder):
    """A recorder that keeps the truth in memory and writes nothing."""

    def __init__(self) -> None:
        self.truths: dict[str, TrueIncident] = {}
        self.listener = None

    def tick(
        self,
        time_ms: int,
        frames: Sequence[Frame],
        truths: Sequence[TrueIncident],
        feedback: Sequence[Feedback],
        calls: Sequence[HotlineReport] = (),
    ) -> None:
        """Keep the newest version of each true incident."""
        for truth in truths:
            self.truths[truth.id] = truth

    def close(self) -> dict[str, str]:
        """Return no hashes: nothing was written."""
        return {}


class MemoryStore:
    """An event store that lasts as long as its process (`pipeline.ports.EventStore`)."""

    def __init__(self) -> None:
        self._entries: list[LogEntry] = []
        self._outbox: dict[str, tuple[str, str, bytes]] = {}

    def append(self, entries: Sequence[LogEntry], outbox: Sequence[tuple[str, str, bytes]]) -> None:
        """Append entries and what goes out."""
        self._entries += entries
        self._outbox.update({item[0]: item for item in outbox})

    def entries(self, after: int = -1, limit: int | None = None) -> Sequence[LogEntry]:
        """Return entries with `seq` greater than `after`, in order."""
        found = self._entries[after + 1 :]
        return found if limit is None else found[:limit]

    def unsent(self) -> Sequence[tuple[str, str, bytes]]:
        """Return what was not marked as sent, oldest first."""
        return list(self._outbox.values())

    def mark_sent(self, keys: Sequence[str]) -> None:
        """Forget what was sent."""
        for key in keys:
            self._outbox.pop(key, None)

    def save_snapshot(self, seq: int, state: bytes) -> None:
        """Keep nothing: a lean run is not resumed."""

    def snapshot(self) -> tuple[int, bytes] | None:
        """Return None: there is never a snapshot."""
        return None

    def close(self) -> None:
        """Do nothing."""


class NoJournal:
    """An inbox that keeps nothing (`pipeline.ports.Inbox`)."""

    def append(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Do nothing."""

    def read(self) -> Iterator[tuple[str, bytes]]:
        """Yield nothing."""
        return iter(())

    def restart(self, messages: Sequence[tuple[str, bytes]] = ()) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def run_lean(plan: RunPlan, rules: RuleSet) -> LeanRun:
    """Run a plan to its end and return what was said and what was true.

    World, codec, wire and stages are those of `tocsin run`, so the event log is the same to the
    last hash; store, journal, snapshots and recording are left out.

    Raises:
        InjectionError: an incident of the plan cannot happen in this city.
        SimulatorError: the platform did not acknowledge a tick.
    """
    bus, keeper = MemoryBus(window=10_000_000), TruthKeeper()
    with ExitStack() as stack:
        parts = build_world(plan, bus.client("world"), Path(), recorder=keeper)
        stack.callback(parts.world.close)
        platform = _platform(plan, rules, bus)
        stack.callback(platform.close)
        began_s = time.monotonic()
        platform.start()
        parts.wire.collect(0.0)
        while not parts.world.is_over:
            parts.world.take_orders(parts.wire.take_orders())
            tick = parts.world.advance()
            _work(platform, tick.tick)
            parts.wire.collect(0.0)
        return LeanRun(
            entries=platform.entries(),
            truths=keeper.truths,
            end_ms=parts.world.now_ms,
            readings=platform.reading_counts().received,
            wall_s=time.monotonic() - began_s,
        )


def _work(platform: EmbeddedRunner, tick: int) -> None:
    """Let the platform take in what there is until it has done a tick."""
    for _ in range(_MOST_PUMPS):
        platform.pump(0.0)
        if platform.last_tick >= tick:
            return
    raise SimulatorError(f"tick {tick}: the platform waits for {platform.missing()}")


def _platform(plan: RunPlan, rules: RuleSet, bus: MemoryBus) -> EmbeddedRunner:
    stages = build_stages(plan, rules)
    evaluate = stages["evaluate"]
    assert isinstance(evaluate, EvaluateStage)
    return EmbeddedRunner(
        stages,
        Intake({name: codec_named(name, plan.registry) for name in CODEC_NAMES}),
        bus.client("platform"),
        MemoryStore(),
        NoJournal(),
        plan.city.id,
        start_ms=plan.scenario.start_ms,
        finish=evaluate.finish,
        limits=RunnerLimits(snapshot_every=_NEVER),
        gateways=frozenset(plan.registry.texts("gateway")),
    )
