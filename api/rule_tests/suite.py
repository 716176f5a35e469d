"""Runs files of rule tests and reports them: text, JSON and JUnit."""

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from api.rule_tests.document import CaseTable, FileTable, is_rule_file, load_tests
from api.rule_tests.expect import Failure, failures_of, timeline
from api.rule_tests.invariants import broken_invariant
from api.rule_tests.play import Progress, play
from api.rule_tests.sets import only, rules_of
from pipeline.errors import RuleError
from pipeline.rules import RuleSet

SUFFIXES = (".yaml", ".yml", ".json")
_XML = re.compile(r"[ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Case:
    """One test of a file, with what its file says for all."""

    file: Path
    test: CaseTable

    @property
    def where(self) -> str:
        """File and name, for messages."""
        return f"{self.file}: {self.test.name}"

    def rules(self) -> RuleSet:
        """Return the rules it is about."""
        return only(rules_of(self.test.rules, self.file), self.test.only)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test went.

    Attributes:
        case: The test.
        failures: Expectations that were not met.
        error: What was wrong with the test itself, empty for nothing.
        readings: Readings that were played.
        seconds: Wall-clock time it took.
        timeline: What was said, one line each; only kept for tests that failed.
    """

    case: Case
    failures: tuple[Failure, ...]
    error: str
    readings: int
    seconds: float
    timeline: tuple[str, ...]

    @property
    def is_passed(self) -> bool:
        """Whether all is as expected."""
        return not self.failures and not self.error


def files_in(paths: Sequence[Path]) -> list[Path]:
    """Return the test files named, and those in folders named; RuleError when there is none.

    Rule files that lie in a folder beside its tests are left out.
    """
    found: list[Path] = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*") if one.suffix in SUFFIXES)
            inside = [one for one in inside if not is_rule_file(one)]
        elif not path.is_file():
            raise RuleError(f"{path}: no such file or folder; name a file of rule tests")
        found += inside
    if not found:
        named = ", ".join(str(path) for path in paths)
        raise RuleError(f"{named}: no file of rule tests (*.yaml); name one")
    return found


def cases_of(file: Path, table: FileTable) -> list[Case]:
    """Return the tests of a file; RuleError when two have one name."""
    cases: list[Case] = []
    names: set[str] = set()
    common = ("rules", "only", "interval", "tolerance", "seed", "start_ms", "utc_offset")
    for test in table.tests:
        if test.name in names:
            raise RuleError(f"{file}: tests: name = {test.name!r}: used twice; rename one")
        names.add(test.name)
        given = {name: getattr(table, name) for name in common if getattr(test, name) is None}
        cases.append(Case(file, test.model_copy(update=given)))
    return cases


def load_cases(paths: Sequence[Path], chosen: str = "") -> list[Case]:
    """Return the tests of files and folders whose file or name has `chosen` in it."""
    cases = [case for file in files_in(paths) for case in cases_of(file, load_tests(file))]
    return [case for case in cases if chosen.lower() in case.where.lower()]


def run_case(case: Case, progress: Progress | None = None) -> Outcome:
    """Play a test and judge it."""
    began = time.perf_counter()
    try:
        played = play(case.test, case.rules(), case.where, progress=progress)
        failures = tuple(failures_of(case.test, played, case.where))
        if case.test.invariants:
            broken = broken_invariant(case.test, case.rules(), case.where)
            failures += (Failure(0, "invariants", broken),) if broken else ()
    except RuleError as error:
        return Outcome(case, (), str(error), 0, time.perf_counter() - began, ())
    said = tuple(timeline(played)) if failures else ()
    return Outcome(case, failures, "", played.readings, time.perf_counter() - began, said)


def outcome_lines(outcome: Outcome) -> Iterator[str]:
    """Yield what a person wants to read of a test that failed."""
    yield f"FAIL {outcome.case.where}"
    if outcome.error:
        yield f"  {outcome.error}"
    for failure in outcome.failures:
        yield f"  expect {failure.number}: {failure.wanted}"
        for line in failure.got.splitlines():
            yield f"    {line}"


def outcomes_json(outcomes: Sequence[Outcome]) -> str:
    """Return outcomes as one JSON object."""
    tests = [
        {
            "file": str(outcome.case.file),
            "name": outcome.case.test.name,
            "passed": outcome.is_passed,
            "readings": outcome.readings,
            "seconds": round(outcome.seconds, 4),
            "error": outcome.error,
            "failures": [
                {"expect": one.number, "wanted": one.wanted, "got": one.got}
                for one in outcome.failures
            ],
            "timeline": list(outcome.timeline),
        }
        for outcome in outcomes
    ]
    failed = sum(not outcome.is_passed for outcome in outcomes)
    return json.dumps({"tests": len(tests), "failed": failed, "results": tests}, indent=1)


def write_junit(outcomes: Sequence[Outcome], file: Path) -> None:
    """Write outcomes as JUnit XML: a suite a file, a case a test."""
    root = ElementTree.Element("testsuites", name="tocsin rules test")
    suites: dict[Path, ElementTree.Element] = {}
    for outcome in outcomes:
        of_file = outcome.case.file
        if of_file not in suites:
            mine = [one for one in outcomes if one.case.file == of_file]
            suites[of_file] = ElementTree.SubElement(
                root,
                "testsuite",
                name=_xml(str(of_file)),
                tests=str(len(mine)),
                failures=str(sum(bool(one.failures) for one in mine)),
                errors=str(sum(bool(one.error) for one in mine)),
                time=f"{sum(one.seconds for one in mine):.3f}",
            )
        case = ElementTree.SubElement(
            suites[of_file],
            "testcase",
            name=_xml(outcome.case.test.name),
            classname=_xml(of_file.stem),
            time=f"{outcome.seconds:.3f}",
        )
        text = "\n".join(outcome_lines(outcome))
        if outcome.error:
            ElementTree.SubElement(case, "error", message=_xml(outcome.error)).text = _xml(text)
        elif outcome.failures:
            message = f"{len(outcome.failures)} of {len(outcome.case.test.expect)} expectations"
            ElementTree.SubElement(case, "failure", message=message).text = _xml(text)
    ElementTree.indent(root)
    file.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)


def _xml(text: str) -> str:
    """Return text without the characters XML 1.0 cannot carry."""
    return "".join(char for char in text if char in "\t\n" or _XML.match(char))
