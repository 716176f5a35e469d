"""What is worth knowing of a rule file beyond its mistakes: counts, and what looks forgotten."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from api.rule_tests.suite import load_cases
from pipeline.rules import Basis, Direction, Function, Rule, RuleSet
from sensors.devices import DeviceKind, device_kinds

_PLAIN = frozenset({Function.VALUE, Function.MEAN, Function.MIN, Function.MAX})
"""Functions whose signal has the range of the instrument."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a rule set holds.

    Attributes:
        per_domain: Domain → number of rules.
        per_basis: Where thresholds come from → number of thresholds.
        warnings: What looks wrong and is no mistake.
    """

    per_domain: Mapping[str, int]
    per_basis: Mapping[str, int]
    warnings: tuple[str, ...]


def survey(rules: RuleSet, tested: Collection[str] | None = None) -> Survey:
    """Return what a rule set holds; `tested` are the rules with a test, None when unknown."""
    per_domain = Counter(rule.domain for rule in rules.rules.values())
    per_basis = Counter(
        rule.basis[level].value
        for rule in rules.rules.values()
        for level in rule.thresholds
        if level in rule.basis
    )
    words = {basis.value: per_basis.get(basis.value, 0) for basis in Basis}
    warnings = [
        *_unwatched(rules),
        *(text for rule in rules.rules.values() for text in _doubts(rule)),
    ]
    if tested is not None:
        untested = sorted(set(rules.rules) - set(tested))
        warnings += [f"{name}: no test names this rule; write one" for name in untested]
    return Survey(dict(sorted(per_domain.items())), words, tuple(warnings))


def named_in_tests(folder: Path) -> frozenset[str]:
    """Return the rules that tests in a folder expect something of.

    Raises:
        RuleError: there is no such folder, no test in it, or one is wrong.
    """
    return frozenset(
        str(expected.filter["rule"])
        for case in load_cases([folder])
        for expected in case.test.expect
        if "rule" in expected.filter
    )


def _unwatched(rules: RuleSet) -> Iterator[str]:
    watched = {kind for rule in rules.rules.values() for kind in rule.select.kinds}
    for kind in device_kinds():
        if kind not in watched:
            yield f"device kind {kind}: no rule watches it"


def _doubts(rule: Rule) -> Iterator[str]:
    kinds = device_kinds()
    for kind in rule.select.kinds:
        if kind not in kinds:
            yield f"{rule.id}: select.kinds = {kind}: no such device kind is installed"
    known = [kinds[kind] for kind in rule.select.kinds if kind in kinds]
    if rule.signal.function in _PLAIN:
        for sheet in known:
            yield from _out_of_reach(rule, sheet)
    if rule.rationale is None:
        yield f"{rule.id}: no rationale (cause, consequence, action, respond_min)"
    is_quoted = any(basis is Basis.QUOTED for basis in rule.basis.values())
    if is_quoted and not rule.sources:
        yield f"{rule.id}: basis is quoted, sources are empty; name the source"


def _out_of_reach(rule: Rule, sheet: DeviceKind) -> Iterator[str]:
    """Yield levels that a kind of device can never show, and those it could never leave."""
    for level, limit in rule.thresholds.items():
        if rule.direction is Direction.HIGH:
            never, stays = limit > sheet.range_high, limit - rule.deadband < sheet.range_low
        else:
            never, stays = limit < sheet.range_low, limit + rule.deadband > sheet.range_high
        reach = f"{sheet.kind} shows {sheet.range_low:g} to {sheet.range_high:g}"
        where = f"{rule.id}: thresholds.{level.colour} = {limit:g}"
        if never:
            yield f"{where}: can never be reached, {reach}"
        if stays:
            yield f"{where}: can never clear with a deadband of {rule.deadband:g}, {reach}"
