"""A random scenario from rates: what a stretch of days in a city might bring."""

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sensors.ground_truth import TrueKind
from simulator.errors import ScenarioError
from simulator.randomness import stream
from simulator.scenario.document import Scenario
from simulator.scenario.kinds import happening_kinds
from simulator.scenario.reading import checked_scenario

_DAY_S, _HOUR_S, _TICK_S = 86_400, 3600, 60
_YEAR_DAYS = 365.25
_START = "2026-06-01T00:00:00+08:00"


class _Rated(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Spread(_Rated):
    """A lognormal distribution, cut to a range."""

    median: float = Field(gt=0)
    sigma: float = Field(ge=0, le=3, description="of the logarithm")
    low: float = 0.0
    high: float = float(10**9)

    def draw(self, random: np.random.Generator) -> float:
        """Return one value, to three digits."""
        value = self.median * float(np.exp(self.sigma * random.standard_normal()))
        return float(f"{min(max(value, self.low), self.high):.3g}")


class Size(Spread):
    """Size of an incident and the key of the scenario file it goes to."""

    key: str = Field(pattern=r"^(amount|share_of_demand|outflow_m3_h)$")


class IncidentRate(_Rated):
    """How often one kind of incident happens."""

    per_year: float = Field(ge=0, le=100_000)
    size: Size | None = None
    duration_h: Spread | None = None
    growth_h: float = Field(0.0, ge=0)
    source: str


class StormRate(_Rated):
    """How often it rains, and how much."""

    per_year: float = Field(ge=0, le=1000)
    total_mm: Spread
    duration_h: Spread
    source: str


class Rates(_Rated):
    """Events a year in a city of 1,000 street corners."""

    incidents: dict[TrueKind, IncidentRate]
    storms: StormRate | None = None


def load_rates(file: Path | None = None) -> Rates:
    """Return the shipped rates, or those of a file.

    Raises:
        ScenarioError: the file cannot be read or is wrong; names file, key, value and fix.
    """
    name = "rates.yaml" if file is None else str(file)
    try:
        if file is None:
            packed = resources.files("simulator.scenario").joinpath("rates.yaml")
            text = packed.read_text(encoding="utf-8")
        else:
            text = file.read_text(encoding="utf-8")
        return Rates.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        lines = [
            f"{name}: {'.'.join(map(str, item['loc']))}: {item['msg']} (got {item['input']!r:.80})"
            for item in error.errors()
        ]
        raise ScenarioError("\n".join(lines)) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ScenarioError(f"{name}: cannot be read: {error}") from error


def sampled(rates: Rates, days: int, seed: int, corners: int = 200, scale: float = 1.0) -> Scenario:
    """Return a random scenario: Poisson numbers of events, evenly spread over the days.

    Each kind draws from a stream of its own, so changing one rate leaves the others' events.

    Args:
        rates: How often things happen.
        days: Length of the scenario.
        seed: Another seed, other events; also the seed of the run.
        corners: Size of the generated city; rates grow with it.
        scale: Factor on every rate, to see more in a small city.
    """
    years = days / _YEAR_DAYS * corners / 1000 * scale
    incidents: list[dict[str, Any]] = []
    for kind, rate in sorted(rates.incidents.items()):
        incidents += _incidents(kind, rate, days, seed, years)
    incidents.sort(key=lambda row: (row["at"], row["id"]))
    content = {
        "format": 1,
        "name": f"sample-{days}d-{seed}",
        "title": f"{days} random days, seed {seed}",
        "teaches": "How the loop fares over a stretch of days in which anything may happen.",
        "city": {"generate": {"corners": corners, "seed": seed}},
        "start": _START,
        "duration": days * _DAY_S,
        "tick": _TICK_S,
        "seed": seed,
        # It rains on the whole city alike, so storms do not come oftener to a larger one.
        "storms": _storms(rates.storms, days, seed, days / _YEAR_DAYS * scale),
        "incidents": incidents,
        "fault_rates": "default",
    }
    return checked_scenario(content, "sample")


def _incidents(
    kind: TrueKind, rate: IncidentRate, days: int, seed: int, years: float
) -> list[dict[str, Any]]:
    row = happening_kinds().get(kind)
    if row is None:
        raise ScenarioError(f"rates: incidents.{kind}: it cannot be ordered; remove it")
    random = stream(seed, "sample", kind.value)
    found = []
    for number in range(1, int(random.poisson(rate.per_year * years)) + 1):
        at = int(random.integers(days * _DAY_S // _TICK_S)) * _TICK_S
        event: dict[str, Any] = {"id": f"{kind.value}-{number}", "kind": kind.value, "at": at}
        if row.picks:
            event["element"] = {"pick": row.picks[0], "seed": int(random.integers(1_000_000))}
        if rate.size is not None:
            event[rate.size.key] = rate.size.draw(random)
        if rate.duration_h is not None:
            event["duration"] = _ticks(rate.duration_h.draw(random))
        if rate.growth_h:
            event["growth"] = _ticks(rate.growth_h)
        found.append(event)
    return found


def _storms(rate: StormRate | None, days: int, seed: int, years: float) -> list[dict[str, Any]]:
    if rate is None:
        return []
    random = stream(seed, "sample", "storm")
    found: list[dict[str, Any]] = [
        {
            "kind": "chicago",
            "at": int(random.integers(days * _DAY_S // _TICK_S)) * _TICK_S,
            "total_mm": rate.total_mm.draw(random),
            "duration": _ticks(rate.duration_h.draw(random)),
        }
        for _ in range(int(random.poisson(rate.per_year * years)))
    ]
    found.sort(key=lambda row: row["at"])
    return [{"id": f"rain-{number}", **row} for number, row in enumerate(found, start=1)]


def _ticks(hours: float) -> int:
    """Return hours as seconds, in whole ticks and at least one."""
    return max(1, round(hours * _HOUR_S / _TICK_S)) * _TICK_S
