"""Names in a rule file that name nothing: sources, rules of chains, silences and inhibitions."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pipeline.rules.build import figures_of, some
from pipeline.rules.document import Document, FigureTable, RuleTable
from pipeline.rules.globs import LEVEL_WORDS, fits_any, instead_of, is_unclosed
from pipeline.rules.mistakes import Flaw, Path
from pipeline.rules.ruleset import RuleSet
from pipeline.rules.watching import installed_kinds
from sensors.quantities import QUANTITIES

_FIGURE_TABLES = ("closure", "alarms", "device_limits")


def chain_flaws(document: Document, table: RuleTable, path: Path) -> Iterator[Flaw]:
    """Yield a `chain_of` that names no other rule, or leads back to its own."""
    rules, parent = document.rules, table.chain_of
    if not parent:
        return
    if parent not in rules or rules[parent] is table:
        yield Flaw((*path, "chain_of"), parent, "no other rule of that id", "name one, or leave it")
        return
    passed: list[str] = []
    while parent in rules and parent not in passed:
        passed.append(parent)
        if rules[parent] is table:
            problem = "leads back to this rule, so that all of them keep each other quiet"
            yield Flaw((*path, "chain_of"), table.chain_of, problem, "leave one of them out")
            return
        parent = rules[parent].chain_of


def source_flaws(document: Document) -> Iterator[Flaw]:
    """Yield keys of sources that the section `sources` does not have; none when it is empty."""
    for path, keys in _cited(document):
        for key in keys:
            if document.sources and key not in document.sources:
                yield Flaw(path, key, "no such source", "add it to `sources`")


def silence_flaws(document: Document) -> Iterator[Flaw]:
    """Yield silences and inhibitions that can never hold, or hold what was not meant."""
    words = _words(document)
    for name, silence in document.silences.items():
        path: Path = ("silences", name)
        yield from _matchers((*path, "matchers"), silence.matchers, words)
        if bool(silence.begins) != bool(silence.ends):
            missing = "ends" if silence.begins else "begins"
            problem = f"{missing} is missing: a schedule has both"
            yield Flaw(path, None, problem, f"add {missing} as HH:MM")
        elif silence.begins and silence.begins == silence.ends and not silence.days:
            problem = "ends when it begins"
            yield Flaw((*path, "ends"), silence.ends, problem, "leave both out for the whole day")
    for name, one in document.inhibitions.items():
        path = ("inhibitions", name)
        yield from _matchers((*path, "source"), one.source, words)
        yield from _matchers((*path, "target"), one.target, words)
        if one.source == one.target:
            problem = "the same as its source: such alarms would keep each other quiet"
            yield Flaw((*path, "target"), dict(one.target), problem, "name other alarms")


def unmatched_flaws(rules: RuleSet, names: Collection[str]) -> Iterator[Flaw]:
    """Yield patterns of silences and inhibitions that fit none of the rules and models there are.

    Args:
        rules: The rule set.
        names: Ids of its rules and of every warning model, installed ones too.
    """
    given: list[tuple[Path, Mapping[str, str]]] = [
        (("silences", one.id, "matchers"), one.matchers) for one in rules.silences
    ]
    for one in rules.inhibitions:
        given += [(("inhibitions", one.id, "source"), one.source)]
        given += [(("inhibitions", one.id, "target"), one.target)]
    for path, matchers in given:
        glob = matchers.get("rule", "*")
        if not fits_any(glob, names):
            fix = instead_of(glob, names, "name a rule or a warning model")
            yield Flaw((*path, "rule"), glob, "fits no rule", fix)


def _matchers(
    path: Path, matchers: Mapping[Any, str], words: Mapping[str, tuple[str, ...]]
) -> Iterator[Flaw]:
    for name, glob in matchers.items():
        where = (*path, str(name))
        if is_unclosed(glob):
            yield Flaw(where, glob, "a `[` without `]` fits nothing", "close it")
        elif name in words and not fits_any(glob, words[name]):
            known = f"use {', '.join(words[name])}" if len(words[name]) <= 12 else "name one"
            yield Flaw(where, glob, f"fits no {name}", instead_of(glob, words[name], known))


def _words(document: Document) -> Mapping[str, tuple[str, ...]]:
    """Return what an alarm can have in each field that a rule file can know."""
    domains = {rule.domain for rule in document.rules.values()}
    domains |= {kind.domain for kind in installed_kinds().values()}
    domains |= {model.split(".", 1)[0] for model in document.couplings}
    return {
        "level": LEVEL_WORDS,
        "domain": tuple(sorted(domains - {"any"})),
        "quantity": tuple(sorted(QUANTITIES)),
    }


def _cited(document: Document) -> Iterator[tuple[Path, Iterable[str]]]:
    for name, table in document.rules.items():
        path: Path = ("rules", name)
        if isinstance(table.sources, list):
            yield (*path, "sources"), table.sources
        else:
            for level, keys in some(table.sources).items():
                yield (*path, "sources", level.colour), keys
        for figure, given in figures_of(table).items():
            yield (*path, "signal", figure, "sources"), given.sources
    for section in _FIGURE_TABLES:
        limits = getattr(document, section)
        for name in () if limits is None else type(limits).model_fields:
            one: FigureTable = getattr(limits, name)
            yield (section, name, "sources"), one.sources
    for model, coupling in document.couplings.items():
        yield ("couplings", model, "sources"), coupling.sources
        for name, one in coupling.figures.items():
            yield ("couplings", model, "figures", name, "sources"), one.sources
