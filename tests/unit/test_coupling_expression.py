"""A rule expression is a warning model; a wrong one is refused with the position."""

from dataclasses import replace

import pytest

from pipeline.errors import RuleError
from pipeline.messages import ModelFinding
from pipeline.rules import default_rules
from pipeline.rules.management import Coupling
from pipeline.warn.coupling.expression import parse
from pipeline.warn.coupling.registry import listing
from sensors.levels import Level
from tests.unit.coupling_town import Street

RAIN = "rain.local_1h >= yellow and flood.drain_freeboard >= yellow within 500 m and 15 min"


def street(expression: str, **figures: float) -> Street:
    coupling = Coupling("our.rule", figures=figures, expression=expression)
    return Street(rules=replace(default_rules(), couplings=(coupling,)))


def said(street: Street) -> list[ModelFinding]:
    street.ask()
    return street.findings("our.rule")


def test_an_expression_raises_where_its_rules_stand_together() -> None:
    here = street(RAIN)
    here.alarm("RG", Level.YELLOW)
    assert said(here) == []
    here.alarm("DL", Level.ORANGE)
    assert [(one.devices, one.level) for one in said(here)] == [(("DL", "RG"), Level.RED)] * 2


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("rain.local_1h >= yellow and flood.drain_freeboard >= orange", 0),
        ("rain.local_1h >= yellow and flood.drain_freeboard >= blue within 50 m", 0),
        ("rain.local_1h >= yellow and flood.drain_freeboard >= blue within 4 min", 0),
        ("rain.local_1h >= yellow and flood.drain_freeboard >= blue within 6 min", 2),
        ("rain.local_1h > 0.5 and not gas.ch4_space >= blue", 1),
        ("rain.local_1h > 1.5", 0),
        ("gas.ch4_space >= blue or rain.local_1h >= red or flood.drain_freeboard > blue", 1),
        ("rain.local_1h <= yellow and (gas.ch4_space >= red or flood.drain_freeboard < red)", 2),
        ("rain.local_1h >= yellow and not flood.drain_freeboard >= blue", 0),
    ],
)
def test_levels_values_distance_time_or_and_not(expression: str, count: int) -> None:
    here = street(expression)
    here.alarm("RG", Level.YELLOW)
    here.ask(5)
    here.said.clear()
    here.alarm("DL", Level.YELLOW)
    standing = {one.id: one for one in (*said(here),) if one.is_on}
    before = {name for name in here.desk.state.standing if name.startswith("our.rule/")}
    assert len(before) == count, standing


def test_its_level_and_confidence_are_figures() -> None:
    here = street("rain.local_1h >= yellow", level=4, confidence=0.9)
    here.alarm("RG", Level.RED)
    [found] = said(here)
    assert (found.level, found.confidence) == (Level.BLUE, 0.9)
    [row] = [one for one in listing(here.rules) if one["id"] == "our.rule"]
    assert row["inputs"] == ["rain.local_1h"]


@pytest.mark.parametrize(
    ("text", "place", "wanted"),
    [
        ("rain.local_1h >= purple", 18, "blue, yellow, orange, red or a number"),
        ("rain >= yellow", 1, "a rule such as rain.local_1h"),
        ("rain.local_1h yellow", 15, "one of >= > <= <"),
        ("rain.local_1h >= yellow and", 28, "a rule such as"),
        ("(rain.local_1h >= yellow", 25, "`)`"),
        ("rain.local_1h >= yellow within 500 km", 36, "m or min"),
        ("rain.local_1h >= yellow within 5 m and 6 m", 42, "min"),
        ("rain.local_1h >= yellow; import os", 24, "a rule, a level"),
        ("rain.local_1h >= yellow gas.ch4_space > 1", 25, "the end"),
        ("not rain.local_1h >= yellow", 1, "at least one rule that must stand"),
    ],
)
def test_a_wrong_expression_names_position_and_fix(text: str, place: int, wanted: str) -> None:
    with pytest.raises(RuleError) as error:
        parse(text, "r.yaml: couplings.x.expression")
    assert f"r.yaml: couplings.x.expression: position {place}: " in str(error.value)
    assert wanted in str(error.value)
