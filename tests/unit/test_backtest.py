"""Rules tried on a recording: figures, comparison, margins, why-not, tuning."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from api.backtest.compare import compare, load_of
from api.backtest.figures import figure_of, figures_of, variant
from api.backtest.margins import margins
from api.backtest.plots import plot_comparison, plot_front
from api.backtest.signals import Course
from api.backtest.tuning import Range, Trial, choices, tune, with_front
from api.backtest.why_not import explain_miss, explanation_text
from api.backtest.writing import comparison_text, trials_text, write_differences, write_trials
from api.commands.errors import run_guarded
from api.replaying.source import Recording, replay_detection
from pipeline.errors import RuleError
from pipeline.rules import Hold, default_rules
from sensors.levels import Level
from tests.unit.detection_runs import recorded

DROP = "water.pressure_drop"
DEAF = {f"thresholds.{one.colour}": 5.0 - one / 10 for one in Level}
"""A pressure drop that is never reached."""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backtest") / "short"
    recorded(folder)
    return folder


@pytest.fixture(scope="module")
def deaf(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a rule file under which pressure tells nothing below the mildest threshold."""
    file = tmp_path_factory.mktemp("rules") / "deaf.yaml"
    text = variant("", DROP, DEAF).fragment + "  water.pressure_z: {enabled: false}\n"
    file.write_text(text + "  water.pressure_head: {enabled: false}\n", "utf-8")
    return str(file)


def test_a_fragment_says_what_was_tried_and_reads_back() -> None:
    changed = variant("", DROP, {"thresholds.yellow": 0.06, "clear_consecutive": 4})
    rule = changed.rules.rules[DROP]
    assert (rule.thresholds[Level.YELLOW], rule.clear_consecutive) == (0.06, 4)
    assert rule.thresholds[Level.RED] == default_rules().rules[DROP].thresholds[Level.RED]
    assert changed.fragment.startswith("format: 1\nextends: national\n")


def test_every_figure_of_every_rule_can_be_put_back_as_it_is() -> None:
    for rule in default_rules().rules.values():
        for path in figures_of(rule):
            if path.startswith("signal."):
                continue
            again = variant("", rule.id, {path: figure_of(rule, path)}).rules.rules[rule.id]
            assert figure_of(again, path) == figure_of(rule, path)


@pytest.mark.parametrize(
    ("rule", "figures", "told"),
    [
        ("water.nothing", {}, "no rule"),
        (DROP, {"thresholds.mauve": 1.0}, "has no figure"),
        (DROP, {"thresholds.yellow": 0.5}, "thresholds"),
    ],
)
def test_wrong_figures_are_refused(rule: str, figures: dict[str, float], told: str) -> None:
    with pytest.raises(RuleError, match=told):
        variant("", rule, figures)


def test_a_backtest_says_what_is_gone(recording: Path, deaf: str, tmp_path: Path) -> None:
    opened = Recording.open(recording)
    ticks = list(opened.ticks())
    now = replay_detection(opened, ticks=ticks)
    then = replay_detection(opened, variant(deaf, DROP, {}).rules, ticks=ticks)
    same, told = compare("short", now, now), compare("short", now, then)
    assert set(same.counts("alarm")) == set(same.counts("incident")) == {"same"}
    assert told.scores["found"] == (1.0, 0.0)
    assert told.counts("incident") == {"gone": 1}
    assert told.load[0].per_hour > told.load[1].per_hour
    text = comparison_text(told, ("now", "deaf"))
    assert "| pod | 1 | 0 |" in text
    assert len(write_differences(told, tmp_path / "t.csv").read_text().splitlines()) > 1
    files = plot_comparison(told, tmp_path / "short")
    assert [file.suffix for file in files if file.stat().st_size > 1000] == [".svg", ".png"]


def test_load_counts_what_is_announced_in_spans_of_ten_minutes() -> None:
    from api.backtest.compare import AlarmCourse

    told = [AlarmCourse(f"D{i}", "r", 60_000 + i, None, Level.BLUE, i != 0) for i in range(13)]
    load = load_of(told, 0, 3_600_000)
    assert load.spans == (12, 0, 0, 0, 0, 0)
    assert (load.worst_10min, load.per_hour, load.flood_share) == (12, 12.0, round(1 / 6, 4))


def test_margins_tell_samples_held_and_the_threshold_that_would_do() -> None:
    rule = replace(default_rules().rules["gas.ch4_space"], holds={Level.YELLOW: Hold(2, 3)})
    signal = np.broadcast_to(np.array([0.1, 1.2, 0.3, 0.8, 0.2]), (4, 5))
    limits = np.array([np.nan, 1.0, np.nan, np.nan])
    course = Course(np.arange(5) * 60_000, signal, limits)
    (one,) = margins(rule, "M1", course, 0, 240_000)
    assert (one.reached, one.reached_ms, one.held, one.needed) == (1.2, 60_000, 1, 2)
    assert one.short == pytest.approx(-0.2)
    assert one.sustained == 0.8
    assert margins(rule, "M1", course, 300_000, 400_000) == ()


def test_margins_of_a_lasting_violation_look_at_its_time() -> None:
    rule = replace(default_rules().rules["gas.ch4_space"], holds={}, holds_s={Level.YELLOW: 120.0})
    signal = np.broadcast_to(np.array([0.1, 1.2, 1.1, 0.7, 0.2]), (4, 5))
    course = Course(np.arange(5) * 60_000, signal, np.array([np.nan, 1.0, np.nan, np.nan]))
    (one,) = margins(rule, "M1", course, 0, 240_000)
    assert (one.held_s, one.needed_s, one.sustained) == (60.0, 120.0, 0.7)


def test_why_not_finds_the_change_that_catches_the_miss(recording: Path, deaf: str) -> None:
    told = explain_miss(recording, "B1", deaf)
    assert told.lost_at.startswith("warn")
    assert told.best is not None
    assert told.best.is_caught
    assert told.best.rule == DROP
    near = next(one for one in told.margins if one.rule == DROP)
    assert 0.0 < near.reached < near.limit
    assert "Smallest change that catches it" in explanation_text(told)
    caught = variant(deaf, DROP, {told.best.figure: told.best.after})
    again = replay_detection(Recording.open(recording), caught.rules)
    assert again.evaluation is not None
    assert "B1" in again.evaluation.matches


def test_why_not_names_the_events_there_are(recording: Path) -> None:
    with pytest.raises(RuleError, match="it has B1"):
        explain_miss(recording, "B7")


def test_a_sweep_finds_where_the_event_is_lost(recording: Path, tmp_path: Path) -> None:
    path = "thresholds.blue"
    asked = [{path: 0.01}, {path: 0.5}]
    trials = tune([recording], "", DROP, asked)
    assert [one.is_now for one in trials] == [True, False, False]
    assert trials[2].refused
    assert trials[1].alarms >= trials[0].alarms
    assert "refused" in trials_text(trials)
    assert write_trials(trials, tmp_path / "t.csv").read_text().count("\n") == 4
    assert all(file.is_file() for file in plot_front(trials, tmp_path / "front", "t"))


def test_the_front_holds_what_nothing_beats() -> None:
    counts = [(9, 1, 0, 10), (9, 1, 0, 20), (10, 0, 5, 30), (8, 2, 1, 5)]
    trials = [Trial({}, hits, misses, false, alarms) for hits, misses, false, alarms in counts]
    assert [one.is_best for one in with_front(trials)] == [True, False, True, False]


def test_choices_are_a_grid_or_draws_that_repeat() -> None:
    ranges = [Range("a", 0.0, 1.0, 3), Range("b", 5.0, 6.0, 2)]
    assert len(choices(ranges)) == 6
    assert choices(ranges)[0] == {"a": 0.0, "b": 5.0}
    drawn = choices(ranges, random=4)
    assert drawn == choices(ranges, random=4)
    assert all(0.0 <= one["a"] <= 1.0 and 5.0 <= one["b"] <= 6.0 for one in drawn)


def test_unpaired_ranges_are_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    from api.commands.backtest import tune as command

    app = typer.Typer()
    app.command()(command)
    words = ["x", "--rule", DROP, "--figure", "deadband", "--from", "1", "--to", "2", "--to", "3"]
    assert run_guarded(lambda standalone_mode: app(words, standalone_mode=standalone_mode)) == 2
    assert "--figure, --from and --to" in capsys.readouterr().err
