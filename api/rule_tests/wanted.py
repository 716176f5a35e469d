"""Refuses an expectation that nothing could meet: names, words, numbers and moments misspelt."""

import math
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from enum import Enum
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from api.rule_tests.document import CaseTable, ExpectTable
from api.rule_tests.durations import duration_ms, duration_words
from api.rule_tests.fleet import Fleet
from api.warning_models import alarm_names, outside_models
from pipeline.errors import RuleError
from pipeline.rules import RuleSet, default_rules
from sensors.devices import device_kinds
from sensors.levels import Level

BOUNDS = (">=", "<=", ">", "<")
"""Signs of a bound, the longer first."""
_MOST_NAMES = 8
_Problem = tuple[str, str]
"""What is wrong and what to do."""


def check_expectation(
    expected: ExpectTable, kind: type, test: CaseTable, rules: RuleSet, fleet: Fleet, at: str
) -> None:
    """Check that an expectation can be met at all.

    Args:
        expected: The expectation.
        kind: Class of the messages it is about.
        test: Its test.
        rules: The rules that are tested.
        fleet: The devices of the test.
        at: File, test and number, for messages.

    Raises:
        RuleError: it names a field, rule, device, area, domain or word that there is not, a number
            that is none, or a moment after the end; with file, key, value and fix.
    """
    hints = _hints(kind)
    names = _names(test, rules, fleet)
    for field, wanted in expected.filter.items():
        key = f"{at}: {expected.subject}.{field}"
        if field not in hints and f"{field}_ms" not in hints:
            raise RuleError(f"{key}: no such field; it has {', '.join(sorted(hints))}")
        for one in wanted if isinstance(wanted, list) and field in hints else [wanted]:
            problem = _problem(field, one, hints, names)
            if problem:
                raise RuleError(f"{key} = {one!r}: {problem[0]}; {problem[1]}")
    tolerance = expected.tolerance if expected.tolerance is not None else test.tolerance or 0
    for name, moment in (("at", expected.at), ("from", expected.begin)):
        if moment is not None and moment - tolerance > fleet.duration_ms:
            end = duration_words(fleet.duration_ms)
            raise RuleError(
                f"{at}: {name} = {duration_words(moment)}: the test ends at {end}; "
                "name a moment before, or give it a longer `duration`"
            )


def bound(text: str) -> tuple[str, float] | None:
    """Return sign and number of a bound such as `>=0.5`; None when it is none.

    >>> bound(">= 0.5"), bound("> abc"), bound("0.5")
    (('>=', 0.5), None, None)
    """
    text = text.replace(" ", "")
    sign = next((one for one in BOUNDS if text.startswith(one)), "")
    try:
        number = float(text.removeprefix(sign))
    except ValueError:
        return None
    return (sign, number) if sign and math.isfinite(number) else None


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    fields = set(getattr(kind, "__dataclass_fields__", {}))
    return {name: it for name, it in typing.get_type_hints(kind).items() if name in fields}


def _names(
    test: CaseTable, rules: RuleSet, fleet: Fleet
) -> Mapping[str, Callable[[], Collection[str]]]:
    """Return field → the names it may have; worked out only when a filter has the field."""
    registry = fleet.registry
    names = alarm_names(rules, outside_models(replace(rules, couplings=())))
    models = names - set(rules.rules)
    ids = {*names, *default_rules().rules}  # a test may say a dropped rule is quiet
    asides = {*(one.area for one in test.calls), *(one.area for one in test.permits)}
    return {
        "rule": lambda: ids,
        "model": lambda: models,
        "device": lambda: registry.number,
        "devices": lambda: registry.number,
        "area": lambda: {*registry.texts("area"), *asides},
        "domain": lambda: {
            *(kind.domain for kind in device_kinds().values()),
            *(name.partition(".")[0] for name in ids),
            *(rule.domain for rule in rules.rules.values()),
        },
    }


def _problem(
    field: str,
    wanted: Any,
    hints: Mapping[str, Any],
    names: Mapping[str, Callable[[], Collection[str]]],
) -> _Problem | None:
    if field not in hints:
        try:
            duration_ms(wanted)
        except ValueError:
            return "no span of time", "write 45s, 10m, 1h30m or 2d after the start"
        return None
    if wanted is None:
        return "no value", "give one, or leave the field out"
    if field in names:
        return _misnamed(str(wanted), names[field](), f"no such {field.removesuffix('s')} here")
    kinds = set(_arms(hints[field]))
    words = next((_words(one) for one in kinds if isinstance(one, type) and _words(one)), None)
    if words:
        return _misnamed(str(wanted), words, "no such word")
    if bool in kinds:
        return None if isinstance(wanted, bool) else ("not true or false", "write one of them")
    if kinds & {int, float}:
        is_number = isinstance(wanted, int | float) and not isinstance(wanted, bool)
        if not is_number and bound(str(wanted)) is None:
            return "neither a number nor a bound", 'write 0.5, or a bound such as ">=0.5"'
    return None


def _arms(hint: Any) -> Iterator[Any]:
    yield from typing.get_args(hint) or (hint,)


def _words(kind: type) -> list[str]:
    if issubclass(kind, Level):
        return [level.colour for level in kind]
    return [str(one.value) for one in kind] if issubclass(kind, Enum) else []


def _misnamed(wanted: str, known: Collection[str], problem: str) -> _Problem | None:
    if wanted in known or any(fnmatchcase(name, wanted) for name in known):
        return None
    near = get_close_matches(wanted, known, 1) if len(known) < 1000 else []
    if near:
        return problem, f"did you mean {near[0]}?"
    shown = sorted(known)
    more = f", … ({len(shown)} in all)" if len(shown) > _MOST_NAMES else ""
    some = ", ".join(shown[:_MOST_NAMES]) or "none"
    return problem, f"it may be {some}{more}"
