"""Detection over a recording: the stages in process, without wire, journal and store."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from api.bootstrap import build_stages
from api.replaying.recording import Body, RecordedTick, Recording
from pipeline.evaluate.stage import EvaluateStage
from pipeline.loop import LOOP
from pipeline.messages import (
    Alarm,
    AlarmState,
    Incident,
    IncidentStatus,
    Message,
    RunEvaluation,
    Samples,
    WarningNotice,
)
from pipeline.monitor.counts import MonitorCounts
from pipeline.monitor.stage import MonitorStage
from pipeline.rules import RuleSet, default_rules
from pipeline.runners.router import Router
from pipeline.stage import Stage
from sensors.codecs.screening import screened
from sensors.errors import RejectReason
from sensors.field import Feedback, WorkOrder
from sensors.readings import Frame

M = TypeVar("M")

DETECTING = ("monitor", "warn", "assess", "dispatch", "supervise", "evaluate")
"""Stages that decide what is found; orders and closures are among them, because a case that is
never closed would swallow the next one. Reports are left out: they change nothing."""


@dataclass(frozen=True)
class DetectionResult:
    """What the stages said over a recording.

    Attributes:
        rules: The rule set.
        start_ms: Event time at which the recording begins.
        end_ms: Event time reached.
        messages: Everything the stages returned in order, samples left out.
        evaluation: Scores against the recorded truth; None when evaluation was left out.
        counts: What the monitor counted.
        rejected: Readings refused at the door, by reason.
        feedback: Recorded feedback that was given back, because its order was issued again …
        unanswered: … and ids of orders nobody answered.
        wall_s: Seconds of wall time it took, building the stages left out.
        build_s: Seconds it took to build the stages.
    """

    rules: RuleSet
    start_ms: int
    end_ms: int
    messages: tuple[Message, ...]
    evaluation: RunEvaluation | None
    counts: MonitorCounts
    rejected: Mapping[str, int]
    feedback: int
    unanswered: tuple[str, ...]
    wall_s: float
    build_s: float

    def of(self, kind: type[M]) -> tuple[M, ...]:
        """Return the messages of one kind, in order."""
        return tuple(one for one in self.messages if isinstance(one, kind))

    @cached_property
    def alarms(self) -> tuple[Alarm, ...]:
        """Every transition of every alarm, in order."""
        return self.of(Alarm)

    @cached_property
    def raised(self) -> tuple[Alarm, ...]:
        """The alarms as they were raised."""
        return tuple(one for one in self.alarms if one.state is AlarmState.RAISED)

    @cached_property
    def incidents(self) -> Mapping[str, Incident]:
        """The newest version of each confirmed incident, by id."""
        confirmed: dict[str, Incident] = {}
        for one in self.of(Incident):
            if one.id in confirmed or one.status is IncidentStatus.CONFIRMED:
                confirmed[one.id] = one
        return confirmed

    @cached_property
    def warnings(self) -> tuple[WarningNotice, ...]:
        """Every version of every warning, in order."""
        return self.of(WarningNotice)


@dataclass
class OpenLoop:
    """Gives recorded feedback back, but only for orders that are issued again."""

    issued: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    given: int = 0
    withheld: int = 0

    def admit(self, bodies: Sequence[Body]) -> list[Body]:
        """Return the bodies a platform with these orders would have been given."""
        kept: list[Body] = []
        for body in bodies:
            if isinstance(body, Feedback):
                if body.order not in self.issued:
                    self.withheld += 1
                    continue
                self.answered.add(body.order)
                self.given += 1
            kept.append(body)
        return kept

    def note(self, order: str) -> None:
        """Note an order the platform has issued."""
        self.issued.add(order)

    @property
    def unanswered(self) -> tuple[str, ...]:
        """Ids of the orders without any answer."""
        return tuple(sorted(self.issued - self.answered))


def replay_detection(
    recording: Recording,
    rules: RuleSet | None = None,
    *,
    stages: Sequence[str] = DETECTING,
    ticks: Iterable[RecordedTick] | None = None,
) -> DetectionResult:
    """Run the stages that detect over a recording and score them against its truth.

    The loop is open: nothing the platform orders changes what the sensors showed, and recorded
    feedback is given back only for orders that are issued again under the same id.

    Args:
        recording: The recording.
        rules: The rule set; None for the one that comes with the program.
        stages: Which stages run.
        ticks: The recording's ticks when they are at hand already (a sweep reads them once).
    """
    began_s = time.perf_counter()
    chosen = rules or default_rules()
    built = build_stages(recording.plan, chosen)
    running = {name: built[name] for name in stages}
    router = Router(running, [step for step in LOOP if step.name in running])
    built_s = time.perf_counter()
    loop, messages, rejected = OpenLoop(), list[Message](), dict[RejectReason, int]()
    now_ms = recording.start_ms
    for tick in recording.ticks() if ticks is None else ticks:
        frames = _let_in(tick.frames, now_ms, rejected)
        now_ms = tick.now_ms
        for message in router.run([*frames, *loop.admit(tick.bodies)], now_ms):
            if isinstance(message, WorkOrder):
                loop.note(message.id)
            if not isinstance(message, Samples):
                messages.append(message)
    evaluation = _finish(running, messages, now_ms)
    monitor = running.get("monitor")
    return DetectionResult(
        rules=chosen,
        start_ms=recording.start_ms,
        end_ms=now_ms,
        messages=tuple(messages),
        evaluation=evaluation,
        counts=monitor.counts if isinstance(monitor, MonitorStage) else MonitorCounts(),
        rejected={reason.value: count for reason, count in sorted(rejected.items())},
        feedback=loop.given,
        unanswered=loop.unanswered,
        wall_s=time.perf_counter() - built_s,
        build_s=built_s - began_s,
    )


def _let_in(frames: Sequence[Frame], now_ms: int, rejected: dict[RejectReason, int]) -> list[Frame]:
    """Return the frames as the platform's door lets them in: no values that are no numbers."""
    kept = []
    for frame in frames:
        batch = frame.batch
        seen = screened(frame.id, frame.sent_ms, batch.device, batch.time_ms, batch.value, now_ms)
        for reason, count in seen.rejected.items():
            rejected[reason] = rejected.get(reason, 0) + count
        kept.append(seen.frame)
    return kept


def _finish(
    stages: Mapping[str, Stage], messages: list[Message], now_ms: int
) -> RunEvaluation | None:
    evaluate = stages.get("evaluate")
    if not isinstance(evaluate, EvaluateStage):
        return None
    last = evaluate.finish(now_ms)
    messages += last
    return next((one for one in last if isinstance(one, RunEvaluation)), None)
