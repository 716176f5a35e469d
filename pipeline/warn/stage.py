"""The warn stage: samples in, alarms and draft warnings out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SnapshotError
from pipeline.messages import (
    KEPT_FROM_ASSESS,
    Alarm,
    DeviceHealth,
    HealthKind,
    HotlineReport,
    Incident,
    Message,
    OperatorAct,
    Samples,
)
from pipeline.rules import RuleSet
from pipeline.stage import pack, unpack
from pipeline.warn.changes import ChangeRule, ChangeState
from pipeline.warn.compile import CompiledRule, Signal, Suppression, compile_rules
from pipeline.warn.coupling.desk import Couplings, CouplingState
from pipeline.warn.drafts import Drafts
from pipeline.warn.levels import LevelRule, LevelState
from pipeline.warn.management.desk import AlarmDesk, DeskState
from pipeline.warn.residuals import Expectation, Residuals, ResidualState
from pipeline.warn.shortfalls import NormalState, ShortfallRule
from pipeline.warn.sums import CounterState, SumRule
from pipeline.warn.verdicts import Verdict, level_of
from sensors.city import City
from sensors.readings import Floats, Quality, ReadingBatch
from sensors.registry import Registry

_VERSION = 3
_NOT_FED = Quality.RANGE | Quality.STUCK | Quality.SKEW | Quality.OUT_OF_ORDER
_RULES: Mapping[Signal, type[LevelRule] | type[ChangeRule]] = MappingProxyType(
    {Signal.FALL: ChangeRule, Signal.SUM: SumRule, Signal.SHORTFALL: ShortfallRule}
)
"""How each signal is judged; those not named are judged by levels as they are."""
_FREEZES: Mapping[HealthKind, int] = MappingProxyType({HealthKind.OFFLINE: 1, HealthKind.STUCK: 2})


@dataclass(slots=True)
class WarnState:
    """Everything the stage remembers."""

    levels: dict[str, LevelState]
    changes: dict[str, ChangeState]
    counters: dict[str, CounterState]
    normals: dict[str, NormalState]
    frozen: NDArray[np.uint8]
    drafts: Drafts
    residuals: ResidualState | None
    samples: list[Samples]
    health: list[DeviceHealth]
    waiting_ms: int | None
    desk: DeskState
    couplings: CouplingState


class WarnStage:
    """Judges samples by the rules.

    What comes waits until `on_time`; health is taken before samples then. Samples out of range,
    stuck, from the future or out of order feed no rule, a spike at most a provisional alarm, and
    nothing changes the alarms of a device that is offline or stuck.

    Attributes:
        suppressed: Levels that are out of use at a site by design, with the reason.
    """

    name = "warn"

    def __init__(
        self,
        registry: Registry,
        rules: RuleSet,
        *,
        normal_low: Floats | None = None,
        model: Expectation | None = None,
        city: City | None = None,
    ) -> None:
        """Compile `rules` over `registry`.

        Args:
            registry: The devices.
            rules: The rule set.
            normal_low: Lowest value each device shows in normal operation, from the platform's
                own model; NaN or None where unknown.
            model: The platform's own network model, for rules on residuals.
            city: The platform's tables of the city, for models that couple signals.
        """
        self._registry = registry
        self._areas, self._quantities = registry.texts("area"), registry.texts("quantity")
        compiled, suppressed = compile_rules(
            registry, rules, normal_low, has_model=model is not None
        )
        self._residuals = None if model is None else Residuals(registry, model)
        self.suppressed: tuple[Suppression, ...] = suppressed
        self._rules: tuple[LevelRule | ChangeRule, ...] = tuple(
            _RULES.get(columns.signal, LevelRule)(columns) for columns in compiled
        )
        self._frozen = np.zeros(len(registry), np.uint8)
        self._drafts = Drafts()
        self._desk = AlarmDesk(registry, rules)
        self._couplings = Couplings(registry, rules, city)
        self._samples: list[Samples] = []
        self._health: list[DeviceHealth] = []
        self._waiting_ms: int | None = None

    def on_batch(self, batch: Sequence[Message], now_ms: int) -> Sequence[Message]:
        """Take samples and device health; what follows comes from `on_time`."""
        for message in batch:
            if isinstance(message, Samples):
                self._samples.append(message)
            elif isinstance(message, DeviceHealth) and message.kind in _FREEZES:
                self._health.append(message)
            elif isinstance(message, HotlineReport):
                self._couplings.take(message)
            elif isinstance(message, OperatorAct | Incident):
                self._desk.take(message)
        if self._waiting_ms is None and (self._samples or self._health):
            self._waiting_ms = now_ms
        return ()

    def on_time(self, now_ms: int) -> Sequence[Message]:
        """Return alarms by sample time, device and rule, then the drafts they open."""
        self._waiting_ms = None
        self._freeze()
        batch = ReadingBatch.concat([samples.batch for samples in self._samples])
        self._samples = []
        batch = self._fed(batch.by_device_and_time())
        alarms = sorted(self._judge(batch, now_ms), key=_by_sample)
        coupled = self._couplings.judge(batch, alarms, now_ms)
        alarms += [one for one in coupled if isinstance(one, Alarm)]
        handled = self._desk.handle(alarms, now_ms)
        told = [one for one in handled if isinstance(one, Alarm)]
        told = [alarm for alarm in told if alarm.held not in KEPT_FROM_ASSESS]
        findings = [one for one in coupled if not isinstance(one, Alarm)]
        return [*handled, *findings, *self._drafts.draft(told, now_ms)]

    def next_due(self) -> int | None:
        """Return when something that came, or an alarm's handling, waits to be worked on."""
        due = (self._waiting_ms, self._desk.next_due(), self._couplings.next_due())
        return min((one for one in due if one is not None), default=None)

    def snapshot(self) -> bytes:
        """Return the whole state, with what has come and was not worked on."""
        return pack(
            self.name,
            _VERSION,
            WarnState(
                {r.columns.rule.id: r.state for r in self._rules if isinstance(r, LevelRule)},
                {r.columns.rule.id: r.state for r in self._rules if isinstance(r, ChangeRule)},
                {r.columns.rule.id: r.counter for r in self._rules if isinstance(r, SumRule)},
                {r.columns.rule.id: r.learned for r in self._rules if isinstance(r, ShortfallRule)},
                self._frozen,
                self._drafts,
                None if self._residuals is None else self._residuals.state,
                self._samples,
                self._health,
                self._waiting_ms,
                self._desk.state,
                self._couplings.state,
            ),
        )

    def restore(self, snapshot: bytes) -> None:
        """Replace the state; SnapshotError when it is of other rules or another registry."""
        state = unpack(snapshot, self.name, _VERSION, WarnState)
        if len(state.frozen) != len(self._registry):
            raise SnapshotError(
                f"snapshot is of {len(state.frozen)} devices, "
                f"the registry has {len(self._registry)}"
            )
        for rule in self._rules:
            rule_id, rows = rule.columns.rule.id, len(rule.columns.devices)
            if isinstance(rule, LevelRule) and rule_id in state.levels:
                rule.state = state.levels[rule_id]
                restored = len(rule.state.rank)
            elif isinstance(rule, ChangeRule) and rule_id in state.changes:
                rule.state = state.changes[rule_id]
                restored = len(rule.state.rank)
            else:
                raise SnapshotError(f"snapshot has no state of rule {rule_id}")
            if restored != rows:
                raise SnapshotError(f"snapshot has {restored} devices under {rule_id}, not {rows}")
            if isinstance(rule, SumRule):
                rule.counter = state.counters[rule_id]
            elif isinstance(rule, ShortfallRule):
                rule.learned = state.normals[rule_id]
            rule.resume()
        if (self._residuals is None) != (state.residuals is None):
            raise SnapshotError("snapshot was made with a network model, or now there is one")
        if self._residuals is not None and state.residuals is not None:
            self._residuals.state = state.residuals
        self._frozen, self._drafts = state.frozen, state.drafts
        self._samples, self._health = state.samples, state.health
        self._desk.state, self._couplings.state = state.desk, state.couplings
        self._waiting_ms = state.waiting_ms

    def _freeze(self) -> None:
        """Take what was said of devices' health; a device that freezes starts its counts again."""
        starts_again: list[int] = []
        for message in self._health:
            device = self._registry.number.get(message.device)
            if device is None:
                continue
            bit = _FREEZES[message.kind]
            if message.is_on:
                self._frozen[device] |= bit
                starts_again.append(device)
            else:
                self._frozen[device] &= 255 - bit
        for rule in self._rules:
            row = rule.columns.row[starts_again]
            rule.forget(row[row >= 0])
        self._health = []

    def _fed(self, batch: ReadingBatch) -> ReadingBatch:
        """Return the samples that may feed rules."""
        if not len(batch):
            return batch
        is_fed = (batch.quality & _NOT_FED.value) == 0
        if self._frozen.any():
            is_fed &= self._frozen[batch.device] == 0
        return batch if is_fed.all() else batch.take(is_fed)

    def _judge(self, batch: ReadingBatch, now_ms: int) -> Iterator[Alarm]:
        """Judge a fed batch: the first sample of each device, then each second, and so on."""
        if not len(batch):
            return
        if self._residuals is not None:
            self._residuals.observe(batch, now_ms)
        device = batch.device.astype(np.intp)
        is_spike = (batch.quality & Quality.SPIKE.value) != 0
        for rows in batch.rounds():
            of_round, time_ms, value = device[rows], batch.time_ms[rows], batch.value[rows]
            spikes = is_spike[rows]
            scores = None
            if self._residuals is not None:
                scores = self._residuals.score(of_round, time_ms, value)
            for rule in self._rules:
                row = rule.columns.row[of_round]
                watched, judged = row >= 0, value
                if scores is not None and rule.columns.signal is Signal.RESIDUAL:
                    watched, judged = watched & np.isfinite(scores), scores
                if watched.all():
                    verdicts = rule.step(row, time_ms, judged, spikes)
                else:
                    verdicts = rule.step(
                        row[watched], time_ms[watched], judged[watched], spikes[watched]
                    )
                for verdict in verdicts:
                    yield self._alarm(rule.columns, verdict, now_ms)

    def _alarm(self, columns: CompiledRule, verdict: Verdict, now_ms: int) -> Alarm:
        number = int(columns.devices[verdict.row])
        device, rule = self._registry.ids[number], columns.rule
        level = level_of(verdict.rank)
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
            limit=rule.thresholds[level],
            before=verdict.before,
            raised_ms=verdict.raised_ms,
            sample_ms=verdict.sample_ms,
            time_ms=now_ms,
            reason=verdict.reason.value,
            unit=rule.unit,
        )


def _by_sample(alarm: Alarm) -> tuple[int, str, str]:
    return alarm.sample_ms, alarm.device, alarm.rule
