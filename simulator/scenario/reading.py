"""Reads scenario files: YAML to a checked scenario, every mistake named with its fix."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from simulator.errors import ScenarioError
from simulator.scenario.document import Scenario
from simulator.scenario.values import NAMED, PICKED, near


def load_scenario(file: Path) -> Scenario:
    """Read and validate a scenario file.

    Raises:
        ScenarioError: naming file, key, value and the fix.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{file}: cannot be read: {error}") from error
    return parse_scenario(text, str(file))


def parse_scenario(text: str, source: str) -> Scenario:
    """Validate the text of a scenario; `source` is named in errors (ScenarioError)."""
    try:
        content = yaml.load(text, _ScenarioYaml)
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ScenarioError(f"{source}: must be a mapping with name, city, start and duration")
    return checked_scenario(content, source)


def checked_scenario(content: dict[str, Any], source: str) -> Scenario:
    """Validate the content of a scenario; `source` is named in errors (ScenarioError)."""
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        raise ScenarioError("\n".join(_explain(source, item) for item in error.errors())) from error


class _ScenarioYaml(yaml.SafeLoader):
    """YAML that refuses doubled keys and leaves moments and `6:10` (base 60) as text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for place, (key, _) in enumerate(node.value):
            if isinstance(key, yaml.ScalarNode) and key.value in names[:place]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} is given twice; remove one", key.start_mark
                )
        return super().construct_mapping(node, deep)


def _number(loader: _ScenarioYaml, node: yaml.ScalarNode) -> object:
    if ":" in node.value:
        return node.value
    is_int = node.tag.endswith(":int")
    return loader.construct_yaml_int(node) if is_int else loader.construct_yaml_float(node)


def _text(_loader: _ScenarioYaml, node: yaml.ScalarNode) -> str:
    return str(node.value)


_ScenarioYaml.add_constructor("tag:yaml.org,2002:int", _number)
_ScenarioYaml.add_constructor("tag:yaml.org,2002:float", _number)
_ScenarioYaml.add_constructor("tag:yaml.org,2002:timestamp", _text)


def _explain(source: str, item: Any) -> str:
    path = [str(part) for part in item["loc"] if part not in (NAMED, PICKED)]
    key = ".".join(path) or "(top)"
    if item["type"] == "extra_forbidden":
        known = _keys_at(path[:-1])
        return f"{source}: {key}: key is {near(path[-1], known)}; known: {', '.join(known)}"
    if item["type"] == "missing":
        return f"{source}: {key}: missing; add it"
    message = item["msg"].removeprefix("Value error, ")
    given = item["input"]
    shown = "" if isinstance(given, dict | list | tuple) else f" (got {repr(given)[:80]})"
    return f"{source}: {key}: {message}{shown}"


def _keys_at(path: Sequence[str]) -> list[str]:
    """Return the keys of the part of a scenario that a path leads to."""
    part: type[BaseModel] = Scenario
    for step in path:
        if step in part.model_fields:
            part = _part_in(part.model_fields[step].annotation) or part
    return [field.alias or name for name, field in part.model_fields.items()]


def _part_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_part_in, get_args(annotation))), None)
