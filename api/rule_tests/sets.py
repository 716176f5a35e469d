"""The rules a test or a command asks for: a shipped set, a file, or written in place."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from pipeline.errors import RuleError
from pipeline.rules import RuleSet, load_rules, rules_named


def rules_of(wanted: str | Mapping[str, Any] | None, beside: Path | None = None) -> RuleSet:
    """Return a rule set.

    Args:
        wanted: Name of a shipped set, path of a file (from the folder of the test file, else
            from here), the content of a rule file, or None for the national set.
        beside: The test file.

    Raises:
        RuleError: there is none, or it is wrong.
    """
    if wanted is None:
        return rules_named("national")
    if isinstance(wanted, str):
        near = beside.parent / wanted if beside is not None else None
        return rules_named(str(near) if near is not None and near.is_file() else wanted)
    text = yaml.safe_dump(dict(wanted), sort_keys=False, allow_unicode=True)
    return load_rules(text, f"{beside or 'test'} (rules)")


def only(rules: RuleSet, names: Sequence[str] | None) -> RuleSet:
    """Return a rule set with some of its rules; RuleError when one does not exist."""
    if names is None:
        return rules
    chosen = {name: rules.rule(name) for name in names}
    if not chosen:
        raise RuleError("only: no rule at all; name one or leave it out")
    return replace(rules, rules=MappingProxyType(chosen))
