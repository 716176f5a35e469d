"""The figures a gas network is generated from: `gas_rates.yaml`, checked on load."""

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from simulator.errors import ScenarioError
from simulator.physics.gas.model import (
    Biogas,
    GasProperties,
    NotNegative,
    Positive,
    Share,
    SoilPath,
)

RATES_FILE = Path(__file__).with_name("gas_rates.yaml")
Count = Annotated[int, Meta(ge=1)]
Range = tuple[Positive, Positive]


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    """A part of the file; the file says what each figure means."""


class Supply(_Strict):
    """Who takes how much when."""

    person_nm3_day: Positive
    hourly: Annotated[list[NotNegative], Meta(min_length=24, max_length=24)]
    corners_per_gate: Count


class Pressure(_Strict):
    """Set-points and bands, gauge."""

    medium_kpa: Positive
    medium_least_kpa: Positive
    low_kpa: Positive
    low_least_kpa: Positive
    low_most_kpa: Positive
    low_fall_kpa: Positive
    peak_share: Positive


class Material(_Strict):
    """What pipes up to an age are made of, and how likely they leak (1 to 5)."""

    name: str
    up_to_years: Positive
    roughness_mm: Positive
    likelihood: Annotated[int, Meta(ge=1, le=5)]


class PipeRates(_Strict):
    """Sizes, ages and risk of pipes."""

    low_mm: Annotated[list[Positive], Meta(min_length=1)]
    medium_mm: Annotated[list[Positive], Meta(min_length=1)]
    joined_share: Share
    oldest_years: Positive
    materials: Annotated[list[Material], Meta(min_length=1)]
    likelihood_years: list[Positive]
    consequence_households: list[Positive]
    household_persons: Positive
    least_likelihood: int


class Air(_Strict):
    """Bounds between which the figures of a kind of space are drawn."""

    volume_m3: Range
    changes_h: Range
    wind_changes_h: Range
    distance_m: Range


class SpaceRates(_Strict):
    """Spaces gas can gather in: how many, how large, how well aired."""

    manhole_share: Share
    sewer_share: Share
    sewer_biogas_m3_h: NotNegative
    manhole: Air
    well_every: Count
    well: Air
    station: Air
    tunnel_corners: Count
    tunnel_sections: Count
    tunnel_m2: Positive
    tunnel_air_m_s: Positive


class Physics(_Strict):
    """Figures that go into the model file as they are."""

    gas: GasProperties
    soil: SoilPath
    biogas: Biogas
    wind_m_s: NotNegative


class GasRates(_Strict):
    """The whole file."""

    format: Annotated[int, Meta(ge=1, le=1)]
    supply: Supply
    pressure: Pressure
    pipes: PipeRates
    spaces: SpaceRates
    physics: Physics

    @property
    def peak(self) -> float:
        """Factor on the mean demand that pipes are sized for."""
        return max(self.supply.hourly) * self.pressure.peak_share


@cache
def gas_rates(file: Path = RATES_FILE) -> GasRates:
    """Return the figures of a file.

    Raises:
        ScenarioError: a key, type or range is wrong, or ranges and lists do not ascend.
    """
    try:
        rates = msgspec.yaml.decode(file.read_bytes(), type=GasRates)
    except (msgspec.MsgspecError, OSError) as error:
        raise ScenarioError(f"{file}: {error}; see the comments in {RATES_FILE.name}") from error
    _check(file, rates)
    return rates


def _check(file: Path, rates: GasRates) -> None:
    pipes, ascending = rates.pipes, {}
    for key in ("low_mm", "medium_mm", "likelihood_years", "consequence_households"):
        ascending[f"pipes.{key}"] = getattr(pipes, key)
    ascending["pipes.materials.up_to_years"] = [item.up_to_years for item in pipes.materials]
    spaces = rates.spaces
    airs = {"manhole": spaces.manhole, "well": spaces.well, "station": spaces.station}
    for kind, air in airs.items():
        for key, bounds in msgspec.structs.asdict(air).items():
            ascending[f"spaces.{kind}.{key}"] = list(bounds)
    pressure = rates.pressure
    ascending["pressure.low_least_kpa, low_kpa, low_most_kpa"] = [
        pressure.low_least_kpa, pressure.low_kpa, pressure.low_most_kpa,
    ]  # fmt: skip
    for key, values in ascending.items():
        if any(one >= other for one, other in pairwise(values)):
            raise ScenarioError(f"{file}, {key}: {values}; write them in ascending order")
    if pipes.materials[-1].up_to_years < pipes.oldest_years:
        raise ScenarioError(
            f"{file}, pipes.materials: the last reaches {pipes.materials[-1].up_to_years} years; "
            f"let it reach oldest_years, {pipes.oldest_years}"
        )
