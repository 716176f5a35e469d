"""The drains of a city as a list of SWMM elements, with the rows they add to its tables."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from sensors.city import Row
from simulator.city.drainage_design import DrainageDesign
from simulator.city.drainage_spots import drains_into_spots, road_spots, spills, spread
from simulator.city.drainage_tree import Ints, plant
from simulator.city.ground import Ground

_WELL_M = 4.0
"""Depth of a wet well under its underpass (proposed)."""
_WELL_M2 = 30.0
_STARTS, _STOPS = (1.2, 2.0), (0.4, 0.8)
"""Depths in the wet well at which the pumps start and stop, m (proposed)."""
_RIVER_M = 2.0
"""Normal depth of the river at its gauges (proposed)."""
_PIPES = "conduit"


@dataclass
class DrainPlan:
    """Lines of a SWMM file by section, and rows of the city's tables, while they are made."""

    sections: dict[str, list[str]] = field(default_factory=dict)
    nodes: list[Row] = field(default_factory=list)
    links: list[Row] = field(default_factory=list)

    def line(self, section: str, text: str) -> None:
        """Add a line to a section."""
        self.sections.setdefault(section, []).append(text)


def node_id(corner: int) -> str:
    """Return the id of the manhole at a corner: `F00001` for the first."""
    return f"F{corner + 1:05d}"


def draw_plan(ground: Ground, design: DrainageDesign) -> DrainPlan:
    """Return the elements of the drains of a city."""
    return _Draughtsman(ground, design).draw()


class _Draughtsman:
    """Writes the elements one kind after the other."""

    def __init__(self, ground: Ground, design: DrainageDesign) -> None:
        self.ground, self.design = ground, design
        self.spots = road_spots(ground, design)
        # The drains at an underpass were made with it, those at other spots are older.
        self.old = np.setdiff1d(self.spots, ground.underpasses)
        self.tree = plant(ground, design, self.old)
        self.plan = DrainPlan()
        self.gauge_of = self._gauges()

    def draw(self) -> DrainPlan:
        self._manholes()
        self._drains()
        self._outfalls()
        self._underpasses()
        self._spills()
        self._river()
        return self.plan

    # --- rows ---

    def _node(self, id: str, kind: str, corner: int, level_m: float, tag: str = "") -> None:
        ground = self.ground
        x, y = float(ground.x_m[corner]), float(ground.y_m[corner])
        self.plan.nodes.append(
            {
                "id": id,
                "domain": "flood",
                "kind": kind,
                "area": ground.area[corner],
                "x_m": x,
                "y_m": y,
                "elevation_m": level_m,
                "base_demand_m3_h": 0.0,
                "people": 0.0,
            }
        )
        if kind != "rain_gauge":
            self.plan.line("COORDINATES", f"{id} {x:.1f} {y:.1f}")
            self.plan.line("TAGS", f"Node {id} {tag or kind}")

    def _link(self, id: str, kind: str, corner: int, a: str, b: str, size_mm: float) -> None:
        """Add the row of a link other than a drain, which lies at a corner."""
        self._row(id, kind, corner, a, b, 10.0, size_mm)

    def _row(
        self, id: str, kind: str, corner: int, a: str, b: str, long_m: float, size_mm: float
    ) -> None:
        self.plan.links.append(
            {
                "id": id,
                "domain": "flood",
                "kind": kind,
                "area": self.ground.area[corner],
                "from_node": a,
                "to_node": b,
                "length_m": long_m,
                "diameter_mm": size_mm,
            }
        )
        self.plan.line("TAGS", f"Link {id} {kind}")

    # --- elements ---

    def _gauges(self) -> Ints:
        """Lay the rain gauges and return the gauge nearest to each corner."""
        ground = self.ground
        count = max(1, round(len(ground.x_m) / self.design.corners_per_rain_gauge))
        places = spread(ground.x_m, ground.y_m, count)
        self.gauges = [f"FRG{n + 1:03d}" for n in range(len(places))]
        self.plan.line("TIMESERIES", "DRY 0:00 0")
        for gauge, corner in zip(self.gauges, places.tolist(), strict=True):
            x, y = ground.x_m[corner], ground.y_m[corner]
            self.plan.line("RAINGAGES", f"{gauge} INTENSITY 0:01 1.0 TIMESERIES DRY")
            self.plan.line("SYMBOLS", f"{gauge} {x:.1f} {y:.1f}")
            self.plan.line("TAGS", f"Gage {gauge} rain_gauge")
            self._node(gauge, "rain_gauge", corner, float(ground.elevation_m[corner]))
        nearest = np.zeros(len(ground.x_m), dtype=np.int64)
        best = np.full(len(ground.x_m), np.inf)
        for n, corner in enumerate(places.tolist()):
            away = np.hypot(ground.x_m - ground.x_m[corner], ground.y_m - ground.y_m[corner])
            nearest[away < best] = n
            best = np.minimum(best, away)
        return nearest

    def _manholes(self) -> None:
        ground, design, tree, plan = self.ground, self.design, self.tree, self.plan
        target = drains_into_spots(ground, tree, self.old)
        is_spot = np.isin(np.arange(len(target)), self.spots)
        slope_percent = 0.5
        for corner in range(len(target)):
            id, level = node_id(corner), float(ground.elevation_m[corner])
            depth = level - tree.invert_m[corner]
            area = float(tree.area_m2[corner])
            street = area * design.street_share
            if is_spot[corner]:
                self._spot(id, corner, depth, street)
            else:
                self._node(id, "manhole", corner, level)
                plan.line(
                    "JUNCTIONS", f"{id} {tree.invert_m[corner]:.3f} {depth:.3f} 0 0 {street:.0f}"
                )
            plan.line(
                "SUBCATCHMENTS",
                f"C{id} {self.gauges[self.gauge_of[corner]]} {node_id(int(target[corner]))} "
                f"{area / 1e4:.4f} {design.impervious_percent:g} {np.sqrt(area):.0f} "
                f"{slope_percent} 0",
            )
            self._surface(f"C{id}")

    def _spot(self, id: str, corner: int, depth: float, street_m2: float) -> None:
        level = float(self.ground.elevation_m[corner])
        self._node(id, "road", corner, level, f"road:{depth:.3f}")
        self.plan.line(
            "STORAGE",
            f"{id} {self.tree.invert_m[corner]:.3f} {depth + 2:.3f} 0 TABULAR V{id} 0 0",
        )
        shape = ((0.0, 1.5), (depth, 1.5), (depth + 0.02, street_m2 * 0.3))
        rising = ((depth + 0.25, street_m2), (depth + 0.5, street_m2 * 5))
        self._curve(f"V{id}", "Storage", (*shape, *rising, (depth + 2, street_m2 * 10)))

    def _curve(self, id: str, kind: str, points: Iterable[tuple[float, float]]) -> None:
        for n, (at, value) in enumerate(points):
            self.plan.line("CURVES", f"{id} {'' if n else kind} {at:.3f} {value:.5g}")

    def _surface(self, catchment: str) -> None:
        self.plan.line("SUBAREAS", f"{catchment} 0.015 0.15 1.5 5 25 OUTLET")
        self.plan.line("INFILTRATION", f"{catchment} 60 6 4 7 0")

    def _drains(self) -> None:
        tree = self.tree
        for corner in np.flatnonzero(tree.down >= 0).tolist():
            lower = int(tree.down[corner])
            id = f"FC{corner + 1:05d}"
            offset = max(float(tree.end_m[corner] - tree.invert_m[lower]), 0.0)
            self._pipe(id, corner, node_id(lower), offset)
            size_mm = float(tree.size_m[corner]) * 1000
            long_m = float(tree.length_m[corner])
            self._row(id, _PIPES, corner, node_id(corner), node_id(lower), long_m, size_mm)

    def _pipe(self, id: str, corner: int, to: str, offset_m: float) -> None:
        tree, plan = self.tree, self.plan
        n = self.design.roughness
        size, barrels = tree.size_m[corner], tree.barrels[corner]
        long_m = tree.length_m[corner]
        plan.line("CONDUITS", f"{id} {node_id(corner)} {to} {long_m:.1f} {n} 0 {offset_m:.3f}")
        plan.line("XSECTIONS", f"{id} CIRCULAR {size:g} 0 0 0 {barrels}")

    def _outfalls(self) -> None:
        tree, plan = self.tree, self.plan
        every = max(1, round(1 / self.design.gated_share))
        for n, corner in enumerate(tree.roots.tolist()):
            id = f"FO{n + 1:03d}"
            end = float(tree.end_m[corner])
            is_gated = n % every == 0
            # Behind a gate the river may come in; every other outfall has a flap.
            plan.line(
                "OUTFALLS", f"{id} {end:.3f} FIXED {end - 0.2:.3f} {'NO' if is_gated else 'YES'}"
            )
            self._node(id, "outfall", corner, end)
            size_mm, long_m = float(tree.size_m[corner]) * 1000, float(tree.length_m[corner])
            to = id
            if is_gated:
                to = f"FX{n + 1:03d}"
                level = float(self.ground.elevation_m[corner])
                self._node(to, "manhole", corner, level)
                plan.line("JUNCTIONS", f"{to} {end:.3f} {level - end:.3f} 0 0 200")
                wide = 1.3 * float(tree.size_m[corner] * tree.barrels[corner])
                gate = f"FG{n + 1:03d}"
                high = float(tree.size_m[corner])
                plan.line("ORIFICES", f"{gate} {to} {id} SIDE 0 0.65 NO 0")
                plan.line("XSECTIONS", f"{gate} RECT_CLOSED {high:g} {wide:g} 0 0")
                self._link(gate, "gate", corner, to, id, high * 1000)
            pipe = f"FC{corner + 1:05d}"
            self._pipe(pipe, corner, to, 0.0)
            self._row(pipe, _PIPES, corner, node_id(corner), to, long_m, size_mm)

    def _underpasses(self) -> None:
        ground, design, plan = self.ground, self.design, self.plan
        pump_m3_s = design.underpass_catchment_m2 * design.underpass_storm_mm_h / 3.6e6 / 2
        for n, corner in enumerate(ground.underpasses.tolist()):
            under, well, crest = f"FU{n + 1:03d}", f"FP{n + 1:03d}", design.underpass_crest_m
            bottom = float(ground.elevation_m[corner]) - design.underpass_dip_m
            deep = design.underpass_dip_m + crest
            self._node(under, "underpass", corner, bottom)
            plan.line("STORAGE", f"{under} {bottom:.3f} {deep + 1:.3f} 0 TABULAR V{under} 0 0")
            bowl = ((0.0, 150.0), (0.5, 600.0), (1.5, 1200.0), (deep + 1, 2500.0))
            self._curve(f"V{under}", "Storage", bowl)
            self._node(well, "pump_station", corner, bottom - _WELL_M)
            plan.line(
                "STORAGE",
                f"{well} {bottom - _WELL_M:.3f} {_WELL_M + deep + 1:.3f} 0 "
                f"FUNCTIONAL {_WELL_M2} 0 0 0 0",
            )
            gate = f"FUG{n + 1:03d}"
            plan.line("ORIFICES", f"{gate} {under} {well} BOTTOM 0 0.65 NO 0")
            plan.line("XSECTIONS", f"{gate} CIRCULAR 0.5 0 0 0")
            self._link(gate, "gate", corner, under, well, 500.0)
            for pump, start, stop in zip("AB", _STARTS, _STOPS, strict=True):
                id = f"{well}{pump}"
                plan.line("PUMPS", f"{id} {well} {node_id(corner)} V{well} OFF {start} {stop}")
                self._link(id, "pump", corner, well, node_id(corner), 300.0)
            lift = ((0.0, 0.0), (0.3, pump_m3_s), (20.0, pump_m3_s))
            self._curve(f"V{well}", "Pump4", lift)
            plan.line(
                "SUBCATCHMENTS",
                f"C{under} {self.gauges[self.gauge_of[corner]]} {under} "
                f"{design.underpass_catchment_m2 / 1e4:.4f} 95 30 4 0",
            )
            self._surface(f"C{under}")

    def _spills(self) -> None:
        design, plan = self.design, self.plan
        for n, spill in enumerate(spills(self.ground, design, self.spots)):
            id, start = f"FS{n + 1:04d}", node_id(spill.corner)
            to = f"FU{spill.to + 1:03d}" if spill.to_underpass else node_id(spill.to)
            over_m = design.underpass_crest_m if spill.to_underpass else design.spill_depth_m
            rim = float(self.ground.elevation_m[spill.corner] - self.tree.invert_m[spill.corner])
            width = design.spill_width_m
            plan.line("WEIRS", f"{id} {start} {to} TRANSVERSE {rim + over_m:.3f} 1.6 NO 0 0 YES")
            plan.line("XSECTIONS", f"{id} RECT_OPEN 1.5 {width:g} 0 0")
            self._link(id, "overland", spill.corner, start, to, width * 1000)

    def _river(self) -> None:
        ground, tree = self.ground, self.tree
        count = max(1, round(len(ground.x_m) / self.design.corners_per_river_gauge))
        chosen = spread(ground.x_m[tree.roots], ground.y_m[tree.roots], count)
        for n, corner in enumerate(tree.roots[chosen].tolist()):
            id = f"FR{n + 1:03d}"
            bed = float(tree.end_m[corner]) - 0.2 - _RIVER_M
            self._node(id, "river_gauge", corner, bed)
            self.plan.line("OUTFALLS", f"{id} {bed:.3f} FIXED {bed + _RIVER_M:.3f} NO")
