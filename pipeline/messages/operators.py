"""What operators do to alarms, warnings and rules, and what alarm management says back.

The states are those of ISA-18.2 / IEC 62682; the acts are those an operator's desk offers.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from sensors.levels import Level


class OperatorActKind(StrEnum):
    """What an operator, or a policy in the operator's place, can do."""

    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    OUT_OF_SERVICE = "out_of_service"
    IN_SERVICE = "in_service"
    RESET = "reset"
    """Let go of a latched alarm that has returned to normal."""
    SILENCE = "silence"
    UNSILENCE = "unsilence"
    APPROVE = "approve"
    """Let a warning out that waits for its authority."""
    REJECT = "reject"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class OperatorAct:
    """One act of one operator; it comes from outside and is kept in the inbox like a frame.

    Attributes:
        id: Unique; a second copy is ignored.
        kind: What is done.
        target: Alarm id, warning id or silence id; empty when `matchers` say what is meant.
        matchers: Field of an alarm (`device`, `rule`, `domain`, `area`, `level`, `quantity`) →
            glob pattern; all must match.
        by: Who.
        why: Reason in words.
        until_ms: Event time at which it ends by itself (shelve, silence, …); 0 for never.
        time_ms: Event time at which it was done.
    """

    id: str
    kind: OperatorActKind
    target: str
    by: str
    why: str
    time_ms: int
    until_ms: int = 0
    matchers: dict[str, str] = field(default_factory=dict)


class AlarmStanding(StrEnum):
    """Where an alarm stands for its operators (ISA-18.2, figure 'alarm state transition')."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned_unacknowledged"
    LATCHED = "latched"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"


class Held(StrEnum):
    """Why an alarm is not put before operators (`Alarm.held`)."""

    SHELVED = "shelved"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    """A worse or earlier alarm says the same (first-out, parent rule)."""
    GROUPED = "grouped"
    """One of many of its group during an alarm flood: the group is announced, not its members."""
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"
    CHATTERING = "chattering"


KEPT_FROM_ASSESS = frozenset({Held.SHELVED, Held.SILENCED, Held.SUPPRESSED, Held.OUT_OF_SERVICE})
"""Holds under which an alarm opens no incident either; the others only spare the operators."""


@dataclass(frozen=True, slots=True)
class AlarmHandling:
    """An alarm changed its standing before its operators."""

    STAGE: ClassVar[str] = "warn"
    alarm: str
    device: str
    rule: str
    area: str
    domain: str
    level: Level
    standing: AlarmStanding
    before: AlarmStanding
    until_ms: int
    time_ms: int
    reason: str
    actor: str = "warn"

    @property
    def subject(self) -> str:
        """The alarm's id."""
        return self.alarm


@dataclass(frozen=True, slots=True)
class AlarmFlood:
    """A flood of alarms began or ended in a group (area and domain, or the whole desk)."""

    STAGE: ClassVar[str] = "warn"
    group: str
    is_on: bool
    alarms: int
    grouped: int
    first: str
    """Id of the first alarm of the flood (first-out)."""
    time_ms: int
    reason: str
    actor: str = "warn"

    @property
    def subject(self) -> str:
        """The group."""
        return self.group


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule file that is to take the place of the one in use; from outside, like `OperatorAct`."""

    id: str
    text: str
    source: str
    by: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class RulesChanged:
    """The rules in use changed, or a file was refused (then `version` is the one kept)."""

    STAGE: ClassVar[str] = "warn"
    source: str
    version: str
    is_taken: bool
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    time_ms: int
    reason: str
    actor: str = "warn"

    @property
    def subject(self) -> str:
        """The rule file."""
        return self.source


class FindingEffect(StrEnum):
    """What a warning model's finding does to the incident it is about."""

    RAISE = "raise"
    """At least `ModelFinding.level`."""
    LOWER = "lower"
    """One level lower; red never without a person."""
    HOLD = "hold"
    """Not above `ModelFinding.level` (a decoy)."""
    EXPLAIN = "explain"
    """Names a cause, changes no level."""
    CONSEQUENCE = "consequence"
    """C is one higher."""


@dataclass(frozen=True, slots=True)
class ModelFinding:
    """A coupling (multi-variable) model found something, or takes it back (`is_on` false).

    Attributes:
        id: `model/element/since_ms`, the same in every run.
        model: Id of the model in the registry of warning models.
        effect: What it does to the incident of these devices.
        level: Level it speaks for (see `effect`).
        devices: Devices whose alarms or samples it rests on.
        elements: Network elements it is about.
        cause: Cause it speaks for (`Cause` value), empty for none.
        value: Its own figure, such as minutes until closure; NaN for none.
        unit: Unit of `value`.
        confidence: 0 to 1.
        evidence: Ids of alarms, calls and permits it rests on.
    """

    STAGE: ClassVar[str] = "warn"
    id: str
    model: str
    version: str
    domain: str
    area: str
    effect: FindingEffect
    level: Level
    devices: tuple[str, ...]
    elements: tuple[str, ...]
    cause: str
    value: float
    unit: str
    confidence: float
    evidence: tuple[str, ...]
    x_m: float
    y_m: float
    is_on: bool
    time_ms: int
    reason: str
    actor: str = "warn"

    @property
    def subject(self) -> str:
        """The finding's id."""
        return self.id
