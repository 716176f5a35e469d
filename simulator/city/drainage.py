"""The drains of a synthetic city, from its ground to a SWMM file and rows of its tables."""

from simulator.city.drainage_design import design
from simulator.city.drainage_import import import_swmm
from simulator.city.drainage_plan import DrainPlan, draw_plan
from simulator.city.drainage_rows import drainage_rows
from simulator.city.ground import Ground
from simulator.city.part import NetworkPart

__all__ = ["import_swmm", "lay_drainage"]

_ORDER = (
    *("RAINGAGES", "SUBCATCHMENTS", "SUBAREAS", "INFILTRATION", "JUNCTIONS", "OUTFALLS"),
    *("STORAGE", "CONDUITS", "PUMPS", "ORIFICES", "WEIRS", "XSECTIONS", "CURVES"),
    *("TIMESERIES", "TAGS", "COORDINATES", "SYMBOLS"),
)
_OPTIONS = """FLOW_UNITS CMS
INFILTRATION HORTON
FLOW_ROUTING DYNWAVE
LINK_OFFSETS DEPTH
ALLOW_PONDING YES
START_DATE 01/01/2020
START_TIME 00:00:00
END_DATE 01/02/2020
END_TIME 00:00:00
DRY_DAYS 5
REPORT_STEP 00:15:00
WET_STEP 00:01:00
DRY_STEP 00:01:00
ROUTING_STEP 15
INERTIAL_DAMPING PARTIAL
NORMAL_FLOW_LIMITED BOTH
VARIABLE_STEP 0
LENGTHENING_STEP 0
MIN_SURFAREA 1.2
MAX_TRIALS 8
HEAD_TOLERANCE 0.0015
THREADS 1"""


def lay_drainage(ground: Ground) -> NetworkPart:
    """Return the drains of a city: a SWMM 5.2 file with all its options, and its rows.

    One manhole a corner; a tree of drains down to outfalls, sized by a storm of a few years
    (`drainage.yaml`); one catchment a manhole; ponding spots at street lows, whose drains are
    undersized and which spill over the street to the next lower spot; underpasses with a
    catchment of their own, a gate, a wet well and two pumps; gates at some outfalls, rain and
    river gauges. Elsewhere water that comes up stands in the street around its manhole. There
    is no dry-weather flow: the drains are storm drains.

    The section TAGS says the kind of each element, for a ponding spot with the height of the
    street over its bottom: `Node F00012 road:2.350`.
    """
    plan = draw_plan(ground, design())
    title = f"Drains of a synthetic city, seed {ground.seed}, {len(ground.x_m)} corners"
    return NetworkPart("flood", _text(plan, title), drainage_rows(plan.nodes, plan.links))


def _text(plan: DrainPlan, title: str) -> str:
    parts = [f"[TITLE]\n{title}\n\n[OPTIONS]\n{_OPTIONS}\n"]
    parts += [
        "\n".join([f"[{name}]", *plan.sections[name], ""])
        for name in _ORDER
        if plan.sections.get(name)
    ]
    return "\n".join(parts)
