"""Coupled rules against single signals: the arithmetic of the table, and one real comparison."""

from pathlib import Path

import pytest

from api.detection.coupled import (
    BEST,
    COUPLED,
    PLAIN,
    Standing,
    Trial,
    coupled_scenarios,
    markdown,
    only,
    read_trials,
    run_trials,
    standings,
)
from api.library import find_scenario
from pipeline.rules import default_rules

SCENARIOS = (str(Path(__file__).resolve().parent.parent / "data" / "short-coupled.yaml"),)


def trial(scenario: str, seed: int, variant: str, hits: int, false: int, missed: int) -> Trial:
    return Trial(scenario, seed, "r 1", variant, hits, false, missed)


def by_name(trials: list[Trial]) -> dict[str, Standing]:
    return {one.variant: one for one in standings(trials)}


def test_a_rule_that_says_nothing_in_a_world_missed_all_of_it() -> None:
    trials = [
        trial("a", 1, COUPLED, 2, 0, 0),
        trial("a", 1, PLAIN, 2, 1, 0),
        trial("a", 1, "only r", 1, 0, 1),
        trial("b", 1, COUPLED, 1, 0, 1),
        trial("b", 1, PLAIN, 1, 0, 1),
        trial("b", 1, "only s", 1, 1, 1),
    ]
    found = by_name(trials)
    assert (found["only r"].hits, found["only r"].missed) == (1, 3)
    assert found["only r"].by_scenario == {"a": 0.5, "b": 0.0}
    best = found[BEST]
    assert (best.hits, best.false, best.missed) == (2, 1, 2)  # r in a, s in b
    assert best.by_scenario == {"a": 0.5, "b": pytest.approx(1 / 3)}
    assert found[COUPLED].csi.value == pytest.approx(3 / 4)
    assert [one.variant for one in standings(trials)][:3] == [COUPLED, PLAIN, BEST]
    assert "| only r | 1 | 0 | 3 | 0.25 | 0.50 | 0.00 |" in markdown(standings(trials), "t")


def test_the_scenarios_are_in_the_library() -> None:
    for name in coupled_scenarios():
        assert find_scenario(name).scenario.name == name


def test_a_single_signal_has_one_rule_and_no_coupling() -> None:
    alone = only(default_rules(), "flood.drain_fill")
    assert list(alone.rules) == ["flood.drain_fill"]
    assert not any(one.is_on for one in alone.couplings)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "coupled.jsonl"
    file.write_text("[]\n{}\n[")
    with pytest.raises(ValueError, match="line 2"):
        read_trials(file)


@pytest.mark.timeout(180)
def test_coupled_rules_beat_the_best_single_signal(tmp_path: Path) -> None:
    """Two worlds; `tocsin bench coupled` measures all of them."""
    file, told = tmp_path / "coupled.jsonl", []
    trials = run_trials(SCENARIOS, (1, 2), default_rules(), file, told.append)
    assert len(told) == 2
    found = by_name(trials)
    for seed in (1, 2):
        here = by_name([one for one in trials if one.seed == seed])
        assert (here[COUPLED].csi.value or 0) >= (here[BEST].csi.value or 0)
    assert (found[COUPLED].csi.value or 0) > (found[BEST].csi.value or 0)
    again = run_trials(SCENARIOS, (1, 2), default_rules(), file, told.append)
    assert len(told) == 2  # nothing is made twice
    assert again == trials
