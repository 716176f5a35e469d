"""The city of a scenario: generated, imported from a network file, or a folder."""

from typing import Literal

from pydantic import Field, model_validator

from simulator.scenario.values import Part

DEFAULT_JUNCTIONS = 120
"""Junctions of the small water town when nothing says how large the city is."""


class GenerateSpec(Part):
    """Generate a city: a small water town by `junctions`, a whole city by `size` or `corners`."""

    junctions: int | None = Field(
        None, ge=20, le=2_000, description="a small town with water only: how many junctions"
    )
    size: Literal["town", "city", "metropolis"] | None = Field(
        None, description="a whole city of 1,000, 10,000 or 50,000 street corners"
    )
    corners: int | None = Field(
        None, ge=60, le=100_000, description="a whole city of so many street corners"
    )
    seed: int = Field(7, ge=0)

    @model_validator(mode="after")
    def _one_size(self) -> "GenerateSpec":
        if sum(item is not None for item in (self.junctions, self.size, self.corners)) > 1:
            raise ValueError("give only one of junctions, size and corners")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether it is a whole city, with gas, drainage and high buildings."""
        return self.size is not None or self.corners is not None


class CitySpec(Part):
    """Where the city comes from: exactly one of the three."""

    generate: GenerateSpec | None = None
    inp: str | None = Field(
        None, description="EPANET or SWMM .inp file, relative to the scenario file"
    )
    folder: str | None = Field(None, description="city folder, relative to the scenario file")

    @model_validator(mode="after")
    def _one_source(self) -> "CitySpec":
        if sum(item is not None for item in (self.generate, self.inp, self.folder)) != 1:
            raise ValueError("give exactly one of generate, inp or folder")
        return self
