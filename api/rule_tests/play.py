"""Plays a test to the real stages, tick by tick, and keeps what they say."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from api.bootstrap import assess_policy, point_policy
from api.rule_tests.document import ActTable, CaseTable
from api.rule_tests.fleet import ExpectedSeries, Fleet, city_of, constants_of, fleet_of
from api.warning_models import outside_models
from pipeline.assess.stage import AssessStage
from pipeline.loop import LOOP
from pipeline.messages import Alarm, HotlineReport, Message, OperatorAct, Samples, WarningNotice
from pipeline.monitor.stage import MonitorStage
from pipeline.rules import RuleSet
from pipeline.runners.router import Router
from pipeline.stage import Stage
from pipeline.warn.stage import WarnStage
from sensors.city import City

Progress = Callable[[int, int], None]
"""Told the ticks done and the ticks in all."""
_NEEDS_ASSESS = frozenset({"incident", "warning"})


@dataclass(frozen=True, slots=True)
class Handling:
    """How messages are handed over; none of it may change what the rules say.

    Attributes:
        batch: Messages at a time; None for all of a tick.
        restart_every: The stages go on from a snapshot after so many ticks; 0 for never.
        is_reversed: Whether the messages of a tick come in reverse order.
    """

    batch: int | None = None
    restart_every: int = 0
    is_reversed: bool = False


@dataclass(frozen=True, slots=True)
class Played:
    """What was said to a test, in order; bulk samples are left out.

    Attributes:
        fleet: Its devices and times.
        rules: The rules that were tested.
        said: Everything the stages said but `Samples`.
        readings: Readings that came.
    """

    fleet: Fleet
    rules: RuleSet
    said: tuple[Message, ...]
    readings: int


def play(
    test: CaseTable,
    rules: RuleSet,
    where: str,
    *,
    handling: Handling | None = None,
    progress: Progress | None = None,
) -> Played:
    """Play a test to monitor and warn, and to assess when an expectation is about what it says.

    Args:
        test: The test.
        rules: The rules it is about.
        where: File and test, for messages.
        handling: How messages are handed over.
        progress: Told after each tick.

    Raises:
        RuleError: the devices or series of the test are wrong.
    """
    fleet = fleet_of(test, where)
    bench = _Bench(test, rules, fleet, handling or Handling())
    said: list[Message] = []
    readings = 0
    ticks = fleet.duration_ms // fleet.tick_ms + 1
    before_ms = fleet.start_ms - 1
    for number, (now_ms, frames) in enumerate(fleet.ticks()):
        asides = _asides(test, fleet.start_ms, before_ms, now_ms, said)
        readings += sum(len(frame.batch) for frame in frames)
        said += bench.tick([*asides, *frames], now_ms)
        before_ms = now_ms
        if progress is not None:
            progress(number + 1, ticks)
    return Played(fleet, rules, tuple(said), readings)


def needs_assess(test: CaseTable) -> bool:
    """Return whether a test wants incidents or warnings assessed."""
    if test.assess is not None:
        return test.assess
    return any(one.subject in _NEEDS_ASSESS for one in test.expect)


class _Bench:
    """The stages of a test."""

    def __init__(self, test: CaseTable, rules: RuleSet, fleet: Fleet, handling: Handling) -> None:
        self._test, self._rules, self._fleet, self._handling = test, rules, fleet, handling
        self._city = city_of(test, fleet)
        has_model = any(device.expected for device in test.devices)
        self._model = ExpectedSeries(test, fleet) if has_model else None
        self._models = outside_models(rules)
        self._ticks = 0
        self._take(self._made())

    def tick(self, messages: Sequence[Message], now_ms: int) -> Iterator[Message]:
        """Hand over the messages of a tick, let time pass, yield what is said."""
        handling = self._handling
        coming = list(messages)[::-1] if handling.is_reversed else list(messages)
        size = handling.batch or max(1, len(coming))
        chunks = [coming[at : at + size] for at in range(0, len(coming), size)] or [[]]
        for number, chunk in enumerate(chunks):
            is_last = number == len(chunks) - 1
            for message in self._router.run(chunk, now_ms, is_time_told=is_last):
                if not isinstance(message, Samples):
                    yield message
        self._ticks += 1
        if handling.restart_every and self._ticks % handling.restart_every == 0:
            fresh = self._made()
            for name, stage in fresh.items():
                stage.restore(self._stages[name].snapshot())
            self._take(fresh)

    def _take(self, stages: Mapping[str, Stage]) -> None:
        self._stages = stages
        self._router = Router(stages, [step for step in LOOP if step.name in stages])

    def _made(self) -> dict[str, Stage]:
        registry, rules = self._fleet.registry, self._rules
        stages: dict[str, Stage] = {
            "monitor": MonitorStage(registry, rules.device),
            "warn": WarnStage(
                registry,
                rules,
                model=self._model,
                city=self._city,
                constants=constants_of(self._test, self._fleet),
                utc_offset_ms=self._test.utc_offset or 0,
                models=self._models,
            ),
        }
        if needs_assess(self._test):
            is_early = self._test.order == "issue_first"
            stages["assess"] = assess_stage(self._fleet, self._city, rules, is_early=is_early)
        return stages


def assess_stage(fleet: Fleet, city: City, rules: RuleSet, *, is_early: bool) -> AssessStage:
    """Return the assessment with the limits, closure depths and approvals of a rule set."""
    return AssessStage(
        fleet.registry,
        city,
        None,
        assess_policy(rules, issue_before_assess=is_early),
        point_policy(rules),
        approval=rules.approval,
        response=rules.response,
    )


def _asides(
    test: CaseTable, start_ms: int, after_ms: int, now_ms: int, said: Sequence[Message]
) -> list[Message]:
    """Return calls and operators' acts since the last tick."""
    calls: list[Message] = [
        HotlineReport(
            id=f"call-{number}",
            seen_ms=start_ms + (call.at if call.seen is None else call.seen),
            time_ms=start_ms + call.at,
            subject=call.subject,
            area=call.area,
            x_m=call.x_m,
            y_m=call.y_m,
        )
        for number, call in enumerate(test.calls)
        if after_ms < start_ms + call.at <= now_ms
    ]
    acts: list[Message] = [
        OperatorAct(
            id=f"act-{number}",
            kind=act.act,
            target=_target(act, said),
            by=act.by,
            why=act.why,
            time_ms=start_ms + act.at,
            until_ms=0 if act.until is None else start_ms + act.until,
            matchers=dict(act.matchers),
        )
        for number, act in enumerate(test.acts)
        if after_ms < start_ms + act.at <= now_ms
    ]
    return calls + acts


def _target(act: ActTable, said: Sequence[Message]) -> str:
    """Return the newest alarm's or warning's id that has the target in it, else the target."""
    if not act.target:
        return ""
    for message in reversed(said):
        if isinstance(message, Alarm | WarningNotice) and act.target in message.id:
            return message.id
    return act.target
