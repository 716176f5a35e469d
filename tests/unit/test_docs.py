"""The papers agree with the code: links, glossary, decisions, make targets, locks."""

import enum
import importlib
import inspect
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from docs.map import ROOT
from pipeline.loop import LOOP

PAGES = sorted(
    page.relative_to(ROOT)
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("examples/*.md"))
)
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
NOUNS_OF = (
    "sensors.city",
    "sensors.errors",
    "sensors.field",
    "sensors.ground_truth",
    "sensors.levels",
    "sensors.quantities",
    "sensors.readings",
    "sensors.registry",
    "pipeline.messages",
    "pipeline.ports",
)
LOCKS = ("requirements.lock", "requirements-dev.lock")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def nouns() -> list[str]:
    """Return the names of the public classes that make up the shared vocabulary."""
    found = []
    for name in NOUNS_OF:
        for noun, kind in vars(importlib.import_module(name)).items():
            is_ours = inspect.isclass(kind) and kind.__module__ == name
            if is_ours and not noun.startswith("_") and not issubclass(kind, Exception):
                found.append(noun)
    return sorted(found)


def words() -> list[str]:
    """Return the values of the shared enumerations that are spelled out on the wire."""
    found = set()
    for name in NOUNS_OF:
        for kind in vars(importlib.import_module(name)).values():
            if inspect.isclass(kind) and issubclass(kind, enum.StrEnum):
                found |= {str(member.value) for member in kind}
    return sorted(found)


@pytest.mark.parametrize("noun", nouns())
def test_a_noun_of_the_shared_vocabulary_is_in_the_glossary(noun: str) -> None:
    assert f"`{noun}`" in GLOSSARY, f"say what {noun} is in docs/glossary.md"


def test_a_word_of_the_wire_is_in_the_glossary() -> None:
    assert [word for word in words() if f"`{word}`" not in GLOSSARY] == []


def test_the_glossary_names_no_class_that_is_gone() -> None:
    known = {
        noun
        for name in (*NOUNS_OF, "pipeline.stage", "pipeline.loop")
        for noun in vars(importlib.import_module(name))
    }
    named = re.findall(r"`([A-Z][a-z]\w+)`", GLOSSARY)
    assert sorted(set(named) - known) == []


def test_the_glossary_has_the_seven_stages_in_order() -> None:
    rows = [f"| {step.name} | {step.chinese} | `{step.name}` |" for step in LOOP]
    places = [GLOSSARY.index(row) for row in rows]
    assert places == sorted(places)


def test_every_row_of_the_glossary_fills_its_five_columns() -> None:
    rows = [line for line in GLOSSARY.splitlines() if line.startswith("|")]
    assert [row for row in rows if len(re.findall(r"(?<!\\)\|", row)) != 6] == []


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_has_its_four_parts_in_order(page: Path) -> None:
    headings = re.findall(r"^## (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences", "Alternatives"]


def test_decisions_are_numbered_without_a_gap_and_listed() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for page in DECISIONS:
        title = page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        number, _, rest = title.partition(": ")
        assert page.name.startswith(f"{number}-")
        assert f"| [{number}]({page.name}) | {rest} |" in index


def test_the_changelog_has_an_unreleased_section() -> None:
    assert "\n## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_help_has_a_line_for_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    shown = subprocess.run(
        ["make", "--no-print-directory"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env=plain,
    ).stdout
    assert re.findall(r"^  make (\w+) +\S", shown, re.MULTILINE) == phony[1].split()


def test_the_script_of_continuous_integration_may_be_executed() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def pinned(lock: str) -> dict[str, str]:
    """Return package → exact version of a lock file; a package pinned twice is an error."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    pairs = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", text, re.MULTILINE)
    assert len({name for name, _ in pairs}) == len(pairs), f"{lock}: a package is pinned twice"
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place_to_download_from(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert not re.search(r"https?:|file:|^--?(index|extra|find|trusted)", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_of_a_lock_has_a_hash(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(pinned(lock)) > 0
    assert [entry.split("==")[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_locks_agree_and_satisfy_the_ranges_of_the_project() -> None:
    run, dev = pinned("requirements.lock"), pinned("requirements-dev.lock")
    assert {name: dev.get(name) for name in run} == run
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = settings["dependency-groups"]
    wanted = [(line, run) for line in (*settings["project"]["dependencies"], *groups["build"])]
    wanted += [(line, dev) for line in groups["dev"] if isinstance(line, str)]
    for line, lock in wanted:
        requirement = Requirement(line)
        version = lock.get(canonicalize_name(requirement.name))
        assert version is not None, f"{line}: not in the lock; run `make lock`"
        assert requirement.specifier.contains(version), f"{line}: locked {version}; run `make lock`"
