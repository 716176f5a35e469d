"""The warn stage: samples in, alarms and draft warnings out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import RuleError, SnapshotError
from pipeline.messages import (
    KEPT_FROM_ASSESS,
    Alarm,
    DeviceHealth,
    HealthKind,
    HotlineReport,
    Incident,
    Message,
    OperatorAct,
    RuleText,
    Samples,
)
from pipeline.rules import RuleSet, load_rules
from pipeline.stage import pack, unpack
from pipeline.warn.compile import Suppression
from pipeline.warn.coupling.desk import Couplings, CouplingState
from pipeline.warn.coupling.registry import Registered
from pipeline.warn.drafts import Drafts
from pipeline.warn.engine import EngineState, RuleEngine
from pipeline.warn.management.desk import AlarmDesk, DeskState
from pipeline.warn.management.matching import UTC_OFFSET_MS
from pipeline.warn.reloading import read, refused
from pipeline.warn.residuals import Expectation
from sensors.city import City
from sensors.readings import Floats, Quality, ReadingBatch
from sensors.registry import Registry

_VERSION = 4
_NOT_FED = Quality.RANGE | Quality.STUCK | Quality.SKEW | Quality.OUT_OF_ORDER
_FREEZES: Mapping[HealthKind, int] = MappingProxyType({HealthKind.OFFLINE: 1, HealthKind.STUCK: 2})
_NO_CONSTANTS: Mapping[str, Floats] = MappingProxyType({})


@dataclass(slots=True)
class WarnState:
    """Everything the stage remembers.

    `taken` is the rule file in use when it came while the platform ran, None for the one the
    stage was made with; `known` are the ids of all rule files that have come.
    """

    engine: EngineState
    frozen: NDArray[np.uint8]
    drafts: Drafts
    samples: list[Samples]
    health: list[DeviceHealth]
    texts: list[RuleText]
    taken: RuleText | None
    known: list[str]
    waiting_ms: int | None
    desk: DeskState
    couplings: CouplingState


class WarnStage:
    """Judges samples by the rules.

    What comes waits until `on_time`; rule files and health are taken before samples then.
    Samples out of range, stuck, from the future or out of order feed no rule, a spike at most a
    provisional alarm, and nothing changes the alarms of a device that is offline or stuck.
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
        constants: Mapping[str, Floats] = _NO_CONSTANTS,
        utc_offset_ms: int = UTC_OFFSET_MS,
        models: Sequence[Registered] = (),
    ) -> None:
        """Compile `rules` over `registry`.

        Args:
            registry: The devices.
            rules: The rule set.
            normal_low: Lowest value each device shows in normal operation, from the platform's
                own model; NaN or None where unknown.
            model: The platform's own network model, for rules on residuals.
            city: The platform's tables of the city, for models that couple signals.
            constants: Name → constant of each device, NaN where unknown; rules on `fill` need
                `invert_depth_m` (ground to the pipe's invert) and `diameter_m`.
            utc_offset_ms: The city's time minus UTC, for rules on nights and weeks, and
                for silences with times of day.
            models: Warning models of other packages and from files.

        Raises:
            RuleError: the rules do not fit the devices.
        """
        self._registry = registry
        self._make: Callable[[RuleSet], RuleEngine] = partial(
            RuleEngine,
            registry,
            normal_low=normal_low,
            model=model,
            constants=constants,
            utc_offset_ms=utc_offset_ms,
        )
        self._first = self._rules = rules
        self._engine = self._make(rules)
        self._frozen = np.zeros(len(registry), np.uint8)
        self._drafts = Drafts()
        self._desk = AlarmDesk(registry, rules, utc_offset_ms=utc_offset_ms)
        self._couplings = Couplings(registry, rules, city, models)
        self._samples: list[Samples] = []
        self._health: list[DeviceHealth] = []
        self._texts: list[RuleText] = []
        self._taken: RuleText | None = None
        self._known: list[str] = []
        self._waiting_ms: int | None = None

    @property
    def suppressed(self) -> tuple[Suppression, ...]:
        """Levels that are out of use at a site by design, with the reason."""
        return self._engine.suppressed

    @property
    def engine(self) -> RuleEngine:
        """The engine at work; another one after a rule file was taken."""
        return self._engine

    @property
    def rules(self) -> RuleSet:
        """The rule set in use."""
        return self._rules

    @property
    def wants_resample(self) -> tuple[int, ...]:
        """Numbers of the devices whose provisional alarm asks for a sample at alarm rate."""
        return tuple(self._engine.wants_resample().tolist())

    def on_batch(self, batch: Sequence[Message], now_ms: int) -> Sequence[Message]:
        """Take samples, device health and rule files; what follows comes from `on_time`."""
        for message in batch:
            if isinstance(message, Samples):
                self._samples.append(message)
            elif isinstance(message, DeviceHealth):
                self._couplings.take(message)
                if message.kind in _FREEZES:
                    self._health.append(message)
                self._desk.take(message)
            elif isinstance(message, RuleText):
                self._texts.append(message)
            elif isinstance(message, HotlineReport):
                self._couplings.take(message)
            elif isinstance(message, OperatorAct | Incident):
                self._desk.take(message)
        if self._waiting_ms is None and (self._samples or self._health or self._texts):
            self._waiting_ms = now_ms
        return ()

    def on_time(self, now_ms: int) -> Sequence[Message]:
        """Return what became of rule files, alarms by sample time, then the drafts they open."""
        self._waiting_ms = None
        said, ended = self._reload(now_ms)
        self._freeze()
        batch = ReadingBatch.concat([samples.batch for samples in self._samples])
        self._samples = []
        batch = self._fed(batch.by_device_and_time())
        alarms = ended + self._engine.judge(batch, now_ms)
        coupled = self._couplings.judge(batch, alarms, now_ms)
        alarms += [one for one in coupled if isinstance(one, Alarm)]
        handled = self._desk.handle(alarms, now_ms)
        told = [one for one in handled if isinstance(one, Alarm)]
        told = [alarm for alarm in told if alarm.held not in KEPT_FROM_ASSESS]
        findings = [one for one in coupled if not isinstance(one, Alarm)]
        return [*said, *handled, *findings, *self._drafts.draft(told, now_ms)]

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
                self._engine.state,
                self._frozen,
                self._drafts,
                self._samples,
                self._health,
                self._texts,
                self._taken,
                self._known,
                self._waiting_ms,
                self._desk.state,
                self._couplings.state,
            ),
        )

    def restore(self, snapshot: bytes) -> None:
        """Replace the state; SnapshotError when it is of other rules or another registry.

        A rule file that came while the platform ran is in the snapshot and comes back with it.
        """
        state = unpack(snapshot, self.name, _VERSION, WarnState)
        if len(state.frozen) != len(self._registry):
            raise SnapshotError(
                f"snapshot is of {len(state.frozen)} devices, "
                f"the registry has {len(self._registry)}"
            )
        if state.taken != self._taken:
            taken = state.taken
            self._use(self._first if taken is None else load_rules(taken.text, taken.source))
        self._engine.restore(state.engine)
        self._frozen, self._drafts = state.frozen, state.drafts
        self._samples, self._health = state.samples, state.health
        self._texts, self._taken, self._known = state.texts, state.taken, state.known
        self._desk.state, self._couplings.state = state.desk, state.couplings
        self._waiting_ms = state.waiting_ms

    def _reload(self, now_ms: int) -> tuple[list[Message], list[Alarm]]:
        """Take the rule files that came, oldest first; return what is said and what they end."""
        said: list[Message] = []
        ended: list[Alarm] = []
        for text in sorted(self._texts, key=lambda one: (one.time_ms, one.id)):
            if text.id in self._known:
                continue
            self._known.append(text.id)
            rules, change = read(text, self._rules, now_ms)
            before = self._engine
            if rules is not None:
                try:
                    self._use(rules)
                except RuleError as error:
                    change = refused(text, self._rules, str(error), now_ms)
                else:
                    self._taken = text
                    ended += self._engine.succeed(before, now_ms)
            said.append(change)
        self._texts = []
        return said, ended

    def _use(self, rules: RuleSet) -> None:
        engine = self._make(rules)
        self._couplings.reload(rules)
        self._desk.reload(rules)
        self._engine, self._rules = engine, rules

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
        if starts_again:
            self._engine.forget(np.unique(starts_again))
        self._health = []

    def _fed(self, batch: ReadingBatch) -> ReadingBatch:
        """Return the samples that may feed rules."""
        if not len(batch):
            return batch
        is_fed = (batch.quality & _NOT_FED.value) == 0
        if self._frozen.any():
            is_fed &= self._frozen[batch.device] == 0
        return batch if is_fed.all() else batch.take(is_fed)
