"""In a large network cases take turns, so that no moment does the work of a whole hour."""

from pipeline.assess.cases import Case
from pipeline.assess.policy import AssessPolicy
from pipeline.assess.stage import AssessStage
from pipeline.messages import Location
from sensors.levels import Level
from tests.unit.assess_town import LinearModel, at, registry, street


def stage_with(cases: int, policy: AssessPolicy) -> AssessStage:
    stage = AssessStage(registry(), street(), LinearModel(), policy)
    for number in range(cases):
        stage._state.cases[f"I-{number}"] = Case(
            id=f"I-{number}",
            area="A",
            domain="water",
            opened_ms=at(0),
            onset_ms=at(0),
            newest_raised_ms=at(0),
            evidence_level=Level.BLUE,
            level=Level.BLUE,
            location=Location((), (), 0.0, 0.0, "first_alarm"),
        )
    return stage


def test_cases_of_a_large_network_take_turns_and_none_is_forgotten() -> None:
    stage = stage_with(5, AssessPolicy(max_pipes=0, looks_at_once=2))
    turns = [stage._turn(at(minute)) for minute in range(5)]
    assert all(turn is not None and len(turn) == 2 for turn in turns)
    seen = [case for turn in turns for case in turn or ()]
    assert {case: seen.count(case) for case in set(seen)} == {f"I-{n}": 2 for n in range(5)}


def test_few_cases_and_small_networks_wait_for_nobody() -> None:
    assert stage_with(2, AssessPolicy(max_pipes=0, looks_at_once=2))._turn(at(0)) is None
    assert stage_with(9, AssessPolicy(looks_at_once=2))._turn(at(0)) is None
