"""What falls from the sky: storms that may move, and the wind that airs what lies below."""

from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from simulator.scenario.values import Part, Seconds, SomeSeconds


class MovingSpec(Part):
    """How a storm moves; its peak passes over the city's middle unless `from` says otherwise."""

    model_config = ConfigDict(populate_by_name=True)  # it is written as `begins`

    speed_m_s: float = Field(gt=0, le=40)
    heading_deg: float = Field(
        90, ge=0, lt=360, description="where it goes: 0 north, 90 east, clockwise"
    )
    begins: tuple[float, float] | None = Field(
        None,
        alias="from",
        description="centre at its start, metres east and north of the city's middle",
    )


class StormSpec(Part):
    """One storm. Which keys it needs depends on `kind`.

    `chicago` needs a duration and one of return_years, total_mm, peak_mm_h; `uniform` a duration
    and one of total_mm, peak_mm_h; `hourly` a series_mm or a file; `zhengzhou_720` at most hours.
    """

    id: str = Field("rain", pattern=r"^[A-Za-z0-9_-]+$")
    kind: Literal["chicago", "uniform", "hourly", "zhengzhou_720"]
    at: Seconds = Field(0, description="after the start, such as 14h")
    duration: SomeSeconds | None = None
    formula: str = Field("beijing", description="chicago: city whose intensity formula holds")
    return_years: float | None = Field(None, ge=0.25, le=1000)
    total_mm: float | None = Field(None, gt=0, le=2000, description="rain at the centre, in all")
    peak_mm_h: float | None = Field(None, gt=0, le=500)
    peak_share: float = Field(
        0.4, gt=0, lt=1, description="chicago: share of the duration before the peak"
    )
    hours: Literal[6, 24, 72] | None = Field(
        None, description="zhengzhou_720: the last so many hours of it; left out: 72"
    )
    series_mm: tuple[float, ...] | None = Field(None, description="hourly: rain of each hour, mm")
    file: str | None = Field(None, description="hourly: CSV, relative to the scenario file")
    moving: MovingSpec | None = None
    radius_m: float | None = Field(
        None, gt=0, description="where the rain is down to 1/e; left out: the same everywhere"
    )

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "StormSpec":
        sizes = {
            name: getattr(self, name)
            for name in ("return_years", "total_mm", "peak_mm_h")
            if getattr(self, name) is not None
        }
        if self.kind == "chicago" and len(sizes) != 1:
            raise ValueError(
                f"{self.id}: a chicago storm needs one of return_years, total_mm and peak_mm_h, "
                f"got {' and '.join(sizes) or 'none'}"
            )
        if self.kind == "uniform" and (len(sizes) != 1 or "return_years" in sizes):
            raise ValueError(
                f"{self.id}: a uniform storm needs one of total_mm and peak_mm_h, "
                f"got {' and '.join(sizes) or 'none'}"
            )
        if self.kind in ("chicago", "uniform"):
            if self.duration is None:
                raise ValueError(f"{self.id}: a {self.kind} storm needs a duration, such as 2h")
        elif sizes or self.duration is not None:
            raise ValueError(
                f"{self.id}: a {self.kind} storm has its own size and duration; remove "
                f"{', '.join([*sizes, *(['duration'] if self.duration else [])])}"
            )
        if self.hours is not None and self.kind != "zhengzhou_720":
            raise ValueError(f"{self.id}: only zhengzhou_720 has hours; give duration")
        if self.kind == "hourly":
            if (self.series_mm is None) == (self.file is None):
                raise ValueError(f"{self.id}: an hourly storm needs one of series_mm and file")
        elif self.series_mm is not None or self.file is not None:
            raise ValueError(f"{self.id}: only an hourly storm has series_mm or file; remove it")
        if self.series_mm is not None and (
            not self.series_mm or min(self.series_mm) < 0 or max(self.series_mm) > 500
        ):
            raise ValueError(f"{self.id}: series_mm must be hourly sums from 0 to 500 mm")
        return self


class WeatherSpec(Part):
    """Weather beside rain."""

    wind_m_s: float = Field(2.0, ge=0, le=60, description="it airs manholes and thins gas")
