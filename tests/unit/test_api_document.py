"""The OpenAPI document explains every route, with an example of what goes in and out."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.app import make_app
from pipeline.loop import STAGES

DOCUMENT: dict[str, Any] = make_app(Path("runs"), token=None, broker=None).openapi()
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
NAMES = [name for name, _ in OPERATIONS]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, and an `anyOf` of it with null, to the schema itself."""
    options = [part for part in schema.get("anyOf", [schema]) if part != {"type": "null"}]
    name = options[0].get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = SCHEMAS[name] if name else options[0]
    return found


def examples(content: dict[str, Any]) -> list[Any]:
    """Return the examples of a media type, its own or its schema's."""
    if "example" in content:
        return [content["example"]]
    found: list[Any] = resolved(content["schema"]).get("examples", [])
    return found


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=NAMES)
def test_a_route_has_a_summary_a_description_and_a_known_tag(
    name: str, operation: dict[str, Any]
) -> None:
    assert operation["summary"]
    assert operation["description"].endswith(".")
    assert operation["tags"]
    assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=NAMES)
def test_a_route_shows_an_example_of_what_it_returns(name: str, operation: dict[str, Any]) -> None:
    media = [
        content
        for status, answer in operation["responses"].items()
        if status.startswith("2")
        for content in answer.get("content", {}).values()
    ]
    assert media
    assert [content for content in media if not examples(content)] == []


@pytest.mark.parametrize(
    ("name", "operation"),
    [item for item in OPERATIONS if "requestBody" in item[1]],
    ids=[name for name, operation in OPERATIONS if "requestBody" in operation],
)
def test_a_body_shows_an_example(name: str, operation: dict[str, Any]) -> None:
    assert examples(operation["requestBody"]["content"]["application/json"])


@pytest.mark.parametrize("name", [name for name in SCHEMAS if "examples" in SCHEMAS[name]])
def test_an_example_follows_its_schema(name: str) -> None:
    schema = {**SCHEMAS[name], "components": DOCUMENT["components"]}
    for example in schema["examples"]:
        Draft202012Validator(schema).validate(example)
        shown = set(example) if schema.get("additionalProperties") is not True else set()
        assert shown <= set(schema["properties"]), f"{name}: an example has unknown members"


def test_an_example_leaves_out_nothing_that_is_returned() -> None:
    bodies = {"NewRun", "NewIncident"}
    for name, schema in SCHEMAS.items():
        if name not in bodies and "examples" in schema:
            assert set(schema["properties"]) <= set(schema["examples"][0]), name


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=NAMES)
def test_errors_are_documented_as_problems(name: str, operation: dict[str, Any]) -> None:
    for status in ("4XX", "5XX"):
        content = operation["responses"][status]["content"]
        assert list(content) == ["application/problem+json"]
    assert "Problem" in SCHEMAS


def test_the_seven_stages_are_tags_in_the_order_of_the_loop() -> None:
    tags = [tag["name"] for tag in DOCUMENT["tags"]]
    assert [tag for tag in tags if tag in STAGES] == list(STAGES)


@pytest.mark.parametrize("token", [None, "t"])
def test_the_token_is_in_the_document_when_one_is_needed(token: str | None) -> None:
    document = make_app(Path("runs"), token=token, broker=None).openapi()
    assert ("security" in document) is (token is not None)
