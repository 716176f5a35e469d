"""docs/rule-tests.md says all of the format of rule tests, and its examples run."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from api.rule_tests.document import (
    SUBJECTS,
    ActTable,
    CallTable,
    CaseTable,
    DeviceTable,
    ExpectTable,
    FileTable,
    PermitTable,
    read_tests,
)
from api.rule_tests.notation import read_series
from api.rule_tests.suite import Case, cases_of, outcome_lines, run_case
from pipeline.messages import OperatorActKind

PAGE = Path(__file__).parents[2] / "docs" / "rule-tests.md"
TEXT = PAGE.read_text("utf-8")
EXAMPLES = [
    case
    for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    for case in cases_of(PAGE, read_tests(block, str(PAGE)))
]
SERIES = re.findall(
    r"^\| `([^`]+)` \|", TEXT.partition("## Series")[2].partition("##")[0], re.MULTILINE
)
TABLES = (FileTable, CaseTable, DeviceTable, CallTable, PermitTable, ActTable, ExpectTable)


@pytest.mark.parametrize("case", EXAMPLES, ids=lambda case: case.test.name)
def test_an_example_of_the_page_holds(case: Case) -> None:
    outcome = run_case(case)
    assert outcome.is_passed, "\n".join(outcome_lines(outcome))


@pytest.mark.parametrize("text", SERIES)
def test_a_series_of_the_page_can_be_read(text: str) -> None:
    assert len(read_series(text, 300_000))


def test_the_page_has_series_and_examples() -> None:
    assert len(SERIES) == 12
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("table", TABLES)
def test_every_field_stands_on_the_page(table: type[BaseModel]) -> None:
    names = {field.alias or name for name, field in table.model_fields.items()}
    assert [name for name in sorted(names - {"tests"}) if f"`{name}`" not in TEXT] == []


def test_every_subject_and_act_stands_on_the_page() -> None:
    words = (*SUBJECTS, *(act.value for act in OperatorActKind))
    assert [word for word in words if f"`{word}`" not in TEXT] == []
