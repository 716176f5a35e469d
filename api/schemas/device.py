"""Devices as registered, and their readings."""

from typing import Any

from pydantic import BaseModel, Field

from api.schemas.shown import Page, event_time, page_of, shown
from sensors.quantities import QUANTITIES
from sensors.readings import ReadingBatch
from sensors.registry import Device

DEVICE_EXAMPLE: dict[str, Any] = {
    "id": "WP-D01-0005-0",
    "kind": "network_pressure",
    "quantity": "pressure",
    "unit": "MPa",
    "domain": "water",
    "area": "D01",
    "element": "J0066",
    "gateway": "gw-D01-1",
    "x_m": 650.2,
    "y_m": 795.0,
    "interval_s": 300,
    "accuracy": 0.002,
}


class DeviceInfo(BaseModel):
    """A device as its owner registered it."""

    model_config = shown(DEVICE_EXAMPLE)

    id: str
    kind: str
    quantity: str
    unit: str = Field(description="UCUM unit of its readings")
    domain: str
    area: str
    element: str = Field(description="network element it watches")
    gateway: str
    x_m: float
    y_m: float
    interval_s: int = Field(description="normal sampling interval")
    accuracy: float = Field(description="one standard deviation of its noise, in its unit")

    @classmethod
    def of(cls, device: Device) -> "DeviceInfo":
        """Return what a client needs of a device."""
        return cls(
            id=device.id,
            kind=device.kind,
            quantity=device.quantity,
            unit=QUANTITIES[device.quantity].unit,
            domain=device.domain,
            area=device.area,
            element=device.element,
            gateway=device.gateway,
            x_m=device.x_m,
            y_m=device.y_m,
            interval_s=device.interval_s,
            accuracy=device.accuracy,
        )


class DeviceList(Page):
    """Devices in the order of the registry."""

    model_config = page_of(DEVICE_EXAMPLE)

    items: list[DeviceInfo]


class ReadingInfo(BaseModel):
    """One reading."""

    time: str
    time_ms: int = Field(description="sample time")
    value: float


class ReadingSeries(BaseModel):
    """The newest readings of a device in a window, oldest first."""

    model_config = shown(
        {
            "device": "WP-D01-0005-0",
            "quantity": "pressure",
            "unit": "MPa",
            "items": [
                {
                    "time": "2026-06-01T06:10:00+08:00",
                    "time_ms": 1780265400000,
                    "value": 0.3642,
                }
            ],
        }
    )

    device: str
    quantity: str
    unit: str
    items: list[ReadingInfo]

    @classmethod
    def of(cls, device: Device, batch: ReadingBatch, utc_offset_ms: int) -> "ReadingSeries":
        """Return the readings of one device."""
        items = [
            ReadingInfo(time=event_time(time_ms, utc_offset_ms), time_ms=time_ms, value=value)
            for time_ms, value in zip(batch.time_ms.tolist(), batch.value.tolist(), strict=True)
        ]
        unit = QUANTITIES[device.quantity].unit
        return cls(device=device.id, quantity=device.quantity, unit=unit, items=items)
