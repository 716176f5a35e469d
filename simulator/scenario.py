"""Scenario files: what city, when, how long, what happens, which devices fail, who comes."""

import difflib
import hashlib
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from sensors.ground_truth import TrueKind
from simulator.errors import ScenarioError

_DURATION = re.compile(r"^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?$")


def parse_duration_s(value: object) -> object:
    """Return seconds for `90`, `"45s"`, `"30m"`, `"6h10m"` or `"1d12h"`; else the value as is."""
    if isinstance(value, str):
        match = _DURATION.match(value.replace(" ", ""))
        if not value or not match or not any(match.groups()):
            raise ValueError("use a duration such as 45s, 30m, 6h10m or 1d12h")
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return value


Seconds = Annotated[int, BeforeValidator(parse_duration_s), Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GenerateSpec(_Part):
    """Generate a small town."""

    junctions: int = Field(120, ge=20, le=2_000, description="how many water junctions")
    seed: int = Field(7, ge=0)


class CitySpec(_Part):
    """Where the city comes from: exactly one of the three."""

    generate: GenerateSpec | None = None
    inp: str | None = Field(None, description="EPANET .inp file, relative to the scenario file")
    folder: str | None = Field(None, description="city folder, relative to the scenario file")

    @model_validator(mode="after")
    def _one_source(self) -> "CitySpec":
        if sum(item is not None for item in (self.generate, self.inp, self.folder)) != 1:
            raise ValueError("give exactly one of generate, inp or folder")
        return self


class DemandSpec(_Part):
    """How the water demand behaves."""

    model: Literal["pda", "dda"] = Field("pda", description="pressure-dependent or fixed demand")
    noise: float = Field(0.03, ge=0, le=0.5, description="hourly noise of each node, 1 sigma")


class PickSpec(_Part):
    """Choose an element by what it is, so that a scenario runs on any network.

    Pipes are chosen among those in a loop, where shutting one cuts nobody off.
    """

    pick: Literal["main", "middle", "branch", "random"] = Field(
        description="main: among the widest pipes; middle: of median width; branch: narrow"
    )
    seed: int = Field(1, ge=0, description="which of the pipes that fit")


class IncidentSpec(_Part):
    """One thing that happens in the network."""

    id: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    kind: TrueKind
    element: str | PickSpec = Field(description="network element, or {pick: main, seed: 1}")
    at: Seconds = Field(description="after the start, such as 6h10m")
    duration: Seconds | None = Field(None, description="until it ends by itself; left out: never")
    outflow_m3_h: float | None = Field(None, gt=0, description="leaks: discharge at 30 m head")
    share_of_demand: float | None = Field(None, gt=0, le=5, description="leaks: of mean demand")
    growth: Seconds = Field(0, description="slow leaks: time to reach the full size")
    factor: float = Field(2.0, gt=0, description="demand surges: times the normal demand")

    @model_validator(mode="after")
    def _leaks_have_a_size(self) -> "IncidentSpec":
        leaks = self.kind in (TrueKind.BURST, TrueKind.SLOW_LEAK)
        if leaks and (self.outflow_m3_h is None) == (self.share_of_demand is None):
            raise ValueError("a burst or leak needs one of outflow_m3_h and share_of_demand")
        if self.kind is TrueKind.DEVICE_FAULT:
            raise ValueError("device faults are listed under faults:")
        return self


class DevicePick(_Part):
    """Choose devices by kind, so that a scenario runs on any network."""

    kind: str
    nth: int | None = Field(None, ge=0, description="the n-th by id; left out: a share of them")
    share: float | None = Field(None, gt=0, le=1, description="this share of the kind")

    @model_validator(mode="after")
    def _one_way(self) -> "DevicePick":
        if (self.nth is None) == (self.share is None):
            raise ValueError("give one of nth and share")
        return self


class FaultSpec(_Part):
    """One device fault (or one on several devices)."""

    device: str | DevicePick
    kind: str = Field(description="stuck, spike, outage, dropout, drift, bias, clock_skew, noise…")
    at: Seconds = 0
    duration: Seconds | None = None
    amount: float = Field(0.0, description="in the fault's own unit")


class CrewSpec(_Part):
    """How crews work; minutes are medians, each job varies by `spread` (1 sigma, lognormal)."""

    accept_min: float = Field(2.0, ge=0)
    inspect_min: float = Field(6.0, ge=0, description="for each element inspected")
    isolate_min: float = Field(10.0, ge=0)
    repair_min: float = Field(120.0, ge=0)
    restore_min: float = Field(10.0, ge=0)
    spread: float = Field(0.15, ge=0, le=1)
    detour: float = Field(1.3, ge=1, description="road distance over straight distance")


class PlatformSpec(_Part):
    """What the platform gets wrong about the network, and its switches."""

    roughness_error: float = Field(0.1, ge=0, le=1, description="1 sigma, lognormal")
    demand_error: float = Field(0.1, ge=0, le=1, description="1 sigma, lognormal")
    seed: int = Field(5, ge=0, description="of the platform's own errors")
    issue_before_assess: bool = False


class Scenario(_Part):
    """A whole scenario; see `scenarios/` for examples."""

    format: Literal[1]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = ""
    teaches: str = Field("", description="one line: what a run of it teaches")
    city: CitySpec
    start: datetime
    duration: Seconds = Field(gt=0)
    tick: Seconds = Field(60, gt=0, le=3600, description="length of one tick of the clock")
    seed: int = Field(1, ge=0)
    codec: str = "senml_json"
    pace: str = "max"
    demand: DemandSpec = DemandSpec()
    pressure_share: float = Field(0.2, gt=0, le=1, description="pressure devices a junction")
    incidents: tuple[IncidentSpec, ...] = ()
    faults: tuple[FaultSpec, ...] = ()
    crews: CrewSpec = CrewSpec()
    platform: PlatformSpec = PlatformSpec()

    @model_validator(mode="after")
    def _consistent(self) -> "Scenario":
        if self.start.tzinfo is None:
            raise ValueError("start needs a time zone, such as 2026-06-01T00:00:00+08:00")
        if self.duration % self.tick:
            raise ValueError(f"duration must be a whole number of ticks of {self.tick} s")
        ids = [incident.id for incident in self.incidents]
        if len(set(ids)) != len(ids):
            raise ValueError("two incidents have the same id")
        late = [incident.id for incident in self.incidents if incident.at >= self.duration]
        if late:
            raise ValueError(f"incidents {late} begin after the end of the scenario")
        return self

    @property
    def start_ms(self) -> int:
        """Event time of the start, milliseconds UTC."""
        return round(self.start.timestamp() * 1000)

    @property
    def utc_offset_ms(self) -> int:
        """Offset of the city's local time from UTC."""
        offset = self.start.utcoffset()
        return 0 if offset is None else round(offset.total_seconds() * 1000)

    @property
    def digest(self) -> str:
        """Short hash of the scenario's content; pace and seed are not part of it."""
        text = self.model_dump_json(exclude={"pace", "seed"})
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_scenario(file: Path) -> Scenario:
    """Read and validate a scenario file.

    Raises:
        ScenarioError: naming file, key, value and the fix.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{file}: cannot be read: {error}") from error
    return parse_scenario(text, str(file))


def parse_scenario(text: str, source: str) -> Scenario:
    """Validate the text of a scenario; `source` is named in errors (ScenarioError)."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ScenarioError(f"{source}: must be a mapping with name, city, start and duration")
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        raise ScenarioError("\n".join(_explain(source, item) for item in error.errors())) from error


def _explain(source: str, item: Any) -> str:
    path = [str(part) for part in item["loc"] if part not in _NOISE]
    key = ".".join(path) or "(top)"
    if item["type"] == "extra_forbidden":
        close = difflib.get_close_matches(path[-1], _keys(), n=1)
        hint = f"did you mean {close[0]!r}?" if close else "remove it"
        return f"{source}: {key}: unknown key; {hint}"
    if item["type"] == "missing":
        return f"{source}: {key}: missing; add it"
    message = item["msg"].removeprefix("Value error, ")
    value = repr(item["input"])
    shown = "" if isinstance(item["input"], dict) else f" (got {value[:80]})"
    return f"{source}: {key}: {message}{shown}"


_NOISE = {"str", "PickSpec", "DevicePick", "function-before[parse_duration_s(), constrained-int]"}


def _keys() -> list[str]:
    parts = (Scenario, CitySpec, GenerateSpec, DemandSpec, IncidentSpec, FaultSpec, CrewSpec)
    return sorted({key for part in (*parts, PlatformSpec) for key in part.model_fields})
