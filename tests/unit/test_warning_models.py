"""Models from outside the program: entry points, files, and what a rule set names wrongly."""

from importlib.metadata import EntryPoint

import pytest

from api import warning_models
from api.warning_models import check_models, outside_models
from pipeline.errors import RuleError
from pipeline.rules import RuleSet, default_rules, load_rules
from pipeline.warn.coupling.registry import GROUP, own_models

CROWD = own_models()[0]


def rules_with(coupling: str) -> RuleSet:
    return load_rules(
        f"format: 1\nextends: national\ncouplings:\n  mine.own: {coupling}\n", "mine.yaml"
    )


def installed(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    points = (EntryPoint("own", value, GROUP),)
    monkeypatch.setattr(warning_models, "entry_points", lambda group: points)


def test_a_registered_model_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "tests.unit.test_warning_models:CROWD")
    assert [one.spec.id for one in outside_models(default_rules())] == [CROWD.spec.id]


@pytest.mark.parametrize(
    ("value", "problem"),
    [("no.such.module:X", "cannot be loaded"), ("json:dumps", "is function; register")],
)
def test_what_is_no_model_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str, problem: str
) -> None:
    installed(monkeypatch, value)
    with pytest.raises(RuleError, match=f"own = {value}: {problem}"):
        outside_models(default_rules())


@pytest.mark.parametrize(
    ("coupling", "problem"),
    [
        ("{enabled: true}", "couplings.mine.own: no such warning model"),
        ("{file: missing.onnx}", "missing.onnx: no such file"),
        (
            "{expression: water.pressure_haed >= blue}",
            "no rule 'water.pressure_haed'; did you mean water.pressure_head",
        ),
    ],
)
def test_a_coupling_of_nothing_is_refused_with_its_name(coupling: str, problem: str) -> None:
    with pytest.raises(RuleError, match=problem):
        check_models(rules_with(coupling))


def test_a_rule_whose_name_is_misspelled_is_one_mistake() -> None:
    text = "format: 1\nextends: national\nrules:\n  gas.flow_x: {thresholds: {blue: 2.5}}\n"
    with pytest.raises(RuleError, match=r"flow_x: no base has .* did you mean gas.flow_z"):
        load_rules(text, "mine.yaml")
