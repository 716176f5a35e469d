"""What a rule set says, as frozen tables: rules, response limits, escalation, risk, devices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from pipeline.errors import RuleError
from pipeline.rules.management import (
    AlarmPolicy,
    Approval,
    Closure,
    Coupling,
    Inhibition,
    Silence,
)
from pipeline.rules.signal import Rationale, Select, Signal
from sensors.levels import Level

_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000


class Direction(StrEnum):
    """On which side of its thresholds a value is bad."""

    LOW = "low"
    HIGH = "high"


class Basis(StrEnum):
    """Where a figure comes from."""

    QUOTED = "quoted"
    EXAMPLE = "example"
    PROPOSED = "proposed"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a figure comes from.

    Attributes:
        basis: Kind of source.
        unit: Unit of the figure, empty for the usual one.
        sources: Keys of the sources.
        note: For people.
    """

    basis: Basis
    unit: str = ""
    sources: tuple[str, ...] = ()
    note: str = ""


class Hold(NamedTuple):
    """`m` of the last `n` samples must be beyond the threshold."""

    m: int
    n: int


@dataclass(frozen=True, slots=True)
class Change:
    """What a rule about a sudden change needs besides its thresholds.

    Attributes:
        recovered_share: The change is over when this share of it has gone back.
        confirm_s: A change that still stands so long after it was seen is confirmed.
        resample_s: From orange on, this is long enough if `resample_count` samples agree.
        resample_count: Samples that must agree then.
        new_normal_s: A change that stands longer is held to be the new normal.
    """

    recovered_share: float = 0.7
    confirm_s: float = 300.0
    resample_s: float = 120.0
    resample_count: int = 2
    new_normal_s: float = 21_600.0


@dataclass(frozen=True, slots=True)
class Rule:
    """One alarm rule.

    Attributes:
        id: Domain and name, such as `water.pressure_head`.
        domain: Domain of the hazard.
        indicator: What is compared, in words.
        unit: Unit of thresholds and deadband.
        direction: Bad side of the thresholds.
        sample_s: Sampling interval the holds were chosen for.
        sample_alarm_s: The same while an alarm stands.
        thresholds: Level → threshold; a level without one is absent.
        basis: Level → where the threshold comes from.
        holds: Level → how many samples must agree.
        windows_s: Level → length of the window of rules that need one; empty otherwise.
        clear_consecutive: Samples in a row beyond threshold and deadband to go down a level.
        deadband: Width of the band in which nothing changes.
        max_level_alone: Most severe level this rule may give by itself.
        change: Set for rules about a sudden change.
        sources: Keys of the sources.
        note: For people.
        select: Which devices it watches.
        signal: What of their samples it compares.
        holds_s: Level → seconds the violation must last, instead of or beside `holds`; empty for
            none.
        is_latching: Whether its alarms stay latched after they return until somebody resets.
        asks_resample: Whether a provisional alarm asks its device to sample at alarm rate.
        is_chain_of: Id of a rule whose standing alarm at the same device or element inhibits this
            one; empty for none.
        rationale: Its rationalisation record, None for none.
        since: Version of the set in which its figures were last changed.
        cited: Level → keys of the sources of its threshold (`RuleSet.sources` has the texts).
        origins: Figure of the signal → where it comes from.
    """

    id: str
    domain: str
    indicator: str
    unit: str
    direction: Direction
    sample_s: float
    sample_alarm_s: float
    thresholds: Mapping[Level, float]
    basis: Mapping[Level, Basis]
    holds: Mapping[Level, Hold]
    windows_s: Mapping[Level, float]
    clear_consecutive: int
    deadband: float
    max_level_alone: Level
    change: Change | None
    sources: tuple[str, ...]
    note: str
    select: Select = field(default_factory=Select)
    signal: Signal = field(default_factory=Signal)
    holds_s: Mapping[Level, float] = field(default_factory=dict)
    is_latching: bool = False
    asks_resample: bool = True
    is_chain_of: str = ""
    rationale: Rationale | None = None
    since: str = ""
    cited: Mapping[Level, tuple[str, ...]] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResponseLimits:
    """Who acts at a level, and within what time."""

    level: Level
    authority: str
    notify: tuple[str, ...]
    ack_min: float
    assess_min: float
    dispatch_min: float
    onsite_min: float
    contain_h: float
    close_h: float
    supervise_every_min: float
    report: str
    report_min: float | None

    def limit_ms(self, clock: str) -> int | None:
        """Return the limit of a clock (`ack`, `onsite`, `close`, …) in ms; None for no limit."""
        if clock in ("contain", "close"):
            return round(float(getattr(self, f"{clock}_h")) * _HOUR_MS)
        limit_min = getattr(self, f"{clock}_min")
        return None if limit_min is None else round(limit_min * _MINUTE_MS)


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """One step of supervision when a limit runs out.

    Attributes:
        step: Number, from 1.
        when: Condition in words.
        act: What happens, in words.
        at_fraction: Share of the limit used when the step falls due; None for other causes.
        slip: Colour of the slip, `none` for no slip.
        tiers_up: How many command tiers the slip climbs.
    """

    step: int
    when: str
    act: str
    at_fraction: float | None
    slip: str
    tiers_up: int


@dataclass(frozen=True, slots=True)
class RiskBands:
    """Which products R = L · C have which colour: inclusive bounds by level."""

    name: str
    bounds: Mapping[Level, tuple[int, int]]

    def level_of(self, risk: int) -> Level:
        """Return the colour of a product; ValueError when it is outside every band."""
        for level, (low, high) in self.bounds.items():
            if low <= risk <= high:
                return level
        raise ValueError(f"risk {risk} is outside the bands {self.name}")


@dataclass(frozen=True, slots=True)
class RiskMethod:
    """How likelihood and consequence become a colour."""

    scale: int
    default: str
    bands: Mapping[str, RiskBands]
    consequence_households: tuple[tuple[int, float], ...]

    def level_of(self, likelihood: int, consequence: int) -> Level:
        """Return the colour of L and C in the default bands."""
        return self.bands[self.default].level_of(likelihood * consequence)

    def consequence_of(self, households: float) -> int:
        """Return C for households out of service; 1 below the smallest bound."""
        reached = [c for c, bound in self.consequence_households if households >= bound]
        return max(reached, default=1)


@dataclass(frozen=True, slots=True)
class DeviceLimits:
    """When a device or its reading is doubtful (domain/README §3.1.1).

    Attributes:
        offline_intervals: Offline after so many reporting intervals without a reading …
        offline_min_s: … but never before this time.
        stuck_s: Stuck when the raw value has not changed for so long.
        stuck_samples: Stuck when so many samples at alarm rate are equal.
        skew_s: Clock skew when a sample is so far ahead of event time.
        late_intervals: Late when a sample is older than so many sampling intervals.
        battery_low: Battery low below this share of charge …
        battery_recovered: … until it is back at this one.
    """

    offline_intervals: float = 3.0
    offline_min_s: float = 900.0
    stuck_s: float = 86_400.0
    stuck_samples: int = 12
    skew_s: float = 60.0
    late_intervals: float = 2.0
    battery_low: float = 0.20
    battery_recovered: float = 0.25


@dataclass(frozen=True, slots=True)
class Force:
    """A force and the time within which it should arrive."""

    arrives_min: float
    name: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Everything a rule file says, with what it extends worked in.

    Attributes:
        source: Name of the file or shipped set.
        version: Version of the set.
        rules: Rule id → rule, in the order of the file.
        response: Level → who acts, within what time.
        escalation: Steps of supervision.
        risk: How likelihood and consequence become a colour.
        device: When a device or reading is doubtful.
        forces: Forces and when they should arrive.
        city: City the set is made for.
        closure: Depths at which places are closed.
        alarms: Limits of alarm management.
        silences: Silences and suppressions by design.
        inhibitions: Which alarm keeps which other one quiet.
        couplings: Warning models in use.
        approval: Level → how its warnings are let out.
        text: The file as it was read: `load_rules(text, source)` gives the same set again.
        sources: Key of a source → its text.
        origins: Path of a figure outside the rules, such as `closure.road_cm` or
            `couplings.gas.biogas.rise_h` → where it comes from.
    """

    source: str
    version: str
    rules: Mapping[str, Rule]
    response: Mapping[Level, ResponseLimits]
    escalation: tuple[EscalationStep, ...]
    risk: RiskMethod
    device: DeviceLimits
    forces: tuple[Force, ...]
    city: str = "national"
    closure: Closure = field(default_factory=Closure)
    alarms: AlarmPolicy = field(default_factory=AlarmPolicy)
    silences: tuple[Silence, ...] = ()
    inhibitions: tuple[Inhibition, ...] = ()
    couplings: tuple[Coupling, ...] = ()
    approval: Mapping[Level, Approval] = field(default_factory=dict)
    text: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)

    def rule(self, rule_id: str) -> Rule:
        """Return a rule by its id; RuleError when there is none."""
        if rule_id not in self.rules:
            known = ", ".join(sorted(self.rules))
            raise RuleError(f"{self.source}: no rule {rule_id!r}; it has {known}")
        return self.rules[rule_id]
