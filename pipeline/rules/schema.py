"""The JSON Schema of rule files, made from the classes that check them, for editors and others."""

from copy import deepcopy
from typing import Any

from pipeline.rules.document import Document
from pipeline.rules.functions import FUNCTIONS, FigureSheet

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PART = "Part"
"""Ends the names of tables in which, over a set that is extended, nothing is required."""
_WHOLE = ("FigureTable", "SignalTable")
"""Tables that are written whole also over another set."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a rule file of format 1.

    It says what every part looks like. What the numbers must satisfy together (levels in order,
    deadband below the steps, units) only `load_rules` checks.
    """
    whole = Document.model_json_schema()
    tables: dict[str, Any] = whole.pop("$defs")
    tables["Document"] = whole
    for table in tables.values():
        _take_bare_figures(table)
    tables["SignalTable"] = _signal(is_whole=True)
    parts = {f"{name}{_PART}": _part(table) for name, table in tables.items() if name not in _WHOLE}
    parts["SignalTablePart"] = _signal(is_whole=False)
    extends = {"type": "string", "description": "shipped set that this file changes"}
    part = parts["DocumentPart"]
    part["properties"] = {"extends": extends, **part["properties"]}
    part["required"] = ["format", "extends"]
    parts["RuleTablePart"]["properties"]["enabled"] = {"type": "boolean"}
    return {
        "$schema": _DIALECT,
        "$id": "urn:tocsin:rules:1",
        "title": "Tocsin rule file",
        "if": {"required": ["extends"]},
        "then": {"$ref": "#/$defs/DocumentPart"},
        "else": {"$ref": "#/$defs/Document"},
        "$defs": dict(sorted({**tables, **parts}.items())),
    }


def _take_bare_figures(node: Any) -> None:
    """Let a bare number stand for a figure, everywhere below a node."""
    if isinstance(node, list):
        for item in node:
            _take_bare_figures(item)
    elif isinstance(node, dict):
        if node.get("$ref") == "#/$defs/FigureTable":
            del node["$ref"]
            node["anyOf"] = [{"type": "number"}, {"$ref": "#/$defs/FigureTable"}]
            node.pop("default", None)
            return
        for item in node.values():
            _take_bare_figures(item)


def _part(table: dict[str, Any]) -> dict[str, Any]:
    """Return a table in which nothing is required, and nothing of its parts."""
    part = deepcopy(table)
    part.pop("required", None)
    _point_to_parts(part)
    return part


def _point_to_parts(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _point_to_parts(item)
    elif isinstance(node, dict):
        target = str(node.get("$ref", "")).removeprefix("#/$defs/")
        if target and target != "FigureTable":
            node["$ref"] = f"#/$defs/{target}{_PART}"
        for item in node.values():
            _point_to_parts(item)


def _signal(*, is_whole: bool) -> dict[str, Any]:
    """Return the table of signals: one arm for each function with the figures it takes.

    A rule over another set may leave the function out: then any figure may stand there.
    """
    arms = []
    for function, sheet in FUNCTIONS.items():
        required = [one.name for one in sheet.figures.values() if one.is_required]
        arms.append(
            {
                "type": "object",
                "description": sheet.means,
                "properties": {
                    "function": {"const": function.value},
                    **{one.name: _figure(one) for one in sheet.figures.values()},
                },
                "required": ["function", *required] if is_whole else ["function"],
                "additionalProperties": False,
            }
        )
    rest = {one.name: _figure(one) for it in FUNCTIONS.values() for one in it.figures.values()}
    if not is_whole:
        arms.append({"type": "object", "properties": rest, "additionalProperties": False})
    return {"anyOf": arms}


def _figure(sheet: FigureSheet) -> dict[str, Any]:
    number = {
        "type": "integer" if sheet.is_count else "number",
        "minimum": sheet.low,
        "maximum": sheet.high,
    }
    arms: list[dict[str, Any]] = [number, {"$ref": "#/$defs/FigureTable"}]
    if sheet.is_per_level:
        arms.insert(1, {"type": "array", "items": number, "minItems": 4, "maxItems": 4})
    return {"description": f"{sheet.means}, {sheet.unit}", "anyOf": arms}
