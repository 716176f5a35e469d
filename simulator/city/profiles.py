"""The fleet of a city by load profile: as many devices as asked, wherever elements are."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sensors.city import City
from sensors.devices import DeviceKind, device_kinds
from sensors.registry import SCHEMA, Registry, entity_id
from simulator import randomness
from simulator.city.candidates import PLACES, Candidates, Elements
from simulator.city.drawing import Floats
from simulator.city.fleet_profile import FleetProfile, KindShare, load_profile
from simulator.city.placement import FLOW_NOISE, LATE_EVERY
from simulator.city.profiles_limits import limited, site_profiles
from simulator.city.water_sites import water_candidates

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class _Group:
    """The devices of one kind: their sites and what the profile says of them."""

    kind: DeviceKind
    share: KindShare
    sites: Candidates


def place_fleet(city: City, profile: str = "default", seed: int = 1) -> Registry:
    """Return the devices of a city, ordered by area, domain, kind, element.

    A profile that names a total gets exactly that many devices: where a kind has fewer
    elements than devices they share elements evenly, and the share of a kind the city has no
    element for goes to the other kinds. Which elements are equipped follows from the seed and
    the element's own id. A gateway serves one area and one domain, with 50 to 100 devices where
    there are so many.

    Args:
        city: The city; a network it does not have gets no devices.
        profile: Name of a shipped profile, or a `.yaml` file (`load_profile`).
        seed: Which elements are equipped where not all are.

    Raises:
        ScenarioError: there is no such profile, or it is wrong.
        PhysicsError: the water, gas or drainage network cannot be read.
    """
    chosen = load_profile(profile)
    kinds = device_kinds()
    elements = Elements(city)
    special = water_candidates(city, elements)
    shares = {kind: chosen.kinds[kind] for kind in PLACES if kind in chosen.kinds}
    found: dict[str, Candidates] = {}
    for kind in shares:
        sites = special[kind] if kind in special else _shuffled(elements, kind, seed)
        if kind in kinds and len(sites):
            found[kind] = limited(city, kind, sites)
    counts = device_counts(chosen, {kind: len(sites) for kind, sites in found.items()})
    groups = [
        _Group(kinds[kind], shares[kind], _chosen(found[kind], count))
        for kind, count in counts.items()
        if count
    ]
    return Registry(_table(groups, chosen, site_profiles(city)))


def device_counts(profile: FleetProfile, elements: Mapping[str, int]) -> dict[str, int]:
    """Return how many devices of each kind a city gets, in the order of `elements`.

    Args:
        profile: The profile.
        elements: Kind → number of elements it may stand at; kinds without any left out.
    """
    counts, weights = {}, {}
    for kind, available in elements.items():
        share = profile.kinds[kind]
        counts[kind] = share.count or 0
        if share.share is not None:
            counts[kind] = max(1, round(share.share * available)) if share.share else 0
        weights[kind] = share.weight or 0.0
    if profile.devices is None or not elements:
        return counts
    rest = profile.devices - sum(counts.values())
    if rest < 0 or not any(weights.values()):
        base = counts if any(counts.values()) else dict.fromkeys(counts, 1)
        return _apportioned(profile.devices, base)
    extra = _apportioned(rest, weights)
    return {kind: counts[kind] + extra[kind] for kind in counts}


def entity_ids(kind: str, area: str, count: int) -> list[str]:
    """Return the ids of serials 1 to `count` (`sensors.registry.entity_id`), all at once.

    The check digit of a serial is that of serial 0 plus what its own digits add.
    """
    ids: list[str] = []
    for width, low, high in _widths(count):
        head = entity_id(kind, area, 10 ** (width - 1) if width > 4 else 0)
        prefix, base = head[: -2 - width], int(head[-1])
        serials = np.arange(low, high + 1, dtype=np.int64)
        total = _luhn_part(serials, width)
        zero = _luhn_part(np.array([10 ** (width - 1) if width > 4 else 0]), width)[0]
        digits = (base - (total - zero)) % 10
        ids += [
            f"{prefix}{serial:0{width}d}-{digit}"
            for serial, digit in zip(serials.tolist(), digits.tolist(), strict=True)
        ]
    return ids


def _widths(count: int) -> list[tuple[int, int, int]]:
    """Return width, first and last of the serials 1 to `count` by their number of digits."""
    found, low, width = [], 1, 4
    while low <= count:
        high = min(count, 10**width - 1)
        found.append((width, low, high))
        low, width = high + 1, width + 1
    return found


def _luhn_part(serials: Numbers, width: int) -> Numbers:
    """Return what the digits of serials, the last `width` of the id, add to a Luhn sum."""
    total = np.zeros(len(serials), dtype=np.int64)
    for place in range(width):
        digit = serials // 10**place % 10 * (2 if place % 2 == 0 else 1)
        total += np.where(digit > 9, digit - 9, digit)
    return total


def _apportioned(total: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Return whole numbers in the ratio of the weights that add up to `total` exactly."""
    whole = sum(weights.values())
    exact = {kind: total * weight / whole for kind, weight in weights.items()}
    counts = {kind: math.floor(number) for kind, number in exact.items()}
    by_rest = sorted(exact, key=lambda kind: (counts[kind] - exact[kind], kind))
    for kind in by_rest[: total - sum(counts.values())]:
        counts[kind] += 1
    return counts


def _shuffled(elements: Elements, kind: str, seed: int) -> Candidates:
    """Return the candidates of a kind, ordered at random among those of one kind of element."""
    place = PLACES[kind]
    found = elements.at(place)
    purpose = f"equip/{place.table}/{place.domain}/{'/'.join(place.elements)}"
    draws = randomness.uniform(randomness.keys(seed, purpose, found.element.tolist()), 0)
    return Candidates(
        found.element,
        found.area,
        found.x_m,
        found.y_m,
        found.priority + draws,
        found.range_high,
        found.alarm_low,
    )


def _chosen(sites: Candidates, count: int) -> Candidates:
    """Return the sites of `count` devices: the first by priority, again and again."""
    order = np.lexsort((sites.element, sites.priority))
    rows = order[np.arange(count, dtype=np.int64) % len(order)]
    return sites.take(rows)


def _table(
    groups: list[_Group], profile: FleetProfile, site_profile: Mapping[str, str]
) -> pa.Table:
    """Return the device table of `sensors.registry.SCHEMA`; `site_profile` is of high-rises."""
    if not groups:
        return SCHEMA.empty_table()
    joined = {
        name: np.concatenate([getattr(group.sites, name) for group in groups])
        for name in ("element", "area", "x_m", "y_m", "range_high", "alarm_low")
    }
    number = np.repeat(np.arange(len(groups)), [len(group.sites) for group in groups])
    domains = np.array([group.kind.domain for group in groups], dtype=np.str_)[number]
    order = np.lexsort((joined["element"], number, domains, joined["area"]))
    joined = {name: column[order] for name, column in joined.items()}
    number, domains = number[order], domains[order]
    columns: dict[str, object] = {
        **{name: joined[name] for name in ("area", "element", "x_m", "y_m")},
        "id": _ids(groups, number, joined["area"]),
        "domain": domains,
        "profile": [
            site_profile.get(element, "") if domain == "fire" else ""
            for element, domain in zip(joined["element"].tolist(), domains.tolist(), strict=True)
        ],
        "gateway": _gateways(joined["area"], domains, profile.gateway_devices),
        **_figures(groups, number, joined, profile),
    }
    return pa.Table.from_arrays(
        [pa.array(columns[field.name], type=field.type) for field in SCHEMA], schema=SCHEMA
    )


def _ids(groups: list[_Group], number: Numbers, area: NDArray[np.str_]) -> list[str]:
    # Kinds lie within one area and domain, so equal pairs are neighbours.
    changes = np.flatnonzero((number[1:] != number[:-1]) | (area[1:] != area[:-1])) + 1
    first = np.concatenate(([0], changes))
    sizes = np.diff(np.concatenate((first, [len(number)])))
    ids: list[str] = []
    for row, size in zip(first.tolist(), sizes.tolist(), strict=True):
        ids += entity_ids(groups[int(number[row])].kind.kind, str(area[row]), size)
    return ids


def _gateways(area: NDArray[np.str_], domain: NDArray[np.str_], size: int) -> list[str]:
    """Return the gateway of each device; a run of one area and domain is cut evenly."""
    changes = np.flatnonzero((area[1:] != area[:-1]) | (domain[1:] != domain[:-1])) + 1
    first = np.concatenate(([0], changes, [len(area)])).tolist()
    names: list[str] = []
    for begin, end in pairwise(first):
        count = end - begin
        pieces = max(1, round(count / size))
        head = f"gw-{area[begin]}-{domain[begin]}"
        names += [f"{head}-{row * pieces // count + 1}" for row in range(count)]
    return names


def _figures(
    groups: list[_Group], number: Numbers, joined: Mapping[str, Floats], profile: FleetProfile
) -> dict[str, object]:
    """Return the columns that come from the data sheets, the profile and the sites."""
    kinds = [group.kind for group in groups]

    def sheet(name: str) -> Floats:
        figures: Floats = np.array([getattr(kind, name) for kind in kinds], dtype=np.float64)
        return figures[number]

    def text(name: str) -> NDArray[np.str_]:
        words: NDArray[np.str_] = np.array([getattr(kind, name) for kind in kinds], dtype=np.str_)
        return words[number]

    own = joined["range_high"]
    has_own = ~np.isnan(own)
    limit = np.where(np.isnan(joined["alarm_low"]), sheet("alarm_low"), joined["alarm_low"])
    interval_s, alarm_s, upload_s = _intervals(groups, number, profile)
    return {
        "kind": text("kind"),
        "quantity": text("quantity"),
        "interval_s": interval_s,
        "alarm_interval_s": alarm_s,
        "upload_s": upload_s,
        "range_low": np.where(has_own, -own, sheet("range_low")),
        "range_high": np.where(has_own, own, sheet("range_high")),
        "accuracy": np.where(has_own, FLOW_NOISE * own, sheet("accuracy")),
        "resolution": sheet("resolution"),
        "alarm_low": np.where(np.isinf(limit), np.nan, limit),
        "alarm_high": sheet("alarm_high"),
        "max_step": np.where(has_own, own, sheet("max_step")),
    }


def _intervals(
    groups: list[_Group], number: Numbers, profile: FleetProfile
) -> tuple[Numbers, Numbers, Numbers]:
    """Return normal interval, alarm interval and interval of late batches, seconds."""
    table = []
    for group in groups:
        kind, share = group.kind, group.share
        normal = profile.interval_s or share.interval_s or kind.interval_s
        alarm = min(share.alarm_interval_s or kind.alarm_interval_s, normal)
        table.append((normal, alarm, share.upload_s if share.upload_s is not None else -1))
    columns = np.array(table, dtype=np.int64)[number]
    upload_s = columns[:, 2].copy()
    for place, group in enumerate(groups):
        rows = np.flatnonzero((number == place) & (upload_s < 0))
        if group.kind.kind == "dma_flow":  # every third meter is a logger, as on an import
            late = np.arange(1, len(rows) + 1) % LATE_EVERY == 0
            upload_s[rows] = np.where(late, group.kind.upload_s, 0)
        else:
            upload_s[rows] = group.kind.upload_s
    return columns[:, 0], columns[:, 1], upload_s
