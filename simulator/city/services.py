"""Teams, stores, shelters, experts and key sites of a generated city, by its people."""

import json

import numpy as np

from sensors.city import Row
from simulator.city.ground import Ground
from simulator.city.placement import spread_points
from simulator.city.service_rates import ServiceRates
from simulator.city.streets import Ints
from simulator.randomness import stream

_BESIDE_M = 25.0


def service_rows(ground: Ground, rates: ServiceRates) -> dict[str, list[Row]]:
    """Return the rows of key sites, teams, stores, shelters and experts.

    Key sites and shelters stand where people live; the teams and stores of a district are
    spread over it.
    """
    return {
        "key_sites": _key_sites(ground, rates),
        "teams": _teams(ground, rates),
        "stores": _stores(ground, rates),
        "shelters": _shelters(ground, rates),
        "experts": _experts(ground, rates),
    }


def _members(ground: Ground) -> dict[str, Ints]:
    """Return the corners of each district, by its id."""
    districts = np.array(ground.district)
    return {str(name): np.flatnonzero(districts == name) for name in np.unique(districts)}


def _spread(ground: Ground, corners: Ints, count: int, first: int) -> list[int]:
    """Return corners spread over a district; more places than corners start over."""
    order = spread_points(
        ground.x_m[corners], ground.y_m[corners], first % len(corners), min(count, len(corners))
    )
    return [int(corners[order[number % len(order)]]) for number in range(count)]


def _near(ground: Ground, corner: int, number: int) -> Row:
    angle = 2.4 * number  # the golden angle, so that what shares a corner stands apart
    return {
        "x_m": float(ground.x_m[corner] + _BESIDE_M * np.cos(angle)),
        "y_m": float(ground.y_m[corner] + _BESIDE_M * np.sin(angle)),
    }


def _populous(ground: Ground, purpose: str, count: int) -> list[int]:
    """Return corners drawn by their people, each at most once while there are enough."""
    random = stream(ground.seed, "city", purpose)
    share = ground.people / ground.people.sum()
    able = int((share > 0).sum())
    drawn = random.choice(len(share), size=min(count, able), replace=False, p=share)
    return [int(drawn[number % len(drawn)]) for number in range(count)]


def _key_sites(ground: Ground, rates: ServiceRates) -> list[Row]:
    rows: list[Row] = []
    for site in rates.key_sites:
        count = max(site.least, round(float(ground.people.sum()) / site.people_per))
        for number, corner in enumerate(_populous(ground, site.kind, count), start=1):
            place = _near(ground, corner, len(rows))
            name = f"{site.name} {number}"
            rows.append({"id": f"K{len(rows) + 1:05d}", "name": name, "kind": site.kind, **place})
    return rows


def _teams(ground: Ground, rates: ServiceRates) -> list[Row]:
    rows: list[Row] = []
    for district, corners in _members(ground).items():
        people = float(ground.people[corners].sum())
        for place, kind in enumerate(rates.teams.kinds):
            count = max(1, round(people / rates.teams.people_per * kind.share))
            first = place * len(corners) // len(rates.teams.kinds)
            for number, corner in enumerate(_spread(ground, corners, count, first), start=1):
                rows.append(
                    {
                        "id": f"T{len(rows) + 1:04d}",
                        "name": f"{kind.name} {district}-{number}",
                        "skills": list(kind.skills),
                        **_near(ground, corner, len(rows)),
                        "speed_km_h": rates.teams.speed_km_h,
                        "unit": kind.unit,
                    }
                )
    return rows


def _stores(ground: Ground, rates: ServiceRates) -> list[Row]:
    rows: list[Row] = []
    stock = json.dumps(rates.stores.stock)
    for corners in _members(ground).values():
        people = float(ground.people[corners].sum())
        count = max(1, round(people / rates.stores.people_per))
        for corner in _spread(ground, corners, count, len(corners) // 2):
            number = len(rows) + 1
            place = _near(ground, corner, number)
            rows.append(
                {"id": f"S{number:04d}", "name": f"Store {number}", **place, "stock": stock}
            )
    return rows


def _shelters(ground: Ground, rates: ServiceRates) -> list[Row]:
    shelters = rates.shelters
    count = max(1, round(float(ground.people.sum()) / shelters.people_per))
    smallest, largest = np.log(shelters.area_m2)
    random = stream(ground.seed, "city", "shelter sizes")
    area_m2 = np.exp(random.uniform(smallest, largest, count))
    return [
        {
            "id": f"SH{number:04d}",
            "name": f"Shelter {number}",
            **_near(ground, corner, number),
            "capacity": int(area_m2[number - 1] / shelters.m2_per_person),
        }
        for number, corner in enumerate(_populous(ground, "shelters", count), start=1)
    ]


def _experts(ground: Ground, rates: ServiceRates) -> list[Row]:
    experts = rates.experts
    count = max(len(experts.domains), round(float(ground.people.sum()) / experts.people_per))
    return [
        {
            "id": f"E{number + 1:04d}",
            "name": f"Expert {number + 1}",
            "domain": experts.domains[number % len(experts.domains)],
            "unit": experts.units[number // len(experts.domains) % len(experts.units)],
        }
        for number in range(count)
    ]
