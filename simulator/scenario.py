"""Scenario files: what city, when, how long, what happens, which devices fail, who comes."""

import difflib
import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from sensors.codecs import CODEC_NAMES
from sensors.devices.faults import FaultKind
from sensors.ground_truth import TrueKind
from simulator.clock import pace_of
from simulator.errors import ScenarioError

_DURATION = re.compile(r"^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?$")
_NAMED, _PICKED = "<named>", "<picked>"


def parse_duration_s(value: object) -> object:
    """Return seconds for `90`, `"45s"`, `"30m"`, `"6h10m"` or `"1d12h"`; else the value as is."""
    if isinstance(value, bool):
        raise ValueError("use a duration such as 45s, 30m, 6h10m or 1d12h")
    if isinstance(value, str):
        match = _DURATION.match(value.replace(" ", ""))
        if not match or not any(match.groups()):
            raise ValueError("use a duration such as 45s, 30m, 6h10m or 1d12h")
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return value


Seconds = Annotated[int, BeforeValidator(parse_duration_s), Field(ge=0)]
SomeSeconds = Annotated[int, BeforeValidator(parse_duration_s), Field(gt=0)]


def _way(value: object) -> str:
    return _NAMED if isinstance(value, str) else _PICKED


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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


ElementChoice = Annotated[
    Annotated[str, Tag(_NAMED)] | Annotated[PickSpec, Tag(_PICKED)], Discriminator(_way)
]


class IncidentSpec(_Part):
    """One thing that happens in the network."""

    id: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    kind: TrueKind
    element: ElementChoice = Field(description="network element, or {pick: main, seed: 1}")
    at: Seconds = Field(description="after the start, such as 6h10m")
    duration: SomeSeconds | None = Field(
        None, description="until it ends by itself; left out: never"
    )
    outflow_m3_h: float | None = Field(None, gt=0, description="leaks: discharge at 30 m head")
    share_of_demand: float | None = Field(None, gt=0, le=5, description="leaks: of mean demand")
    growth: Seconds = Field(0, description="slow leaks: time to reach the full size")
    factor: float = Field(2.0, gt=0, description="demand surges: times the normal demand")

    @model_validator(mode="after")
    def _leaks_have_a_size(self) -> "IncidentSpec":
        kind = self.kind
        if kind is TrueKind.DEVICE_FAULT:
            raise ValueError(f"{self.id}: list device faults under faults:")
        sizes = (self.outflow_m3_h, self.share_of_demand)
        count = sum(size is not None for size in sizes)
        if kind in (TrueKind.BURST, TrueKind.SLOW_LEAK):
            if count != 1:
                raise ValueError(
                    f"{self.id}: a {kind} needs one of outflow_m3_h and share_of_demand, "
                    f"got {'both' if count else 'neither'}"
                )
        elif count:
            raise ValueError(
                f"{self.id}: a {kind} has no outflow; remove outflow_m3_h, share_of_demand"
            )
        if self.growth and kind is not TrueKind.SLOW_LEAK:
            raise ValueError(f"{self.id}: only a slow_leak grows; remove growth: {self.growth}")
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


DeviceChoice = Annotated[
    Annotated[str, Tag(_NAMED)] | Annotated[DevicePick, Tag(_PICKED)], Discriminator(_way)
]


class FaultSpec(_Part):
    """One device fault (or one on several devices)."""

    device: DeviceChoice
    kind: str = Field(description="stuck, spike, outage, dropout, drift, bias, clock_skew, noise…")
    at: Seconds = 0
    duration: SomeSeconds | None = None
    amount: float = Field(0.0, description="in the fault's own unit")

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        return _one_of(kind, [item.value for item in FaultKind])


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
    duration: SomeSeconds
    tick: SomeSeconds = Field(
        60, le=3600, validate_default=True, description="length of one tick of the clock"
    )
    seed: int = Field(1, ge=0)
    codec: str = "senml_json"
    pace: str = "max"
    demand: DemandSpec = DemandSpec()
    pressure_share: float = Field(0.2, gt=0, le=1, description="pressure devices a junction")
    incidents: tuple[IncidentSpec, ...] = ()
    faults: tuple[FaultSpec, ...] = ()
    crews: CrewSpec = CrewSpec()
    platform: PlatformSpec = PlatformSpec()

    @field_validator("start", mode="before")
    @classmethod
    def _is_a_moment(cls, start: object) -> object:
        if not isinstance(start, str | datetime):
            raise ValueError("use a moment such as 2026-06-01T00:00:00+08:00")
        return start

    @field_validator("start")
    @classmethod
    def _has_zone(cls, start: datetime) -> datetime:
        if start.tzinfo is None:
            raise ValueError("needs a time zone, such as 2026-06-01T00:00:00+08:00")
        return start

    @field_validator("tick")
    @classmethod
    def _divides_the_duration(cls, tick: int, info: ValidationInfo) -> int:
        duration = info.data.get("duration", 0)
        if duration % tick:
            raise ValueError(f"must divide the duration of {duration} s without rest")
        return tick

    @field_validator("codec")
    @classmethod
    def _known_codec(cls, codec: str) -> str:
        return _one_of(codec, CODEC_NAMES)

    @field_validator("pace", mode="before")
    @classmethod
    def _known_pace(cls, pace: object) -> str:
        pace_of(str(pace))
        return str(pace)

    @field_validator("incidents")
    @classmethod
    def _ids_and_times(
        cls, incidents: tuple[IncidentSpec, ...], info: ValidationInfo
    ) -> tuple[IncidentSpec, ...]:
        ids = [incident.id for incident in incidents]
        doubled = sorted({name for name in ids if ids.count(name) > 1})
        if doubled:
            raise ValueError(f"two incidents have the id {doubled[0]!r}; rename one")
        duration = info.data.get("duration")
        for incident in incidents:
            if duration is not None and incident.at >= duration:
                raise ValueError(
                    f"{incident.id} begins after {incident.at} s, but the scenario ends after "
                    f"{duration} s; let it begin earlier or the scenario last longer"
                )
        return incidents

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
        content = yaml.load(text, _ScenarioYaml)
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ScenarioError(f"{source}: must be a mapping with name, city, start and duration")
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        raise ScenarioError("\n".join(_explain(source, item) for item in error.errors())) from error


class _ScenarioYaml(yaml.SafeLoader):
    """YAML that refuses doubled keys and leaves moments and `6:10` (base 60) as text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for place, (key, _) in enumerate(node.value):
            if isinstance(key, yaml.ScalarNode) and key.value in names[:place]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} is given twice; remove one", key.start_mark
                )
        return super().construct_mapping(node, deep)


def _number(loader: _ScenarioYaml, node: yaml.ScalarNode) -> object:
    if ":" in node.value:
        return node.value
    is_int = node.tag.endswith(":int")
    return loader.construct_yaml_int(node) if is_int else loader.construct_yaml_float(node)


def _text(_loader: _ScenarioYaml, node: yaml.ScalarNode) -> str:
    return str(node.value)


_ScenarioYaml.add_constructor("tag:yaml.org,2002:int", _number)
_ScenarioYaml.add_constructor("tag:yaml.org,2002:float", _number)
_ScenarioYaml.add_constructor("tag:yaml.org,2002:timestamp", _text)


def _one_of(word: str, known: Sequence[str]) -> str:
    if word not in known:
        raise ValueError(f"{_near(word, known)}; known: {', '.join(known)}")
    return word


def _near(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"unknown; did you mean {close[0]!r}?" if close else "unknown"


def _explain(source: str, item: Any) -> str:
    path = [str(part) for part in item["loc"] if part not in (_NAMED, _PICKED)]
    key = ".".join(path) or "(top)"
    if item["type"] == "extra_forbidden":
        known = _keys_at(path[:-1])
        return f"{source}: {key}: key is {_near(path[-1], known)}; known: {', '.join(known)}"
    if item["type"] == "missing":
        return f"{source}: {key}: missing; add it"
    message = item["msg"].removeprefix("Value error, ")
    given = item["input"]
    shown = "" if isinstance(given, dict | list | tuple) else f" (got {repr(given)[:80]})"
    return f"{source}: {key}: {message}{shown}"


def _keys_at(path: Sequence[str]) -> list[str]:
    """Return the keys of the part of a scenario that a path leads to."""
    part: type[BaseModel] = Scenario
    for step in path:
        if step in part.model_fields:
            part = _part_in(part.model_fields[step].annotation) or part
    return list(part.model_fields)


def _part_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_part_in, get_args(annotation))), None)
