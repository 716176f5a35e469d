"""The registry of warning models: which there are, what each says of itself, how it is built."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from pipeline.rules import RuleFileError, RuleSet
from pipeline.rules.globs import instead_of
from pipeline.rules.load import load_rules, located
from pipeline.rules.management import Coupling
from pipeline.rules.mistakes import Flaw
from pipeline.warn.coupling.claims import WarningModel
from pipeline.warn.coupling.columns import level_figure
from pipeline.warn.coupling.evidence import Crowd, Hotline, NoCorroboration
from pipeline.warn.coupling.expression import (
    ExpressionError,
    ExpressionModel,
    every_atom,
    parse,
)
from pipeline.warn.coupling.flood import BurstPonding, RainLevelPump
from pipeline.warn.coupling.gas import Biogas, DeviceDrift, Digging, LeakNeighbours
from pipeline.warn.coupling.site import Site
from pipeline.warn.coupling.specs import Figure, ModelSpec, own_specs
from sensors.levels import Level

GROUP = "tocsin.models"
"""Entry-point group in which other packages register a `Registered`."""
Build = Callable[[Site, Mapping[str, float]], WarningModel]


@dataclass(frozen=True, slots=True)
class Registered:
    """A model that can be used: what it says of itself, and how it is built.

    Attributes:
        spec: What it says of itself.
        build: Devices and tables, and every figure of the spec by name → the model.
    """

    spec: ModelSpec
    build: Build


@dataclass(frozen=True, slots=True)
class InUse:
    """A model in use: its spec, its figures as the rule set has them, and the model."""

    spec: ModelSpec
    figures: Mapping[str, float]
    model: WarningModel


_OWN: Mapping[str, Build] = MappingProxyType(
    {
        "flood.rain_level_pump": RainLevelPump,
        "flood.burst_ponding": BurstPonding,
        "gas.leak_neighbours": LeakNeighbours,
        "gas.biogas": Biogas,
        "gas.device_drift": DeviceDrift,
        "gas.digging": Digging,
        "any.crowd": Crowd,
        "any.hotline": Hotline,
        "any.no_corroboration": NoCorroboration,
    }
)
_EXPRESSION_FIGURES: Mapping[str, Figure] = MappingProxyType(
    {
        "confidence": Figure(0.6, "1", "proposed"),
        "level": Figure(0, "1", "proposed: 1 red to 4 blue; 0 for one worse than the worst alarm"),
        "linger_min": Figure(0, "min", "proposed"),
    }
)


def own_models() -> tuple[Registered, ...]:
    """Return the models that come with the program."""
    specs = own_specs()
    return tuple(Registered(specs[model], build) for model, build in _OWN.items())


def models_in_use(
    site: Site, rules: RuleSet, models: Sequence[Registered] = ()
) -> tuple[InUse, ...]:
    """Build the models a rule set uses, by id.

    The program's own are on unless the set turns one off; those of `models` (entry points and
    files, looked up outside the core) likewise. A coupling with an expression is a model too.

    Raises:
        RuleFileError: couplings name no known model or rule, or their figures or expressions are
            wrong; all mistakes, with their places in the file.
    """
    known = {one.spec.id: one for one in (*own_models(), *models)}
    couplings = {one.model: one for one in rules.couplings}
    flaws: list[Flaw] = []
    for coupling in rules.couplings:
        if coupling.expression:
            try:
                known[coupling.model] = _of_expression(coupling, rules.source)
            except ExpressionError as error:
                path = ("couplings", coupling.model, "expression")
                flaws.append(Flaw(path, coupling.expression, error.problem, error.fix))
        elif coupling.model not in known and (coupling.is_on or not coupling.file):
            flaws.append(_unknown(coupling, known))
    chosen = {model: couplings.get(model, Coupling(model)) for model in sorted(known)}
    names = {*rules.rules, *known}
    for model, coupling in chosen.items():
        if coupling.is_on:
            flaws += known[model].spec.flaws(coupling.figures)
            flaws += _unknown_rules(coupling, names, rules)
    if flaws:
        raise RuleFileError(located(rules, flaws))
    used: list[InUse] = []
    for model, coupling in chosen.items():
        if coupling.is_on:
            figures = known[model].spec.values(coupling.figures, rules.source)
            used.append(InUse(known[model].spec, figures, known[model].build(site, figures)))
    return tuple(used)


def without(rules: RuleSet, model: str) -> RuleSet:
    """Return a rule set with one warning model off, for ablation.

    Raises:
        RuleFileError: there is no such model in the program or in the set.
    """
    mine = {one.model: one for one in rules.couplings}
    if model not in mine and model not in _OWN:
        raise RuleFileError(located(rules, [_unknown(Coupling(model), {**_OWN, **mine})]))
    kept = [one for one in rules.couplings if one.model != model]
    off = replace(mine.get(model, Coupling(model)), is_on=False)
    return replace(rules, couplings=(*kept, off))


def without_any(rules: RuleSet) -> RuleSet:
    """Return a rule set with every warning model off: single signals only."""
    for model in sorted({*_OWN, *(one.model for one in rules.couplings)}):
        rules = without(rules, model)
    return rules


def listing(
    rules: RuleSet | None = None, models: Sequence[Registered] = ()
) -> list[dict[str, object]]:
    """Return what `tocsin rules models` prints: one plain row a model, by id.

    Keys: id, version, title, domain, is_on, effect, inputs, outputs, may_not_claim, expression,
    file and figures (a list of name, value, unit, basis; values as the set has them).
    """
    couplings = {one.model: one for one in rules.couplings} if rules is not None else {}
    source = rules.source if rules is not None else "couplings"
    specs = {one.spec.id: one.spec for one in (*own_models(), *models)}
    for coupling in couplings.values():
        if coupling.expression:
            specs[coupling.model] = _expression_spec(coupling)
    rows: list[dict[str, object]] = []
    for model in sorted(specs):
        spec, coupling = specs[model], couplings.get(model, Coupling(model))
        values = spec.values(coupling.figures, source)
        rows.append(
            {
                "id": spec.id,
                "version": spec.version,
                "title": spec.title,
                "domain": spec.domain,
                "is_on": coupling.is_on,
                "effect": spec.effect,
                "inputs": list(spec.inputs),
                "outputs": list(spec.outputs),
                "may_not_claim": spec.may_not_claim,
                "expression": coupling.expression,
                "file": coupling.file,
                "figures": [
                    {"name": name, "value": values[name], "unit": one.unit, "basis": one.basis}
                    for name, one in sorted(spec.figures.items())
                ],
            }
        )
    return rows


def _of_expression(coupling: Coupling, source: str) -> Registered:
    expression = parse(coupling.expression, f"{source}: couplings.{coupling.model}.expression")

    def build(site: Site, figures: Mapping[str, float]) -> WarningModel:
        level = level_figure(figures, Level.YELLOW) if figures["level"] else None
        return ExpressionModel(coupling.model, expression, figures["confidence"], level)

    return Registered(_expression_spec(coupling), build)


def _expression_spec(coupling: Coupling) -> ModelSpec:
    atoms = every_atom(parse(coupling.expression, coupling.model).node)
    return ModelSpec(
        id=coupling.model,
        version="1",
        title=coupling.expression,
        domain=coupling.model.split(".", 1)[0],
        inputs=tuple(sorted({atom.rule for atom in atoms})),
        outputs=("one level worse where the rules stand together",),
        effect="raise",
        linger="linger_min",
        may_not_claim="a cause, or anything where one of its rules has no device",
        figures=_EXPRESSION_FIGURES,
    )


def _unknown(coupling: Coupling, known: Mapping[str, object]) -> Flaw:
    path = ("couplings", coupling.model)
    if coupling.file:
        fix = "pass pipeline.adapters.onnx_model.onnx_model(...) as one of `models`"
        return Flaw((*path, "file"), coupling.file, "the file was not loaded", fix)
    fix = (
        f"there are {', '.join(sorted(known))}; give one of them, an expression or a file, or "
        f"install the package that registers it under {GROUP}"
    )
    return Flaw(path, None, "no such warning model", instead_of(coupling.model, known, fix))


def _unknown_rules(coupling: Coupling, names: Collection[str], rules: RuleSet) -> Iterator[Flaw]:
    """Yield the rules and models of an expression that there are none of.

    A set may hold some of its file's rules only (`only` of a rule test): the others are known.
    """
    if not coupling.expression:
        return
    atoms = every_atom(parse(coupling.expression, coupling.model).node)
    unknown = list(dict.fromkeys(atom.rule for atom in atoms if atom.rule not in names))
    if unknown and rules.text:
        whole = load_rules(rules.text, rules.source).rules
        names, unknown = {*names, *whole}, [rule for rule in unknown if rule not in whole]
    for rule in unknown:
        fix = instead_of(rule, names, "name a rule of the set")
        path = ("couplings", coupling.model, "expression")
        yield Flaw(path, None, f"no rule {rule!r}", fix)
