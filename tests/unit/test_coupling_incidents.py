"""What warning models find, as incidents: earlier, surer, at the right level, never twice."""

import random
from dataclasses import replace

import pytest

from pipeline.assess.consequence import Corroboration
from pipeline.assess.findings import consequence_with, level_with
from pipeline.messages import (
    OUTSIDE,
    Alarm,
    Cause,
    FindingEffect,
    Incident,
    IncidentStatus,
    ModelFinding,
    WarningNotice,
)
from pipeline.rules import default_rules
from pipeline.warn.coupling.registry import without
from sensors.field import HotlineReport
from sensors.levels import Level
from tests.unit.coupling_town import Street
from tests.unit.point_town import Story, at, make_stages, town

BLUE, YELLOW, ORANGE, RED = Level.BLUE, Level.YELLOW, Level.ORANGE, Level.RED
NONE = Corroboration(kinds_agree=False, is_lone_and_doubtful=False)
LONE = Corroboration(kinds_agree=False, is_lone_and_doubtful=True)
MODEL = "flood.rain_level_pump"


def storm(*, is_coupled: bool = True, wet: float = 8.0, water: float = 40.0) -> Story:
    """Rain and full drains from minute 10, a wet underpass from 20, water there from 30 on."""
    rules = default_rules() if is_coupled else without(default_rules(), MODEL)
    story = Story(town(), stages=make_stages(town(), rules))
    story.run(10)
    story.run(10, FG2=90.0, FM3=0.8)
    story.run(10, FU1=wet)
    story.run(10, FU1=water)
    return story


def about_underpass(story: Story) -> list[Incident]:
    return [one for one in story.of(Incident) if "D-FU1" in one.devices]


def test_forecast_opens_a_confirmed_incident_before_water_stands() -> None:
    coupled, single = about_underpass(storm()), about_underpass(storm(is_coupled=False))
    first = next(one for one in coupled if one.status is IncidentStatus.CONFIRMED)
    late = next(one for one in single if one.status is IncidentStatus.CONFIRMED)
    assert (first.reason, first.cause, first.confidence) == ("ponding_forecast", Cause.PONDING, 0.6)
    assert "forecast_nothing_measured_yet" in first.adjustments
    assert first.time_ms < at(30) <= late.time_ms


def test_measured_water_joins_the_forecast_incident() -> None:
    versions = about_underpass(storm())
    assert len({one.id for one in versions}) == 1
    assert "forecast_nothing_measured_yet" not in versions[-1].adjustments
    assert versions[-1].confidence >= 0.9


def test_forecast_that_does_not_come_true_ends_without_water() -> None:
    story = storm(water=0.0)
    story.run(100, FM3=2.5, every=5)
    assert "water_gone" in about_underpass(story)[-1].adjustments


def test_forecast_for_a_dip_that_stays_dry_is_an_alarm_and_no_warning() -> None:
    story = storm(wet=3.0, water=3.0)
    assert {one.rule for one in story.of(Alarm) if one.device == "D-FU1"} == {MODEL}
    statuses = {one.status for one in about_underpass(story)}
    assert statuses <= {IncidentStatus.ASSESSING, IncidentStatus.DISMISSED}
    told = {one.incident for one in story.of(WarningNotice) if one.status in OUTSIDE}
    assert not told & {one.id for one in about_underpass(story)}


def smell(story: Story, calls: int) -> None:
    """Let so many people tell of gas beside GM1 within a minute."""
    told = [
        HotlineReport(f"C{n}", at(10), at(10), "gas_smell", "A", 90.0 + 5 * n, 0.0)
        for n in range(calls)
    ]
    story.run(3, *told)


def test_a_few_calls_alone_tell_nobody_and_leave_nothing() -> None:
    story = Story()
    story.run(10)
    smell(story, 3)
    assert [one.status for one in story.incidents()] == [IncidentStatus.ASSESSING]
    story.run(60)
    assert [one.status for one in story.incidents()] == [IncidentStatus.DISMISSED]
    assert not [one for one in story.of(WarningNotice) if one.status in OUTSIDE]
    assert not story.orders()


@pytest.mark.parametrize(("calls", "methane"), [(3, 0.3), (6, 0.0)])
def test_calls_open_a_gas_incident_with_a_foul_space_or_with_as_many_again(
    calls: int, methane: float
) -> None:
    story = Story()
    story.run(10, GM2=methane)
    smell(story, calls)
    [incident] = story.incidents()
    assert (incident.status, incident.cause) == (IncidentStatus.CONFIRMED, Cause.GAS_LEAK)
    assert incident.reason == "citizens_tell"


def rising(rain_mm_min: float, cm_min: float = 1.4) -> Story:
    """Water that rises at a dip until 14.5 cm, below the limit of its depth, under rain."""
    story = Story()
    story.run(10)
    for minute in range(12):
        story.run(1, FS1=min(14.5, cm_min * minute), FG1=12.0 + rain_mm_min * minute)
    return story


def test_a_trend_alone_is_not_told_and_one_under_rain_is() -> None:
    def confirmed(story: Story) -> list[Incident]:
        versions = [one for one in story.of(Incident) if "D-FS1" in one.devices]
        return [one for one in versions if one.status is IncidentStatus.CONFIRMED]

    alone = rising(0.0)
    assert [one.rule for one in alone.of(Alarm) if one.device == "D-FS1"][:1] == [
        "flood.eta_closure"
    ]
    assert confirmed(alone) == []
    assert confirmed(rising(4.0))[0].reason == "ponding_forecast"
    assert confirmed(rising(4.0, cm_min=0.7)) == []  # half an hour is as far as a trend looks


def test_coupled_forecast_beats_every_single_signal() -> None:
    """Half of the cases pond; rain on empty drains and drains full on a dry day do not."""
    draw = random.Random(11)
    score = {"coupled": [0, 0, 0], "rain": [0, 0, 0], "drains": [0, 0, 0]}
    for _ in range(40):
        rains, full = draw.random() < 0.7, draw.random() < 0.7
        street = Street()
        if rains:
            street.alarm("RG", YELLOW)
        if full:
            street.alarm("DL", YELLOW)
        said = [one.rule for one in street.ask() if not isinstance(one, ModelFinding)]
        ponds = rains and full
        for name, warns in (("coupled", MODEL in said), ("rain", rains), ("drains", full)):
            score[name][0] += ponds and warns
            score[name][1] += ponds and not warns
            score[name][2] += warns and not ponds
    csi = {name: hits / (hits + missed + false) for name, (hits, missed, false) in score.items()}
    assert csi["coupled"] == 1.0
    assert csi["coupled"] > max(csi["rain"], csi["drains"]) + 0.1


def finding(effect: FindingEffect, level: Level, **changes: object) -> ModelFinding:
    made = ModelFinding(
        id="m/e/0",
        model="m",
        version="1",
        domain="gas",
        area="A",
        effect=effect,
        level=level,
        devices=("D",),
        elements=("e",),
        cause="",
        value=float("nan"),
        unit="",
        confidence=0.8,
        evidence=(),
        x_m=0.0,
        y_m=0.0,
        is_on=True,
        time_ms=0,
        reason="because",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("evidence", "consequence", "findings", "level", "names"),
    [
        (YELLOW, 1, [], YELLOW, ()),
        (YELLOW, 1, [finding(FindingEffect.RAISE, ORANGE)], ORANGE, ("m",)),
        (YELLOW, 5, [finding(FindingEffect.RAISE, ORANGE)], ORANGE, ("high_consequence", "m")),
        (BLUE, 1, [finding(FindingEffect.RAISE, ORANGE)], ORANGE, ("m",)),
        (RED, 1, [finding(FindingEffect.RAISE, ORANGE)], RED, ()),
        (ORANGE, 1, [finding(FindingEffect.HOLD, BLUE)], BLUE, ("m",)),
        (YELLOW, 2, [finding(FindingEffect.LOWER, BLUE, value=2.0)], BLUE,
         ("one_uncorroborated_doubtful_sensor", "m")),
        (YELLOW, 3, [finding(FindingEffect.LOWER, BLUE, value=2.0)], YELLOW, ()),
        (RED, 1, [finding(FindingEffect.LOWER, ORANGE)], RED, ("red_never_lowered",)),
        (YELLOW, 1, [finding(FindingEffect.LOWER, BLUE), finding(FindingEffect.RAISE, ORANGE)],
         ORANGE, ("m",)),
        (YELLOW, 1, [finding(FindingEffect.EXPLAIN, YELLOW)], YELLOW, ()),
        (YELLOW, 1, [finding(FindingEffect.CONSEQUENCE, YELLOW)], YELLOW, ("m",)),
    ],
)  # fmt: skip
def test_effects_move_the_level_one_step_and_are_named(
    evidence: Level,
    consequence: int,
    findings: list[ModelFinding],
    level: Level,
    names: tuple[str, ...],
) -> None:
    assert level_with(evidence, consequence, NONE, findings) == (level, names)


def test_what_a_model_raises_a_doubtful_device_does_not_lower() -> None:
    raising = [finding(FindingEffect.RAISE, ORANGE)]
    assert level_with(YELLOW, 1, LONE, raising) == (ORANGE, ("m",))
    assert level_with(YELLOW, 1, LONE, [])[0] is BLUE


@pytest.mark.parametrize(("consequence", "higher"), [(1, 2), (3, 4), (5, 5)])
def test_a_crowd_adds_one_to_the_consequence(consequence: int, higher: int) -> None:
    crowd = [finding(FindingEffect.CONSEQUENCE, YELLOW)]
    assert consequence_with(consequence, crowd) == higher
    assert consequence_with(consequence, []) == consequence
