"""What goes wrong with devices and gateways, and what each fault does to samples and frames."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from sensors.devices.response import DAY_MS, Rows, spans
from sensors.readings import Floats, Int64s

Bools = NDArray[np.bool_]
Draw = Callable[[Int64s, Int64s], Floats]
"""Random numbers by (places of faults, counters): the owner of the table supplies them."""


class FaultKind(StrEnum):
    """What is wrong, and what `Fault.amount` means for it.

    Of a device: `stuck` repeats the first value of the fault; `spike` adds amount to one
    reading, the first periodic one; `outage` takes no samples; `dropout` loses each reading
    with probability amount; `drift` adds amount a day; `bias` adds amount; `scale` multiplies
    what the device shows by amount, past the ends of its range too (wrong unit in a firmware);
    `clock_skew` stamps readings amount seconds late; `clock_reset` sets the device's clock to
    amount (Unix time, seconds) at the start, from where it runs on; `noise` adds white noise of
    standard deviation amount.

    Of a gateway: `gateway_outage` loses all readings and ends in a new boot; `link_outage`
    keeps them and sends all when the link is back, each of those frames twice with probability
    amount; `frame_loss` loses each frame with probability amount; `frame_replay` sends each
    frame twice with probability amount.
    """

    STUCK = "stuck"
    SPIKE = "spike"
    OUTAGE = "outage"
    DROPOUT = "dropout"
    DRIFT = "drift"
    BIAS = "bias"
    CLOCK_SKEW = "clock_skew"
    NOISE = "noise"
    GATEWAY_OUTAGE = "gateway_outage"
    FRAME_LOSS = "frame_loss"
    FRAME_REPLAY = "frame_replay"
    SCALE = "scale"
    CLOCK_RESET = "clock_reset"
    LINK_OUTAGE = "link_outage"

    @property
    def is_of_gateway(self) -> bool:
        """Whether it strikes a gateway and not a device."""
        return self in _OF_GATEWAY


_CODES = {kind: code for code, kind in enumerate(FaultKind)}
_OF_GATEWAY = (
    FaultKind.GATEWAY_OUTAGE,
    FaultKind.FRAME_LOSS,
    FaultKind.FRAME_REPLAY,
    FaultKind.LINK_OUTAGE,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, acting from `start_ms` until just before `end_ms`.

    Attributes:
        target: Device id, or gateway id for faults of gateways.
        kind: What is wrong.
        start_ms: When it begins.
        end_ms: When it is over.
        amount: How much; its meaning and unit depend on `kind`.
        cause: Id that faults of one common cause share (a base station, a firmware); empty for
            a fault of its own.
    """

    target: str
    kind: FaultKind
    start_ms: int
    end_ms: int
    amount: float = 0.0
    cause: str = ""


@dataclass(frozen=True, slots=True)
class FaultMemory:
    """What single faults remember, one entry a fault: the held value, whether a spike struck."""

    held: Floats
    is_spent: Bools

    @classmethod
    def fresh(cls, faults: int) -> "FaultMemory":
        """Return the memory before anything happened."""
        return cls(np.full(faults, np.nan), np.zeros(faults, dtype=np.bool_))

    def grown(self, faults: int) -> "FaultMemory":
        """Return the memory with fresh entries up to `faults`."""
        more = FaultMemory.fresh(faults - len(self.held))
        return FaultMemory(
            np.concatenate([self.held, more.held]), np.concatenate([self.is_spent, more.is_spent])
        )


@dataclass(frozen=True, slots=True)
class FaultTable:
    """Faults as columns of equal length, to be found by kind, target number and time.

    Rows are sorted by kind, then place, so the faults of a kind are a slice. `place` is the
    fault's place in the sequence the table was made of; it stays the same in the tables that
    `during` returns, and it indexes `FaultMemory` and random draws.
    """

    place: Int64s
    kind: NDArray[np.int8]
    target: Int64s
    start_ms: Int64s
    end_ms: Int64s
    amount: Floats

    @classmethod
    def of(
        cls, faults: Sequence[Fault], device: Mapping[str, int], gateway: Mapping[str, int]
    ) -> "FaultTable":
        """Number the targets of `faults`; KeyError when one is not known."""
        numbers = [
            (gateway if fault.kind.is_of_gateway else device)[fault.target] for fault in faults
        ]
        table = cls(
            np.arange(len(faults)),
            np.array([_CODES[fault.kind] for fault in faults], dtype=np.int8),
            np.array(numbers, dtype=np.int64),
            np.array([fault.start_ms for fault in faults], dtype=np.int64),
            np.array([fault.end_ms for fault in faults], dtype=np.int64),
            np.array([fault.amount for fault in faults], dtype=np.float64),
        )
        return table.take(np.argsort(table.kind, kind="stable"))

    def __len__(self) -> int:
        return len(self.place)

    def take(self, rows: Rows | Bools | slice) -> "FaultTable":
        """Return the chosen faults."""
        return FaultTable(
            self.place[rows],
            self.kind[rows],
            self.target[rows],
            self.start_ms[rows],
            self.end_ms[rows],
            self.amount[rows],
        )

    def during(self, start_ms: int, end_ms: int) -> "FaultTable":
        """Return the faults that act at any moment from `start_ms` to `end_ms`."""
        return self.take((self.start_ms <= end_ms) & (self.end_ms > start_ms))

    def of_kind(self, kind: FaultKind) -> "FaultTable":
        """Return the faults of one kind."""
        code = np.int8(_CODES[kind])
        begin, end = (int(np.searchsorted(self.kind, code, side)) for side in ("left", "right"))
        return self.take(slice(begin, end))

    def find(self, kind: FaultKind, targets: Rows, times_ms: Int64s) -> tuple[Int64s, "FaultTable"]:
        """Return which rows faults of `kind` strike, and those faults, one a row struck.

        Args:
            kind: Kind of fault.
            targets: Number of the device (gateway) of each row, ascending.
            times_ms: Time of each row.

        Returns:
            Rows, ascending within a fault, and a table as long. A row struck by two faults of
            the kind comes twice.
        """
        faults = self.of_kind(kind)
        if len(faults) == 0:
            return np.zeros(0, np.int64), faults
        rows, faults = faults.rows_of(targets)
        strikes = (times_ms[rows] >= faults.start_ms) & (times_ms[rows] < faults.end_ms)
        return rows[strikes], faults.take(strikes)

    def rows_of(self, targets: Rows) -> tuple[Int64s, "FaultTable"]:
        """Return the rows of each fault's target, fault by fault, and a table as long.

        Args:
            targets: Number of the device (gateway) of each row, ascending.
        """
        begin = np.searchsorted(targets, self.target, side="left")
        count = np.searchsorted(targets, self.target, side="right") - begin
        return spans(begin, count), self.take(np.repeat(np.arange(len(self)), count))

    def struck(self, kind: FaultKind, targets: Rows, times_ms: Int64s) -> Bools:
        """Return the mask of the rows that faults of `kind` strike."""
        mask = np.zeros(len(targets), dtype=np.bool_)
        mask[self.find(kind, targets, times_ms)[0]] = True
        return mask

    def struck_by_chance(
        self, kind: FaultKind, targets: Rows, times_ms: Int64s, counters: Int64s, uniform: Draw
    ) -> Bools:
        """Return the mask of the rows that faults of `kind` strike with probability amount."""
        rows, faults = self.find(kind, targets, times_ms)
        mask = np.zeros(len(targets), dtype=np.bool_)
        mask[rows[uniform(faults.place, counters[rows]) < faults.amount]] = True
        return mask


def errors_of(
    faults: FaultTable,
    memory: FaultMemory,
    devices: Rows,
    times_ms: Int64s,
    periodic: Bools,
    normal: Draw,
) -> tuple[Floats, FaultMemory]:
    """Return what bias, drift, noise and spikes add to each sample, and the memory after.

    Args:
        faults: The faults that act in this stretch of time.
        memory: What they remember.
        devices: Device of each sample, ascending.
        times_ms: When each sample is taken, ascending within a device.
        periodic: Which samples the normal interval asks for; only these are hit by spikes.
        normal: Standard normal numbers for the noise.
    """
    added = np.zeros(len(devices))
    rows, struck = faults.find(FaultKind.BIAS, devices, times_ms)
    np.add.at(added, rows, struck.amount)
    rows, struck = faults.find(FaultKind.DRIFT, devices, times_ms)
    np.add.at(added, rows, struck.amount * (times_ms[rows] - struck.start_ms) / DAY_MS)
    rows, struck = faults.find(FaultKind.NOISE, devices, times_ms)
    np.add.at(added, rows, struck.amount * normal(struck.place, times_ms[rows]))
    rows, struck = faults.find(FaultKind.SPIKE, devices, times_ms)
    can_strike = periodic[rows] & ~memory.is_spent[struck.place]
    rows, struck = rows[can_strike], struck.take(can_strike)
    if len(rows) == 0:
        return added, memory
    places, nth = np.unique(struck.place, return_index=True)
    np.add.at(added, rows[nth], struck.amount[nth])
    is_spent = memory.is_spent.copy()
    is_spent[places] = True
    return added, FaultMemory(memory.held, is_spent)


def stick(
    faults: FaultTable, memory: FaultMemory, devices: Rows, times_ms: Int64s, values: Floats
) -> tuple[Floats, FaultMemory]:
    """Return the values with those of stuck devices held at the fault's first one.

    Samples without a value (NaN) neither hold nor are held.
    """
    rows, struck = faults.find(FaultKind.STUCK, devices, times_ms)
    has_value = np.isfinite(values[rows])
    rows, struck = rows[has_value], struck.take(has_value)
    if len(rows) == 0:
        return values, memory
    places, nth = np.unique(struck.place, return_index=True)
    held = memory.held.copy()
    is_new = np.isnan(held[places])
    held[places[is_new]] = values[rows[nth[is_new]]]
    values = values.copy()
    values[rows] = held[struck.place]
    return values, FaultMemory(held, memory.is_spent)


def scaled(faults: FaultTable, devices: Rows, times_ms: Int64s, values: Floats) -> Floats:
    """Return what the devices show, multiplied where their firmware is wrong (`scale`)."""
    rows, struck = faults.find(FaultKind.SCALE, devices, times_ms)
    if len(rows) == 0:
        return values
    values = values.copy()
    np.multiply.at(values, rows, struck.amount)
    return values


def shown_times(faults: FaultTable, devices: Rows, times_ms: Int64s) -> Int64s:
    """Return the times the devices' own clocks show."""
    skewed, skew = faults.find(FaultKind.CLOCK_SKEW, devices, times_ms)
    reset, new = faults.find(FaultKind.CLOCK_RESET, devices, times_ms)
    if len(skewed) == 0 and len(reset) == 0:
        return times_ms
    shown_ms = times_ms.copy()
    shown_ms[reset] += np.rint(new.amount * 1000.0).astype(np.int64) - new.start_ms
    np.add.at(shown_ms, skewed, np.rint(skew.amount * 1000.0).astype(np.int64))
    return shown_ms
