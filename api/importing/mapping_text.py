"""The YAML of a mapping file as a tree: no key twice, and yes, no, on, off kept as written."""

from typing import Any

import yaml


class Word(str):
    """A word that YAML 1.1 reads as true or false though it says neither: yes, no, on, off."""

    __slots__ = ()


class _Loader(yaml.SafeLoader):
    """Builds plain data."""


def tree_of(text: str) -> Any:
    """Return the data of a YAML text; its odd words are `Word`.

    Raises:
        yaml.YAMLError: it is none, or has a key twice; the message names the place.
    """
    return yaml.load(text, _Loader)


def _word(loader: _Loader, node: yaml.ScalarNode) -> object:
    text = str(node.value)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return Word(text)


def _table(loader: _Loader, node: yaml.MappingNode) -> Any:
    seen: dict[str, yaml.Node] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
            continue
        if key.value in seen:
            raise yaml.MarkedYAMLError(
                problem=f"the key {key.value!r} stands there twice; remove one",
                problem_mark=key.start_mark,
            )
        seen[key.value] = key
    return loader.construct_yaml_map(node)


_Loader.add_constructor("tag:yaml.org,2002:bool", _word)
_Loader.add_constructor("tag:yaml.org,2002:map", _table)
