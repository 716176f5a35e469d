"""What a rule file must satisfy beyond its shape, so that its numbers make sense together."""

from collections.abc import Iterator
from itertools import pairwise

from pipeline.rules.build import MILDEST_FIRST, device_limits, every, figures_of, some, windows_of
from pipeline.rules.document import Document, FigureTable, RuleTable
from pipeline.rules.functions import FUNCTIONS, FigureSheet
from pipeline.rules.mistakes import Flaw, Path
from pipeline.rules.naming import chain_flaws, silence_flaws, source_flaws
from pipeline.rules.signal import Function
from pipeline.rules.watching import figure_unit_flaws, watching_flaws
from sensors.levels import Level

LONGEST_HOLD = 8
"""Most samples an m-of-n hold may look back on."""


_UNITS = {"_cm": "cm", "_mm": "mm", "_min": "min", "_m": "m", "_s": "s"}
"""End of a figure's name → its unit."""


def flaws(document: Document) -> Iterator[Flaw]:
    """Yield everything of a document that contradicts itself, in the order of the file."""
    for name, table in document.rules.items():
        path: Path = ("rules", name)
        yield from watching_flaws(table, path)
        yield from _signal(table, path)
        yield from _holds(table, path)
        yield from _steps(table, path)
        yield from chain_flaws(document, table, path)
    yield from _closure(document)
    yield from _alarms(document)
    yield from _couplings(document)
    yield from silence_flaws(document)
    yield from source_flaws(document)
    yield from _risk(document)
    yield from _device(document)


def _signal(table: RuleTable, path: Path) -> Iterator[Flaw]:
    function = table.signal.function
    sheet = FUNCTIONS[function]
    given = figures_of(table)
    at = (*path, "signal")
    for name, figure in given.items():
        if name not in sheet.figures:
            known = ", ".join(sheet.figures) or "none"
            problem = f"no figure of {function.value}"
            yield Flaw((*at, name), None, problem, f"remove it; it takes {known}")
        else:
            yield from _figure(sheet.figures[name], figure, (*at, name))
            yield from figure_unit_flaws(sheet.figures[name], figure, table, (*at, name))
    for name, one in sheet.figures.items():
        if one.is_required and name not in given:
            problem = f"{function.value} needs {name} ({one.means})"
            yield Flaw(at, None, problem, f"give {name} in {one.unit}")
    if function is Function.NIGHT_RATIO:
        yield from _night(table, at)


def _night(table: RuleTable, at: Path) -> Iterator[Flaw]:
    figures = {name: one.default for name, one in FUNCTIONS[Function.NIGHT_RATIO].figures.items()}
    given = {name: one.value for name, one in figures_of(table).items()}
    begins, ends = ({**figures, **given}[name] for name in ("from_h", "to_h"))
    if isinstance(begins, float) and isinstance(ends, float) and ends <= begins:
        problem = f"the night of {begins:g} h to {ends:g} h is none"
        yield Flaw((*at, "to_h"), ends, problem, "end it after its beginning, by 24 h")


def _figure(sheet: FigureSheet, figure: FigureTable, path: Path) -> Iterator[Flaw]:
    values = figure.value if isinstance(figure.value, list) else [figure.value]
    if isinstance(figure.value, list) and not (sheet.is_per_level and len(values) == 4):
        takes = "one number, or four, blue first" if sheet.is_per_level else "one number"
        yield Flaw(path, figure.value, f"{sheet.name} is {takes}", "change it")
        return
    for value in values:
        if not sheet.low <= value <= sheet.high:
            bounds = f"{sheet.low:g} to {sheet.high:g}"
            yield Flaw(path, value, f"outside {bounds} {sheet.unit}", "change it")
        elif sheet.is_count and value != int(value):
            yield Flaw(path, value, "not a whole number", "round it")


def _holds(table: RuleTable, path: Path) -> Iterator[Flaw]:
    for level, (m, n) in some(table.on_m_of_n).items():
        if not 1 <= m <= n <= LONGEST_HOLD:
            yield Flaw(
                (*path, "on_m_of_n", level.colour),
                [m, n],
                f"need 1 <= m <= n <= {LONGEST_HOLD}",
                "lower the first or raise the second number",
            )


def _steps(table: RuleTable, path: Path) -> Iterator[Flaw]:
    """Thresholds worsen with the level; the deadband fits between any two of them.

    Two levels may share a threshold when their windows differ (as in the national rain rule).
    """
    thresholds = some(table.thresholds)
    at = (*path, "thresholds")
    places = [place for place, level in enumerate(MILDEST_FIRST) if level in thresholds]
    if not places:
        yield Flaw(at, None, "no level has one", "give at least one number")
        return
    if places[-1] - places[0] >= len(places):
        yield Flaw(at, None, "null between two numbers", "give it a number")
    sign = 1.0 if table.direction == "high" else -1.0
    windows = windows_of(table) if _has_windows(table) else {}
    for milder, worse in pairwise(thresholds):
        step = sign * (thresholds[worse] - thresholds[milder])
        milder_text = f"{milder.colour} {thresholds[milder]:g}"
        is_wrong = step < 0 or (step == 0 and windows.get(worse) == windows.get(milder))
        if is_wrong:
            side = "above" if sign > 0 else "below"
            problem = f"direction is {table.direction}, so it must lie {side} {milder_text}"
            fix = "change it or the direction"
            yield Flaw((*at, worse.colour), thresholds[worse], problem, fix)
        elif 0 < step <= table.deadband:
            problem = f"must be smaller than the step {step:g} from {milder_text} to {worse.colour}"
            yield Flaw((*path, "deadband"), table.deadband, problem, "lower it")
            return


def _has_windows(table: RuleTable) -> bool:
    window = figures_of(table).get("window_s")
    return window is not None and not (isinstance(window.value, list) and len(window.value) != 4)


def _closure(document: Document) -> Iterator[Flaw]:
    for name in ("underpass_cm", "road_cm"):
        yield from _positive(getattr(document.closure, name), ("closure", name))


def _alarms(document: Document) -> Iterator[Flaw]:
    counts = ("flood_begins", "flood_ends", "chatter_count", "operators")
    is_sound = True
    for name in type(document.alarms).model_fields:
        figure = getattr(document.alarms, name)
        found = list(_positive(figure, ("alarms", name)))
        if not found and name in counts and figure.value != int(figure.value):
            found = [Flaw(("alarms", name), figure.value, "not a whole number", "round it")]
        is_sound &= not found
        yield from found
    if is_sound and _one(document.alarms.flood_ends) > _one(document.alarms.flood_begins):
        problem = f"must not be above flood_begins {_one(document.alarms.flood_begins):g}"
        yield Flaw(("alarms", "flood_ends"), document.alarms.flood_ends.value, problem, "lower it")


def _couplings(document: Document) -> Iterator[Flaw]:
    for model, table in document.couplings.items():
        path = ("couplings", model)
        for name, figure in table.figures.items():
            where = (*path, "figures", name)
            if isinstance(figure.value, list):
                yield Flaw(where, figure.value, "a figure is one number", "give one")
            yield from _unit_of_name(figure, where)
        if table.expression and table.file:
            problem = "both an expression and a file"
            yield Flaw(path, None, problem, "a model is one of them: remove the other")


def _risk(document: Document) -> Iterator[Flaw]:
    risk = document.risk
    if risk.default not in risk.bands:
        known = ", ".join(sorted(risk.bands))
        yield Flaw(("risk", "default"), risk.default, "no such bands", f"use {known}")
    for name, bands in risk.bands.items():
        expected = 1
        for level, (low, high) in every(bands).items():
            path = ("risk", "bands", name, level.colour)
            if low != expected or high < low:
                problem = "bands must follow each other without gap"
                yield Flaw(path, [low, high], problem, f"begin at {expected}")
                break
            expected = high + 1
            if level is Level.RED and high != risk.scale**2:
                problem = f"ends at {high}, but R goes to {risk.scale**2}"
                yield Flaw(path, [low, high], problem, "end it there")


def _device(document: Document) -> Iterator[Flaw]:
    table = document.device_limits
    if table is None:
        return
    found = [
        flaw
        for name in type(table).model_fields
        for flaw in _positive(getattr(table, name), ("device_limits", name))
    ]
    yield from found
    if found:
        return
    limits = device_limits(table)
    if not limits.battery_low <= limits.battery_recovered <= 1.0:
        problem = f"must lie between battery_low {limits.battery_low:g} and 1"
        yield Flaw(
            ("device_limits", "battery_recovered"),
            limits.battery_recovered,
            problem,
            "change one of them",
        )
    if limits.stuck_samples < 2:
        yield Flaw(
            ("device_limits", "stuck_samples"),
            limits.stuck_samples,
            "one sample equals itself",
            "use 2 or more",
        )


def _positive(figure: FigureTable, path: Path) -> Iterator[Flaw]:
    if isinstance(figure.value, list):
        yield Flaw(path, figure.value, "a figure is one number", "give one")
    elif figure.value <= 0:
        yield Flaw(path, figure.value, "must be above 0", "raise it")
    yield from _unit_of_name(figure, path)


def _unit_of_name(figure: FigureTable, path: Path) -> Iterator[Flaw]:
    for end, unit in _UNITS.items():
        if str(path[-1]).endswith(end):
            if figure.unit and figure.unit != unit:
                yield Flaw((*path, "unit"), figure.unit, f"{path[-1]} is in {unit}", "convert it")
            return


def _one(figure: FigureTable) -> float:
    return figure.value if isinstance(figure.value, float) else 0.0
