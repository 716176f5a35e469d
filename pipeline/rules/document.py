"""The shape of a complete rule file, checked by pydantic; only this room sees these classes."""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pipeline.rules.signal import Function

BasisWord = Literal["quoted", "example", "proposed"]
Colour = Literal["blue", "yellow", "orange", "red"]
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Pair = tuple[int, int]
FORMS = {
    "^[1-9]$": ("not a class of consequence", "use a digit from 1 to 9, in quotes"),
    r"^[a-z0-9_]+\.[a-z0-9_]+$": ("not of the form domain.name", "use a-z, 0-9, _ and one dot"),
    r"^(([01][0-9]|2[0-3]):[0-5][0-9])?$": ("not a time of the day", "write HH:MM, as 06:00"),
}
"""Pattern → what is wrong with a text that does not match it, and the fix."""
_CONSEQUENCE, _RULE_ID, _CLOCK = FORMS
Consequence = Annotated[str, Field(pattern=_CONSEQUENCE)]
Name = Annotated[str, Field(min_length=1)]
RuleId = Annotated[str, Field(pattern=_RULE_ID)]
Clock = Annotated[str, Field(pattern=_CLOCK)]
Weekday = Annotated[int, Field(ge=1, le=7)]
AlarmField = Literal["device", "rule", "domain", "area", "level", "quantity"]
T = TypeVar("T")


class Table(BaseModel):
    """A mapping of a rule file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FigureTable(Table):
    """A number with its unit and where it comes from.

    A bare number may stand for it: then it is in the usual unit, and proposed.
    """

    value: Number | list[Number]
    unit: str = ""
    basis: BasisWord = "proposed"
    sources: list[str] = []
    note: str = ""


def _as_figure(value: Any) -> Any:
    return value if isinstance(value, dict) else {"value": value}


Figure = Annotated[FigureTable, BeforeValidator(_as_figure)]
"""A `FigureTable`, or the bare number."""


class ByColour(Table, Generic[T]):
    """One value for every level."""

    blue: T
    yellow: T
    orange: T
    red: T


class Levels(Table, Generic[T]):
    """One value for the levels that have one; null is none."""

    blue: T | None = None
    yellow: T | None = None
    orange: T | None = None
    red: T | None = None


class SelectTable(Table):
    """See `signal.Select`."""

    kinds: list[Name] = []
    quantity: str = ""
    domains: list[Name] = []
    areas: list[Name] = []
    elements: list[Name] = []
    profiles: list[Name] = []
    devices: list[Name] = []
    but: list[Name] = []


class SignalTable(BaseModel):
    """See `signal.Signal`: the function, and beside it its figures (`functions.FUNCTIONS`)."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    __pydantic_extra__: dict[str, Figure]

    function: Function = Function.VALUE


class RationaleTable(Table):
    """See `signal.Rationale`."""

    cause: Name
    consequence: Name
    action: Name
    respond_min: Positive


class RuleTable(Table):
    """See `ruleset.Rule`."""

    domain: Name
    indicator: Name
    select: SelectTable
    signal: SignalTable = SignalTable()
    unit: str
    direction: Literal["low", "high"]
    sample_s: Positive
    sample_alarm_s: Positive
    thresholds: Levels[Number]
    basis: Levels[BasisWord] = Levels()
    sources: list[str] | Levels[list[str]] = []
    on_m_of_n: Levels[Pair] = Levels()
    hold_s: Levels[Positive] = Levels()
    clear_consecutive: Count
    deadband: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    max_level_alone: Colour = "red"
    latching: bool = False
    asks_resample: bool = True
    chain_of: str = ""
    rationale: RationaleTable | None = None
    note: str = ""
    since: str = ""


class ResponseTable(Table):
    """See `ruleset.ResponseLimits`."""

    authority: str
    notify: list[str]
    ack_min: Positive
    assess_min: Positive
    dispatch_min: Positive
    onsite_min: Positive
    contain_h: Positive
    close_h: Positive
    supervise_every_min: Positive
    report: str
    report_min: Positive | None


class StepTable(Table):
    """See `ruleset.EscalationStep`."""

    step: Count
    when: str
    act: str
    at_fraction: Positive | None = None
    slip: Literal["blue", "yellow", "orange", "red", "none"] = "none"
    tiers_up: Annotated[int, Field(ge=0)] = 0


class RiskTable(Table):
    """See `ruleset.RiskMethod`; the prose keys are kept for people."""

    scale: Count
    formula: Literal["R=L*C"]
    default: str
    bands: dict[str, ByColour[Pair]]
    consequence_households: dict[Consequence, Positive]
    likelihood_live: str = ""
    adjust: list[str] = []


class DeviceTable(Table):
    """See `ruleset.DeviceLimits`."""

    offline_intervals: Figure
    offline_min_s: Figure
    stuck_s: Figure
    stuck_samples: Figure
    skew_s: Figure
    late_intervals: Figure
    battery_low: Figure
    battery_recovered: Figure


class ClosureTable(Table):
    """See `management.Closure`."""

    underpass_cm: Figure = FigureTable(value=25.0)
    road_cm: Figure = FigureTable(value=30.0)


class AlarmTable(Table):
    """See `management.AlarmPolicy`."""

    flood_begins: Figure = FigureTable(value=10)
    flood_ends: Figure = FigureTable(value=5)
    flood_window_s: Figure = FigureTable(value=600.0)
    group_window_s: Figure = FigureTable(value=1_800.0)
    chatter_count: Figure = FigureTable(value=3)
    chatter_window_s: Figure = FigureTable(value=3_600.0)
    stale_s: Figure = FigureTable(value=86_400.0)
    most_shelved_s: Figure = FigureTable(value=28_800.0)
    operators: Figure = FigureTable(value=12)
    rationed_h: Figure = FigureTable(value=6.0)


class SilenceTable(Table):
    """See `management.Silence`; `suppress` says that it is suppressed by design."""

    matchers: Annotated[dict[AlarmField, Name], Field(min_length=1)]
    why: Name
    begins: Clock = ""
    ends: Clock = ""
    days: list[Weekday] = []
    suppress: bool = False


class InhibitionTable(Table):
    """See `management.Inhibition`."""

    source: Annotated[dict[AlarmField, Name], Field(min_length=1)]
    target: Annotated[dict[AlarmField, Name], Field(min_length=1)]
    equal: list[AlarmField]
    why: Name


class CouplingTable(Table):
    """See `management.Coupling`."""

    enabled: bool = True
    figures: dict[Name, Figure] = {}
    expression: str = ""
    file: str = ""
    sources: list[str] = []
    note: str = ""


class ApprovalTable(Table):
    """See `management.Approval`."""

    automatic: bool = True
    simulated_min: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    note: str = ""


class Document(Table):
    """A whole rule file of format 1, after `extends` is worked in."""

    format: Literal[1]
    version: Name
    city: Name = "national"
    note: str = ""
    sources: dict[Name, Name] = {}
    rules: dict[RuleId, RuleTable]
    closure: ClosureTable = ClosureTable()
    alarms: AlarmTable = AlarmTable()
    silences: dict[Name, SilenceTable] = {}
    inhibitions: dict[Name, InhibitionTable] = {}
    couplings: dict[RuleId, CouplingTable] = {}
    approval: Levels[ApprovalTable] = Levels()
    response: ByColour[ResponseTable]
    clocks: str = ""
    escalation: list[StepTable]
    forces_min: list[tuple[Number, str]] = []
    risk: RiskTable
    device_quality: dict[str, str] = {}
    device_limits: DeviceTable | None = None
