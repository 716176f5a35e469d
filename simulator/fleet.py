"""The fleet: every device of the registry samples the truth, every gateway frames what it hears."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from sensors.devices import device_kinds
from sensors.devices.faults import (
    Fault,
    FaultKind,
    FaultMemory,
    FaultTable,
    errors_of,
    scaled,
    shown_times,
    stick,
)
from sensors.devices.gateways import build_frames, copies_sent, cut_frames, hold, restarted
from sensors.devices.heartbeats import HEARTBEAT_MS as HEARTBEAT_MS
from sensors.devices.heartbeats import Heartbeats
from sensors.devices.reporting import (
    Reporting,
    Reports,
    ReportState,
    decide,
    first_after,
    is_periodic,
    release,
    upload_times,
)
from sensors.devices.response import NoiseState, Response, Spread, WirePrecision, respond, spans
from sensors.field import DeviceStatus
from sensors.quantities import QUANTITIES, RAINFALL
from sensors.readings import Floats, Frame, Int64s, ReadingBatch
from sensors.registry import Registry
from simulator.city.gateways import gateway_topics
from simulator.errors import InjectionError
from simulator.randomness import keys, normal, uniform

REPORT_DELTA: Mapping[str, float] = {"pressure": 0.03, "gas_pressure": 0.5, "rainfall": 0.5}
"""Quantity → change between two looks that its devices report at once, in its unit (proposed):
0.03 MPa of water, 0.5 kPa of gas (a fifth of the low-pressure set-point), 0.5 mm of rain in a
minute (30 mm/h)."""
_EMPTY_PIPE = {"pressure": 0.0, "gas_pressure": 0.0}  # what is shown where there is no supply
_BLOCK = 65_536  # samples worked on at once, so that the columns stay in the cache


@dataclass(frozen=True, slots=True)
class FleetTick:
    """What the fleet sent in one tick, and what it lost on purpose.

    Readings sent by the devices = `readings` + `lost_readings`; those are what the world has
    published. Later copies of a frame are in `frames` but not in `readings`.

    Attributes:
        frames: In the order of gateway and seq; a copy follows its original.
        statuses: Battery heartbeats in the order of time and device number.
        sampled: Samples taken; devices with limits take more than they report.
        readings: Readings in `frames`, each counted once.
        dropped_readings: Readings that never reached their gateway (dropout).
        lost_frames: Frames that got a number and were not sent.
        lost_readings: Readings in lost frames, and those a dead gateway did not hear.
        duplicates: Frames sent a second time.
    """

    frames: tuple[Frame, ...]
    statuses: tuple[DeviceStatus, ...]
    sampled: int
    readings: int
    dropped_readings: int
    lost_frames: int
    lost_readings: int
    duplicates: int


class Fleet:
    """All devices and gateways of a registry.

    Inside, devices are sorted by gateway, then by number, so samples come out in the order of
    the frames without sorting. What a device does follows from the seed, its own id, its own
    nominal figures and the truth: not from other devices, nor from where ticks begin and end.
    """

    def __init__(
        self,
        registry: Registry,
        seed: int,
        *,
        faults: Sequence[Fault] = (),
        frame_size: int = 100,
        report_delta: Mapping[str, float] = REPORT_DELTA,
        spread: Spread | None = None,
        calibrated_ms: int | None = None,
    ) -> None:
        """Draw the single instruments and take the faults.

        Args:
            registry: Devices as registered; a gateway serves one area and one domain.
            seed: Seed of the run.
            faults: Faults known from the start; see also `inject`.
            frame_size: Most readings in a frame.
            report_delta: Quantity → change that its devices report at once.
            spread: How far single instruments stray from their nominal figures.
            calibrated_ms: When drifts are zero; None for the start of the first tick.

        Raises:
            RegistryError: A gateway serves two areas or domains.
            InjectionError: A fault names an unknown device or gateway.
        """
        self.registry = registry
        self.frame_size = frame_size
        self.gateway_topics: dict[str, tuple[str, str]] = gateway_topics(registry)
        self._seed = seed
        self._gateways = sorted(self.gateway_topics)
        rank = {gateway: place for place, gateway in enumerate(self._gateways)}
        ranks = np.array([rank[gateway] for gateway in registry.texts("gateway")], dtype=np.int64)
        self._number = np.argsort(ranks, kind="stable")
        self._gateway = ranks[self._number]
        self._row = {registry.ids[number]: row for row, number in enumerate(self._number.tolist())}
        self._rank = rank
        self._calibrated_ms = calibrated_ms
        self._draw_devices(seed, report_delta, spread)
        devices, gateways = len(registry), len(self._gateways)
        self._noise = NoiseState.fresh(devices)
        self._report = ReportState.fresh(devices)
        self._next_ms = np.zeros(devices, dtype=np.int64)
        self._until_ms: int | None = None
        self._kept = self._held = Reports.join([])
        self._boot = np.zeros(gateways, dtype=np.int64)
        self._seq = np.zeros(gateways, dtype=np.int64)
        self.faults: tuple[Fault, ...] = ()
        self._memory = FaultMemory.fresh(0)
        self._set_faults(tuple(faults))

    @property
    def waiting(self) -> int:
        """Readings kept by devices for a late batch and by gateways without a link."""
        return len(self._kept.device) + len(self._held.device)

    def inject(self, fault: Fault) -> None:
        """Add a fault; InjectionError when its device or gateway is not known."""
        self._set_faults((*self.faults, fault))

    def mend(self, target: str, at_ms: int) -> int:
        """End all faults of a device or gateway that act at `at_ms`; return how many."""
        mended = [
            replace(fault, end_ms=at_ms)
            if fault.target == target and fault.start_ms <= at_ms < fault.end_ms
            else fault
            for fault in self.faults
        ]
        changes = sum(new is not old for new, old in zip(mended, self.faults, strict=True))
        if changes:
            self._set_faults(tuple(mended))
        return changes

    def fault_truth(self) -> list[tuple[Fault, str]]:
        """Return each fault with the area it strikes, in the order of start and target."""
        area = {gateway: topic[0] for gateway, topic in self.gateway_topics.items()}
        area |= zip(self.registry.ids, self.registry.texts("area"), strict=True)
        truth = [(fault, area[fault.target]) for fault in self.faults]
        return sorted(truth, key=lambda item: (item[0].start_ms, item[0].target, item[0].kind))

    def tick(self, start_ms: int, end_ms: int, true_start: Floats, true_end: Floats) -> FleetTick:
        """Take and send what is due after `start_ms`, up to and including `end_ms`.

        Args:
            start_ms: Where the tick before ended; a gap skips the samples in it.
            end_ms: End of the tick, later than `start_ms`; frames are sent then.
            true_start: True value at `start_ms` of each device, by registry number, in the
                unit of its quantity; NaN for none (no supply).
            true_end: True value at `end_ms`. Between the two it runs straight; next to a NaN
                there is no value: pressure devices then see 0, others take no sample.
        """
        if not len(true_start) == len(true_end) == len(self.registry):
            raise ValueError(f"need one true value for each of {len(self.registry)} devices")
        self._begin(start_ms, end_ms)
        faults = self._faults.during(start_ms, end_ms)
        due = np.flatnonzero(self._next_ms <= end_ms)
        count = (end_ms - self._next_ms[due]) // self._reporting.step_ms[due] + 1
        parts, sampled, dropped = [], 0, 0
        for block in _blocks(count):
            rows = due[block]
            ends = true_start[self._number[rows]], true_end[self._number[rows]]
            part, taken, missing = self._sample(
                rows, count[block], (start_ms, end_ms), ends, faults
            )
            parts.append(part)
            sampled, dropped = sampled + taken, dropped + missing
        sent, self._kept = release(self._kept, Reports.join(parts), end_ms, faults)
        heard = sent
        if len(faults):
            arrives_ms = np.where(sent.leaves_ms > start_ms, sent.leaves_ms, end_ms)
            gateway = self._gateway[sent.device]
            is_unheard = faults.struck(FaultKind.GATEWAY_OUTAGE, gateway, arrives_ms)
            heard = sent.take(~is_unheard) if is_unheard.any() else sent
        unheard = len(sent.device) - len(heard.device)
        heard = self._linked(heard, end_ms, faults)
        statuses = self._heartbeats(end_ms, faults)
        frames, readings, lost, copies = self._framed(heard, end_ms, faults)
        lost_readings = unheard + len(heard.device) - readings
        return FleetTick(frames, statuses, sampled, readings, dropped, lost, lost_readings, copies)

    def _draw_devices(
        self, seed: int, report_delta: Mapping[str, float], spread: Spread | None
    ) -> None:
        """Make the instruments, their grids and batteries; a counter names each draw."""
        ids = [self.registry.ids[number] for number in self._number.tolist()]
        names = self.registry.texts("quantity")
        quantities = [QUANTITIES[names[number]] for number in self._number.tolist()]
        made = keys(seed, "device", ids)
        self._noise_key = keys(seed, "noise", ids)
        self._response = Response.drawn(
            self._column("accuracy"),
            self._column("resolution"),
            self._column("range_low"),
            self._column("range_high"),
            (normal(made, 0), normal(made, 1), normal(made, 2)),
            calibrated_ms=self._calibrated_ms or 0,
            spread=spread,
            is_counter=np.array([quantity is RAINFALL for quantity in quantities], dtype=np.bool_),
        )
        self._reporting = Reporting.drawn(
            self._column("interval_s"),
            self._column("alarm_interval_s"),
            self._column("upload_s"),
            (self._column("alarm_low"), self._column("alarm_high")),
            np.array([report_delta.get(quantity.name, np.nan) for quantity in quantities]),
            (uniform(made, 3), uniform(made, 4)),
        )
        years = {name: sheet.battery_years for name, sheet in device_kinds().items()}
        kinds = self.registry.texts("kind")
        life = [years.get(kinds[number], 5.0) for number in self._number.tolist()]
        # One phase a gateway: it passes on the beats of all its devices in one message.
        phase = uniform(keys(seed, "beat", self._gateways), 0)[self._gateway]
        self._beats = Heartbeats(phase, uniform(made, 6), np.array(life))
        self._dry = np.array([_EMPTY_PIPE.get(item.name, np.nan) for item in quantities])
        self._wire = WirePrecision.of(quantities)

    def _column(self, name: str) -> Floats:
        return self.registry.numbers(name)[self._number]

    def _set_faults(self, faults: tuple[Fault, ...]) -> None:
        for fault in faults:
            if fault.target not in (self._rank if fault.kind.is_of_gateway else self._row):
                what = "gateway" if fault.kind.is_of_gateway else "device"
                raise InjectionError(f"fault {fault.kind.value}: no {what} {fault.target}")
        self.faults = faults
        self._faults = FaultTable.of(faults, self._row, self._rank)
        self._memory = self._memory.grown(len(faults))
        names = [f"{fault.kind.value}/{fault.target}/{fault.start_ms}" for fault in faults]
        self._fault_key = keys(self._seed, "fault", names)

    def _begin(self, start_ms: int, end_ms: int) -> None:
        """Check the tick; set the next samples and beats; boot gateways that come back."""
        if end_ms <= start_ms or (self._until_ms is not None and start_ms < self._until_ms):
            raise ValueError(f"tick {start_ms}..{end_ms} must run on from {self._until_ms}")
        if self._calibrated_ms is None:
            self._calibrated_ms = start_ms
            self._response = replace(self._response, calibrated_ms=start_ms)
        if start_ms != self._until_ms:
            self._next_ms = first_after(self._reporting, start_ms)
            self._beats.begin(start_ms)
        self._until_ms = end_ms
        back = restarted(self._faults, start_ms, end_ms)
        self._boot[back] += 1
        self._seq[back] = 0

    def _sample(
        self,
        due: Int64s,
        count: Int64s,
        span: tuple[int, int],
        ends: tuple[Floats, Floats],
        faults: FaultTable,
    ) -> tuple[Reports, int, int]:
        """Let the devices `due` take `count` samples each; return what they report.

        Also returns how many samples were taken and how many reports dropped. Inside,
        `owner` is a row of `due` and `device` a row of the fleet.
        """
        reporting = self._reporting.take(due)
        owner = np.repeat(np.arange(len(due)), count)
        device = due[owner]
        time_ms = spans(np.zeros_like(count), count) * reporting.step_ms[owner]
        time_ms += self._next_ms[due][owner]
        self._next_ms[due] += count * reporting.step_ms
        share = (time_ms - span[0]) / (span[1] - span[0])
        truth = ends[0][owner] + (ends[1] - ends[0])[owner] * share
        is_dry = np.isnan(truth)
        if is_dry.any():
            truth[is_dry] = self._dry[device[is_dry]]
        periodic = is_periodic(reporting, owner, time_ms)
        extra = None
        if len(faults):
            extra, self._memory = errors_of(
                faults, self._memory, device, time_ms, periodic, self._normal
            )
        white = normal(self._noise_key[device], time_ms)
        value, noise = respond(
            self._response.take(due), self._noise.take(due), owner, time_ms, truth, white, extra
        )
        self._noise.noise[due], self._noise.time_ms[due] = noise.noise, noise.time_ms
        if len(faults):
            value = scaled(faults, device, time_ms, value)
            value, self._memory = stick(faults, self._memory, device, time_ms, value)
        is_taken = np.isfinite(value)
        if len(faults):
            is_taken &= ~faults.struck(FaultKind.OUTAGE, device, time_ms)
        if not is_taken.all():
            owner, time_ms, value = owner[is_taken], time_ms[is_taken], value[is_taken]
            periodic = periodic[is_taken]
        reasons, report = decide(reporting, self._report.take(due), owner, time_ms, value, periodic)
        self._report.value[due] = report.value
        self._report.watch_until_ms[due] = report.watch_until_ms
        leaves_ms = upload_times(reporting, owner, time_ms, reasons)
        sent = Reports(due[owner], time_ms, value, leaves_ms)
        if not reasons.all():
            sent = sent.take(reasons > 0)
        sent, dropped = self._transmitted(sent, faults)
        return sent, len(value), dropped

    def _transmitted(self, sent: Reports, faults: FaultTable) -> tuple[Reports, int]:
        """Round to the wire's precision; drop and mis-stamp what faults say."""
        dropped = 0
        if len(faults):
            is_lost = faults.struck_by_chance(
                FaultKind.DROPOUT, sent.device, sent.time_ms, sent.time_ms, self._uniform
            )
            dropped = int(is_lost.sum())
            sent = sent.take(~is_lost) if dropped else sent
            sent = sent._replace(time_ms=shown_times(faults, sent.device, sent.time_ms))
        return sent._replace(value=self._wire.rounded(sent.device, sent.value)), dropped

    def _linked(self, heard: Reports, end_ms: int, faults: FaultTable) -> Reports:
        """Return what gateways send now; only those that hold or may hold are looked at."""
        down = faults.of_kind(FaultKind.LINK_OUTAGE).target
        is_concerned = np.zeros(len(self._gateways), dtype=np.bool_)
        is_concerned[down] = is_concerned[self._gateway[self._held.device]] = True
        if not is_concerned.any():
            return heard
        is_here = is_concerned[self._gateway[heard.device]]
        concerned = heard.take(is_here)
        sent, self._held = hold(self._held, concerned, self._gateway, end_ms, faults)
        heard = heard.take(~is_here)
        if len(sent.device) == 0:
            return heard
        both = Reports.join([heard, sent])
        return both.take(np.argsort(both.device, kind="stable"))

    def _framed(
        self, sent: Reports, end_ms: int, faults: FaultTable
    ) -> tuple[tuple[Frame, ...], int, int, int]:
        """Return the frames, and how many readings are in them, frames lost, frames doubled."""
        cuts = cut_frames(self._gateway[sent.device], self.frame_size, self._boot, self._seq)
        self._seq[cuts.gateway] = cuts.seq + 1  # the last frame of a gateway wins
        counters = (cuts.boot << 32) + cuts.seq
        copies = copies_sent(faults, cuts.gateway, end_ms, counters, self._uniform)
        number = self._number.astype(np.int32)[sent.device]
        batch = ReadingBatch.of(number, sent.time_ms, sent.value)
        frames = build_frames(cuts, copies, self._gateways, batch, end_ms)
        readings = int((cuts.end - cuts.begin)[copies > 0].sum())
        return frames, readings, int((copies == 0).sum()), int((copies == 2).sum())

    def _heartbeats(self, end_ms: int, faults: FaultTable) -> tuple[DeviceStatus, ...]:
        device, time_ms = self._beats.take_until(end_ms)
        if len(device) == 0:
            return ()
        is_heard = ~faults.struck(FaultKind.OUTAGE, device, time_ms)
        for kind in (FaultKind.GATEWAY_OUTAGE, FaultKind.LINK_OUTAGE):
            is_heard &= ~faults.struck(kind, self._gateway[device], time_ms)
        device, time_ms = device[is_heard], time_ms[is_heard]
        battery = self._beats.left(device, time_ms, self._calibrated_ms or 0)
        number = self._number[device]
        order = np.lexsort((number, time_ms))
        columns = (column[order].tolist() for column in (number, time_ms, battery))
        ids = self.registry.ids
        return tuple(DeviceStatus(ids[n], at, left) for n, at, left in zip(*columns, strict=True))

    def _uniform(self, faults: Int64s, counters: Int64s) -> Floats:
        return uniform(self._fault_key[faults], counters)

    def _normal(self, faults: Int64s, counters: Int64s) -> Floats:
        return normal(self._fault_key[faults], counters)


def _blocks(count: Int64s) -> Iterator[slice]:
    """Cut devices into runs of about `_BLOCK` samples."""
    total = np.cumsum(count)
    size = int(total[-1]) if len(total) else 0
    edges = np.searchsorted(total, np.arange(_BLOCK, size, _BLOCK), side="right").tolist()
    for begin, end in pairwise([0, *edges, len(count)]):
        if begin < end:
            yield slice(begin, end)
