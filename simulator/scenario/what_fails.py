"""Which devices fail, and how."""

from typing import Annotated

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from sensors.devices.faults import FaultKind
from simulator.scenario.values import NAMED, PICKED, Part, Seconds, SomeSeconds, one_of, way


class DevicePick(Part):
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
    Annotated[str, Tag(NAMED)] | Annotated[DevicePick, Tag(PICKED)], Discriminator(way)
]


class FaultSpec(Part):
    """One device fault (or one on several devices)."""

    device: DeviceChoice
    kind: str = Field(description="stuck, spike, outage, dropout, drift, bias, clock_skew, noise…")
    at: Seconds = 0
    duration: SomeSeconds | None = None
    amount: float = Field(0.0, description="in the fault's own unit")

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        return one_of(kind, [item.value for item in FaultKind])
