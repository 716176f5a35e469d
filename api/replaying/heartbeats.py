"""The world's end of the wire that also keeps the heartbeats, so that a replay has them too."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sensors.codecs import Codec
from sensors.field import ClockTick, DeviceStatus, Feedback, HotlineReport
from sensors.ground_truth import TrueIncident
from sensors.readings import Frame
from sensors.transports import Transport
from sensors.transports.recorded_columns import StatusWriter
from simulator.recorder import Recorder
from simulator.wire import WorldWire

Keep = Callable[[int, Sequence[DeviceStatus]], object]
"""Told the end of a tick, event time in ms, and the heartbeats sent in it."""


class KeepingRecorder(Recorder):
    """Records like its parent, and the heartbeats it is handed."""

    def __init__(self, folder: Path) -> None:
        """Record into a folder."""
        super().__init__(folder)
        self._heartbeats = StatusWriter(folder)

    def keep(self, now_ms: int, statuses: Sequence[DeviceStatus]) -> None:
        """Keep the heartbeats of the tick that ended at `now_ms`."""
        self._heartbeats.write(now_ms, statuses)

    def close(self) -> dict[str, str]:
        """Finish the files; heartbeats are no part of the hashes, which are older than they."""
        self._heartbeats.close()
        return super().close()


class KeepingWire(WorldWire):
    """Publishes like its parent and hands each tick's heartbeats to `keep`."""

    def __init__(
        self,
        transport: Transport,
        city: str,
        codec: Codec,
        gateways: Mapping[str, tuple[str, str]],
        device_gateway: Mapping[str, str],
        *,
        wants_ack: bool = True,
        keep: Keep | None,
    ) -> None:
        """Take what the parent takes, and where heartbeats are kept; None for nowhere."""
        super().__init__(transport, city, codec, gateways, device_gateway, wants_ack=wants_ack)
        self._keep = keep

    def publish_tick(
        self,
        number: int,
        time_ms: int,
        frames: Sequence[Frame],
        *,
        statuses: Sequence[DeviceStatus],
        feedback: Sequence[Feedback],
        truths: Sequence[TrueIncident],
        calls: Sequence[HotlineReport] = (),
        is_final: bool,
    ) -> ClockTick:
        """Keep the heartbeats of a tick, then publish everything of it."""
        if statuses and self._keep is not None:
            self._keep(time_ms, statuses)
        return super().publish_tick(
            number,
            time_ms,
            frames,
            statuses=statuses,
            feedback=feedback,
            truths=truths,
            calls=calls,
            is_final=is_final,
        )
