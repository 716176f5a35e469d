"""What a SWMM file says, read without the engine: elements, kinds, levels, pumps, gauges."""

import re
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from simulator.errors import PhysicsError

Floats = NDArray[np.float64]
Sections = dict[str, list[list[str]]]

NODE_SECTIONS = ("JUNCTIONS", "OUTFALLS", "DIVIDERS", "STORAGE")
LINK_SECTIONS = ("CONDUITS", "PUMPS", "ORIFICES", "WEIRS", "OUTLETS")
LINK_KINDS = dict(zip(LINK_SECTIONS, ("conduit", "pump", "gate", "overland", "gate"), strict=True))
FOOT_M = 0.3048
FLOW_M3_S = {
    "CFS": FOOT_M**3,
    "GPM": 6.30901964e-5,
    "MGD": 4.38126364e-2,
    "CMS": 1.0,
    "LPS": 1e-3,
    "MLD": 1000 / 86_400,
}
"""Cubic metres a second of one unit of flow, by SWMM's names."""
ACRE_M2 = 4046.8564224
INCH_MM = 25.4


@dataclass(frozen=True, slots=True)
class PumpRule:
    """Depths in its wet well at which a pump starts and stops, metres; 0: it has no such rule."""

    link: int
    node: int
    start_m: float
    stop_m: float


@dataclass(frozen=True)
class DrainageModel:
    """A SWMM file as columns, all in metres and m3/s.

    Attributes:
        sections: Words of every line by section, sections and lines in the order of the file.
        node_ids: Nodes in the order of the file, which is the engine's.
        node_kinds: `manhole`, `outfall`, `underpass`, `road`, `river_gauge` or `pump_station`.
        invert_m: Bottom of each node.
        rim_m: Height of the street over the bottom; NaN for outfalls.
        depth_m: Depth of water at the start: 0, or what the file says.
        stage_m: Level outside each outfall of fixed stage, else NaN.
        link_ids: Links in the order of the file.
        link_kinds: `conduit`, `pump`, `gate` or `overland`.
        from_node: Position of the node each link leaves.
        to_node: Position of the node it reaches.
        gauge_ids: Rain gauges in the order of the file.
        gauge_x_m: Easting of each gauge.
        gauge_y_m: Northing of each gauge.
        pumps: Rules of the pumps.
        area_m2: Ground that drains into the network.
        flow_m3_s: m3/s of one unit of flow of the file.
        length_m: Metres of one unit of length of the file.
        has_inflows: Whether the file brings inflows or dry-weather flow of its own.
    """

    sections: Sections
    node_ids: tuple[str, ...]
    node_kinds: tuple[str, ...]
    invert_m: Floats
    rim_m: Floats
    depth_m: Floats
    stage_m: Floats
    link_ids: tuple[str, ...]
    link_kinds: tuple[str, ...]
    from_node: NDArray[np.int64]
    to_node: NDArray[np.int64]
    gauge_ids: tuple[str, ...]
    gauge_x_m: Floats
    gauge_y_m: Floats
    pumps: tuple[PumpRule, ...]
    area_m2: float
    flow_m3_s: float
    length_m: float
    has_inflows: bool

    @property
    def is_us(self) -> bool:
        """Whether the file is in feet."""
        return self.length_m != 1.0


_NAMES = {
    name[:4]: name
    for name in (
        *(*NODE_SECTIONS, *LINK_SECTIONS),
        *("OPTIONS", "RAINGAGES", "SUBCATCHMENTS", "XSECTIONS", "LOSSES", "INFLOWS", "DWF"),
        *("COORDINATES", "SYMBOLS", "TAGS", "CURVES", "TIMESERIES"),
    )
}
"""SWMM knows a section by the first letters of its name."""


def read_sections(text: str) -> Sections:
    """Return the words of each line by section; comments are dropped, quotes kept together."""
    sections: Sections = {}
    rows: list[list[str]] = []
    for line in text.splitlines():
        line = line.split(";", 1)[0].strip()
        if line.startswith("["):
            name = line.strip("[] \t").upper()
            rows = sections.setdefault(_NAMES.get(name[:4], name), [])
        elif line:
            rows.append(re.findall(r'"[^"]*"|\S+', line) if '"' in line else line.split())
    return sections


def section_text(sections: Sections) -> str:
    """Return the text of a file from its sections."""
    parts = ([f"[{name}]", *map(" ".join, rows)] for name, rows in sections.items())
    return "\n".join(chain.from_iterable(parts)) + "\n"


def option(sections: Sections, key: str, default: str) -> str:
    """Return an option of the file, upper case."""
    found = [row[1] for row in sections.get("OPTIONS", []) if row[0].upper() == key]
    return found[-1].upper() if found else default


def read_model(text: str) -> DrainageModel:
    """Return what a SWMM file says.

    Raises:
        PhysicsError: it has no node or link, or a line that cannot be read.
    """
    sections = read_sections(text)
    try:
        return _model(sections)
    except (IndexError, ValueError, KeyError) as error:
        raise PhysicsError(f"the SWMM file cannot be read ({error}); is it complete?") from error


def _model(sections: Sections) -> DrainageModel:
    units = option(sections, "FLOW_UNITS", "CFS")
    length = 1.0 if units in ("CMS", "LPS", "MLD") else FOOT_M
    nodes = [(name, row) for name in sections if name in NODE_SECTIONS for row in sections[name]]
    links = [(name, row) for name in sections if name in LINK_SECTIONS for row in sections[name]]
    if not nodes or not links:
        raise PhysicsError("the file has no node or no link; is it a SWMM file?")
    tags = {(row[0].upper(), row[1]): row[2] for row in sections.get("TAGS", []) if len(row) > 2}
    place = {row[0]: n for n, (_, row) in enumerate(nodes)}
    ends = np.array([(place[row[1]], place[row[2]]) for _, row in links], dtype=np.int64)
    pumped = {row[1] for name, row in links if name == "PUMPS"}
    labels = [_label(name, row, tags, pumped) for name, row in nodes]
    gauges = [row[0] for row in sections.get("RAINGAGES", [])]
    x_m, y_m = _gauge_places(sections, gauges)
    number_of = {row[0]: n for n, (_, row) in enumerate(links)}
    return DrainageModel(
        sections=sections,
        node_ids=tuple(place),
        node_kinds=tuple(label.split(":")[0] for label in labels),
        invert_m=np.array([_value(row, 1) for _, row in nodes]) * length,
        rim_m=_rims(sections, nodes, labels, links, ends, length),
        depth_m=np.array([_start(name, row) for name, row in nodes]) * length,
        stage_m=np.array([_stage(name, row) for name, row in nodes]) * length,
        link_ids=tuple(row[0] for _, row in links),
        link_kinds=tuple(tags.get(("LINK", row[0]), LINK_KINDS[name]) for name, row in links),
        from_node=ends[:, 0],
        to_node=ends[:, 1],
        gauge_ids=tuple(id if id not in place else f"gauge-{id}" for id in gauges),
        gauge_x_m=x_m,
        gauge_y_m=y_m,
        pumps=tuple(
            PumpRule(
                number_of[row[0]],
                place[row[1]],
                _value(row, 5) * length,
                _value(row, 6) * length,
            )
            for row in sections.get("PUMPS", [])
        ),
        area_m2=sum(_value(row, 3) for row in sections.get("SUBCATCHMENTS", []))
        * (1e4 if length == 1.0 else ACRE_M2),
        flow_m3_s=FLOW_M3_S[units],
        length_m=length,
        has_inflows=any(sections.get(name) for name in ("INFLOWS", "DWF", "RDII")),
    )


def _value(row: list[str], place: int, default: float = 0.0) -> float:
    """Return a number of a line; the default where it is missing or a name or a star."""
    try:
        return float(row[place])
    except (IndexError, ValueError):
        return default


def _label(section: str, row: list[str], tags: dict[tuple[str, str], str], pumped: set[str]) -> str:
    """Return the tag of a node, or the kind that follows from its section."""
    tag = tags.get(("NODE", row[0]), "")
    if tag:
        return tag
    if section == "OUTFALLS":
        return "outfall"
    return "pump_station" if section == "STORAGE" and row[0] in pumped else "manhole"


def _start(section: str, row: list[str]) -> float:
    return _value(row, 3) if section in ("JUNCTIONS", "STORAGE") else 0.0


def _stage(section: str, row: list[str]) -> float:
    is_fixed = section == "OUTFALLS" and len(row) > 3 and row[2].upper() == "FIXED"
    return float(row[3]) if is_fixed else np.nan


def _rims(
    sections: Sections,
    nodes: list[tuple[str, list[str]]],
    labels: list[str],
    links: list[tuple[str, list[str]]],
    ends: NDArray[np.int64],
    length: float,
) -> Floats:
    """Return the street over each bottom: by tag, by the file, or the highest crown there."""
    has_depth = ("JUNCTIONS", "STORAGE")
    rims = np.array([_value(row, 2) if name in has_depth else 0.0 for name, row in nodes])
    rims[[name == "OUTFALLS" for name, _ in nodes]] = np.nan
    is_open = rims == 0
    heights = {row[0]: _value(row, 2) for row in sections.get("XSECTIONS", []) if len(row) > 2}
    for number, (name, row) in enumerate(links):
        if name != "CONDUITS":
            continue
        offsets = _value(row, 5), _value(row, 6)
        for node, offset in zip(ends[number].tolist(), offsets, strict=True):
            if is_open[node]:
                rims[node] = max(rims[node], offset + heights.get(row[0], 0.0))
    for number, label in enumerate(labels):
        if ":" in label:
            rims[number] = float(label.split(":")[1]) / length
        elif label == "underpass":
            rims[number] = 0.0
    return np.asarray(rims * length)


def _gauge_places(sections: Sections, gauges: list[str]) -> tuple[Floats, Floats]:
    """Return where the gauges are; one without a symbol lies in the middle of the nodes."""
    known = {row[0]: row for row in sections.get("SYMBOLS", []) if len(row) > 2}
    spots = [(float(row[1]), float(row[2])) for row in sections.get("COORDINATES", [])]
    middle = np.mean(spots, axis=0).tolist() if spots else [0.0, 0.0]
    places = [
        [float(known[id][1]), float(known[id][2])] if id in known else middle for id in gauges
    ]
    columns = np.array(places, dtype=np.float64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]


_OURS = {
    "START_DATE", "START_TIME", "REPORT_START_DATE", "REPORT_START_TIME", "END_DATE", "END_TIME",
    "REPORT_STEP", "WET_STEP", "DRY_STEP", "ROUTING_STEP", "VARIABLE_STEP", "THREADS",
}  # fmt: skip
_LEAST_LOSS = 0.01


def running_text(model: DrainageModel, start: str, end: str, step_s: int) -> str:
    """Return the file as it is run in steps: times of our own, pump rules taken out.

    The depths at which a pump starts and stops would override whatever is set from outside, so
    they are obeyed by the worker. Every conduit gets a small entry loss (0.01), without which
    the engine ignores one that is set later.

    Args:
        model: The file.
        start: First moment, `MM/DD/YYYY HH:MM:SS`.
        end: Last moment, the same way.
        step_s: Routing step, seconds.
    """
    first, last = start.split(), end.split()
    options = [row for row in model.sections.get("OPTIONS", []) if row[0].upper() not in _OURS]
    ours = (
        ("START_DATE", first[0]), ("START_TIME", first[1]), ("REPORT_START_DATE", first[0]),
        ("REPORT_START_TIME", first[1]), ("END_DATE", last[0]), ("END_TIME", last[1]),
        ("REPORT_STEP", "24:00:00"), ("WET_STEP", "00:01:00"), ("DRY_STEP", "00:01:00"),
        ("ROUTING_STEP", str(step_s)), ("VARIABLE_STEP", "0"), ("THREADS", "1"),
    )  # fmt: skip
    sections = dict(model.sections)
    sections["OPTIONS"] = [*options, *map(list, ours)]
    sections["PUMPS"] = [[*row[:5], "0", "0"][:7] for row in sections.get("PUMPS", [])]
    losses = {row[0]: row for row in sections.get("LOSSES", [])}
    for row in sections.get("CONDUITS", []):
        given = losses.get(row[0], [row[0], "0", "0", "0", "NO"])
        losses[row[0]] = [given[0], str(max(float(given[1]), _LEAST_LOSS)), *given[2:]]
    sections["LOSSES"] = list(losses.values())
    for drawn in ("COORDINATES", "VERTICES", "POLYGONS", "SYMBOLS", "TAGS", "REPORT", "FILES"):
        sections.pop(drawn, None)
    return section_text(sections)
