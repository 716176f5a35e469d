"""What a rule file may say of the devices a rule watches: kinds, quantity and their unit."""

from collections.abc import Iterator, Mapping
from functools import cache

from pipeline.rules.document import FigureTable, RuleTable
from pipeline.rules.functions import FUNCTIONS, OWN_UNIT, FigureSheet
from pipeline.rules.globs import fits_any, instead_of, is_unclosed
from pipeline.rules.mistakes import Flaw, Path
from sensors.devices import DeviceKind, device_kinds
from sensors.quantities import QUANTITIES, Quantity

_LISTS = ("kinds", "domains", "areas", "elements", "profiles", "devices", "but")


def watching_flaws(table: RuleTable, path: Path) -> Iterator[Flaw]:
    """Yield what is wrong with the devices a rule watches and with the unit it gives them."""
    chosen, at = table.select, (*path, "select")
    for name in _LISTS:
        for place, glob in enumerate(getattr(chosen, name)):
            if is_unclosed(glob):
                yield Flaw((*at, name, place), glob, "a `[` without `]` fits nothing", "close it")
    if chosen.quantity and chosen.quantity not in QUANTITIES:
        known = ", ".join(sorted(QUANTITIES))
        yield Flaw((*at, "quantity"), chosen.quantity, "no such quantity", f"use {known}")
    if not chosen.quantity and not chosen.kinds:
        yield Flaw(at, None, "neither kinds nor quantity", "say which devices: give both")
    yield from _kinds(table, at)
    yield from _unit(table, path)


def quantity_of(table: RuleTable) -> Quantity | None:
    """Return the quantity a rule watches, by its name or its kinds; None when that is unclear."""
    measured = _measured(table)
    name = table.select.quantity or (measured[0] if len(measured) == 1 else "")
    return QUANTITIES.get(name)


def own_unit(sheet: FigureSheet, table: RuleTable) -> str:
    """Return the unit of a figure of a rule's signal, empty when the quantity is unclear."""
    if OWN_UNIT not in sheet.unit:
        return sheet.unit
    quantity = quantity_of(table)
    return "" if quantity is None else sheet.unit.replace(OWN_UNIT, quantity.unit)


def figure_unit_flaws(
    sheet: FigureSheet, figure: FigureTable, table: RuleTable, path: Path
) -> Iterator[Flaw]:
    """Yield a unit that is not that of the figure."""
    unit = own_unit(sheet, table)
    if figure.unit and unit and figure.unit != unit:
        yield Flaw((*path, "unit"), figure.unit, f"{sheet.name} is in {unit}", "convert it")


@cache
def installed_kinds() -> Mapping[str, DeviceKind]:
    """Return the device kinds of this installation, looked up once."""
    return device_kinds()


def _kinds(table: RuleTable, at: Path) -> Iterator[Flaw]:
    """Yield kinds nobody installed, and those that do not measure what the rule compares."""
    kinds, quantity = installed_kinds(), table.select.quantity
    for place, glob in enumerate(table.select.kinds):
        where = (*at, "kinds", place)
        found = [sheet.quantity for kind, sheet in kinds.items() if fits_any(glob, (kind,))]
        if not found and not is_unclosed(glob):
            fix = instead_of(glob, kinds, "install the package that brings it")
            yield Flaw(where, glob, "no such device kind is installed", fix)
        elif found and quantity in QUANTITIES and quantity not in found:
            able = ", ".join(kind for kind, sheet in kinds.items() if sheet.quantity == quantity)
            problem = f"measures {', '.join(sorted(set(found)))}, not {quantity}"
            yield Flaw(where, glob, problem, f"name kinds that do: {able or 'none is installed'}")
    measured = _measured(table)
    if not quantity and len(measured) > 1 and not table.select.devices:
        problem = f"its devices measure {', '.join(measured)}"
        yield Flaw(at, None, problem, "give one quantity")


def _measured(table: RuleTable) -> list[str]:
    """Return the quantities of the kinds a rule names, sorted."""
    kinds, domains = table.select.kinds, table.select.domains or ["*"]
    return sorted(
        {
            sheet.quantity
            for kind, sheet in installed_kinds().items()
            if any(fits_any(glob, (kind,)) for glob in kinds)
            and any(fits_any(glob, (sheet.domain,)) for glob in domains)
        }
    )


def _unit(table: RuleTable, path: Path) -> Iterator[Flaw]:
    quantity = quantity_of(table)
    if quantity is None:
        return
    unit = FUNCTIONS[table.signal.function].unit_of(quantity.unit)
    if table.unit != unit:
        what = f"{table.signal.function.value} of {quantity.name} is in {unit!r}"
        yield Flaw((*path, "unit"), table.unit, what, "give the thresholds in that unit")
