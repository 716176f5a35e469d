"""The monitor stage: frames in, checked samples and device health out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.errors import SnapshotError
from pipeline.messages import Message, Samples
from pipeline.monitor.counts import MonitorCounts
from pipeline.monitor.health import HealthState, HealthWatch
from pipeline.monitor.quality import QualityCheck, QualityState
from pipeline.monitor.sequence import Arrival, FrameLedger
from pipeline.rules import DeviceLimits
from pipeline.stage import pack, unpack
from sensors.field import DeviceStatus
from sensors.readings import Frame, ReadingBatch
from sensors.registry import Registry

_VERSION = 1


@dataclass(slots=True)
class MonitorState:
    """Everything the stage remembers."""

    ledger: FrameLedger
    counts: MonitorCounts
    quality: QualityState
    health: HealthState
    frames: list[Frame]
    statuses: list[DeviceStatus]
    waiting_ms: int | None


class MonitorStage:
    """Drops repeats, counts gaps, sorts, flags, and keeps the devices' health.

    What comes waits until `on_time`, so the order of arrival within a tick does not matter.
    """

    name = "monitor"

    def __init__(
        self, registry: Registry, limits: DeviceLimits, *, areas: Collection[str] | None = None
    ) -> None:
        """Watch devices.

        Args:
            registry: All devices of the city.
            limits: `RuleSet.device`.
            areas: Areas of this partition, None for all; the silence of devices elsewhere is
                another partition's matter.
        """
        self._number = registry.number
        self._quality = QualityCheck(registry, limits)
        self._health = HealthWatch(registry, limits, areas)
        self._ledger = FrameLedger()
        self._counts = MonitorCounts()
        self._frames: list[Frame] = []
        self._statuses: list[DeviceStatus] = []
        self._waiting_ms: int | None = None

    @property
    def counts(self) -> MonitorCounts:
        """What was counted so far; frames missing at this moment count as lost."""
        flagged = dict(self._counts.flagged)
        return replace(self._counts, lost_frames=self._ledger.lost, flagged=flagged)

    def on_batch(self, batch: Sequence[Message], now_ms: int) -> Sequence[Message]:
        """Take frames and device statuses; what follows comes from `on_time`."""
        for message in batch:
            if isinstance(message, Frame):
                self._take_frame(message)
            elif isinstance(message, DeviceStatus):
                self._statuses.append(message)
        if self._waiting_ms is None and (self._frames or self._statuses):
            self._waiting_ms = now_ms
        return ()

    def on_time(self, now_ms: int) -> Sequence[Message]:
        """Return changes of device health, then the samples that have come, if any."""
        self._waiting_ms = None
        self._health.start(now_ms)
        before = self._health.state.doubts.copy()
        batch = self._arrived()
        if len(batch):
            batch = self._checked(batch, now_ms)
        self._note_statuses()
        self._health.note_silence(now_ms)
        outputs: list[Message] = [*self._health.transitions(before, now_ms)]
        if len(batch):
            outputs.append(Samples(batch, now_ms))
        return outputs

    def next_due(self) -> int | None:
        """Return when something that came waits to be worked on, else the next silence."""
        return self._health.next_due() if self._waiting_ms is None else self._waiting_ms

    def snapshot(self) -> bytes:
        """Return the whole state, with what has come and was not worked on."""
        state = MonitorState(
            self._ledger,
            self._counts,
            self._quality.state,
            self._health.state,
            self._frames,
            self._statuses,
            self._waiting_ms,
        )
        return pack(self.name, _VERSION, state)

    def restore(self, snapshot: bytes) -> None:
        """Replace the state; SnapshotError when it is of another stage or registry."""
        state = unpack(snapshot, self.name, _VERSION, MonitorState)
        if len(state.quality.newest_ms) != len(self._number):
            raise SnapshotError(
                f"snapshot is of {len(state.quality.newest_ms)} devices, "
                f"the registry has {len(self._number)}"
            )
        self._ledger, self._counts = state.ledger, state.counts
        self._quality.state, self._health.state = state.quality, state.health
        self._frames, self._statuses = state.frames, state.statuses
        self._waiting_ms = state.waiting_ms

    def _take_frame(self, frame: Frame) -> None:
        arrival = self._ledger.note(frame.id)
        if arrival is Arrival.NEW:
            self._counts.frames += 1
            self._frames.append(frame)
        elif arrival is Arrival.DUPLICATE:
            self._counts.duplicate_frames += 1
            self._counts.duplicate += len(frame.batch)
        else:
            self._counts.stale += len(frame.batch)

    def _arrived(self) -> ReadingBatch:
        """Return the readings that wait, sorted by device and time; registered devices only."""
        frames = sorted(self._frames, key=lambda frame: frame.id)
        self._frames = []
        batch = ReadingBatch.concat([frame.batch for frame in frames])
        devices = len(self._number)
        if len(batch) and (batch.device.min() < 0 or batch.device.max() >= devices):
            is_known = (batch.device >= 0) & (batch.device < devices)
            self._counts.unknown_device += int(np.count_nonzero(~is_known))
            batch = batch.take(is_known)
        return batch.by_device_and_time()

    def _checked(self, batch: ReadingBatch, now_ms: int) -> ReadingBatch:
        """Return a sorted batch without repeats, flagged, and note each device's health."""
        device = batch.device.astype(np.intp)
        is_repeated = self._quality.is_repeated(batch, device)
        if is_repeated.any():
            self._counts.duplicate += int(np.count_nonzero(is_repeated))
            batch, device = batch.take(~is_repeated), device[~is_repeated]
        self._counts.received += len(batch)
        flags = batch.quality.copy()
        for rows in batch.rounds():
            of_round = device[rows]
            flagged = self._quality.flag(of_round, batch.time_ms[rows], batch.value[rows], now_ms)
            flags[rows] |= flagged.flags
            self._health.judge(of_round, flagged)
            self._health.hear(of_round, now_ms)
        self._counts.add_flags(flags)
        return ReadingBatch(batch.device, batch.time_ms, batch.value, flags)

    def _note_statuses(self) -> None:
        statuses = sorted(self._statuses, key=lambda one: (one.time_ms, one.device, one.battery))
        self._statuses = []
        for status in statuses:
            if status.device not in self._number:
                self._counts.unknown_device += 1
            elif not 0.0 <= status.battery <= 1.0:
                self._counts.bad_status += 1
            else:
                self._health.note_battery(self._number[status.device], status.battery)
