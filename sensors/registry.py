"""The registry of devices: one numbered table both halves share, held as columns.

A device's *number* is its row; `ReadingBatch.device` holds numbers. Frames that carry numbers
(Arrow) also carry the registry's digest, so two programs with different registries notice.
"""

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sensors.errors import RegistryError
from sensors.quantities import QUANTITIES, Quantity

_CLASS_CODES = MappingProxyType(
    {
        "network_pressure": "WP",
        "dma_flow": "WF",
        "tank_level": "WL",
        "pump_state": "WS",
        "hydrant_pressure": "HP",
        "fire_tank_level": "HL",
        "manhole_methane": "GM",
        "well_methane": "GW",
        "station_methane": "GS",
        "tunnel_methane": "GT",
        "gas_pressure": "GP",
        "gas_flow": "GF",
        "rain_gauge": "RG",
        "road_ponding": "FR",
        "underpass_ponding": "FU",
        "drain_level": "FD",
        "river_level": "FV",
        "drain_pump_state": "FP",
    }
)


def entity_id(kind: str, area: str, serial: int) -> str:
    """Return a typed, stable id: class code, area, serial, Luhn check digit.

    For example `WP-D03-0007-4`. The check digit covers the class, area and serial, so a
    mistyped id is refused instead of naming another device.
    """
    body = f"{_CLASS_CODES.get(kind, 'XX')}-{area}-{serial:04d}"
    return f"{body}-{check_digit(body)}"


def check_digit(body: str) -> int:
    """Return the Luhn (ISO/IEC 7812-1) check digit over the letters and digits of `body`."""
    digits = "".join(str(int(char, 36)) for char in body if char.isalnum() and char.isascii())
    total = 0
    for place, char in enumerate(reversed(digits)):
        doubled = int(char) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return (10 - total % 10) % 10


@dataclass(frozen=True, slots=True)
class Device:
    """One device as its owner registered it: nominal figures, never its secret faults.

    Attributes:
        id: Typed id (`entity_id`), ASCII, no space.
        kind: Device kind, such as `network_pressure` (see `sensors.devices`).
        quantity: Name of the observed property.
        domain: `water`, `gas`, `flood` or `rain`.
        area: Area it belongs to; the partition key.
        element: Network element (node or link id) it watches.
        gateway: Gateway that frames its readings.
        x_m: Easting, metres in the city's plane.
        y_m: Northing, metres.
        interval_s: Normal sampling interval, seconds.
        alarm_interval_s: Sampling interval while its own limits are crossed, seconds.
        upload_s: 0 when each sample is sent at once, else the interval of late batches, seconds.
        range_low: Lowest value the instrument can show, in the quantity's unit.
        range_high: Highest value it can show.
        accuracy: One standard deviation of its noise, in the quantity's unit.
        resolution: Step of its display, in the quantity's unit; 0 for none.
        alarm_low: Its own low limit for immediate alarm reports; NaN for none.
        alarm_high: Its own high limit; NaN for none.
        max_step: Largest physical change between two samples; a larger jump is a spike.
        profile: What limits make of its site, such as `public` or `over100m` of a high-rise;
            empty where they make nothing of it.
    """

    id: str
    kind: str
    quantity: str
    domain: str
    area: str
    element: str
    gateway: str
    x_m: float
    y_m: float
    interval_s: int
    alarm_interval_s: int
    upload_s: int
    range_low: float
    range_high: float
    accuracy: float
    resolution: float
    alarm_low: float
    alarm_high: float
    max_step: float
    profile: str = ""


_TYPES = {str: pa.string(), float: pa.float64(), int: pa.int32()}
SCHEMA = pa.schema([pa.field(f.name, _TYPES[f.type], nullable=False) for f in fields(Device)])  # type: ignore[index]


class Registry:
    """All devices of a city, numbered from 0 in the order of the table."""

    def __init__(self, table: pa.Table) -> None:
        """Take a table of `SCHEMA`; RegistryError when it contradicts itself."""
        if not table.schema.equals(SCHEMA):
            raise RegistryError(f"device table has columns {table.column_names}")
        self.table = table.combine_chunks()
        self.ids: tuple[str, ...] = tuple(self.table.column("id").to_pylist())
        self.number: Mapping[str, int] = MappingProxyType(
            {device: number for number, device in enumerate(self.ids)}
        )
        if len(self.number) != len(self.ids):
            raise RegistryError("device table: an id is used twice")
        unknown = sorted(set(self.texts("quantity")) - set(QUANTITIES))
        if unknown:
            raise RegistryError(f"device table: unknown quantities {unknown}")

    @classmethod
    def of(cls, devices: Iterable[Device]) -> "Registry":
        """Build a registry from devices, keeping their order."""
        listed = list(devices)
        columns = {name: list(map(attrgetter(name), listed)) for name in SCHEMA.names}
        return cls(pa.Table.from_pydict(columns, schema=SCHEMA))

    def __len__(self) -> int:
        return len(self.ids)

    def texts(self, column: str) -> Sequence[str]:
        """Return a text column, one entry a device."""
        values: Sequence[str] = self.table.column(column).to_pylist()
        return values

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Return a numeric column as float64, one entry a device."""
        values: NDArray[np.float64] = self.table.column(column).to_numpy().astype(np.float64)
        return values

    def device(self, number: int) -> Device:
        """Return one device by its number."""
        return Device(**self.table.slice(number, 1).to_pylist()[0])

    def quantity(self, number: int) -> Quantity:
        """Return what a device observes."""
        return QUANTITIES[self.table.column("quantity")[number].as_py()]

    def where(self, column: str, value: str) -> NDArray[np.int32]:
        """Return the numbers of the devices whose text `column` equals `value`, ascending."""
        return np.flatnonzero(np.array(self.texts(column)) == value).astype(np.int32)

    @cached_property
    def digest(self) -> str:
        """Short hash of ids, quantities and order: equal on both halves or frames are refused."""
        text = "\n".join(
            f"{device} {quantity}"
            for device, quantity in zip(self.ids, self.texts("quantity"), strict=True)
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def save(self, file: Path) -> None:
        """Write the device table as Parquet."""
        pq.write_table(self.table, file)

    @classmethod
    def load(cls, file: Path) -> "Registry":
        """Read a device table; RegistryError when the file is missing or not one."""
        if not file.is_file():
            raise RegistryError(f"{file}: no device table; `tocsin city import` writes one")
        table = pq.read_table(file)
        if "profile" not in table.column_names:  # tables written before there was one
            table = table.append_column("profile", pa.array([""] * len(table), pa.string()))
        return cls(table.cast(SCHEMA))


def partition_of(area: str, partitions: int) -> int:
    """Return the partition an area belongs to: crc32, so every process agrees."""
    return zlib.crc32(area.encode()) % partitions
