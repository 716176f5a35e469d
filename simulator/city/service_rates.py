"""How many teams, stores, shelters and key sites a generated city has: data, checked on load."""

from functools import cache
from importlib import resources
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulator.errors import ScenarioError

_FILE = "services.yaml"
_Share = Annotated[float, Field(ge=0, le=1)]
_Positive = Annotated[float, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TeamKind(_Strict):
    """One kind of team: its unit, what it can do, its share of all teams."""

    name: str
    unit: str
    share: _Share
    skills: tuple[str, ...] = Field(min_length=1)


class Teams(_Strict):
    """All teams: one for so many people, and how fast they travel."""

    people_per: _Positive
    speed_km_h: _Positive
    kinds: tuple[TeamKind, ...] = Field(min_length=1)


class Stores(_Strict):
    """Stores: one for so many people, and what each holds."""

    people_per: _Positive
    stock: dict[str, int]


class Shelters(_Strict):
    """Shelters: one for so many people, floor area and need of a person."""

    people_per: _Positive
    m2_per_person: _Positive
    area_m2: tuple[_Positive, _Positive]


class Experts(_Strict):
    """Experts: one for so many people, by domain and unit in turn."""

    people_per: _Positive
    domains: tuple[str, ...] = Field(min_length=1)
    units: tuple[str, ...] = Field(min_length=1)


class SiteKind(_Strict):
    """One kind of key site."""

    kind: str
    name: str
    people_per: _Positive
    least: int = Field(ge=0)


class Heights(_Strict):
    """Heights of buildings, metres: lognormal round a median, cut to a range."""

    median: _Positive
    spread: _Positive
    range: tuple[_Positive, _Positive]


class HighRises(_Strict):
    """High-rise homes: where, how many, how high."""

    dense_above: _Positive
    corners_per: int = Field(ge=1)
    height_m: Heights
    people_share: tuple[_Share, _Share]
    tank_m3: tuple[_Positive, _Positive]


class DistrictNames(_Strict):
    """Names of districts: the middle one, and eight directions from the east leftward."""

    centre: str
    directions: tuple[str, ...] = Field(min_length=8, max_length=8)


class ServiceRates(_Strict):
    """The whole of `services.yaml`."""

    source: str
    teams: Teams
    stores: Stores
    shelters: Shelters
    experts: Experts
    key_sites: tuple[SiteKind, ...]
    high_rises: HighRises
    districts: DistrictNames


@cache
def service_rates() -> ServiceRates:
    """Return the shipped rates.

    Raises:
        ScenarioError: the file is wrong; names file, key, value and fix.
    """
    text = resources.files("simulator.city").joinpath(_FILE).read_text(encoding="utf-8")
    return parse_rates(text, _FILE)


def parse_rates(text: str, name: str) -> ServiceRates:
    """Return rates from the text of a YAML file; errors as in `service_rates`."""
    try:
        return ServiceRates.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ScenarioError(f"{name}: not valid YAML: {error}; mend it") from error
    except ValidationError as error:
        lines = []
        for item in error.errors():
            key = ".".join(str(part) for part in item["loc"])
            lines.append(f"{name}: {key}: {item['msg']}, got {item['input']!r}")
        raise ScenarioError("\n".join(lines)) from error
