"""Plays a recording on the wire, tick by tick, in the world's place."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from api.replaying.detection import OpenLoop
from api.replaying.recording import RecordedTick, Recording
from sensors.codecs import codec_named
from sensors.field import DeviceStatus, Feedback, HotlineReport
from sensors.ground_truth import TrueIncident
from sensors.transports import Transport
from simulator.city.gateways import gateway_topics
from simulator.wire import WorldWire


class Playback:
    """A recording that publishes itself; asked for a tick at a time.

    Attributes:
        now_ms: Event time of the last tick published.
        tick: Its number, 0 before the first.
        frames: Different frames published so far.
        readings: Readings in them.
        shown: Last value each device showed, registry order, NaN before the first.
        loop: Which orders were issued, and what of the recorded feedback was given back.
    """

    def __init__(self, recording: Recording, transport: Transport) -> None:
        """Take a recording and the world's end of a wire."""
        registry, codec = recording.registry, recording.scenario.codec
        self._recording = recording
        self.wire = WorldWire(
            transport,
            recording.city.id,
            codec_named(codec, registry),
            gateway_topics(registry),
            dict(zip(registry.ids, registry.texts("gateway"), strict=True)),
        )
        self._ticks: Iterator[RecordedTick] = recording.ticks()
        self.now_ms, self.tick = recording.start_ms, 0
        self.frames = self.readings = 0
        self.shown: NDArray[np.float64] = np.full(len(registry), np.nan)
        self.loop = OpenLoop()

    @property
    def is_over(self) -> bool:
        """Whether the last tick has been published."""
        return self.now_ms >= self._recording.end_ms

    def advance(self) -> int:
        """Publish the next tick and return its number."""
        for order in self.wire.take_orders():
            self.loop.note(order.id)
        tick = next(self._ticks)
        bodies = self.loop.admit(tick.bodies)
        self.now_ms, self.tick = tick.now_ms, self.tick + 1
        seen = set()
        for frame in tick.frames:
            self.shown[frame.batch.device] = frame.batch.value
            if frame.id not in seen:
                seen.add(frame.id)
                self.readings += len(frame.batch)
        self.frames += len(seen)
        self.wire.publish_tick(
            self.tick,
            tick.now_ms,
            tick.frames,
            statuses=[one for one in bodies if isinstance(one, DeviceStatus)],
            feedback=[one for one in bodies if isinstance(one, Feedback)],
            truths=[one for one in bodies if isinstance(one, TrueIncident)],
            calls=[one for one in bodies if isinstance(one, HotlineReport)],
            is_final=self.is_over,
        )
        return self.tick
