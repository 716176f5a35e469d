"""The mapping file: what the columns of real series mean."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from api.importing.errors import MappingError
from api.importing.mapping_text import Word, tree_of
from sensors.ground_truth import TrueKind
from simulator.scenario.values import SomeSeconds

EPOCHS = ("epoch_s", "epoch_ms", "epoch_us", "epoch_ns")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("no such time zone; use a name such as Asia/Shanghai or UTC") from error
    return name


def _known_format(name: str) -> str:
    if name not in ("iso", *EPOCHS) and "%" not in name:
        raise ValueError(f"use iso, {', '.join(EPOCHS)}, or a pattern such as %d/%m/%Y %H:%M")
    if "%f" in name:
        raise ValueError(
            "%f (parts of a second) is not supported; use iso or an epoch, or cut the parts off"
        )
    return name


def _known_encoding(name: str) -> str:
    try:
        "".encode(name)
    except (LookupError, ValueError) as error:
        raise ValueError("no such text encoding; use utf-8, gbk, utf-16 or the like") from error
    return name


def _one_byte(text: str) -> str:
    if not text.isascii() or text in '\r\n"':
        raise ValueError("use one ASCII character such as , or ; (no quote, no line end)")
    return text


def _not_zero(number: float) -> float:
    if number == 0:
        raise ValueError("0 makes every value the same; leave it out, or give the factor")
    return number


def _plain_mark(mark: object) -> object:
    if isinstance(mark, Word):
        raise ValueError("true or false to some readers and text to others; put it in quotes")
    return mark


Zone = Annotated[str, AfterValidator(_known_zone)]
TimeFormat = Annotated[str, AfterValidator(_known_format)]
Byte = Annotated[str, Field(min_length=1, max_length=1), AfterValidator(_one_byte)]
Mark = Annotated[str | float | bool, BeforeValidator(_plain_mark)]
Missing = Annotated[str | float, BeforeValidator(_plain_mark)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TimeSpec(_Part):
    """How moments are written."""

    column: str = Field(description="column of the sample time")
    format: TimeFormat = Field("iso", description="iso, epoch_s, epoch_ms, or a strptime pattern")
    zone: Zone = Field("UTC", description="zone of moments that carry none, and of the city")
    received: str | None = Field(None, description="column of when the sample arrived, if known")


class DeviceSpec(_Part):
    """What is said of the devices whose names match; the first entry that matches counts."""

    match: str = Field("*", description="name of a device, or a pattern with * and ?")
    kind: str | None = Field(None, description="kind of device, such as network_pressure")
    unit: str | None = Field(None, description="unit of its values; ours when left out")
    scale: Annotated[float, AfterValidator(_not_zero)] = Field(
        1.0, description="factor on the values before the unit counts"
    )
    offset: float = Field(0.0, description="added after that, in our unit")
    is_increment: bool = Field(False, description="each value is what fell since the last one")
    area: str | None = Field(None, description="area; `{}` stands for the device's name")
    element: str | None = Field(None, description="network element; the device's name if left out")
    profile: str | None = Field(None, description="what limits make of its site, such as public")
    x_m: float | None = Field(None, description="easting, m")
    y_m: float | None = Field(None, description="northing, m")
    lon: float | None = Field(None, ge=-180, le=180, description="degrees, instead of x_m")
    lat: float | None = Field(None, ge=-90, le=90, description="degrees, instead of y_m")
    interval: SomeSeconds | None = Field(None, description="sampling; inferred when left out")
    range_low: float | None = Field(None, description="lowest possible value, in our unit")
    range_high: float | None = Field(None, description="highest possible value, in our unit")
    max_step: float | None = Field(None, gt=0, description="largest real step, in our unit")


class LabelSpec(_Part):
    """Where it stands what really happened; exactly one of `column`, `start` and `time`."""

    file: str | None = Field(None, description="CSV or Parquet beside the mapping")
    column: str | None = Field(None, description="column of the data that marks bad samples")
    values: tuple[Mark, ...] = Field((1,), description="marks that mean: bad")
    start: str | None = Field(None, description="column of the first moment, with `file`")
    end: str | None = Field(None, description="column of the last moment")
    time: str | None = Field(None, description="column of single bad moments, with `file`")
    format: TimeFormat | None = Field(None, description="as in `time`; the same when left out")
    gap: SomeSeconds = Field(1800, description="bad moments nearer than this are one event")
    kind: str = Field("burst", description="kind of event, or `column:NAME`")
    level: Literal["blue", "yellow", "orange", "red"] = "yellow"
    device: str | None = Field(None, description="column that names a device")
    area: str | None = Field(None, description="area, or `column:NAME`")
    is_hazard: bool = Field(True, description="false for what must not become an incident")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(item is not None for item in (self.column, self.start, self.time)) != 1:
            raise ValueError("give exactly one of column, start (with end) and time")
        if (self.column is None) == (self.file is None):
            raise ValueError("give `file` with start or time, and none with column")
        if not self.kind.startswith("column:") and self.kind not in list(TrueKind):
            raise ValueError(f"kind {self.kind!r}: use one of {', '.join(TrueKind)}")
        return self


class CsvSpec(_Part):
    """How a CSV is written."""

    delimiter: Byte = ","
    decimal: Byte = "."
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    skip_rows: int = Field(0, ge=0, description="lines before the head")


class Mapping(_Part):
    """A whole mapping file; see `examples/import/`."""

    format: Literal[1]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="name of the recording")
    title: str = ""
    time: TimeSpec
    device: str | None = Field(None, description="long series: column that names the device")
    value: str | tuple[str, ...] | None = Field(
        None, description="long series: column of the value, or several"
    )
    quality: str | None = Field(None, description="column of a quality mark, long series")
    bad_quality: tuple[Mark, ...] = Field((), description="marks whose values count as missing")
    missing: tuple[Missing, ...] = Field((), description="values that mean: none")
    tick: SomeSeconds | None = Field(
        None, ge=60, le=3600, description="tick of the clock, 1 min to 1 h"
    )
    devices: tuple[DeviceSpec, ...] = ()
    devices_table: str | None = Field(None, description="CSV with the same keys, a row a device")
    labels: tuple[LabelSpec, ...] = ()
    csv: CsvSpec = CsvSpec()

    @model_validator(mode="after")
    def _long_or_wide(self) -> Self:
        if (self.device is None) != (self.value is None):
            raise ValueError("long series need `device` and `value`, wide ones neither")
        if self.device is None and self.quality is not None:
            raise ValueError("quality: goes with long series only; remove it")
        if self.bad_quality and self.quality is None:
            raise ValueError("bad_quality: has no effect without `quality`; name the column")
        if len(set(self.value_columns)) < len(self.value_columns):
            raise ValueError(f"value: a column stands twice in {list(self.value_columns)}")
        if not self.devices and self.devices_table is None:
            raise ValueError("devices: missing; say at least `- {kind: network_pressure}`")
        return self

    @property
    def is_wide(self) -> bool:
        """Whether each device has a column of its own."""
        return self.device is None

    @property
    def value_columns(self) -> tuple[str, ...]:
        """Columns of values of a long series."""
        if self.value is None:
            return ()
        return (self.value,) if isinstance(self.value, str) else self.value

    @property
    def label_columns(self) -> dict[int, str]:
        """Columns of the data that label it, by the place of their entry in `labels`."""
        return {
            place: one.column for place, one in enumerate(self.labels) if one.column is not None
        }


def load_mapping(file: Path) -> Mapping:
    """Read and validate a mapping file.

    Raises:
        MappingError: naming file, key, value and fix.
    """
    try:
        raw = tree_of(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"{file}: cannot be read: {error}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise MappingError(f"{file}: no YAML: {error}; fix the syntax there") from error
    return parsed(raw, str(file))


def parsed(raw: Any, source: str) -> Mapping:
    """Return a mapping from its tree; MappingError names `source`, key, value and fix."""
    if not isinstance(raw, dict):
        raise MappingError(f"{source}: holds no mapping; begin with `format: 1`")
    try:
        return Mapping.model_validate(raw)
    except ValidationError as error:
        raise MappingError(first_mistake(error, source)) from error


def first_mistake(error: ValidationError, source: str) -> str:
    """Return the first mistake as one line: file, key, value and fix."""
    one = error.errors(include_url=False)[0]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in one["loc"])[1:]
    text = one["msg"].removeprefix("Value error, ")
    if one["type"] == "missing":
        return f"{source}: {key}: missing; add it"
    if one["type"] == "extra_forbidden":
        return f"{source}: {key}: unknown key; remove it or correct its spelling"
    shown = "" if isinstance(one["input"], dict) else f" = {one['input']!r}"
    return f"{source}: {key or 'the file'}{shown}: {text}"
