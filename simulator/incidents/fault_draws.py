"""Random device, gateway, base-station and firmware faults by their rates, as columns."""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from sensors.devices.faults import Fault, FaultKind
from sensors.readings import Floats, Int64s
from sensors.registry import Registry
from simulator.incidents.fault_rates import Amount, BaseStationRate, FaultRates, FirmwareRate, Hours
from simulator.randomness import Keys, keys, uniform

HOUR_MS = 3_600_000
YEAR_MS = 365 * 24 * HOUR_MS

_DRAWS = 4  # numbers a fault takes: gap, duration, size, sign


class Events(NamedTuple):
    """Events of many sources as columns: whose (row), the number within it, from when to when."""

    source: Int64s
    nth: Int64s
    start_ms: Int64s
    end_ms: Int64s


def draw_faults(
    registry: Registry, rates: FaultRates, seed: int, start_ms: int, end_ms: int
) -> tuple[Fault, ...]:
    """Return the faults that act from `start_ms` until just before `end_ms`, by start and target.

    Faults come as a Poisson process of their rate, by themselves for each device, gateway, cell
    of base stations and kind of device. The fleet is in its steady state from the first moment:
    some faults have begun before `start_ms`. What a device suffers follows from the seed, its
    id, kind, accuracy and range, the rates and `start_ms`: another device more or less, another
    kind of fault or a later end change nothing. A firmware strikes each device of its kind with
    its share; a base station serves a square cell of the city's plane.

    Args:
        registry: Devices as registered.
        rates: How often (`load_rates`).
        seed: Seed of the run.
        start_ms: Begin of the run.
        end_ms: End of the run.
    """
    faults = [
        *_of_devices(registry, rates, seed, (start_ms, end_ms)),
        *_of_gateways(registry, rates, seed, (start_ms, end_ms)),
        *_of_firmware(registry, rates.firmware, seed, (start_ms, end_ms)),
    ]
    return tuple(sorted(faults, key=lambda item: (item.start_ms, item.target, item.kind)))


def events(
    sources: Keys, series: int, per_year: float, hours: Hours, window: tuple[int, int]
) -> Events:
    """Return the events of a Poisson process that act within a window, ascending in source.

    Args:
        sources: One key a source.
        series: Number that tells the processes of a source apart.
        per_year: Mean events of one source in 365 days.
        hours: How long they last.
        window: From and until when, ms.
    """
    opens_ms = window[0] - round(hours.longest * HOUR_MS)
    alive = np.arange(len(sources)) if per_year > 0 else np.zeros(0, dtype=np.int64)
    at_ms = np.full(len(alive), float(opens_ms))
    parts, nth = [], 0
    while len(alive):
        counter = _counter(series, nth)
        at_ms -= np.log(uniform(sources[alive], counter)) * (YEAR_MS / per_year)
        within = at_ms < window[1]
        alive, at_ms = alive[within], at_ms[within]
        factor = np.exp(hours.spread * ndtri(uniform(sources[alive], counter + 1)))
        lasts_ms = np.minimum(hours.median * factor, hours.longest) * HOUR_MS
        start_ms = at_ms.astype(np.int64)
        end_ms = start_ms + np.maximum(lasts_ms, 1.0).astype(np.int64)
        parts.append(Events(alive, np.full(len(alive), nth), start_ms, end_ms))
        nth += 1
    if not parts:
        nothing = np.zeros(0, dtype=np.int64)
        return Events(nothing, nothing, nothing, nothing)
    every = Events(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    rows = np.flatnonzero(every.end_ms > window[0])
    rows = rows[np.lexsort((every.nth[rows], every.source[rows]))]
    return Events(*(column[rows] for column in every))


def amounts(
    amount: Amount | None, sources: Keys, series: int, found: Events, sizes: tuple[Floats, Floats]
) -> Floats:
    """Return how much each event is.

    Args:
        amount: Its spread; None for 0.
        sources: One key a source.
        series: As given to `events`.
        found: The events.
        sizes: Accuracy and range of the device of each event.
    """
    if amount is None:
        return np.zeros(len(found.source))
    counter = _counter(series, found.nth)
    share = uniform(sources[found.source], counter + 2)
    if amount.low > 0:
        size = amount.low * (amount.high / amount.low) ** share
    else:
        size = amount.low + (amount.high - amount.low) * share
    if amount.sign == "both":
        size = np.where(uniform(sources[found.source], counter + 3) < 0.5, -size, size)
    if amount.unit == "own":
        return size
    return size * sizes[0 if amount.unit == "accuracies" else 1]


def _of_devices(
    registry: Registry, rates: FaultRates, seed: int, window: tuple[int, int]
) -> list[Fault]:
    if not rates.device:
        return []
    sources = keys(seed, "fault rates of devices", registry.ids)
    accuracy = registry.numbers("accuracy")
    width = registry.numbers("range_high") - registry.numbers("range_low")
    faults = []
    for rate in rates.device:
        series = _series(rate.kind.value)
        found = events(sources, series, rate.per_year, rate.hours, window)
        sizes = accuracy[found.source], width[found.source]
        amount = amounts(rate.amount, sources, series, found, sizes)
        faults += _listed(rate.kind, registry.ids, found, amount)
    return faults


def _of_gateways(
    registry: Registry, rates: FaultRates, seed: int, window: tuple[int, int]
) -> list[Fault]:
    if not rates.gateway and rates.base_station is None:
        return []
    names, place = np.unique(np.array(registry.texts("gateway")), return_inverse=True)
    ids: list[str] = names.tolist()
    sources = keys(seed, "fault rates of gateways", ids)
    none = np.zeros(0)
    faults = []
    for rate in rates.gateway:
        series = _series(rate.kind.value)
        found = events(sources, series, rate.per_year, rate.hours, window)
        amount = amounts(rate.amount, sources, series, found, (none, none))
        faults += _listed(rate.kind, ids, found, amount)
    if rates.base_station is not None:
        cells = _cells(registry, place, len(ids), rates.base_station.cell_m)
        faults += _of_base_stations(ids, cells, rates.base_station, seed, window)
    return faults


def _of_base_stations(
    gateways: Sequence[str],
    cells: NDArray[np.str_],
    rate: BaseStationRate,
    seed: int,
    window: tuple[int, int],
) -> list[Fault]:
    """Return a link outage for each gateway of each cell that fails; the cause names the cell."""
    names, cell_of = np.unique(cells, return_inverse=True)
    cell_ids: list[str] = names.tolist()
    sources = keys(seed, "fault rates of base stations", cell_ids)
    series = _series("base_station")
    found = events(sources, series, rate.per_year, rate.hours, window)
    amount = amounts(rate.amount, sources, series, found, (np.zeros(0), np.zeros(0)))
    faults = []
    for cell, nth, start_ms, end_ms, size in zip(
        *map(np.ndarray.tolist, (*found, amount)), strict=True
    ):
        cause = f"base-station-{cell_ids[cell]}-{nth}"
        faults += [
            Fault(gateways[row], FaultKind.LINK_OUTAGE, start_ms, end_ms, size, cause)
            for row in np.flatnonzero(cell_of == cell).tolist()
        ]
    return faults


def _of_firmware(
    registry: Registry, rates: Sequence[FirmwareRate], seed: int, window: tuple[int, int]
) -> list[Fault]:
    """Return a fault for each device that runs a bad firmware; the cause names the firmware."""
    if not rates:
        return []
    kind_of = np.array(registry.texts("kind"))
    kinds: list[str] = np.unique(kind_of).tolist()
    accuracy = registry.numbers("accuracy")
    width = registry.numbers("range_high") - registry.numbers("range_low")
    sources = keys(seed, "fault rates of firmware", kinds)
    faults = []
    for place, rate in enumerate(rates):
        series = _series(f"{rate.kind.value} {place}")
        found = events(sources, series, rate.per_year, rate.hours, window)
        one = np.ones(len(found.source))  # the sizes of single devices come below
        amount = amounts(rate.amount, sources, series, found, (one, one))
        for row, (kind, nth, start_ms, end_ms) in enumerate(
            zip(*map(np.ndarray.tolist, found), strict=True)
        ):
            cause = f"firmware-{kinds[kind]}-{rate.kind.value}-{nth}"
            chance = uniform(sources[[kind]], _counter(_series("share"), nth) + place)
            share = rate.share.low + (rate.share.high - rate.share.low) * float(chance[0])
            devices = np.flatnonzero(kind_of == kinds[kind])
            ids = [registry.ids[number] for number in devices.tolist()]
            runs_it = uniform(keys(seed, cause, ids), 0) < share
            unit = "own" if rate.amount is None else rate.amount.unit
            size = {"own": np.ones(len(ids)), "accuracies": accuracy[devices]}.get(
                unit, width[devices]
            )
            faults += [
                Fault(ids[n], rate.kind, start_ms, end_ms, float(amount[row] * size[n]), cause)
                for n in np.flatnonzero(runs_it).tolist()
            ]
    return faults


def _cells(registry: Registry, place: Int64s, gateways: int, cell_m: float) -> NDArray[np.str_]:
    """Return the name of the cell in which the middle of each gateway's devices lies."""
    count = np.bincount(place, minlength=gateways)
    columns = [
        np.floor(np.bincount(place, registry.numbers(axis), gateways) / count / cell_m)
        for axis in ("x_m", "y_m")
    ]
    pairs = zip(*(column.astype(np.int64).tolist() for column in columns), strict=True)
    return np.array([f"{east}/{north}" for east, north in pairs], dtype=np.str_)


def _listed(kind: FaultKind, targets: Sequence[str], found: Events, amount: Floats) -> list[Fault]:
    columns = (found.source, found.start_ms, found.end_ms, amount)
    return [
        Fault(targets[source], kind, start_ms, end_ms, size)
        for source, start_ms, end_ms, size in zip(*map(np.ndarray.tolist, columns), strict=True)
    ]


def _series(name: str) -> int:
    """Return a number for a named process, so that a new one changes none of the others."""
    return zlib.crc32(name.encode())


def _counter(series: int, nth: Int64s | int) -> Int64s:
    """Return the first of the counters of an event: `_DRAWS` numbers are its own."""
    return np.atleast_1d((np.int64(series) << np.int64(30)) + np.asarray(nth) * _DRAWS)
