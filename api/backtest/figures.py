"""A rule set with some figures of one rule changed, and the fragment of a rule file that says so.

The changed set is read from that very text, so that what was tried is what is pasted, and a figure
out of bounds is refused as in any rule file. Only shipped sets can be extended: of a file the
fragment says what to put into it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from api.replaying.source import Recording
from api.rule_choice import RULES_FILE
from pipeline.errors import RuleError
from pipeline.rules import Rule, RuleSet, default_rules
from pipeline.rules.load import DEFAULT, load_rules, rule_text, rules_named, shipped_sets
from pipeline.rules.marks import read_tree
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
        fragment: What to paste: a rule file that extends the shipped set by just that, or what to
            put into the file, below a comment that names it.
    """

    figures: Mapping[str, float]
    rules: RuleSet
    fragment: str


@dataclass(frozen=True, slots=True)
class Base:
    """The rule set a recording is looked at with.

    Attributes:
        name: Shipped set or path of a file, as `variant` takes it; empty for the default.
        rules: The set.
        words: What it is, for people.
        home: Where a fragment belongs, for people; empty for the file `name`.
    """

    name: str
    rules: RuleSet
    words: str
    home: str = ""


def base_of(recording: Recording, wanted: str = "") -> Base:
    """Return the rule set that is wanted by name or file, else the one a recording was made with.

    A recording whose folder does not say its rules is looked at with the default.

    Raises:
        RuleError: there is no such set, or the file is wrong.
    """
    if wanted:
        return Base(wanted, rules_of(wanted), wanted)
    kept = recording.rules()
    if kept is None:
        return Base("", default_rules(), f"{DEFAULT}, for the recording does not say its rules")
    words = f"the recording's own rules ({kept.version})"
    shipped = next((name for name in shipped_sets() if rule_text(name) == kept.text), "")
    file = str(recording.folder / RULES_FILE)
    return Base(shipped or file, kept, words, "" if shipped else f"the file {file} is a copy of")


def variant(base: str, rule: str, figures: Mapping[str, float], home: str = "") -> Variant:
    """Return a rule set with figures of one rule changed.

    Args:
        base: Rule set by name or file; empty for the default.
        rule: Id of the rule.
        figures: Path within the rule, such as `thresholds.yellow`, `on_m_of_n.orange`,
            `deadband` or `signal.k`, → number.
        home: Where the fragment for a file belongs, for people; the file `base` when empty.

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
    change: dict[str, Any] = {"rules": {rule: fields}}
    source = f"{name} with changes"
    if name in shipped_sets():
        text = _yaml({"format": 1, "extends": name, **change})
        return Variant(figures, load_rules(text, source), text)
    whole = read_tree(rule_text(name), name).data
    if isinstance(whole.get("rules"), list):
        change = {"rules": [{"id": rule, **fields}]}
    changed = load_rules(json.dumps(_changed(whole, change), ensure_ascii=False), source)
    return Variant(figures, changed, f"# put this into {home or name}\n{_yaml(change)}")


def _yaml(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None)


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


def _changed(whole: Mapping[str, Any], change: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the content of a rule file with the rules of a change put over it."""
    rules = change["rules"]
    if not isinstance(rules, list):
        merged: Mapping[str, Any] = _merged(whole, change)
        return merged
    (new,) = rules
    old = whole["rules"]
    kept = [_merged(one, new) if one["id"] == new["id"] else one for one in old]
    is_there = any(one["id"] == new["id"] for one in old)
    return {**whole, "rules": kept if is_there else [*kept, new]}


def _merged(base: Any, change: Any) -> Any:
    """Return a mapping with another put over it, key by key."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    return {**base, **{key: _merged(base.get(key), value) for key, value in change.items()}}
