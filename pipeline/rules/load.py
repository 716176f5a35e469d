"""Reads a rule file into a `RuleSet`, or says what is wrong with it: line, key, value and fix."""

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path as FilePath
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.rules.build import build
from pipeline.rules.check import flaws
from pipeline.rules.document import FORMS, Document
from pipeline.rules.layers import finished, layered
from pipeline.rules.marks import Tree, read_tree
from pipeline.rules.mistakes import Flaw, Mistake, Path, RuleFileError, shown
from pipeline.rules.ruleset import RuleSet

DEFAULT = "national"
"""The set that is used when none is named."""
_MOST_MISSING = 4
"""So many missing keys of one rule are told as one mistake."""
_BY_TYPE = {
    "missing": ("missing", "add it"),
    "extra_forbidden": ("unknown key", "remove it or correct its spelling"),
}


def default_rules() -> RuleSet:
    """Return the rule set that is used when none is named: `national`."""
    return rules_named(DEFAULT)


@cache
def shipped_sets() -> tuple[str, ...]:
    """Return the names of the rule sets that come with the program, sorted."""
    files = resources.files("pipeline.rules").joinpath("sets").iterdir()
    return tuple(sorted(one.name.removesuffix(".yaml") for one in files if _is_set(one.name)))


def rules_named(name_or_path: str) -> RuleSet:
    """Return a rule set by the name of a shipped one, or from a file.

    Raises:
        RuleFileError: the file is wrong; all its mistakes are in `mistakes`.
        RuleError: there is no such set and no such file, or it cannot be read.
    """
    if name_or_path in shipped_sets():
        return _shipped_rules(name_or_path)
    return load_rules(_file_text(name_or_path), name_or_path)


def rule_text(name_or_path: str) -> str:
    """Return the text of a shipped set or of a file, as `load_rules` takes it.

    Raises:
        RuleFileError: there is no such set and no such file, or it cannot be read.
    """
    if name_or_path in shipped_sets():
        return _shipped_text(name_or_path)
    return _file_text(name_or_path)


def load_rules(text: str, source: str) -> RuleSet:
    """Read a rule file; a bad one is refused whole.

    Args:
        text: Its content, YAML or JSON. It may extend a shipped set, never another file, so that
            the text alone says everything.
        source: Its name, for messages.

    Raises:
        RuleFileError: it contradicts itself or is not a rule file; the message is the first
            mistake with file, line, key, value and fix, and `mistakes` holds all.
    """
    tree = _tree(text, source)
    found, document = _validate(tree)
    if found or document is None:
        raise RuleFileError(found)
    return build(document, source, text)


def mistakes(text: str, source: str) -> list[Mistake]:
    """Return all mistakes of a rule file in the order of the file, empty when it is good."""
    return _validate(_tree(text, source))[0]


def flattened(text: str, source: str) -> str:
    """Return a rule file as YAML with what it extends worked in.

    Raises:
        RuleFileError: the file is wrong.
    """
    tree = _tree(text, source)
    found, _ = _validate(tree)
    if found:
        raise RuleFileError(found)
    return yaml.safe_dump(tree.data, sort_keys=False, allow_unicode=True, width=100)


def located(rules: RuleSet, found: Iterable[Flaw]) -> list[Mistake]:
    """Return flaws of a rule set that only its use shows, with their places in its file."""
    return _placed(_tree(rules.text, rules.source) if rules.text else Tree(rules.source), found)


def _is_set(name: str) -> bool:
    return name.endswith(".yaml")


def _shipped_text(name: str) -> str:
    folder = resources.files("pipeline.rules").joinpath("sets")
    return folder.joinpath(f"{name}.yaml").read_text("utf-8")


def _file_text(path: str) -> str:
    try:
        return FilePath(path).read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        known = ", ".join(shipped_sets())
        problem = "no such rule set or file" if isinstance(error, FileNotFoundError) else str(error)
        fix = f"name a set that ships ({known}) or the path of a readable UTF-8 file"
        raise RuleFileError([Mistake(path, 1, 1, "", "", problem, fix)]) from error


@cache
def _shipped_rules(name: str) -> RuleSet:
    return load_rules(_shipped_text(name), f"{name}.yaml")


@cache
def _shipped_tree(name: str) -> Tree | None:
    return read_tree(_shipped_text(name), f"{name}.yaml") if name in shipped_sets() else None


def _tree(text: str, source: str) -> Tree:
    tree = layered(read_tree(text, source), _shipped_tree, shipped_sets())
    return tree if tree.mistakes or tree.data is None else finished(tree)


def _validate(tree: Tree) -> tuple[list[Mistake], Document | None]:
    if tree.mistakes or tree.data is None:
        return tree.mistakes, None
    try:
        document = Document.model_validate_json(json.dumps(tree.data))
    except ValidationError as error:
        found: dict[tuple[int, str], Mistake] = {}
        for it in error.errors(include_url=False):
            one = _mistake(tree, it)
            found.setdefault((one.line, one.key), one)
        return _in_order(tree, _misnamed(tree, found.values())), None
    return _placed(tree, flaws(document)), document


def _placed(tree: Tree, found: Iterable[Flaw]) -> list[Mistake]:
    """Return flaws with their places, in the order of the file."""
    told = [
        tree.mistake(one.path, one.problem, one.fix, "" if one.value is None else shown(one.value))
        for one in found
    ]
    return _in_order(tree, told)


def _in_order(tree: Tree, found: Iterable[Mistake]) -> list[Mistake]:
    return sorted(found, key=lambda one: (one.file != tree.source, one.line, one.column))


def _misnamed(tree: Tree, found: Iterable[Mistake]) -> list[Mistake]:
    """Return the mistakes, those of a rule that lacks nearly everything made into one.

    Such a rule is most often an override of one whose name was spelled wrong.
    """
    told = list(found)
    rules = tree.data.get("rules")
    for name in rules if isinstance(rules, dict) else ():
        own = [
            one for one in told if one.key.startswith(f"rules.{name}.") and one.problem == "missing"
        ]
        if len(own) < _MOST_MISSING:
            continue
        told = [one for one in told if one not in own]
        lacks = ", ".join(one.key.removeprefix(f"rules.{name}.") for one in own)
        near = get_close_matches(name, [other for other in rules if other != name], 1)
        fix = f"did you mean {near[0]}? else add these" if near else "add them"
        told.append(
            tree.mistake(("rules", name), f"no base has this rule and it lacks {lacks}", fix)
        )
    return told


def _mistake(tree: Tree, error: Mapping[str, Any]) -> Mistake:
    path = _path(tree.data, error["loc"])
    kind = str(error["type"])
    if kind in _BY_TYPE:
        return tree.mistake(path, *_BY_TYPE[kind])
    value = error["input"]
    problem = str(error["msg"]).replace("Input should be", "should be")
    fix = "change it"
    if kind == "string_pattern_mismatch":
        problem, fix = FORMS.get(error["ctx"]["pattern"], (problem, fix))
    elif kind in ("model_type", "dict_type", "model_attributes_type"):
        problem, fix = "should be a mapping", "write keys and values"
    elif kind in ("literal_error", "enum"):
        fix = "use one of them"
    elif isinstance(value, str) and kind in ("float_type", "int_type", "bool_type"):
        fix = "write it without quotes, as a plain number or true/false"
    elif kind in ("int_type", "int_from_float"):
        fix = "give a whole number"
    return tree.mistake(path, problem, fix, shown(value))


def _path(data: Any, loc: tuple[str | int, ...]) -> Path:
    """Return pydantic's path without what is not in the file: arms of unions, bare figures."""
    path: list[str | int] = []
    here = data
    for place, part in enumerate(loc):
        is_last = place == len(loc) - 1
        is_there = isinstance(here, dict) and part in here
        is_there |= isinstance(here, list) and isinstance(part, int) and part < len(here)
        if is_there:
            here = here[part]
        elif not (is_last and isinstance(here, dict) and part != "[key]"):
            continue
        path.append(part)
    return tuple(path)
