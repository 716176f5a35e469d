"""Puts a rule file over the shipped set it extends, and brings old files into today's form."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pipeline.rules.globs import instead_of
from pipeline.rules.marks import Tree
from pipeline.rules.mistakes import Mistake, Path, shown
from pipeline.rules.signal import Function

LONGEST_CHAIN = 8
"""Sets that may extend one another (the shipped ones: two)."""
FORMAT = 1
_OF_A_RULE = ("domain", "indicator", "select")
"""Keys of which a rule that is defined, here or in a base, has at least one."""

Fetch = Callable[[str], Tree | None]
"""Returns the tree of a shipped set by its name, None when there is none of that name."""


def layered(tree: Tree, fetch: Fetch, names: tuple[str, ...], depth: int = 0) -> Tree:
    """Return a tree with everything it extends worked in, in today's form.

    Rules with `enabled: false` are left out at the end by `finished`. Mistakes are in the tree.
    """
    if tree.data is None:
        return tree
    tree = _today(tree, fetch)
    if tree.mistakes or "extends" not in tree.data:
        return tree
    base_name = tree.data["extends"]
    base = fetch(base_name) if isinstance(base_name, str) else None
    if base is None:
        fix = f"name a set that ships: {', '.join(names)}"
        problem = "no such rule set"
        return _refuse(tree, tree.mistake(("extends",), problem, fix, shown(base_name)))
    if depth >= LONGEST_CHAIN:
        return _refuse(tree, tree.mistake(("extends",), "extends in a circle", "extend national"))
    base = layered(base, fetch, names, depth + 1)
    if base.mistakes:
        return _refuse(tree, *base.mistakes)
    merged = Tree(tree.source, None, {**base.marks, **tree.marks})
    merged.data = _over(base.data, tree.data, ())
    del merged.data["extends"]
    if "version" not in tree.data:
        merged.data["version"] = f"{base.data.get('version')}+"
    return merged


def finished(tree: Tree) -> Tree:
    """Return the tree without the rules it switches off, `enabled` taken out of the others."""
    rules = tree.data.get("rules")
    if not isinstance(rules, dict):
        return tree
    kept: dict[str, Any] = {}
    for name, rule in rules.items():
        if not isinstance(rule, dict) or "enabled" not in rule:
            kept[name] = rule
            continue
        is_on = rule["enabled"]
        if not isinstance(is_on, bool):
            path = ("rules", name, "enabled")
            tree.mistakes.append(
                tree.mistake(path, "not true or false", "write false to drop it", shown(is_on))
            )
        elif is_on:
            kept[name] = {key: value for key, value in rule.items() if key != "enabled"}
    gone = rules.keys() - kept.keys()
    for name, rule in kept.items():
        if isinstance(rule, dict) and any(one == rule.get("chain_of") for one in gone):
            kept[name] = {key: value for key, value in rule.items() if key != "chain_of"}
    for name in rules:
        if name in gone and rules[name]["enabled"] is False:
            _check_dropped(tree, name, rules)
    tree.data = {**tree.data, "rules": kept}
    return tree


def _check_dropped(tree: Tree, name: str, rules: Mapping[str, Any]) -> None:
    """Note a rule that is switched off and is nowhere defined: its name is most often wrong."""
    if any(key in rules[name] for key in _OF_A_RULE):
        return
    fix = instead_of(name, (other for other in rules if other != name), "remove it")
    tree.mistakes.append(tree.mistake(("rules", name), "no base has this rule to drop", fix))


def _refuse(tree: Tree, *mistakes: Mistake) -> Tree:
    tree.mistakes += mistakes
    return tree


def _over(base: Any, top: Any, path: Path) -> Any:
    """Return `top` laid over `base`: mappings merge key by key, everything else replaces."""
    if not isinstance(base, dict) or not isinstance(top, dict) or _replaces(base, top, path):
        return top
    merged = dict(base)
    if len(path) == 2 and path[0] == "rules":
        _drop_origins(merged, top)
    for key, value in top.items():
        merged[key] = _over(merged[key], value, (*path, key)) if key in merged else value
    return merged


def _replaces(base: Mapping[str, Any], top: Mapping[str, Any], path: Path) -> bool:
    """Return whether a mapping takes the place of another whole, because half would be wrong."""
    if "value" in base or "value" in top:
        return True  # a figure keeps its own unit, basis and source
    if path[-1:] == ("signal",):
        return "function" in top and top["function"] != base.get("function", Function.VALUE.value)
    return False


def _drop_origins(rule: dict[str, Any], top: Mapping[str, Any]) -> None:
    """Take basis and sources from the numbers an override changes: they spoke for the old ones."""
    changed = top.get("thresholds")
    if not isinstance(changed, dict):
        return
    old = rule.get("thresholds")
    levels = [
        level
        for level, value in changed.items()
        if not isinstance(old, dict) or old.get(level) != value
    ]
    for key in ("basis", "sources"):
        if isinstance(rule.get(key), dict):
            rule[key] = {name: it for name, it in rule[key].items() if name not in levels}


def _today(tree: Tree, fetch: Fetch) -> Tree:
    """Return the tree of a file without a format (a list of rules) in today's form."""
    if "format" in tree.data:
        if tree.data["format"] != FORMAT:
            tree.mistakes.append(
                tree.mistake(
                    ("format",),
                    "this program reads format 1",
                    "write `format: 1`",
                    shown(tree.data["format"]),
                )
            )
        return tree
    if not isinstance(tree.data.get("rules"), list):
        tree.mistakes.append(tree.mistake((), "format is missing", "write `format: 1`"))
        return tree
    return _from_list(tree, fetch)


def _from_list(tree: Tree, fetch: Fetch) -> Tree:
    known = fetch("national")
    known_rules = known.data["rules"] if known is not None and known.data else {}
    renamed: dict[int, str] = {}
    rules: dict[str, Any] = {}
    for place, rule in enumerate(tree.data["rules"]):
        path: Path = ("rules", place)
        if not isinstance(rule, dict) or not isinstance(rule.get("id"), str):
            tree.mistakes.append(
                tree.mistake(path, "a rule without an id", "give it an `id`", shown(rule))
            )
            continue
        name = rule["id"]
        if name in rules:
            tree.mistakes.append(
                tree.mistake((*path, "id"), "used twice", "rename one", shown(name))
            )
        renamed[place] = name
        rules[name] = _rule_from_list(rule, known_rules.get(name, {}))
    marks = {_renamed(path, renamed): mark for path, mark in tree.marks.items()}
    data = {"format": FORMAT, **tree.data, "rules": rules}
    return replace(tree, data=data, marks=marks)


def _rule_from_list(rule: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return an old rule in today's form; what it watches comes from the rule of the same id."""
    new = {key: it for key, it in rule.items() if key not in ("id", "window_s", "change")}
    given = rule.get("signal", known.get("signal", {}))
    if not isinstance(given, dict):
        return new
    signal = dict(given)
    if rule.get("window_s") is not None:
        signal.setdefault("function", Function.MAX.value)
        signal["window_s"] = rule["window_s"]
    if isinstance(rule.get("change"), dict):
        signal["function"] = Function.FALL.value
        signal |= {key: it for key, it in rule["change"].items() if key != "basis"}
    if signal:
        new["signal"] = signal
    if "select" in known:
        new.setdefault("select", known["select"])
    return new


def _renamed(path: Path, names: Mapping[int, str]) -> Path:
    if len(path) < 2 or path[0] != "rules" or path[1] not in names:
        return path
    rest = path[2:]
    if rest[:1] in (("window_s",), ("change",)):
        rest = ("signal", *(rest if rest[0] == "window_s" else rest[1:]))
    return (path[0], names[int(path[1])], *rest)
