"""The index of the acceptance list names tests that there are, for every one of the twelve."""

import ast
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
INDEX = (ROOT / "docs" / "acceptance.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \|.*\| (.*?) \|$", INDEX, re.MULTILINE)


def test_the_index_has_the_twelve_items_in_order() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 13))
    assert all("`" in tests for _, tests in ROWS)


def test_the_index_names_tests_that_there_are() -> None:
    missing = []
    for _, tests in ROWS:
        for file, name in re.findall(r"`(tests/[\w/]+\.\w+)(?:::(.+?))?`", tests):
            path = ROOT / file
            if not path.is_file() or (name and name not in names_in(path)):
                missing.append(f"{file}::{name}")
    assert missing == []


def names_in(path: Path) -> set[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        return {test["name"] for test in yaml.safe_load(text)["tests"]}
    return {one.name for one in ast.walk(ast.parse(text)) if isinstance(one, ast.FunctionDef)}
