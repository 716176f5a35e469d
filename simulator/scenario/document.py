"""The whole scenario file as one model."""

import hashlib
import json
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from sensors.codecs import CODEC_NAMES
from simulator.clock import pace_of
from simulator.scenario.places import DEFAULT_JUNCTIONS, CitySpec
from simulator.scenario.values import Part, Seconds, SomeSeconds, one_of
from simulator.scenario.what_fails import FaultSpec
from simulator.scenario.what_falls import StormSpec, WeatherSpec
from simulator.scenario.what_happens import IncidentSpec, PermitSpec, PickSpec

_LATER = ("profile", "weather", "storms", "permits", "fault_rates", "compose")


class DemandSpec(Part):
    """How the water demand behaves."""

    model: Literal["pda", "dda"] = Field("pda", description="pressure-dependent or fixed demand")
    noise: float = Field(0.03, ge=0, le=0.5, description="hourly noise of each node, 1 sigma")


class CrewSpec(Part):
    """How crews work; minutes are medians, each job varies by `spread` (1 sigma, lognormal)."""

    accept_min: float = Field(2.0, ge=0)
    inspect_min: float = Field(6.0, ge=0, description="for each element inspected")
    isolate_min: float = Field(10.0, ge=0)
    repair_min: float = Field(120.0, ge=0)
    restore_min: float = Field(10.0, ge=0)
    spread: float = Field(0.15, ge=0, le=1)
    detour: float = Field(1.3, ge=1, description="road distance over straight distance")


class PlatformSpec(Part):
    """What the platform gets wrong about the network, and its switches."""

    roughness_error: float = Field(0.1, ge=0, le=1, description="1 sigma, lognormal")
    demand_error: float = Field(0.1, ge=0, le=1, description="1 sigma, lognormal")
    seed: int = Field(5, ge=0, description="of the platform's own errors")
    issue_before_assess: bool = False


class ComposeSpec(Part):
    """Another scenario that happens too: its incidents, storms, faults and permits."""

    scenario: str = Field(description="file beside this one, or a name from the library")
    offset: Seconds = Field(0, description="its times are counted from here, after the start")


class Scenario(Part):
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
    profile: str | None = Field(
        None, description="load profile: default, real, beijing, nanjing, shenyang, stress, a file"
    )
    weather: WeatherSpec = WeatherSpec()
    storms: tuple[StormSpec, ...] = ()
    incidents: tuple[IncidentSpec, ...] = ()
    permits: tuple[PermitSpec, ...] = ()
    faults: tuple[FaultSpec, ...] = ()
    fault_rates: str = Field(
        "none",
        description="random device faults: none, default, bad_day (30 times default), a file",
    )
    compose: tuple[ComposeSpec, ...] = ()
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
        return one_of(codec, CODEC_NAMES)

    @field_validator("pace", mode="before")
    @classmethod
    def _known_pace(cls, pace: object) -> str:
        pace_of(str(pace))
        return str(pace)

    @field_validator("storms")
    @classmethod
    def _storms_fit(
        cls, storms: tuple[StormSpec, ...], info: ValidationInfo
    ) -> tuple[StormSpec, ...]:
        _unique("storms", [storm.id for storm in storms])
        for storm in storms:
            _begins_in_time(storm.id, storm.at, info.data.get("duration"))
        return storms

    @field_validator("incidents")
    @classmethod
    def _ids_and_times(
        cls, incidents: tuple[IncidentSpec, ...], info: ValidationInfo
    ) -> tuple[IncidentSpec, ...]:
        _unique("incidents", [incident.id for incident in incidents])
        before: list[str] = []
        for incident in incidents:
            _begins_in_time(incident.id, incident.at, info.data.get("duration"))
            pick = incident.element
            if isinstance(pick, PickSpec) and pick.near is not None and pick.near not in before:
                raise ValueError(
                    f"{incident.id}: near: {pick.near!r} is no incident listed before it; "
                    f"use {', '.join(before) or 'none, it is the first'}"
                )
            before.append(incident.id)
        return incidents

    @model_validator(mode="after")
    def _permits_fit(self) -> "Scenario":
        _unique("permits", [permit.id for permit in self.permits])
        known = [incident.id for incident in self.incidents]
        for permit in self.permits:
            if permit.incident is not None and permit.incident not in known and not self.compose:
                raise ValueError(
                    f"permits: {permit.id}: no incident {permit.incident!r}; there are "
                    f"{', '.join(known) or 'none'}"
                )
        return self

    @property
    def start_ms(self) -> int:
        """Event time of the start, milliseconds UTC."""
        return round(self.start.timestamp() * 1000)

    @property
    def end_ms(self) -> int:
        """Event time of the end, milliseconds UTC."""
        return self.start_ms + self.duration * 1000

    @property
    def utc_offset_ms(self) -> int:
        """Offset of the city's local time from UTC."""
        offset = self.start.utcoffset()
        return 0 if offset is None else round(offset.total_seconds() * 1000)

    @property
    def digest(self) -> str:
        """Short hash of the scenario's content; pace and seed are not part of it.

        Keys that came after the first release count only where they are used, so that older
        scenarios keep their digest.
        """
        content = self.model_dump(mode="json", exclude={"pace", "seed"})
        for key in _LATER:
            if getattr(self, key) == Scenario.model_fields[key].default:
                del content[key]
        town = content["city"]["generate"]
        if town is not None:
            if self.city.generate is not None and not self.city.generate.is_whole:
                town["junctions"] = town["junctions"] or DEFAULT_JUNCTIONS
            _drop_none(town, "size", "corners")
        for incident in content["incidents"]:
            _drop_none(incident, "amount")
            if isinstance(incident["element"], dict):
                _drop_none(incident["element"], "near")
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _drop_none(content: dict[str, Any], *keys: str) -> None:
    for key in keys:
        if content[key] is None:
            del content[key]


def _unique(what: str, ids: list[str]) -> None:
    doubled = sorted({name for name in ids if ids.count(name) > 1})
    if doubled:
        raise ValueError(f"two {what} have the id {doubled[0]!r}; rename one")


def _begins_in_time(name: str, at: int, duration: int | None) -> None:
    if duration is not None and at >= duration:
        raise ValueError(
            f"{name} begins after {at} s, but the scenario ends after "
            f"{duration} s; let it begin earlier or the scenario last longer"
        )
