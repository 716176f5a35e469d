"""Which rules a backtest, a tuning and a missed incident are looked at with, and what to paste."""

import shutil
from pathlib import Path

import pytest
import typer

from api.backtest.figures import base_of, variant
from api.backtest.why_not import explain_miss, explanation_text
from api.commands.backtest import backtest, tune
from api.commands.errors import run_guarded
from api.replaying.source import Recording
from pipeline.rules import RuleSet, default_rules, load_rules
from pipeline.rules.load import mistakes, shipped_sets
from sensors.levels import Level
from tests.unit.detection_runs import recorded

DROP = "water.pressure_drop"
DEAF = f"""\
format: 1
extends: national
city: harbour
rules:
  water.pressure_z: {{enabled: false}}
  water.pressure_head: {{enabled: false}}
  {DROP}: {{thresholds: {{blue: 4.6, yellow: 4.7, orange: 4.8, red: 4.9}}}}
"""
"""The rules of a city that hears no drop of pressure."""
OWN = """\
format: 1
extends: national
city: harbour
silences:
  night: {matchers: {rule: "gas.*"}, why: works, begins: 22:00, ends: 06:30}
rules:
  water.pressure_head: {deadband: 1e-2}
"""
"""Times of the day and a number that YAML 1.1 reads as something else."""


@pytest.fixture(scope="module")
def missed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording that says it was made with rules that hear nothing."""
    folder = tmp_path_factory.mktemp("backtest") / "short"
    recorded(folder)
    (folder / "rules.yaml").write_text(DEAF, "utf-8")
    return folder


def tuned(*words: str) -> int:
    app = typer.Typer()
    app.command()(tune)
    given = ["no-recording", "--rule", DROP, *words]
    return run_guarded(lambda standalone_mode: app(given, standalone_mode=standalone_mode))


def pasted(file: str, fragment: str) -> RuleSet:
    """Return the rules of a file into which a fragment was put, below its rules."""
    assert fragment.startswith("# put this into ")
    rules = fragment.partition("rules:\n")[2]
    return load_rules(f"{file.rstrip()}\n{rules}", "pasted")


def test_a_miss_is_looked_at_with_the_rules_of_its_recording(missed: Path) -> None:
    told = explain_miss(missed, "B1")
    assert not told.found_by
    assert told.best is not None
    text = explanation_text(told)
    assert "Rules: the recording's own rules (national-" in text
    assert f"# put this into the file {missed / 'rules.yaml'} is a copy of\nrules:\n" in text
    again = explain_miss(missed, "B1", "national")
    assert again.found_by
    assert "Rules: national." in explanation_text(again)


def test_a_backtest_compares_with_the_rules_of_the_recording(
    missed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backtest([missed])
    said = capsys.readouterr().out
    assert "A is the recording's own rules (national-" in said
    assert "| found | 0 | 1 |" in said


def test_a_recording_that_does_not_say_its_rules_is_looked_at_with_the_default(
    missed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(missed, folder, ignore=shutil.ignore_patterns("rules.yaml"))
    base = base_of(Recording.open(folder))
    assert (base.name, base.rules) == ("", default_rules())
    assert "does not say its rules" in base.words
    (folder / "rules.yaml").write_text(default_rules().text, "utf-8")
    assert base_of(Recording.open(folder)).name == "national"


@pytest.mark.parametrize("base", shipped_sets())
def test_the_fragment_for_a_shipped_set_is_a_rule_file(base: str) -> None:
    fragment = variant(base, DROP, {"thresholds.blue": 0.02}).fragment
    assert mistakes(fragment, "fragment") == []
    assert load_rules(fragment, "fragment").rules[DROP].thresholds[Level.BLUE] == 0.02


def test_the_fragment_for_a_file_is_put_into_that_file(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(OWN, "utf-8")
    changed = variant(str(file), DROP, {"thresholds.blue": 0.02, "clear_consecutive": 4})
    rules = pasted(OWN, changed.fragment).rules
    assert str(file) in changed.fragment.splitlines()[0]
    assert rules == changed.rules.rules
    assert (rules[DROP].thresholds[Level.BLUE], rules[DROP].clear_consecutive) == (0.02, 4)


def test_figures_of_a_file_are_changed_as_the_project_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(OWN, "utf-8")
    changed = variant(str(file), "water.pressure_head", {"clear_consecutive": 7}).rules
    rule, (silence, *_) = changed.rules["water.pressure_head"], changed.silences
    assert (rule.deadband, rule.clear_consecutive) == (0.01, 7)
    assert silence == load_rules(OWN, "own").silences[0]


def test_a_file_in_the_older_form_is_tuned_too(tmp_path: Path) -> None:
    file = tmp_path / "old.yaml"
    old = f"extends: national\nrules:\n- id: {DROP}\n  deadband: 0.02\n"
    file.write_text(old, "utf-8")
    changed = variant(str(file), DROP, {"clear_consecutive": 5})
    rule = changed.rules.rules[DROP]
    assert (rule.deadband, rule.clear_consecutive) == (0.02, 5)
    assert f"- {{id: {DROP}, clear_consecutive: 5}}" in changed.fragment
    other = variant(str(file), "water.pressure_head", {"clear_consecutive": 5}).rules
    assert other.rules["water.pressure_head"].clear_consecutive == 5


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--figure thresholds.bleu --from 1 --to 2", "has no figure 'thresholds.bleu'; it has"),
        ("--figure deadband --from nan --to 2", "deadband: --from = nan: no finite number"),
        ("--figure deadband --from 1 --to inf", "deadband: --to = inf: no finite number"),
        (
            "--figure deadband --from 1 --to 2 --figure deadband --from 3 --to 4",
            "--figure = 'deadband': given twice",
        ),
    ],
)
def test_what_cannot_be_tuned_is_refused_before_a_recording_is_read(
    words: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tuned(*words.split()) == 2
    assert says in capsys.readouterr().err
