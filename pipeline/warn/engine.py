"""The rule engine: a batch of samples in, the alarms of every rule out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SnapshotError
from pipeline.messages import Alarm, AlarmState
from pipeline.rules import Function, RuleSet
from pipeline.warn.changes import ChangeRule
from pipeline.warn.compile import BY_MODEL, CompiledRule, Suppression, compile_rules
from pipeline.warn.functions.base import Arrays, WindowFunction, arrays_of, carry
from pipeline.warn.functions.build import Site, figures_of, function_of
from pipeline.warn.functions.drifts import Drift
from pipeline.warn.levels import LevelRule, mildest_of, needs_second_sample
from pipeline.warn.neighbours import Neighbours
from pipeline.warn.residuals import Expectation, ResidualLimits, Residuals, ResidualState
from pipeline.warn.rounds import Rounds, Watch
from pipeline.warn.verdicts import Bools, Rows, Verdict, level_of
from sensors.readings import Floats, Int64s, Quality, ReadingBatch
from sensors.registry import Registry

_NO_CONSTANTS: Mapping[str, Floats] = MappingProxyType({})


class Judge(Protocol):
    """What judges the signal of one rule: `LevelRule`, `ChangeRule`."""

    columns: CompiledRule

    @property
    def remembered(self) -> Sequence[Any]:
        """Its state: dataclasses of arrays whose last axis is the rows."""
        ...

    def step(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> list[Verdict]:
        """Judge one sample of each of several different devices."""
        ...

    def forget(self, row: Rows) -> None:
        """Start the counts of these devices again."""
        ...

    def resume(self) -> None:
        """Work out what follows from the state, after it was replaced."""
        ...

    def provisional(self) -> Rows:
        """Return the rows whose alarm waits to be confirmed."""
        ...

    def end(self, row: Rows, now_ms: int) -> list[Verdict]:
        """End what stands at these rows, because nothing judges them any more."""
        ...


@dataclass(frozen=True, slots=True)
class Running:
    """One rule at work: where its samples come from, its signal and its judge."""

    columns: CompiledRule
    watch: Watch
    function: WindowFunction | None
    judge: Judge

    @property
    def id(self) -> str:
        """The rule's id."""
        return self.columns.rule.id

    @property
    def remembered(self) -> Arrays:
        """The whole state as named arrays whose last axis is the rows."""
        function = {} if self.function is None else self.function.arrays()
        judge = arrays_of(self.judge.remembered)
        return {f"judge.{name}": it for name, it in judge.items()} | {
            f"signal.{name}": it for name, it in function.items()
        }


@dataclass(slots=True)
class EngineState:
    """Everything the engine remembers: rule → its arrays, and the errors of the model."""

    rules: dict[str, dict[str, NDArray[Any]]]
    residuals: ResidualState | None


Tap = Callable[[CompiledRule, Rows, Int64s, Floats], None]


class RuleEngine:
    """Judges samples by all rules of a set over all devices of a registry.

    Attributes:
        suppressed: Levels that are out of use at a site by design, with the reason.
        tap: Called with each rule's columns, device numbers, sample times and signal before it
            is judged; None for nobody. For explanations and backtests.
    """

    def __init__(
        self,
        registry: Registry,
        rules: RuleSet,
        *,
        normal_low: Floats | None = None,
        model: Expectation | None = None,
        constants: Mapping[str, Floats] = _NO_CONSTANTS,
        utc_offset_ms: int = 0,
    ) -> None:
        """Compile `rules` over `registry`; see `WarnStage`. RuleError when they do not fit."""
        self._registry = registry
        self._areas, self._quantities = registry.texts("area"), registry.texts("quantity")
        self._elements = registry.texts("element")
        compiled, suppressed = compile_rules(
            registry, rules, normal_low, has_model=model is not None
        )
        self.suppressed: tuple[Suppression, ...] = suppressed
        self.tap: Tap | None = None
        self._rounds = Rounds(len(registry), compiled)
        self.running: tuple[Running, ...] = tuple(
            self._run(columns, watch, rules, constants, utc_offset_ms)
            for columns, watch in zip(compiled, self._rounds.watches, strict=True)
        )
        self._rounds.take_turns(
            (one.columns.devices, one.judge.neighbours.site)
            for one in self.running
            if isinstance(one.judge, LevelRule) and one.judge.neighbours is not None
        )
        functions = {one.columns.rule.signal.function for one in self.running}
        self._is_scored = not functions.isdisjoint(BY_MODEL)
        self._residuals: Residuals | None = None
        if model is not None:
            self._residuals = Residuals(registry, model, _residual_limits(self.running))

    def judge(self, batch: ReadingBatch, now_ms: int) -> list[Alarm]:
        """Return the alarms of a batch by sample time, device and rule.

        Args:
            batch: Samples that may feed rules, by device and time.
            now_ms: Event time.
        """
        if not len(batch):
            return []
        if self._residuals is not None and self._is_scored:
            self._ask(self._residuals, batch, now_ms)
        alarms: list[Alarm] = []
        for part in self._rounds.of(batch):
            alarms += self._round(part, now_ms)
        alarms.sort(key=_by_sample)
        return alarms

    def forget(self, devices: Rows) -> None:
        """Start the counts and short windows of these devices again; standing alarms stay."""
        for one in self.running:
            watched = one.columns.row[devices]
            row = watched[watched >= 0].astype(np.intp)
            one.judge.forget(row)
            if one.function is not None:
                one.function.forget(row)

    def wants_resample(self) -> Rows:
        """Return the numbers of the devices whose provisional alarm asks for another sample."""
        asking = [
            one.columns.devices[one.judge.provisional()]
            for one in self.running
            if one.columns.rule.asks_resample
        ]
        return np.unique(np.concatenate([np.zeros(0, np.intp), *asking]))

    @property
    def state(self) -> EngineState:
        """Everything remembered; the arrays are not copied."""
        residuals = None if self._residuals is None else self._residuals.state
        return EngineState({one.id: one.remembered for one in self.running}, residuals)

    def restore(self, state: EngineState) -> None:
        """Replace the state; SnapshotError when it is of other rules or devices."""
        for one in self.running:
            if one.id not in state.rules:
                raise SnapshotError(f"snapshot has no state of rule {one.id}")
            rows = np.arange(len(one.columns.devices))
            arrays = state.rules[one.id]
            restored = {array.shape[-1] for array in arrays.values()}
            if restored != {len(rows)}:
                raise SnapshotError(
                    f"snapshot has {max(restored, default=0)} devices under {one.id}, "
                    f"not {len(rows)}"
                )
            try:
                carry(one.remembered, arrays, rows, rows)
            except (KeyError, ValueError) as error:
                raise SnapshotError(f"snapshot has another state of rule {one.id}") from error
            one.judge.resume()
        if (self._residuals is None) != (state.residuals is None):
            raise SnapshotError("snapshot was made with a network model, or now there is one")
        if self._residuals is not None and state.residuals is not None:
            self._residuals.state = state.residuals

    def succeed(self, old: "RuleEngine", now_ms: int) -> list[Alarm]:
        """Go on where another engine over the same devices stood, by this one's rules.

        What a rule has worked out of its samples is kept where its signal is the same; standing
        alarms are kept where the rule still watches their device, and cleared with the reason
        `rule_removed` where none does. Returns those.
        """
        mine = {one.id: one for one in self.running}
        ended: list[Alarm] = []
        for was in old.running:
            now = mine.get(was.id)
            rows = np.arange(len(was.columns.devices))
            if now is None or type(now.judge) is not type(was.judge):
                gone = rows
            else:
                at = now.columns.row[was.columns.devices].astype(np.intp)
                _carry_over(was, now, rows[at >= 0], at[at >= 0])
                gone = rows[at < 0]
            ended += [old.alarm(was, verdict, now_ms) for verdict in was.judge.end(gone, now_ms)]
        if self._residuals is not None and old._residuals is not None:  # noqa: SLF001 (same class)
            self._residuals.state = old._residuals.state  # noqa: SLF001
        ended.sort(key=_by_sample)
        return ended

    def alarm(self, one: Running, verdict: Verdict, now_ms: int) -> Alarm:
        """Return what a verdict says, as a message."""
        number = int(one.columns.devices[verdict.row])
        device, rule = self._registry.ids[number], one.columns.rule
        level = level_of(verdict.rank)
        confidence = None if one.function is None else one.function.confidence(verdict.row)
        return Alarm(
            id=f"{device}/{rule.id}/{verdict.raised_ms}",
            device=device,
            rule=rule.id,
            domain=rule.domain,
            area=self._areas[number],
            quantity=self._quantities[number],
            level=level,
            state=verdict.state,
            value=verdict.value,
            limit=rule.thresholds.get(level, float("nan")),
            before=verdict.before,
            raised_ms=verdict.raised_ms,
            sample_ms=verdict.sample_ms,
            time_ms=now_ms,
            reason=verdict.reason.value,
            unit=rule.unit,
            confidence=confidence,
        )

    def _run(
        self,
        columns: CompiledRule,
        watch: Watch,
        rules: RuleSet,
        constants: Mapping[str, Floats],
        utc_offset_ms: int,
    ) -> Running:
        rule = columns.rule
        if rule.signal.function is Function.FALL:
            return Running(columns, watch, None, ChangeRule(columns))
        neighbours = None
        if needs_second_sample(columns).any():
            neighbours = Neighbours.among(self._elements, self._areas, columns.devices)
        mildest = mildest_of(columns)
        site = Site(rule, rules, self._registry, columns.devices, mildest, constants, utc_offset_ms)
        return Running(columns, watch, function_of(site), LevelRule(columns, neighbours))

    def _ask(self, residuals: Residuals, batch: ReadingBatch, now_ms: int) -> None:
        """Ask the network model when it is time, and tell the functions that average it."""
        asked_ms = residuals.state.asked_ms
        residuals.observe(batch, now_ms)
        if residuals.state.asked_ms == asked_ms:
            return
        for one in self.running:
            if isinstance(one.function, Drift):
                one.function.take(now_ms, residuals.state.expected[one.columns.devices])

    def _round(self, batch: ReadingBatch, now_ms: int) -> Iterator[Alarm]:
        """Judge one sample of each of several different devices by every rule."""
        spike = (batch.quality & Quality.SPIKE.value) != 0
        for running, part in self._rounds.split(self.running, batch, spike):
            row, device, time_ms, value, is_spike = part
            rule = running.columns.rule
            if running.function is not None:
                value = running.function.apply(row, time_ms, value, is_spike)
            elif rule.signal.function is Function.RESIDUAL and self._residuals is not None:
                value = self._residuals.score(device, time_ms, value)
            if self.tap is not None:
                self.tap(running.columns, device, time_ms, value)
            if rule.signal.function not in _NEVER_SILENT:
                known = ~np.isnan(value if value.ndim == 1 else np.fmax.reduce(value, axis=0))
                if not known.all():
                    row, time_ms = row[known], time_ms[known]
                    value, is_spike = value[..., known], is_spike[known]
            verdicts = running.judge.step(row, time_ms, value, is_spike)
            for verdict in verdicts:
                yield self.alarm(running, verdict, now_ms)
            if running.function is not None:
                ended = [one.row for one in verdicts if one.state is AlarmState.CLEARED]
                if ended:
                    running.function.cleared(np.array(ended))


_NEVER_SILENT = frozenset({Function.VALUE, Function.FALL})


def _carry_over(was: Running, now: Running, rows: Rows, at: Rows) -> None:
    """Take over what still means the same: all of it, or what stands where the signal changed."""
    old, new = was.remembered, now.remembered
    is_same = was.columns.rule.signal == now.columns.rule.signal and all(
        name in old and old[name].shape[:-1] == array.shape[:-1] for name, array in new.items()
    )
    if is_same:
        carry(new, old, rows, at)
    else:
        standing = [name for name in new if name.startswith("judge.") and name in old]
        carry({name: new[name] for name in standing}, old, rows, at)
        if was.columns.rule.signal != now.columns.rule.signal:
            now.judge.forget(at)
    now.judge.resume()


def _residual_limits(running: Sequence[Running]) -> ResidualLimits | None:
    """Return the figures of the rule on residuals; None when no rule is."""
    for one in running:
        if one.columns.rule.signal.function is Function.RESIDUAL:
            figures = figures_of(one.columns.rule)
            return ResidualLimits(
                renew_ms=round(figures["renew_s"] * 1000),
                learning_ms=round(figures["learning_s"] * 1000),
                warm_up=int(figures["warm_up"]),
                floor_sigmas=figures["floor_sigmas"],
                clip_sigmas=figures["clip_sigmas"],
                settle_ms=round(figures["settle_s"] * 1000),
                reach_ms=round(figures["reach_s"] * 1000),
            )
    return None


def _by_sample(alarm: Alarm) -> tuple[int, str, str]:
    return alarm.sample_ms, alarm.device, alarm.rule
