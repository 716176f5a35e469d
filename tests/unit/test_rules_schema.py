"""The JSON Schema of rule files: current, taken by every set, and as strict as the loader."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pipeline.rules import (
    FUNCTIONS,
    Function,
    flattened,
    json_schema,
    mistakes,
    rule_text,
    shipped_sets,
)
from tests.unit.test_rules_mistakes import DOCUMENT, JUNK, PATHS, SHAPES

PUBLISHED = Path(__file__).parents[2] / "docs" / "rules.schema.json"
DOCS = Path(__file__).parents[2] / "docs" / "rules.md"


@cache
def validator() -> Draft202012Validator:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_published_schema_is_the_one_the_loader_checks_by() -> None:
    """When it fails: `tocsin rules schema > docs/rules.schema.json`."""
    assert json.loads(PUBLISHED.read_text("utf-8")) == json_schema()


@pytest.mark.parametrize("name", shipped_sets())
def test_schema_takes_every_shipped_set_short_and_in_full(name: str) -> None:
    text = rule_text(name)
    for one in (text, flattened(text, name)):
        assert not list(validator().iter_errors(yaml.load(one, Loader=yaml.CSafeLoader)))


@pytest.mark.parametrize("place", range(len(SHAPES)))
def test_schema_refuses_the_shapes_the_loader_refuses(place: int) -> None:
    change: Callable[[Any], object] = SHAPES[place]
    document = deepcopy(DOCUMENT)
    change(document)
    assert mistakes(json.dumps(document), "broken.json")
    assert not validator().is_valid(document)


def test_override_is_short_but_spelt_as_strictly() -> None:
    head = {"format": 1, "extends": "national", "version": "x"}
    rule = {"deadband": 0.02, "signal": {"function": "value"}, "enabled": True}
    assert validator().is_valid({**head, "rules": {"water.pressure_head": rule}})
    assert not validator().is_valid({**head, "rules": {"water.pressure_head": {"deadban": 1}}})
    assert not validator().is_valid({**head, "closure": {"road_cm": {"unit": "cm"}}})


def test_every_function_has_a_sheet_with_bounds_that_hold_its_default() -> None:
    assert set(FUNCTIONS) == set(Function)
    for sheet in FUNCTIONS.values():
        for name, one in sheet.figures.items():
            assert one.name == name
            assert one.low < one.high
            assert one.default is None or one.low <= one.default <= one.high
            assert not (one.is_required and one.default is not None)


def test_docs_name_every_function_and_figure() -> None:
    text = DOCS.read_text("utf-8")
    for function, sheet in FUNCTIONS.items():
        assert f"`{function.value}`" in text
        for name in sheet.figures:
            assert f"`{name}`" in text, (function, name)


def test_examples_of_the_docs_are_good_rule_files() -> None:
    """Blocks of rules stand under `rules:` in the text; the others are whole or parts of a file."""
    head = "format: 1\nextends: national\nversion: docs\n"
    blocks = re.findall(r"```yaml\n(.*?)```", DOCS.read_text("utf-8"), flags=re.S)
    assert len(blocks) == 6
    for block in blocks:
        if block.startswith("road_cm"):
            texts = [f"{head}closure: {{{line}}}\n" for line in block.splitlines()]
        elif block.startswith("  "):
            texts = [f"{head}rules:\n{block}"]
        else:
            texts = [block if block.startswith("format") else head + block]
        for text in texts:
            assert mistakes(text, "docs/rules.md") == [], text


@settings(max_examples=20, deadline=None)
@given(path=st.sampled_from(PATHS), junk=JUNK)
def test_schema_is_not_stricter_than_the_loader(path: tuple[Any, ...], junk: Any) -> None:
    document = deepcopy(DOCUMENT)
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = junk
    if not validator().is_valid(document):
        assert mistakes(json.dumps(document), "junk.json")
