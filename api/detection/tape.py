"""A world without a platform, kept in memory tick by tick: the same one for every rule set."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from api.bootstrap import build_stages, build_world
from api.plan import RunPlan
from api.replaying.heartbeats import KeepingRecorder
from api.replaying.source import Body, RecordedTick
from pipeline.evaluate.stage import EvaluateStage
from pipeline.loop import LOOP
from pipeline.messages import Alarm, AlarmState, RunEvaluation
from pipeline.rules import RuleSet
from pipeline.runners.router import Router
from sensors.field import DeviceStatus, Feedback, HotlineReport
from sensors.ground_truth import TrueIncident
from sensors.readings import Frame
from sensors.transports.memory import MemoryBus

FINDING = ("monitor", "warn", "assess", "evaluate")
"""Stages that find: nobody acts on this world, so that no order changes what another variant
would have seen."""


class Tape(KeepingRecorder):
    """A recorder that keeps what each tick brought in memory and writes nothing."""

    def __init__(self) -> None:
        self.ticks: list[RecordedTick] = []
        self.listener = None

    def tick(
        self,
        time_ms: int,
        frames: Sequence[Frame],
        truths: Sequence[TrueIncident],
        feedback: Sequence[Feedback],
        calls: Sequence[HotlineReport] = (),
    ) -> None:
        """Keep a tick; there is no feedback, because nobody was sent out."""
        self.ticks.append(RecordedTick(time_ms, list(frames), [*calls, *truths]))

    def keep(self, now_ms: int, statuses: Sequence[DeviceStatus]) -> None:
        """Keep the heartbeats of the tick that was kept last."""
        last = self.ticks[-1]
        bodies: list[Body] = [*last.bodies, *statuses]
        self.ticks[-1] = last._replace(bodies=bodies)

    def close(self) -> dict[str, str]:
        """Return no hashes: nothing was written."""
        return {}


@dataclass(frozen=True)
class Judged:
    """What one rule set made of a taped world.

    Attributes:
        evaluation: Its scores.
        rules: Rules and warning models that raised an alarm, sorted.
    """

    evaluation: RunEvaluation
    rules: tuple[str, ...]


def taped(plan: RunPlan) -> Sequence[RecordedTick]:
    """Return every tick of a world to which no platform ever says a word.

    Raises:
        InjectionError: an incident of the plan cannot happen in this city.
    """
    bus, tape = MemoryBus(window=10_000_000), Tape()
    with ExitStack() as stack:
        parts = build_world(plan, bus.client("world"), Path(), wants_ack=False, recorder=tape)
        stack.callback(parts.world.close)
        while not parts.world.is_over:
            parts.world.advance()
            parts.wire.collect(0.0)
    return tape.ticks


def judge(plan: RunPlan, ticks: Sequence[RecordedTick], rules: RuleSet) -> Judged:
    """Let the stages that find judge a taped world by a rule set."""
    built = build_stages(plan, rules)
    running = {name: built[name] for name in FINDING}
    router = Router(running, [step for step in LOOP if step.name in running])
    raised: set[str] = set()
    now_ms = plan.scenario.start_ms
    for tick in ticks:
        now_ms = tick.now_ms
        for message in router.run([*tick.frames, *tick.bodies], now_ms):
            if isinstance(message, Alarm) and message.state is AlarmState.RAISED:
                raised.add(message.rule)
    evaluate = running["evaluate"]
    assert isinstance(evaluate, EvaluateStage)
    last = evaluate.finish(now_ms)[-1]
    assert isinstance(last, RunEvaluation)
    return Judged(last, tuple(sorted(raised)))
