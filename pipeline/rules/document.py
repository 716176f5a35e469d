"""The shape of a rule file, checked by pydantic; only `load` sees these classes."""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

BasisWord = Literal["quoted", "example", "proposed"]
Colour = Literal["blue", "yellow", "orange", "red"]
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Pair = tuple[int, int]
Consequence = Annotated[str, Field(pattern="^[1-9]$")]
T = TypeVar("T")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ByColour(_Table, Generic[T]):
    """One value a level."""

    blue: T
    yellow: T
    orange: T
    red: T


class ChangeTable(_Table):
    """See `ruleset.Change`."""

    recovered_share: Annotated[float, Field(gt=0, lt=1)]
    confirm_s: Positive
    resample_s: Positive
    resample_count: Count
    new_normal_s: Positive
    basis: str = ""


class RuleTable(_Table):
    """See `ruleset.Rule`."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+$")]
    domain: str
    indicator: str
    unit: str
    direction: Literal["low", "high"]
    sample_s: Positive
    sample_alarm_s: Positive
    thresholds: ByColour[Number | None]
    basis: ByColour[BasisWord]
    on_m_of_n: ByColour[Pair]
    clear_consecutive: Count
    deadband: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    window_s: Positive | Annotated[list[Positive], Field(min_length=4, max_length=4)] | None
    max_level_alone: Colour
    change: ChangeTable | None = None
    sources: list[str]
    note: str = ""


class ResponseTable(_Table):
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


class StepTable(_Table):
    """See `ruleset.EscalationStep`."""

    step: Count
    when: str
    act: str
    at_fraction: Positive | None = None
    slip: Literal["blue", "yellow", "orange", "red", "none"] = "none"
    tiers_up: Annotated[int, Field(ge=0)] = 0


class RiskTable(_Table):
    """See `ruleset.RiskMethod`; the prose keys are kept for people."""

    scale: Count
    formula: Literal["R=L*C"]
    default: str
    bands: dict[str, ByColour[Pair]]
    consequence_households: dict[Consequence, Positive]
    likelihood_live: str = ""
    adjust: list[str] = []


class LimitValue(_Table):
    """One device limit with its unit and where it comes from."""

    value: Positive
    unit: str
    basis: BasisWord
    note: str = ""


class DeviceTable(_Table):
    """See `ruleset.DeviceLimits`."""

    offline_intervals: LimitValue
    offline_min_s: LimitValue
    stuck_s: LimitValue
    stuck_samples: LimitValue
    skew_s: LimitValue
    late_intervals: LimitValue
    battery_low: LimitValue
    battery_recovered: LimitValue


class Document(_Table):
    """A whole rule file."""

    version: str
    note: str = ""
    rules: list[RuleTable]
    response: ByColour[ResponseTable]
    clocks: str = ""
    escalation: list[StepTable]
    forces_min: list[tuple[Number, str]] = []
    risk: RiskTable
    device_quality: dict[str, str] = {}
    device_limits: DeviceTable | None = None
