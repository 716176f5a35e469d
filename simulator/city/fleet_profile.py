"""Load profiles: how many devices of each kind a fleet has, and how often they report."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulator.city.candidates import PLACES
from simulator.errors import ScenarioError

_FOLDER = "profiles"
_DEEPEST = 4


class KindShare(BaseModel):
    """How many devices of one kind, and what differs from the kind's data sheet.

    Exactly one of `share`, `count` and `weight` says how many.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    share: float | None = Field(None, ge=0, le=50, description="devices an element, on average")
    count: int | None = Field(None, ge=0, le=1_000_000, description="devices in all")
    weight: float | None = Field(
        None, ge=0, description="share of what `devices` leaves after the counts"
    )
    interval_s: int | None = Field(None, gt=0, le=7 * 86_400, description="normal interval")
    alarm_interval_s: int | None = Field(None, gt=0, le=86_400)
    upload_s: int | None = Field(None, ge=0, le=7 * 86_400, description="late batches; 0: at once")

    @model_validator(mode="after")
    def _one_size(self) -> "KindShare":
        if sum(item is not None for item in (self.share, self.count, self.weight)) != 1:
            raise ValueError("give exactly one of share, count and weight")
        return self


class FleetProfile(BaseModel):
    """One load profile; see `simulator/city/profiles/` for those that are shipped."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str
    source: str = Field(description="where the figures come from; `proposed` where from nowhere")
    extends: str | None = Field(None, description="profile whose kinds are taken over")
    devices: int | None = Field(
        None, ge=1, le=1_000_000, description="exact size of the fleet; left out: what kinds say"
    )
    interval_s: int | None = Field(None, gt=0, description="normal interval of every kind")
    gateway_devices: int = Field(
        67,
        ge=1,
        le=1000,
        description="devices at a gateway; 67 gives 50 to 100 of many",
    )
    kinds: dict[str, KindShare] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _kinds_fit(self) -> "FleetProfile":
        for kind in self.kinds:
            if kind not in PLACES:
                raise ValueError(f"kinds.{kind}: unknown kind; known: {', '.join(PLACES)}")
        if self.extends is None and not self.kinds:
            raise ValueError("kinds: none given; list some, or extend another profile")
        has_weights = any(item.weight is not None for item in self.kinds.values())
        if has_weights and self.devices is None:
            raise ValueError("devices: missing; kinds with a weight share out a total")
        return self


def profile_names() -> list[str]:
    """Return the names of the profiles that are shipped."""
    folder = resources.files("simulator.city").joinpath(_FOLDER)
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir())


def load_profile(profile: str) -> FleetProfile:
    """Return a shipped profile by name, or one from a `.yaml` file by path.

    Raises:
        ScenarioError: there is none, or the file is wrong; names file, key, value and fix.
    """
    return _resolved(profile, ())


def _resolved(profile: str, seen: tuple[str, ...]) -> FleetProfile:
    if profile in seen or len(seen) >= _DEEPEST:
        raise ScenarioError(f"profile {profile!r}: extends: {' > '.join(seen)} leads nowhere")
    source, text = _text(profile)
    own = _parse(source, text)
    if own.extends is None:
        return own
    base = _resolved(own.extends, (*seen, profile))
    return own.model_copy(
        update={
            "kinds": {**base.kinds, **own.kinds},
            "devices": own.devices if own.devices is not None else base.devices,
        }
    )


def _text(profile: str) -> tuple[str, str]:
    """Return where a profile comes from and what stands there."""
    if profile in profile_names():
        file = resources.files("simulator.city").joinpath(_FOLDER).joinpath(f"{profile}.yaml")
        return f"{profile}.yaml", file.read_text(encoding="utf-8")
    path = Path(profile)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        known = ", ".join(profile_names())
        raise ScenarioError(f"profile: no {profile!r}; give one of {known}, or a .yaml file")
    try:
        return profile, path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{profile}: cannot be read: {error}") from error


def _parse(source: str, text: str) -> FleetProfile:
    try:
        content: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: not valid YAML: {error}") from error
    if not isinstance(content, Mapping):
        raise ScenarioError(f"{source}: must be a mapping with name, title, source and kinds")
    try:
        return FleetProfile.model_validate(content)
    except ValidationError as error:
        lines = []
        for item in error.errors():
            key = ".".join(map(str, item["loc"])) or "(top)"
            given = item["input"]
            shown = "" if isinstance(given, dict | list) else f" (got {given!r})"
            message = item["msg"].removeprefix("Value error, ")
            lines.append(f"{source}: {key}: {message}{shown}")
        raise ScenarioError("\n".join(lines)) from error
