"""One frame on the wire: as SenML JSON and as Arrow, and what becomes of frames that are wrong."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sensors.codecs import Codec, codec_named
from sensors.devices import device_kind
from sensors.errors import FrameError
from sensors.readings import Frame, FrameId, ReadingBatch
from sensors.registry import Device, Registry, entity_id

NOON_MS = 1_780_286_400_000  # 2026-06-01 12:00 in Beijing


def device(kind: str, element: str, serial: int) -> Device:
    """Return a device as the data sheet of its kind has it."""
    sheet: dict[str, Any] = asdict(device_kind(kind))
    del sheet["source"], sheet["battery_years"]
    place: dict[str, Any] = {"area": "D01", "element": element, "gateway": "GW-D01-01"}
    return Device(id=entity_id(kind, "D01", serial), x_m=0.0, y_m=0.0, **place, **sheet)


def wrong_ones(good: str) -> Iterator[tuple[str, str]]:
    """Yield what can be wrong with a frame, and a frame that is."""
    yield "cut off in the middle", good[: len(good) // 2]
    yield "no gateway", good.replace('"gw":"GW-D01-01",', "")
    yield "one strange device", good.replace("WP-D01-0001-9", "WP-D09-0001-9")
    yield "volts of pressure", good.replace('"u":"Pa"', '"u":"V"')
    yield "a time in 2046", good.replace('"bt":1780', '"bt":2411')
    yield "a label that must be understood", good.replace('"t":60.0', '"t":60.0,"tide_":1')


def fate(codec: Codec, payload: str) -> str:
    """Return what a receiver counts for a frame."""
    try:
        decoded = codec.decode(payload.encode(), NOON_MS)
    except FrameError as error:
        return f"refused whole: {error.reason}"
    refused = ", ".join(f"{count} {reason}" for reason, count in decoded.rejected.items())
    return f"{len(decoded.frame.batch)} readings taken; refused: {refused or 'none'}"


def main() -> None:
    """Encode one frame, show it, and let a receiver judge some that were damaged."""
    kinds = (("network_pressure", "N12"), ("network_pressure", "N31"), ("dma_flow", "P0001"))
    registry = Registry.of(
        device(kind, element, serial) for serial, (kind, element) in enumerate(kinds, 1)
    )
    times = [NOON_MS - 300_000, NOON_MS - 240_000, NOON_MS - 300_000]
    readings = ReadingBatch.of([0, 1, 2], times, [0.3412, 0.3367, 41.4])
    frame = Frame(FrameId("GW-D01-01", 1, 144), NOON_MS, readings)
    senml = codec_named("senml_json", registry)
    good = senml.encode(frame).decode()
    print("[" + ",\n ".join(json.dumps(record) for record in json.loads(good)) + "]")
    back = senml.decode(good.encode(), NOON_MS).frame
    is_same = all(
        math.isclose(*pair) for pair in zip(back.batch.value, readings.value, strict=True)
    )
    print("\nback as it was:", is_same and back.id == frame.id)
    arrow = codec_named("arrow_ipc", registry)
    stream = arrow.decode(arrow.encode(frame), NOON_MS).frame
    print("the same from Arrow:", stream.id == frame.id, stream.batch.value.tolist())
    for label, payload in wrong_ones(good):
        print(f"{label}: {fate(senml, payload)}")


if __name__ == "__main__":
    main()
