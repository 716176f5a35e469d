"""A rule set with some figures of one rule changed, and the fragment of a rule file that says so.

The changed set is read from that very text, so that what was tried is what is pasted, and a figure
out of bounds is refused as in any rule file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from pipeline.errors import RuleError
from pipeline.rules import Rule, RuleSet, default_rules
from pipeline.rules.load import DEFAULT, load_rules, rule_text, rules_named, shipped_sets
from sensors.levels import Level

HOLD = "on_m_of_n"
"""Figure `on_m_of_n.yellow` is m; n stays, or becomes m where it would be smaller."""
_LEVELS = frozenset(level.colour for level in Level)
_BY_LEVEL = {"thresholds": "thresholds", "hold_s": "holds_s", HOLD: "holds"}
_PLAIN = ("deadband", "clear_consecutive")
_COUNTS = ("clear_consecutive",)


@dataclass(frozen=True, slots=True)
class Variant:
    """A rule set with changed figures.

    Attributes:
        figures: What was changed: path within the rule → number.
        rules: The whole set.
        fragment: Rule file that extends the base by just that, to paste.
    """

    figures: Mapping[str, float]
    rules: RuleSet
    fragment: str


def variant(base: str, rule: str, figures: Mapping[str, float]) -> Variant:
    """Return a rule set with figures of one rule changed.

    Args:
        base: Rule set by name or file; empty for the default.
        rule: Id of the rule.
        figures: Path within the rule, such as `thresholds.yellow`, `on_m_of_n.orange`,
            `deadband` or `signal.k`, → number.

    Raises:
        RuleError: there is no such rule or figure, or the figures contradict each other.
    """
    name = base or DEFAULT
    rules = rules_of(base)
    if rule not in rules.rules:
        raise RuleError(f"{name}: no rule {rule!r}; it has {', '.join(sorted(rules.rules))}")
    fields: dict[str, Any] = {}
    for path, number in figures.items():
        _put(fields, rules.rules[rule], path, number)
    change = {"rules": {rule: fields}}
    fragment = {"format": 1, "extends": name if name in shipped_sets() else rules.city, **change}
    text = yaml.safe_dump(fragment, sort_keys=False, default_flow_style=None)
    if name in shipped_sets():
        return Variant(figures, load_rules(text, f"{name} with changes"), text)
    whole = _merged(yaml.safe_load(rule_text(name)), change)
    changed = load_rules(yaml.safe_dump(whole, sort_keys=False), f"{name} with changes")
    return Variant(figures, changed, text)


def rules_of(base: str) -> RuleSet:
    """Return a rule set by name or file; the default for an empty name."""
    return rules_named(base) if base else default_rules()


def figure_of(rule: Rule, path: str) -> float:
    """Return a figure of a rule by its path; RuleError when the rule has none of that name."""
    head, _, last = path.partition(".")
    found: Any = None
    if head in _BY_LEVEL and last in _LEVELS:
        found = getattr(rule, _BY_LEVEL[head]).get(Level.of_colour(last))
        found = found.m if head == HOLD and found is not None else found
    elif head == "signal":
        found = rule.signal.figures.get(last)
    elif path in _PLAIN:
        found = getattr(rule, path)
    if found is None:
        raise RuleError(f"{rule.id} has no figure {path!r}; it has {', '.join(figures_of(rule))}")
    return float(found)


def figures_of(rule: Rule) -> list[str]:
    """Return the paths of all figures of a rule that can be changed."""
    levels = [
        f"{head}.{level.colour}"
        for head, name in _BY_LEVEL.items()
        for level in sorted(getattr(rule, name), reverse=True)
    ]
    return [*levels, *_PLAIN, *(f"signal.{name}" for name in sorted(rule.signal.figures))]


def _put(fields: dict[str, Any], rule: Rule, path: str, number: float) -> None:
    figure_of(rule, path)
    head, _, last = path.partition(".")
    if head == HOLD:
        m = round(number)
        fields.setdefault(HOLD, {})[last] = [m, max(m, rule.holds[Level.of_colour(last)].n)]
    elif last:
        fields.setdefault(head, {})[last] = number
    else:
        fields[path] = round(number) if path in _COUNTS else number


def _merged(base: Any, change: Any) -> Any:
    """Return a mapping with another put over it, key by key."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    return {**base, **{key: _merged(base.get(key), value) for key, value in change.items()}}
