"""Turns a checked document into the frozen tables of a `RuleSet`."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from pipeline.rules.document import (
    AlarmTable,
    ByColour,
    CouplingTable,
    DeviceTable,
    Document,
    FigureTable,
    Levels,
    ResponseTable,
    RiskTable,
    RuleTable,
    Table,
)
from pipeline.rules.functions import FUNCTIONS
from pipeline.rules.management import (
    AlarmPolicy,
    Approval,
    Closure,
    Coupling,
    Inhibition,
    Silence,
)
from pipeline.rules.ruleset import (
    Basis,
    Change,
    DeviceLimits,
    Direction,
    EscalationStep,
    Force,
    Hold,
    Origin,
    ResponseLimits,
    RiskBands,
    RiskMethod,
    Rule,
    RuleSet,
)
from pipeline.rules.signal import Function, Rationale, Select, Signal
from sensors.levels import Level

T = TypeVar("T")
MILDEST_FIRST = (Level.BLUE, Level.YELLOW, Level.ORANGE, Level.RED)
_CHANGE = ("recovered_share", "confirm_s", "resample_s", "resample_count", "new_normal_s")


def build(document: Document, source: str, text: str) -> RuleSet:
    """Return the rule set a document says; the document has passed `check`."""
    return RuleSet(
        source=source,
        version=document.version,
        rules=MappingProxyType({name: _rule(name, it) for name, it in document.rules.items()}),
        response=MappingProxyType(
            {level: _response(level, row) for level, row in every(document.response).items()}
        ),
        escalation=tuple(
            EscalationStep(s.step, s.when, s.act, s.at_fraction, s.slip, s.tiers_up)
            for s in document.escalation
        ),
        risk=_risk(document.risk),
        device=device_limits(document.device_limits),
        forces=tuple(Force(after, name) for after, name in document.forces_min),
        city=document.city,
        closure=Closure(**_numbers(document.closure)),
        alarms=_alarms(document.alarms),
        silences=tuple(
            Silence(
                id=name,
                matchers=_words(one.matchers),
                why=one.why,
                begins=one.begins,
                ends=one.ends,
                days=tuple(one.days),
                is_suppression=one.suppress,
            )
            for name, one in document.silences.items()
        ),
        inhibitions=tuple(
            Inhibition(
                id=name,
                source=_words(one.source),
                target=_words(one.target),
                equal=tuple(one.equal),
                why=one.why,
            )
            for name, one in document.inhibitions.items()
        ),
        couplings=tuple(_coupling(name, one) for name, one in document.couplings.items()),
        approval=MappingProxyType(
            {
                level: Approval(one.automatic, one.simulated_min)
                for level, one in some(document.approval).items()
            }
        ),
        text=text,
        sources=MappingProxyType(dict(document.sources)),
        origins=MappingProxyType(dict(_origins(document))),
    )


def every(table: ByColour[T]) -> Mapping[Level, T]:
    """Return a table of all levels by level, blue first."""
    return MappingProxyType({level: getattr(table, level.colour) for level in MILDEST_FIRST})


def some(table: Levels[T]) -> Mapping[Level, T]:
    """Return the levels a table has a value for, blue first."""
    values = {level: getattr(table, level.colour) for level in MILDEST_FIRST}
    return MappingProxyType({level: it for level, it in values.items() if it is not None})


def figures_of(table: RuleTable) -> Mapping[str, FigureTable]:
    """Return the figures of a rule's signal as they are given."""
    return table.signal.__pydantic_extra__ or {}


def windows_of(table: RuleTable) -> Mapping[Level, float]:
    """Return the window of each level, empty for signals without."""
    window = figures_of(table).get("window_s")
    if window is None:
        return MappingProxyType({})
    lengths = window.value if isinstance(window.value, list) else [window.value] * 4
    return MappingProxyType(dict(zip(MILDEST_FIRST, lengths, strict=True)))


def device_limits(table: DeviceTable | None) -> DeviceLimits:
    """Return the device limits of a file; those of the program when it has none."""
    if table is None:
        return DeviceLimits()
    values = _numbers(table)
    stuck_samples = int(values.pop("stuck_samples"))
    return DeviceLimits(**values, stuck_samples=stuck_samples)


def _words(matchers: Mapping[Any, str]) -> Mapping[str, str]:
    return MappingProxyType({str(name): pattern for name, pattern in matchers.items()})


def _numbers(table: Table) -> dict[str, float]:
    """Return the values of a table of single figures by name."""
    return {name: float(getattr(table, name).value) for name in type(table).model_fields}


def _rule(name: str, table: RuleTable) -> Rule:
    windows = windows_of(table)
    signal = _signal(table, windows)
    thresholds = some(table.thresholds)
    basis = some(table.basis)
    holds = some(table.on_m_of_n)
    is_fall = signal.function is Function.FALL
    cited = _cited(table)
    return Rule(
        id=name,
        domain=table.domain,
        indicator=table.indicator,
        unit=table.unit,
        direction=Direction(table.direction),
        sample_s=table.sample_s,
        sample_alarm_s=table.sample_alarm_s,
        thresholds=thresholds,
        basis=MappingProxyType(
            {level: Basis(basis.get(level, "proposed")) for level in MILDEST_FIRST}
        ),
        holds=MappingProxyType({level: Hold(*holds.get(level, (1, 1))) for level in MILDEST_FIRST}),
        windows_s=windows,
        clear_consecutive=table.clear_consecutive,
        deadband=table.deadband,
        max_level_alone=Level.of_colour(table.max_level_alone),
        change=_change(signal) if is_fall else None,
        sources=tuple(dict.fromkeys(key for keys in cited.values() for key in keys)),
        note=table.note,
        select=_select(table),
        signal=signal,
        holds_s=some(table.hold_s),
        is_latching=table.latching,
        asks_resample=table.asks_resample,
        is_chain_of=table.chain_of,
        rationale=None if table.rationale is None else Rationale(**table.rationale.model_dump()),
        since=table.since,
        cited=cited,
        origins=MappingProxyType({key: _origin(one) for key, one in figures_of(table).items()}),
    )


def _cited(table: RuleTable) -> Mapping[Level, tuple[str, ...]]:
    if isinstance(table.sources, list):
        return MappingProxyType(dict.fromkeys(MILDEST_FIRST, tuple(table.sources)))
    return MappingProxyType({level: tuple(it) for level, it in some(table.sources).items()})


def _select(table: RuleTable) -> Select:
    chosen = table.select
    return Select(
        kinds=tuple(chosen.kinds),
        quantity=chosen.quantity,
        domains=tuple(chosen.domains),
        areas=tuple(chosen.areas),
        elements=tuple(chosen.elements),
        profiles=tuple(chosen.profiles),
        devices=tuple(chosen.devices),
        but=tuple(chosen.but),
    )


def _signal(table: RuleTable, windows: Mapping[Level, float]) -> Signal:
    function = table.signal.function
    figures = {
        name: one.default
        for name, one in FUNCTIONS[function].figures.items()
        if one.default is not None
    }
    for name, given in figures_of(table).items():
        if not isinstance(given.value, list):
            figures[name] = float(given.value)
    if windows:
        figures["window_s"] = max(windows.values())
    return Signal(function, MappingProxyType(figures))


def _change(signal: Signal) -> Change:
    figures = {name: signal.figures[name] for name in _CHANGE}
    count = int(figures.pop("resample_count"))
    return Change(**figures, resample_count=count)


def _alarms(table: AlarmTable) -> AlarmPolicy:
    values = _numbers(table)
    counts = ("flood_begins", "flood_ends", "chatter_count", "operators")
    return AlarmPolicy(
        **{name: it for name, it in values.items() if name not in counts},
        flood_begins=int(values["flood_begins"]),
        flood_ends=int(values["flood_ends"]),
        chatter_count=int(values["chatter_count"]),
        operators=int(values["operators"]),
    )


def _coupling(name: str, table: CouplingTable) -> Coupling:
    figures = {
        key: float(one.value)
        for key, one in table.figures.items()
        if not isinstance(one.value, list)
    }
    return Coupling(name, table.enabled, MappingProxyType(figures), table.expression, table.file)


def _origins(document: Document) -> Iterator[tuple[str, Origin]]:
    for section in ("closure", "alarms", "device_limits"):
        table = getattr(document, section)
        for name in [] if table is None else type(table).model_fields:
            yield f"{section}.{name}", _origin(getattr(table, name))
    for model, coupling in document.couplings.items():
        for name, figure in coupling.figures.items():
            yield f"couplings.{model}.{name}", _origin(figure)


def _origin(figure: FigureTable) -> Origin:
    return Origin(Basis(figure.basis), figure.unit, tuple(figure.sources), figure.note)


def _response(level: Level, table: ResponseTable) -> ResponseLimits:
    fields = table.model_dump()
    return ResponseLimits(level=level, **{**fields, "notify": tuple(table.notify)})


def _risk(table: RiskTable) -> RiskMethod:
    bands = {name: RiskBands(name, every(bounds)) for name, bounds in table.bands.items()}
    households = sorted((int(c), bound) for c, bound in table.consequence_households.items())
    return RiskMethod(table.scale, table.default, MappingProxyType(bands), tuple(households))
