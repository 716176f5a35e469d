"""Devices of a run and their readings."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.problems import ProblemError
from api.routes.dependencies import AnyRun, PageAsked
from api.schemas.device import DeviceInfo, DeviceList, ReadingSeries

router = APIRouter(prefix="/runs/{run_id}/devices", tags=["monitor"])

_LAST_MS = 2**62


@router.get("", summary="List devices")
def list_devices(
    run: AnyRun,
    page: PageAsked,
    kind: Annotated[str | None, Query(description="such as `network_pressure`")] = None,
    area: Annotated[str | None, Query(description="id of an area (DMA)")] = None,
) -> DeviceList:
    """List the devices as their owner registered them, in the order of the registry."""
    registry = run.registry()
    columns = zip(registry.texts("kind"), registry.texts("area"), strict=True)
    chosen = [
        number
        for number, (its_kind, its_area) in enumerate(columns)
        if kind in (None, its_kind) and area in (None, its_area)
    ]
    items = [DeviceInfo.of(registry.device(number)) for number in page.of(chosen)]
    return DeviceList(total=len(chosen), items=items)


@router.get("/{device}/readings", summary="Get readings of a device")
def list_readings(
    run: AnyRun,
    device: str,
    from_ms: Annotated[int, Query(alias="from", description="event time, milliseconds UTC")] = 0,
    to_ms: Annotated[int, Query(alias="to", description="event time, milliseconds UTC")] = _LAST_MS,
    limit: Annotated[int, Query(ge=1, le=10_000, description="how many at most")] = 100,
) -> ReadingSeries:
    """Return the newest `limit` readings in the window, oldest first.

    While a run goes on they come from memory, which holds its newest half million readings.
    """
    registry = run.registry()
    number = registry.number.get(device)
    if number is None:
        raise ProblemError(
            404,
            "unknown-device",
            f"run {run.id} has no device {device!r}; GET /runs/{run.id}/devices lists them",
            device=device,
        )
    batch = run.readings(number, from_ms, to_ms, limit)
    return ReadingSeries.of(registry.device(number), batch, run.about.utc_offset_ms)
