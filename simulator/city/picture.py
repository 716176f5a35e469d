"""A city as one map: river, streets, mains, drains, spots and key sites, as a PNG file."""

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sensors.city import City
from simulator.city.drawing import Floats

SIZE_INCHES = 11.0
DOTS_PER_INCH = 150

_ABOVE_INCHES, _BELOW_INCHES = 0.45, 0.6


class _Mark(NamedTuple):
    """How a kind of point is drawn: marker, size in points squared, colour, name."""

    marker: str
    size: float
    colour: str
    label: str


class _Stroke(NamedTuple):
    """How a kind of line is drawn: colour, width in points, name."""

    colour: str
    width: float
    label: str


_ROADS: Mapping[str, _Stroke] = MappingProxyType(
    {
        "street": _Stroke("#c9c9c4", 0.5, "street"),
        "arterial": _Stroke("#a39f93", 1.3, "arterial"),
        "bridge": _Stroke("#5b554a", 2.2, "bridge"),
    }
)
_DISTRICT_COLOURS = (
    "#f6efe2", "#e9f0e6", "#efe8f0", "#e6eef2", "#f5e9e6", "#eef0df",
    "#e8ebf5", "#f3edda", "#e4f0ec", "#f2e6ee", "#ebe9e2", "#e6f2e2",
)  # fmt: skip
_MAINS: Mapping[str, _Stroke] = MappingProxyType(
    {
        "water": _Stroke("#1f6fb4", 1.4, "water trunk main"),
        "gas": _Stroke("#d9822b", 1.0, "gas main"),
        "flood": _Stroke("#2f8f5b", 0.9, "drain (large)"),
    }
)
_LARGEST: Mapping[str, float] = MappingProxyType({"water": 0.06, "gas": 0.10, "flood": 0.12})
"""Share of a network's links that is drawn on the map, the widest first."""
_NODES: Mapping[tuple[str, str], _Mark] = MappingProxyType(
    {
        ("water", "reservoir"): _Mark("s", 46, "#1f6fb4", "water source"),
        ("water", "tank"): _Mark("^", 52, "#1f6fb4", "water tower"),
        ("gas", "source"): _Mark("D", 46, "#d9822b", "gas gate station"),
        ("flood", "outfall"): _Mark("v", 20, "#2f8f5b", "outfall"),
        ("flood", "underpass"): _Mark("X", 50, "#b3261e", "underpass"),
    }
)
_SITES: Mapping[str, _Mark] = MappingProxyType(
    {
        "hospital": _Mark("P", 34, "#7b1fa2", "hospital"),
        "metro_entrance": _Mark("o", 12, "#3f3f9f", "metro entrance"),
        "mall": _Mark("h", 26, "#00838f", "shopping mall"),
    }
)


def draw_map(city: City, file: Path) -> None:
    """Write a PNG map of a city; what the city does not have is left out.

    Raises:
        OSError: the file cannot be written.
    """
    nodes = city.rows("nodes")
    at = {row["id"]: (row["x_m"], row["y_m"]) for row in nodes}
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 8}):
        places = np.array(list(at.values()), dtype=np.float64).reshape(-1, 2)
        width_m, height_m = np.maximum(np.ptp(places, axis=0), 1.0).tolist()
        map_inches = SIZE_INCHES * float(np.clip(height_m / width_m, 0.4, 1.6))
        inches = map_inches + _ABOVE_INCHES + _BELOW_INCHES
        figure = Figure(figsize=(SIZE_INCHES, inches), dpi=DOTS_PER_INCH)
        FigureCanvasAgg(figure)
        bottom = _BELOW_INCHES / inches
        axes = figure.add_axes((0.01, bottom, 0.98, map_inches / inches))
        _frame(axes, places)
        detail = max(0.25, min(1.6, 60 / math.sqrt(max(len(city.rows("areas")), 1)) / 6))
        _districts(axes, city)
        _river(axes, city, places)
        handles = [
            *_roads(axes, city, at, detail),
            *_mains(axes, city, at, detail),
            *_points(axes, city, detail),
        ]
        _names(axes, city)
        _scale_bar(axes, places)
        top = 1 - 0.6 * _ABOVE_INCHES / inches
        figure.text(0.01, top, city.name, fontsize=15, weight="bold")
        people = sum(row["people"] or 0.0 for row in nodes if row["domain"] in ("road", ""))
        told = f"{people:,.0f} people, " if people else ""
        told += f"{len(city.rows('areas')):,} areas, {len(nodes):,} nodes"
        figure.text(0.99, top, told, fontsize=9, ha="right", color="#555550")
        if handles:
            columns = math.ceil(len(handles) / 2)
            figure.legend(handles=handles, loc="lower center", ncols=columns, frameon=False)
        figure.savefig(file, format="png", metadata={"Software": None})


def _frame(axes: Axes, places: Floats) -> None:
    low, high = places.min(axis=0), places.max(axis=0)
    margin = 0.03 * float((high - low).max()) + 1.0
    axes.set_xlim(low[0] - margin, high[0] + margin)
    axes.set_ylim(low[1] - margin, high[1] + margin)
    axes.set_aspect("equal", adjustable="box", anchor="C")
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_color("#c9c9c4")


def _districts(axes: Axes, city: City) -> None:
    """Colour the ground of each district by large dots at its nodes, below everything."""
    district_of = {row["id"]: row["district"] for row in city.rows("areas")}
    names = sorted({row["id"] for row in city.rows("districts")})
    if len(names) < 2:
        return
    chosen = [row for row in city.rows("nodes") if row["domain"] in ("road", "water")]
    roads = [row for row in chosen if row["domain"] == "road"] or chosen
    places = np.array([(row["x_m"], row["y_m"]) for row in roads])
    owner = np.array([district_of.get(row["area"], "") for row in roads])
    box = axes.get_window_extent()
    width_m = axes.get_xlim()[1] - axes.get_xlim()[0]
    area_m2 = float(np.prod(np.ptp(places, axis=0)))
    block_m = math.sqrt(area_m2 / len(places))
    points = 2.1 * block_m / width_m * box.width * 72 / DOTS_PER_INCH
    for number, name in enumerate(names):
        inside = owner == name
        colour = _DISTRICT_COLOURS[number % len(_DISTRICT_COLOURS)]
        x_m, y_m = places[inside].T
        axes.scatter(x_m, y_m, s=points**2, color=colour, linewidths=0, zorder=0)


def _names(axes: Axes, city: City) -> None:
    districts = city.rows("districts")
    if len(districts) < 2:
        return
    for row in districts:
        axes.text(
            row["x_m"],
            row["y_m"],
            row["name"],
            fontsize=10,
            ha="center",
            color="#3a3a36",
            zorder=9,
            bbox={"facecolor": "white", "alpha": 0.65, "edgecolor": "none", "pad": 1.5},
        )


def _river(axes: Axes, city: City, places: Floats) -> None:
    rows = sorted(city.rows("river"), key=lambda row: str(row["id"]))
    if not rows:
        return
    line = np.array([(row["x_m"], row["y_m"]) for row in rows])
    box = axes.get_window_extent()
    width_m = axes.get_xlim()[1] - axes.get_xlim()[0]
    points = max(3.0, float(rows[0]["width_m"] or 0.0) / width_m * box.width * 72 / DOTS_PER_INCH)
    axes.plot(*line.T, color="#a9cfe6", linewidth=points, solid_capstyle="butt", zorder=1)
    middle = len(line) // 8
    axes.annotate(
        "",
        xy=tuple(line[middle + 3]),
        xytext=tuple(line[middle]),
        arrowprops={"arrowstyle": "-|>", "color": "#4f8fb5", "lw": 1.4},
        zorder=2,
    )


def _lines(ends: list[tuple[str, str]], at: Mapping[str, tuple[float, float]]) -> Floats:
    kept = [(at[a], at[b]) for a, b in ends if a in at and b in at]
    return np.array(kept, dtype=np.float64).reshape(-1, 2, 2)


def _draw(axes: Axes, lines: Floats, stroke: _Stroke, detail: float, zorder: float) -> Line2D:
    width = max(0.2, stroke.width * detail)
    axes.add_collection(
        LineCollection(list(lines), colors=stroke.colour, linewidths=width, zorder=zorder)
    )
    return Line2D([], [], color=stroke.colour, linewidth=max(width, 1.2), label=stroke.label)


def _roads(
    axes: Axes, city: City, at: Mapping[str, tuple[float, float]], detail: float
) -> list[Line2D]:
    rows = city.rows("roads")
    handles = []
    for order, (kind, stroke) in enumerate(_ROADS.items()):
        ends = [(row["from_node"], row["to_node"]) for row in rows if row["kind"] == kind]
        if ends:
            handles.append(_draw(axes, _lines(ends, at), stroke, detail, 3 + order / 10))
    return handles


def _mains(
    axes: Axes, city: City, at: Mapping[str, tuple[float, float]], detail: float
) -> list[Line2D]:
    rows = city.rows("links")
    handles = []
    for order, (domain, stroke) in enumerate(_MAINS.items()):
        own = [
            row
            for row in rows
            if row["domain"] == domain
            and row["kind"] in ("pipe", "conduit")
            and (row["diameter_mm"] or 0) > 0
        ]
        own.sort(key=lambda row: (-row["diameter_mm"], str(row["id"])))
        share = _LARGEST[domain] if city.tables["river"].num_rows else 1.0
        ends = [(row["from_node"], row["to_node"]) for row in own[: math.ceil(share * len(own))]]
        if ends:
            handles.append(_draw(axes, _lines(ends, at), stroke, detail, 4 + order / 10))
    return handles


def _points(axes: Axes, city: City, detail: float) -> list[Line2D]:
    handles = []
    sorts: list[tuple[_Mark, list[tuple[float, float]]]] = []
    nodes, sites = city.rows("nodes"), city.rows("key_sites")
    for key, mark in _NODES.items():
        chosen = [row for row in nodes if (row["domain"], row["kind"]) == key]
        sorts.append((mark, [(row["x_m"], row["y_m"]) for row in chosen]))
    for kind, mark in _SITES.items():
        chosen = [row for row in sites if row["kind"] == kind]
        sorts.append((mark, [(row["x_m"], row["y_m"]) for row in chosen]))
    for mark, places in sorts:
        if not places:
            continue
        x_m, y_m = np.array(places).T
        axes.scatter(
            x_m,
            y_m,
            s=mark.size * min(1.0, detail + 0.1),
            marker=mark.marker,
            color=mark.colour,
            edgecolors="white",
            linewidths=0.5,
            zorder=6,
        )
        handles.append(
            Line2D([], [], linestyle="", marker=mark.marker, color=mark.colour, label=mark.label)
        )
    return handles


def _scale_bar(axes: Axes, places: Floats) -> None:
    width_m = float(np.ptp(places[:, 0]))
    wanted = max(width_m / 5, 1.0)
    decade = 10.0 ** math.floor(math.log10(wanted))
    length_m = max(step * decade for step in (1.0, 2.0, 5.0) if step * decade <= wanted)
    x, y = (
        limits[0] + 0.03 * (limits[1] - limits[0]) for limits in (axes.get_xlim(), axes.get_ylim())
    )
    axes.plot([x, x + length_m], [y, y], color="#3a3a36", linewidth=3, zorder=10)
    label = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
    axes.text(
        x + length_m / 2,
        y,
        label,
        ha="center",
        va="bottom",
        zorder=10,
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1.0},
    )
