"""How often devices and gateways fail, from `fault_rates.yaml` or a file of one's own."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sensors.devices.faults import FaultKind
from simulator.errors import ScenarioError

FILE = "fault_rates.yaml"
_CHANCES = frozenset(
    {FaultKind.DROPOUT, FaultKind.FRAME_LOSS, FaultKind.FRAME_REPLAY, FaultKind.LINK_OUTAGE}
)
_NEEDS_NOTHING = frozenset({FaultKind.OUTAGE, FaultKind.STUCK, FaultKind.GATEWAY_OUTAGE})
_EARLIEST_CLOCK_S = 2.0**28
"""SenML takes a smaller time for one relative to now (RFC 8428 §4.5.3)."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Hours(_Part):
    """A lognormal duration, hours; `spread` is the standard deviation of its logarithm."""

    median: float = Field(gt=0, le=8760)
    spread: float = Field(ge=0, le=3)
    longest: float = Field(gt=0, le=8760)


class Amount(_Part):
    """How much: evenly spread in its logarithm between two ends above 0, else evenly."""

    unit: Literal["own", "accuracies", "ranges"] = Field(alias="in")
    low: float
    high: float
    sign: Literal["+", "both"] = "+"

    @model_validator(mode="after")
    def _is_upright(self) -> "Amount":
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}; exchange them")
        return self


class Rate(_Part):
    """One kind of fault: how often a year, how long, how much, and where that comes from."""

    kind: FaultKind
    per_year: float = Field(ge=0, le=10_000)
    hours: Hours
    amount: Amount | None = None
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Rate":
        if (self.amount is None) is not (self.kind in _NEEDS_NOTHING):
            change = "remove" if self.amount else "add"
            raise ValueError(f"amount: {change} it for {self.kind.value}")
        if self.amount is None:
            return self
        lacks = self.kind in _CHANCES and not 0 <= self.amount.low <= self.amount.high <= 1
        if lacks:
            raise ValueError(f"amount: {self.kind.value} takes a probability; use 0 to 1")
        if self.kind is FaultKind.CLOCK_RESET and self.amount.low < _EARLIEST_CLOCK_S:
            raise ValueError("amount: clock_reset takes Unix seconds; use 268435456 or more")
        return self


class Share(_Part):
    """Share of the devices of a kind that one firmware runs on."""

    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)


class FirmwareRate(Rate):
    """A firmware bug: one event strikes a share of one kind of device at once."""

    share: Share


class BaseStationRate(_Part):
    """Outages of base stations: all gateways of a cell lose their link at once."""

    cell_m: float = Field(gt=0)
    per_year: float = Field(ge=0, le=10_000)
    hours: Hours
    amount: Amount
    source: str = Field(min_length=1)


AnyRate = TypeVar("AnyRate", Rate, FirmwareRate, BaseStationRate)


class FaultRates(_Part):
    """A set of rates; `per_year` is a device's, a gateway's, a cell's and a kind's year.

    A set may be `like` another one of its file instead of listing rates, `times` as often.
    """

    title: str = ""
    like: str | None = None
    times: float = Field(1.0, gt=0, le=1000)
    device: tuple[Rate, ...] = ()
    gateway: tuple[Rate, ...] = ()
    base_station: BaseStationRate | None = None
    firmware: tuple[FirmwareRate, ...] = ()

    def more_often(self, times: float) -> "FaultRates":
        """Return the set with every rate multiplied."""

        def often(rate: AnyRate) -> AnyRate:
            return rate.model_copy(update={"per_year": rate.per_year * times})

        station = None if self.base_station is None else often(self.base_station)
        lists = {
            name: tuple(map(often, getattr(self, name)))
            for name in ("device", "gateway", "firmware")
        }
        return self.model_copy(update={**lists, "base_station": station})

    @model_validator(mode="after")
    def _stand_where_they_belong(self) -> "FaultRates":
        for name, rates, is_gateway in (
            ("device", self.device, False),
            ("gateway", self.gateway, True),
            ("firmware", self.firmware, False),
        ):
            wrong = [rate.kind.value for rate in rates if rate.kind.is_of_gateway is not is_gateway]
            if wrong:
                raise ValueError(f"{name}: {wrong[0]} does not belong here; move or remove it")
        for name, rates in (("device", self.device), ("gateway", self.gateway)):
            kinds = [rate.kind.value for rate in rates]
            doubled = sorted({kind for kind in kinds if kinds.count(kind) > 1})
            if doubled:
                raise ValueError(f"{name}: {doubled[0]} is given twice; remove one")
        return self


class _File(_Part):
    format: int = Field(ge=1, le=1)
    sets: Mapping[str, FaultRates]


def load_rates(name: str = "default", folder: Path | None = None) -> FaultRates:
    """Return a set of rates that comes with the program, or the one in a file.

    Args:
        name: A set that comes with the program (`none`, `default`, `bad_day`), or the path of a
            YAML file with `format` and one set in `sets`.
        folder: Where a relative path begins; None for the working directory.

    Raises:
        ScenarioError: there is no such set or file, or it is wrong (file, key, value, fix).
    """
    text = resources.files("simulator.incidents").joinpath(FILE).read_text("utf-8")
    own = parse_rates(text, FILE)
    if name in own:
        return own[name]
    file = Path(name) if folder is None else folder / name
    if file.suffix not in (".yaml", ".yml"):
        known = ", ".join(own)
        raise ScenarioError(f"fault_rates: {name!r} is neither one of {known} nor a .yaml file")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{file}: cannot be read: {error}") from error
    sets = parse_rates(text, str(file))
    if len(sets) != 1:
        raise ScenarioError(f"{file}: sets: has {len(sets)} sets; keep one")
    return next(iter(sets.values()))


def parse_rates(text: str, source: str) -> Mapping[str, FaultRates]:
    """Validate the text of a file of rates; `source` is named in errors (ScenarioError)."""
    try:
        content: Any = yaml.safe_load(text)
        sets = _File.model_validate(content).sets
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: not valid YAML: {error}") from error
    except ValidationError as error:
        raise ScenarioError("\n".join(_explain(source, item) for item in error.errors())) from error
    return {name: _resolved(name, sets, source) for name in sets}


def _resolved(name: str, sets: Mapping[str, FaultRates], source: str) -> FaultRates:
    """Return a set with its own rates, or with those of the one it is like."""
    chosen = sets[name]
    if chosen.like is None:
        return chosen if chosen.times == 1.0 else chosen.more_often(chosen.times)
    has_rates = chosen.device or chosen.gateway or chosen.base_station or chosen.firmware
    if has_rates:
        raise ScenarioError(f"{source}: sets.{name}: has rates and `like`; remove one of them")
    model = sets.get(chosen.like)
    if model is None or model.like is not None:
        fitting = ", ".join(other for other, item in sets.items() if item.like is None)
        raise ScenarioError(
            f"{source}: sets.{name}.like: no set with rates {chosen.like!r}; use one of {fitting}"
        )
    own = {"title": chosen.title, "like": chosen.like, "times": chosen.times}
    return model.more_often(model.times * chosen.times).model_copy(update=own)


def _explain(source: str, item: Any) -> str:
    key = ".".join(map(str, item["loc"])) or "(top)"
    message = {
        "extra_forbidden": "unknown key; remove it",
        "missing": "missing; add it",
    }.get(item["type"], item["msg"].removeprefix("Value error, "))
    given = item["input"]
    shown = "" if isinstance(given, dict | list | tuple) else f" (got {repr(given)[:80]})"
    return f"{source}: {key}: {message}{shown}"
