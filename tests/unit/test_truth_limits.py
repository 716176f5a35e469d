"""What counts as true: the file that comes with the program, its ladders and its errors."""

import numpy as np
import pytest

from sensors.ground_truth import TrueKind
from sensors.levels import Level
from simulator.errors import ScenarioError
from simulator.hazards.figures import figures, parse_figures
from simulator.incidents.limits import Ladder, parse_limits, truth_limits


def test_every_kind_but_device_faults_says_who_can_see_it() -> None:
    assert set(truth_limits().sight) == set(TrueKind) - {TrueKind.DEVICE_FAULT}


@pytest.mark.parametrize(
    ("value", "level"),
    [(0.4, None), (0.5, Level.BLUE), (1.0, Level.YELLOW), (3.9, Level.ORANGE), (4.0, Level.RED)],
)
def test_a_rising_ladder_is_reached_from_its_limit_on(value: float, level: Level | None) -> None:
    assert truth_limits().methane_vol.level(value) is level


@pytest.mark.parametrize(
    ("value", "level"),
    [(0.11, None), (0.1, Level.BLUE), (0.06, Level.YELLOW), (0.0, Level.RED), (np.nan, None)],
)
def test_a_falling_ladder_is_reached_from_its_limit_down(value: float, level: Level | None) -> None:
    assert truth_limits().fire_pressure_mpa.level(value) is level


def test_a_ladder_that_turns_back_is_refused() -> None:
    with pytest.raises(ValueError, match="must rise or fall from blue to red"):
        Ladder(blue=1, yellow=3, orange=2, red=4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("format: 1", r"mine.yaml: detectable_sigmas: Field required"),
        ("format: [", r"mine.yaml: not valid YAML"),
        ("3", r"mine.yaml: \(top\): .* \(got 3\)"),
    ],
)
def test_a_file_that_does_not_fit_is_named_with_its_key(text: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        parse_limits(text, "mine.yaml")
    with pytest.raises(ScenarioError, match=r"mine\.yaml: "):
        parse_figures(text, "mine.yaml")


def test_the_figures_of_crews_and_couplings_come_with_the_program() -> None:
    assert figures().mobile_pump_m3_h > 0
