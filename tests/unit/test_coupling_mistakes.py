"""Couplings of a rule file that cannot work are refused with their place, by all who read them."""

import json
from pathlib import Path

import pytest
import yaml

from api.cli import app
from api.commands.errors import run_guarded
from api.rule_tests.sets import only
from api.warning_models import check_models
from pipeline.messages import RulesChanged, RuleText
from pipeline.rules import RuleFileError, RuleSet, default_rules, load_rules, rule_text
from pipeline.warn.coupling.registry import models_in_use
from pipeline.warn.coupling.site import Site
from pipeline.warn.stage import WarnStage
from tests.conformance.pressure_devices import START_MS, pressure_registry

HEAD = "format: 1\nextends: national\ncouplings:\n"
WET = "expression: rain.local_1h >= yellow"
WRONG = (
    ("any.crowd: {figures: {confidence: 40}}", "any.crowd.figures.confidence = 40.0", "0 to 1"),
    (f"my.own: {{{WET}, figures: {{level: 9}}}}", "level = 9.0", "a whole number, 0 to 4"),
    (f"my.own: {{{WET}, figures: {{level: 2.5}}}}", "level = 2.5", "a whole number, 0 to 4"),
    ("any.hotline: {figures: {calls: 0}}", "calls = 0.0", "a whole number, 1 or more"),
    ("gas.digging: {figures: {drop_share: 5}}", "drop_share = 5.0", "0 to 1"),
    ("my.own: {expression: rain.localh >= yellow}", "no rule 'rain.localh'", "rain.local_1h"),
    (
        f"my.own: {{{WET} and not flood.drian_fill >= yellow}}",
        "no rule 'flood.drian_fill'",
        "did you mean flood.drain_fill",
    ),
    ("my.own: {expression: rain.local_1h >= purple}", "position 18: found 'purple'", "a number"),
    ("gas.biogass: {enabled: false}", "no such warning model", "did you mean gas.biogas"),
)


def rules_with(coupling: str) -> RuleSet:
    return load_rules(f"{HEAD}  {coupling}\n", "mine.yaml")


@pytest.mark.parametrize(("coupling", "problem", "fix"), WRONG)
def test_a_wrong_coupling_is_refused_with_line_value_and_fix(
    coupling: str, problem: str, fix: str
) -> None:
    with pytest.raises(RuleFileError) as refused:
        check_models(rules_with(coupling))
    text = str(refused.value)
    assert text.startswith("mine.yaml:4: couplings.")
    assert problem in text
    assert fix in text


@pytest.mark.parametrize("coupling", [row[0] for row in WRONG])
def test_what_the_check_refuses_the_platform_refuses_and_goes_on(coupling: str) -> None:
    stage = WarnStage(pressure_registry(), default_rules())
    text = f"{HEAD}  {coupling}\n"
    stage.on_batch([RuleText("r1", text, "mine.yaml", "li", START_MS)], START_MS)
    (change,) = [one for one in stage.on_time(START_MS) if isinstance(one, RulesChanged)]
    assert not change.is_taken
    assert "mine.yaml:4: couplings." in change.reason
    assert stage.rules is default_rules()


def test_all_mistakes_of_couplings_are_told_in_the_order_of_the_file() -> None:
    body = "  " + "\n  ".join(row[0] for row in (WRONG[8], WRONG[3], WRONG[0], WRONG[5]))
    with pytest.raises(RuleFileError, match="and 3 more") as refused:
        check_models(load_rules(f"{HEAD}{body}\n", "mine.yaml"))
    assert [one.line for one in refused.value.mistakes] == [4, 5, 6, 7]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "silences: {s: {matchers: {rule: 'wter.*'}, why: x}}",
            "matchers.rule = 'wter.*': fits no",
        ),
        (
            "inhibitions: {i: {source: {rule: no.one}, target: {rule: gas.*}, equal: [], why: x}}",
            "inhibitions.i.source.rule = 'no.one': fits no rule",
        ),
        ("silences: {s: {matchers: {rule: flood.rain_level_pump}, why: x}}", ""),
    ],
)
def test_silences_are_held_against_all_rules_and_models(body: str, message: str) -> None:
    tree = yaml.safe_load(rule_text("national"))
    for key in ("couplings", *yaml.safe_load(body)):
        del tree[key]
    rules = load_rules(f"{yaml.safe_dump(tree)}\n{body}\n", "mine.yaml")
    if not message:
        check_models(rules)
        return
    with pytest.raises(RuleFileError) as refused:
        check_models(rules)
    assert message in str(refused.value)


def test_an_expression_may_name_a_rule_of_the_file_that_a_test_leaves_out() -> None:
    coupled = rules_with("my.own: {expression: water.pressure_drop >= blue or gas.flow_z >= blue}")
    rules = only(coupled, ["water.pressure_drop"])
    used = models_in_use(Site.of(pressure_registry(), None), rules)
    assert "my.own" in {one.spec.id for one in used}


def test_the_command_tells_all_of_them_in_words_and_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"{HEAD}  {WRONG[8][0]}\n  {WRONG[0][0]}\n", "utf-8")

    def check(*options: str) -> int:
        command = ["rules", "check", str(file), *options]
        return run_guarded(lambda **given: app(command, prog_name="tocsin", **given))

    assert check() == 2
    said = capsys.readouterr().err
    assert "mine.yaml:4:3: couplings.gas.biogass: no such warning model" in said
    assert "mine.yaml:5:25: couplings.any.crowd.figures.confidence = 40.0" in said
    assert check("--json") == 2
    (result,) = json.loads(capsys.readouterr().out)
    assert [(one["line"], one["fix"][:12]) for one in result["mistakes"]] == [
        (4, "did you mean"),
        (5, "give a size "),
    ]


@pytest.mark.parametrize("level", [0, 1, 4])
def test_figures_within_their_bounds_are_taken(level: int) -> None:
    figures = f"figures: {{level: {level}, confidence: 1}}"
    rules = rules_with(f"my.own: {{{WET}, {figures}}}")
    used = models_in_use(Site.of(pressure_registry(), None), rules)
    (mine,) = [one for one in used if one.spec.id == "my.own"]
    assert mine.figures["level"] == level
