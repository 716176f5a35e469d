"""Writing of a city's water mains as an EPANET file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from simulator.city.drawing import Floats
from simulator.city.ground import Ground
from simulator.city.inp_text import PATTERN_STEP_MIN, demand_pattern
from simulator.city.water_sizes import Mains, main_mm
from simulator.city.water_trunk import Supply, Trunk

DEPTH_M = 5.0
"""Depth of a tower's tank (proposed)."""
PUMPS = 2
"""Pumps at each source."""

_ON_LEVELS, _OFF_LEVELS = (0.62, 0.45), (0.92, 0.80)
"""Shares of the tower's depth at which the lead and the lag pump start and stop."""
_START_LEVEL = 0.70
_STORED_SHARE = 0.16
_PUMP_SHARE = 0.85
_BESIDE_M = 8.0
_INLET_M = 30.0


@dataclass(frozen=True)
class Heads:
    """What is searched for: heads of the sources and settings of the reducing valves.

    Attributes:
        tower_m: Elevation of the tower's bottom, one a sector.
        pump_m: Design head of a pump, one a sector.
        setting_m: Pressure behind the reducing valve of each area; NaN: it has none.
    """

    tower_m: Floats
    pump_m: Floats
    setting_m: Floats


@dataclass(frozen=True)
class Works:
    """A water network as designed, before its heads are known."""

    ground: Ground
    supply: Supply
    trunk: Trunk
    mains: Mains

    @property
    def sectors(self) -> int:
        """Number of sectors, each with a source, pumps and a tower."""
        return len(self.supply.source)

    def demand_l_s(self) -> Floats:
        """Return the mean demand of each sector."""
        of_corner = self.supply.sector[self.supply.area]
        total = np.zeros(self.sectors)
        np.add.at(total, of_corner, self.mains.demand_l_s)
        return total


def junction_id(corner: int) -> str:
    """Return the id of the junction at a corner: `J00001` for the first."""
    return f"J{corner + 1:05d}"


def trunk_id(place: int) -> str:
    """Return the id of a node of the trunk mains: `M00001` for the first."""
    return f"M{place + 1:05d}"


def inlet_links(works: Works, heads: Heads) -> list[tuple[str, str, str, int]]:
    """Return the inlets as (link id, trunk node, junction, area).

    An area behind a reducing valve has only its first inlet: two valves side by side would
    fight over one pressure.
    """
    links = []
    for area, corners in enumerate(works.supply.inlets):
        is_reduced = bool(np.isfinite(heads.setting_m[area]))
        for number, corner in enumerate(corners[:1] if is_reduced else corners):
            place = int(np.searchsorted(works.trunk.corner, corner))
            name = f"{'V' if is_reduced else 'I'}{area + 1:04d}{'AB'[number]}"
            links.append((name, trunk_id(place), junction_id(corner), area))
    return links


def write_works(works: Works, heads: Heads, title: str) -> str:
    """Return the network as the text of an EPANET file in litres a second."""
    links = inlet_links(works, heads)
    sections: dict[str, Iterable[str]] = {
        "TITLE": [title],
        "JUNCTIONS": _junctions(works),
        "RESERVOIRS": [f"R{n + 1} {source_m(works, n):.2f}" for n in range(works.sectors)],
        "TANKS": _tanks(works, heads),
        "PIPES": _pipes(works, links),
        "PUMPS": [
            f"{pump_id(n, pump)} R{n + 1} S{n + 1} HEAD C{n + 1}"
            for n in range(works.sectors)
            for pump in range(PUMPS)
        ],
        "VALVES": [
            f"{link} {node} {junction} {works.mains.inlet_mm[area]} PRV "
            f"{heads.setting_m[area]:.2f} 0"
            for link, node, junction, area in links
            if np.isfinite(heads.setting_m[area])
        ],
        "CURVES": [
            f"C{n + 1} {_PUMP_SHARE * flow:.2f} {heads.pump_m[n]:.2f}"
            for n, flow in enumerate(works.demand_l_s())
        ],
        "PATTERNS": [f"DAY {factor:.4f}" for factor in demand_pattern()],
        "CONTROLS": [line for n in range(works.sectors) for line in _controls(n)],
        "TIMES": [
            "Duration 24:00",
            "Hydraulic Timestep 0:15",
            f"Pattern Timestep 0:{PATTERN_STEP_MIN}",
            "Report Timestep 1:00",
            "Start ClockTime 12 am",
        ],
        "OPTIONS": ["Units LPS", "Headloss H-W", "Accuracy 0.0001", "Unbalanced Continue 10"],
        "COORDINATES": _coordinates(works),
    }
    parts = [
        "\n".join([f"[{name}]", *(f" {line}" for line in lines), ""])
        for name, lines in sections.items()
    ]
    return "\n".join(parts) + "\n[END]\n"


def source_m(works: Works, sector: int) -> float:
    """Return the water surface the pumps of a sector draw from: the ground at its source."""
    return float(works.ground.elevation_m[works.supply.source[sector]])


def pump_id(sector: int, pump: int) -> str:
    """Return the id of a pump: `PU1A` for the first of the first sector."""
    return f"PU{sector + 1}{'AB'[pump]}"


def tower_diameter_m(works: Works, sector: int) -> float:
    """Return the diameter of a tower that stores a sixth of its sector's day."""
    volume_m3 = float(works.demand_l_s()[sector]) * 86.4 * _STORED_SHARE
    return float(np.sqrt(4 * volume_m3 / (np.pi * DEPTH_M)))


def works_place(works: Works, kind: str, sector: int) -> tuple[float, float]:
    """Return where the reservoir (`R`), the pumps' outlet (`S`) or the tower (`TK`) stands."""
    corner = (works.supply.tower if kind == "TK" else works.supply.source)[sector]
    beside_m = {"R": -70.0, "S": -40.0, "TK": 40.0}[kind]
    return float(works.ground.x_m[corner]) + beside_m, float(works.ground.y_m[corner]) + beside_m


def trunk_place(works: Works) -> tuple[Floats, Floats]:
    """Return where the trunk nodes lie: a little beside their corners."""
    corner = works.trunk.corner
    return works.ground.x_m[corner] + _BESIDE_M, works.ground.y_m[corner] + _BESIDE_M


def pipe_rows(
    works: Works, links: list[tuple[str, str, str, int]]
) -> Iterator[tuple[str, str, str, float, int, float, int]]:
    """Yield every pipe: id, first node, second node, length, size, coefficient, corner."""
    ground, trunk, mains = works.ground, works.trunk, works.mains
    for street, size, c in zip(mains.street.tolist(), mains.street_mm, mains.street_c, strict=True):
        a, b = ground.ends[street].tolist()
        length_m = float(ground.length_m[street])
        yield f"P{street + 1:05d}", junction_id(a), junction_id(b), length_m, int(size), c, a
    rows = zip(trunk.ends.tolist(), trunk.length_m, mains.trunk_mm, mains.trunk_c, strict=True)
    for number, ((a, b), length, size, c) in enumerate(rows):
        name = f"T{number + 1:05d}"
        yield name, trunk_id(a), trunk_id(b), float(length), int(size), c, int(trunk.corner[a])
    for link, node, junction, area in links:
        if link.startswith("I"):
            size = int(mains.inlet_mm[area])
            yield link, node, junction, _INLET_M, size, 130.0, int(junction[1:]) - 1
    for number, flow in enumerate(works.demand_l_s().tolist()):
        size = main_mm(flow * 1.6)
        for pipe, works_node, corner in (
            ("PS", "S", works.supply.source[number]),
            ("PT", "TK", works.supply.tower[number]),
        ):
            node = trunk_id(int(np.searchsorted(trunk.corner, corner)))
            name = f"{works_node}{number + 1}"
            yield f"{pipe}{number + 1}", name, node, 60.0, size, 130.0, int(corner)


def _junctions(works: Works) -> Iterator[str]:
    ground = works.ground
    rows = zip(ground.elevation_m.tolist(), works.mains.demand_l_s.tolist(), strict=True)
    for corner, (z, q) in enumerate(rows):
        yield f"{junction_id(corner)} {z:.2f} {q:.4f} DAY"
    for place, corner in enumerate(works.trunk.corner.tolist()):
        yield f"{trunk_id(place)} {ground.elevation_m[corner]:.2f} 0"
    for sector in range(works.sectors):
        yield f"S{sector + 1} {source_m(works, sector):.2f} 0"


def _tanks(works: Works, heads: Heads) -> Iterator[str]:
    for sector in range(works.sectors):
        yield (
            f"TK{sector + 1} {heads.tower_m[sector]:.2f} {_START_LEVEL * DEPTH_M:.2f} 0 "
            f"{DEPTH_M:.2f} {tower_diameter_m(works, sector):.2f} 0"
        )


def _pipes(works: Works, links: list[tuple[str, str, str, int]]) -> Iterator[str]:
    for name, first, second, length_m, size, c, _ in pipe_rows(works, links):
        yield f"{name} {first} {second} {length_m:.1f} {size} {c:.0f} 0 Open"


def _controls(sector: int) -> Iterator[str]:
    levels = zip(range(PUMPS), _ON_LEVELS, _OFF_LEVELS, strict=True)
    for pump, on, off in levels:
        link, tower = pump_id(sector, pump), f"TK{sector + 1}"
        yield f"LINK {link} OPEN IF NODE {tower} BELOW {on * DEPTH_M:.2f}"
        yield f"LINK {link} CLOSED IF NODE {tower} ABOVE {off * DEPTH_M:.2f}"


def _coordinates(works: Works) -> Iterator[str]:
    ground = works.ground
    for corner, (x, y) in enumerate(zip(ground.x_m.tolist(), ground.y_m.tolist(), strict=True)):
        yield f"{junction_id(corner)} {x:.1f} {y:.1f}"
    for place, (x, y) in enumerate(zip(*trunk_place(works), strict=True)):
        yield f"{trunk_id(place)} {x:.1f} {y:.1f}"
    for kind in ("S", "R", "TK"):
        for sector in range(works.sectors):
            x, y = works_place(works, kind, sector)
            yield f"{kind}{sector + 1} {x:.1f} {y:.1f}"
