"""What counts as true, from `truth.yaml`: levels, harm, and which devices can tell of what."""

import math
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sensors.ground_truth import TrueKind
from sensors.levels import Level
from simulator.errors import ScenarioError

FILE = "truth.yaml"
_MILDEST_FIRST = (Level.BLUE, Level.YELLOW, Level.ORANGE, Level.RED)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Ladder(_Part):
    """Limits of the four levels, from the mildest: all rising or all falling."""

    blue: float
    yellow: float
    orange: float
    red: float

    @model_validator(mode="after")
    def _is_monotonic(self) -> "Ladder":
        steps = np.diff(self.limits)
        if not (np.all(steps > 0) or np.all(steps < 0)):
            raise ValueError("limits must rise or fall from blue to red; correct the odd one")
        return self

    @property
    def limits(self) -> NDArray[np.float64]:
        """The four limits, blue first."""
        return np.array([self.blue, self.yellow, self.orange, self.red])

    def rungs(self, values: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return how many limits each value has reached, 0 to 4; NaN reaches none."""
        sign = 1.0 if self.red > self.blue else -1.0
        safe = np.where(np.isnan(values), -np.inf, sign * values)
        rungs: NDArray[np.intp] = np.searchsorted(sign * self.limits, safe, side="right")
        return rungs

    def level(self, value: float) -> Level | None:
        """Return the worst level a value has reached, None for none."""
        return level_of(int(self.rungs(np.array([value]))[0]))


class Sight(_Part):
    """Which devices can tell of a kind of incident: those of `domains` within `reach_m`."""

    domains: tuple[str, ...]
    reach_m: float | None = Field(None, gt=0)

    @property
    def limit_m(self) -> float:
        """How far away a device may be, metres; inf for anywhere."""
        return math.inf if self.reach_m is None else self.reach_m


class PondingLadders(_Part):
    """Depth limits by kind of spot, cm."""

    road: Ladder
    underpass: Ladder


class TruthLimits(_Part):
    """Everything in the file; units are in the names, sources in the file."""

    format: int = Field(ge=1, le=1)
    detectable_sigmas: float = Field(gt=0)
    service_mpa: float = Field(gt=0)
    leak_m3_h: Ladder
    gas_outflow_m3_h: Ladder
    methane_vol: Ladder
    methane_lel: Ladder
    methane_harm_vol: float = Field(gt=0)
    methane_near_m: float = Field(gt=0)
    ponding_cm: PondingLadders
    ponding_stands_cm: float = Field(gt=0)
    ponding_rest_h: float = Field(gt=0)
    ponding_rise_cm: float = Field(gt=0)
    ponding_harm_cm: float = Field(gt=0)
    ponding_causes_m: float = Field(gt=0)
    road_closed_cm: float = Field(gt=0)
    rain_1h_mm: Ladder
    fire_pressure_mpa: Ladder
    search_m: Mapping[str, float]
    sight: Mapping[TrueKind, Sight]


def level_of(rungs: int) -> Level | None:
    """Return the level of a number of reached limits; None for none."""
    return None if rungs == 0 else _MILDEST_FIRST[rungs - 1]


@cache
def truth_limits() -> TruthLimits:
    """Return the limits that come with the program."""
    text = resources.files("simulator.incidents").joinpath(FILE).read_text("utf-8")
    return parse_limits(text, FILE)


def parse_limits(text: str, source: str) -> TruthLimits:
    """Validate the text of a limits file.

    Raises:
        ScenarioError: naming file, key, value and what is wrong with it.
    """
    try:
        content: Any = yaml.safe_load(text)
        return TruthLimits.model_validate(content)
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: not valid YAML: {error}") from error
    except ValidationError as error:
        lines = (
            f"{source}: {'.'.join(map(str, item['loc'])) or '(top)'}: {item['msg']}"
            f" (got {repr(item['input'])[:80]})"
            for item in error.errors()
        )
        raise ScenarioError("\n".join(lines)) from error
