"""What happens in the networks: incidents, where they strike, and permits for works."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from sensors.ground_truth import TrueKind
from simulator.scenario.kinds import happening_kinds
from simulator.scenario.values import NAMED, PICKED, Part, Seconds, SomeSeconds, way

PICKS = Literal[
    "main", "middle", "branch", "random", "lp", "mp", "manhole", "valve_well", "underpass",
    "road", "pump", "high_rise",
]  # fmt: skip
"""Ways to pick an element; which fit a kind stands in `kinds.yaml`."""

_ELSEWHERE = {
    TrueKind.DEVICE_FAULT: "list device faults under faults:",
    TrueKind.STORM: "list storms under storms:",
    TrueKind.PONDING: "ponding follows from storms: and failures; it cannot be ordered",
}


class PickSpec(Part):
    """Choose an element by what it is, so that a scenario runs on any network.

    Water pipes are chosen among those in a loop, where shutting one cuts nobody off; gas pipes
    among those that a space with a device can hear.
    """

    pick: PICKS = Field(
        description="main: among the widest pipes; middle: of median width; branch: narrow; lp and "
        "mp: low and medium pressure; underpass: what drains or feeds one; road: under a low spot"
    )
    seed: int = Field(1, ge=0, description="which of the elements that fit")
    near: str | None = Field(None, description="the nearest ones to the element of this incident")


ElementChoice = Annotated[
    Annotated[str, Tag(NAMED)] | Annotated[PickSpec, Tag(PICKED)], Discriminator(way)
]


class IncidentSpec(Part):
    """One thing that happens in the city."""

    id: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    kind: TrueKind
    element: ElementChoice = Field(
        description="network element, or {pick: main, seed: 1}; left out for river_high"
    )
    at: Seconds = Field(description="after the start, such as 6h10m")
    duration: SomeSeconds | None = Field(
        None, description="until it ends by itself; left out: never"
    )
    outflow_m3_h: float | None = Field(None, gt=0, description="leaks: discharge at 30 m head")
    share_of_demand: float | None = Field(None, gt=0, le=5, description="leaks: of mean demand")
    growth: Seconds = Field(0, description="slow leaks: time to reach the full size")
    factor: float = Field(2.0, gt=0, description="demand surges: times the normal demand")
    amount: float | None = Field(
        None, description="gas, flood and fire: size in the unit of the kind (mm, Nm3/h, share, m)"
    )

    @model_validator(mode="before")
    @classmethod
    def _some_befall_nothing(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and fields.get("kind") == TrueKind.RIVER_HIGH.value:
            return {"element": "", **fields}
        return fields

    @model_validator(mode="after")
    def _leaks_have_a_size(self) -> "IncidentSpec":
        kind = self.kind
        if kind in _ELSEWHERE:
            raise ValueError(f"{self.id}: {_ELSEWHERE[kind]}")
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

    @model_validator(mode="after")
    def _amount_and_pick_fit(self) -> "IncidentSpec":
        row = happening_kinds()[self.kind]
        wanted = row.amount
        if wanted is None:
            if self.amount is not None:
                raise ValueError(f"{self.id}: a {self.kind} has no amount; remove it")
        elif self.amount is None or not wanted.low <= self.amount <= wanted.high:
            got = "nothing" if self.amount is None else f"{self.amount:g}"
            raise ValueError(
                f"{self.id}: a {self.kind} needs amount, the {wanted.what} in {wanted.unit}, "
                f"from {wanted.low:g} to {wanted.high:g}; got {got}"
            )
        if isinstance(self.element, PickSpec) and self.element.pick not in row.picks:
            raise ValueError(
                f"{self.id}: a {self.kind} cannot be picked by {self.element.pick!r}; use "
                f"{' or '.join(row.picks) or 'no element'}"
            )
        return self


class PermitSpec(Part):
    """A permit for works or a gathering near an element: it explains, it does nothing by itself."""

    id: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    kind: Literal["digging", "gathering"] = "digging"
    element: str | None = Field(None, description="network element")
    incident: str | None = Field(None, description="instead: where this incident happens")
    at: Seconds = 0
    duration: SomeSeconds
    holder: str = "Road works contractor"

    @model_validator(mode="after")
    def _one_place(self) -> "PermitSpec":
        if (self.element is None) == (self.incident is None):
            raise ValueError(f"{self.id}: give one of element and incident")
        return self
