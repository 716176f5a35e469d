"""The water network of a city: designed on the ground, then its heads searched and checked."""

from dataclasses import dataclass, replace

import numpy as np

from simulator.city.drawing import Floats
from simulator.city.generate import HIGHEST_SERVICE_M, LOWEST_SERVICE_M
from simulator.city.ground import Ground
from simulator.city.part import NetworkPart
from simulator.city.water_rows import water_rows
from simulator.city.water_sizes import size_mains
from simulator.city.water_text import DEPTH_M, Heads, Works, source_m, write_works
from simulator.city.water_trunk import lay_trunk, plan_supply
from simulator.errors import PhysicsError
from simulator.physics.water.engine import EpanetEngine

_MARGIN_M = 1.5
_ROUNDS = 24
_STEP_S = 900
_DAY_S = 86_400
_PUMP_LOSS_M = 5.0
_LOW_LEVEL = 0.4
_FULL_ABOVE_M = 3.0
_MESHED = 0.6
_SLACK_M = 3.0


@dataclass(frozen=True)
class AreaService:
    """Service of every area over some days.

    Attributes:
        lowest_m: Lowest service head of each area.
        highest_m: Highest service head of each area.
        inlet_m: Lowest head, above datum, of the trunk at the first inlet of each area.
    """

    lowest_m: Floats
    highest_m: Floats
    inlet_m: Floats

    @property
    def is_good(self) -> bool:
        """Whether every head keeps between 24 and 55 m (design §4: 20 to 55 m)."""
        return bool(
            self.lowest_m.min() >= LOWEST_SERVICE_M and self.highest_m.max() <= HIGHEST_SERVICE_M
        )


def lay_water(ground: Ground) -> NetworkPart:
    """Return the water network of a city as an EPANET file and its rows.

    Each sector has a source with two pumps and a tower, and trunk mains that feed its areas
    through one or two metered inlets; low-lying areas have a pressure reducing valve at their
    only inlet. No other main crosses the border of an area. Heads are searched until every
    junction with demand has 24 to 55 m over two days.

    Raises:
        PhysicsError: no heads were found that serve the city; try another seed.
    """
    supply = plan_supply(ground)
    trunk = lay_trunk(ground, supply)
    works = Works(ground, supply, trunk, size_mains(ground, supply, trunk))
    title = f"Synthetic city, seed {ground.seed}, {len(ground.x_m)} corners"
    works, heads, text = _fitted(works, title)
    return NetworkPart("water", text, water_rows(works, heads))


def area_service(text: str, works: Works, days: int) -> AreaService:
    """Return what the areas get over the first days of a file."""
    corners, areas = len(works.ground.x_m), len(works.supply.sector)
    firsts = [inlets[0] for inlets in works.supply.inlets]
    inlet = corners + np.searchsorted(works.trunk.corner, firsts)
    lowest, highest = np.full(corners, np.inf), np.full(corners, -np.inf)
    upstream = np.full(areas, np.inf)
    with EpanetEngine(text) as engine:
        engine.start(0, _STEP_S)
        while engine.time_s < days * _DAY_S:
            engine.sub_step(days * _DAY_S)
            engine.solve()
            head_m = engine.head_m()
            lowest = np.minimum(lowest, head_m[:corners])
            highest = np.maximum(highest, head_m[:corners])
            upstream = np.minimum(upstream, head_m[inlet])
    low, high = np.full(areas, np.inf), np.full(areas, -np.inf)
    np.minimum.at(low, works.supply.area, lowest - works.ground.elevation_m)
    np.maximum.at(high, works.supply.area, highest - works.ground.elevation_m)
    return AreaService(low, high, upstream)


def _fitted(works: Works, title: str) -> tuple[Works, Heads, str]:
    """Return works and heads that serve the city, and their file."""
    heads = _first_heads(works)
    for _ in range(_ROUNDS):
        text = write_works(works, heads, title)
        found = area_service(text, works, days=1)
        if found.is_good:
            found = area_service(text, works, days=2)
            if found.is_good:
                return works, heads, text
        works, heads = _corrected(works, heads, found)
    worst = f"{found.lowest_m.min():.1f} to {found.highest_m.max():.1f} m"
    raise PhysicsError(f"{title}: service heads of {worst} remain; try another seed")


def _first_heads(works: Works) -> Heads:
    """Return heads from the losses along the trees, and valves where they would be too much."""
    supply, mains = works.supply, works.mains
    highest, lowest = _extremes(works)
    firsts = np.array([inlets[0] for inlets in supply.inlets])
    loss_m = mains.trunk_loss_m[np.searchsorted(works.trunk.corner, firsts)]
    wanted_m = highest + LOWEST_SERVICE_M + _MARGIN_M + _MESHED * (mains.area_loss_m + loss_m)
    tower_m = np.full(works.sectors, -np.inf)
    np.maximum.at(tower_m, supply.sector, wanted_m)
    tower_m -= _LOW_LEVEL * DEPTH_M
    top_m = tower_m[supply.sector] + DEPTH_M + _FULL_ABOVE_M
    setting_m = np.where(
        top_m - lowest > HIGHEST_SERVICE_M - _MARGIN_M, _setting(works, _MESHED), np.nan
    )
    surface_m = np.array([source_m(works, number) for number in range(works.sectors)])
    return Heads(tower_m, tower_m + DEPTH_M / 2 + _PUMP_LOSS_M - surface_m, setting_m)


def _extremes(works: Works) -> tuple[Floats, Floats]:
    """Return the highest and the lowest ground of each area."""
    areas = len(works.supply.sector)
    highest, lowest = np.full(areas, -np.inf), np.full(areas, np.inf)
    np.maximum.at(highest, works.supply.area, works.ground.elevation_m)
    np.minimum.at(lowest, works.supply.area, works.ground.elevation_m)
    return highest, lowest


def _setting(works: Works, share: float) -> Floats:
    """Return the pressure an area's valve must keep so that its highest corner is served."""
    firsts = np.array([inlets[0] for inlets in works.supply.inlets])
    highest, _ = _extremes(works)
    wanted = highest + LOWEST_SERVICE_M + _MARGIN_M + share * works.mains.area_loss_m
    return np.asarray(wanted - works.ground.elevation_m[firsts])


def _corrected(works: Works, heads: Heads, found: AreaService) -> tuple[Works, Heads]:
    """Return works and heads moved by what the areas lacked or had too much."""
    setting_m = heads.setting_m.copy()
    sector = works.supply.sector
    lack_m = LOWEST_SERVICE_M + _MARGIN_M - found.lowest_m
    is_reduced, is_low = np.isfinite(setting_m), found.lowest_m < LOWEST_SERVICE_M
    is_high = found.highest_m > HIGHEST_SERVICE_M
    firsts = np.array([inlets[0] for inlets in works.supply.inlets])
    room_m = found.inlet_m - works.ground.elevation_m[firsts] - setting_m
    starved = is_low & (~is_reduced | (room_m < 0.5))
    raised_m = np.zeros(works.sectors)
    np.maximum.at(raised_m, sector[starved], lack_m[starved])
    # Less head is needed where no area without a valve comes near the limit.
    spare_m = np.full(works.sectors, np.inf)
    np.minimum.at(spare_m, sector[~is_reduced], -lack_m[~is_reduced])
    np.minimum.at(spare_m, sector[is_reduced], room_m[is_reduced] - _MARGIN_M)
    sinks = (raised_m == 0) & (spare_m > _SLACK_M) & np.isfinite(spare_m)
    raised_m -= np.where(sinks, spare_m, 0.0)
    setting_m[is_low & is_reduced & ~starved] += lack_m[is_low & is_reduced & ~starved]
    too_much = is_high & is_reduced
    setting_m[too_much] -= np.minimum(
        found.highest_m - HIGHEST_SERVICE_M + _MARGIN_M, found.lowest_m - LOWEST_SERVICE_M
    )[too_much].clip(min=0.0)
    # An area whose heads differ by more than the band holds has mains that lose too much.
    band_m = HIGHEST_SERVICE_M - LOWEST_SERVICE_M - 2 * _MARGIN_M
    wide = is_reduced & (is_low | is_high) & (found.highest_m - found.lowest_m > band_m)
    mains = works.mains
    if wide.any():
        mains = mains.one_size_up(works.ground, works.supply, np.flatnonzero(wide))
    new = is_high & ~is_reduced
    setting_m[new] = _setting(works, _MESHED)[new]
    return replace(works, mains=mains), Heads(
        heads.tower_m + raised_m, heads.pump_m + raised_m, setting_m
    )
