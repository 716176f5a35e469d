"""Warnings in their versions: who lets them out, how they rise, how slowly they fall."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.assess.policy import AssessPolicy
from pipeline.assess.stage import AssessStage
from pipeline.messages import (
    KEPT_FROM_ASSESS,
    OUTSIDE,
    Alarm,
    AlarmState,
    Held,
    Incident,
    Message,
    OperatorAct,
    OperatorActKind,
    WarningNotice,
    WarningStatus,
)
from pipeline.rules import Approval
from sensors.levels import Level
from tests.conformance.stage_properties import Outputs, same_after_restart, same_in_any_batching
from tests.unit.assess_town import (
    FLOW_NUMBER,
    LinearModel,
    alarm,
    at,
    draft,
    leak_signature,
    normal,
    registry,
    samples,
    street,
)

ONSET = 15
WARNING = f"W-A-water-{at(ONSET)}"
CASE = f"I-A-{at(ONSET)}"
PERSON, WAITS = Approval(False), Approval(False, 10.0)
Script = Mapping[int, Sequence[Message]]


def raised(minute: int, level: Level, state: AlarmState = AlarmState.CHANGED) -> Alarm:
    return alarm(2, minute, state, level, raised=ONSET)


def burst(level: Level = Level.YELLOW, **later: Message) -> dict[int, list[Message]]:
    """A burst whose alarm opens at a level; `later` are messages by minute, as `m30`."""
    first = alarm(2, ONSET, AlarmState.RAISED, level)
    script: dict[int, list[Message]] = {ONSET: [first, draft(ONSET, first)]}
    for name, message in later.items():
        script.setdefault(int(name.split("_")[0][1:]), []).append(message)
    return script


def act(kind: OperatorActKind, minute: float, why: str = "", name: str = "") -> OperatorAct:
    return OperatorAct(name or f"{kind}-{minute}", kind, WARNING, "Chief Li", why, at(minute))


def ticks(script: Script, minutes: int, seen: int = ONSET) -> list[tuple[int, list[Message]]]:
    """A leak with the flow meter silent, so that no second kind of sensor raises the level."""
    leak = leak_signature("P4") * 150.0
    leak[FLOW_NUMBER] = np.nan
    return [
        (at(m), [samples(normal() + (leak if m >= seen else leak * 0.0), m), *script.get(m, [])])
        for m in range(minutes + 1)
    ]


def make_stage(
    approval: Mapping[Level, Approval] | None = None, *, early: bool = False
) -> AssessStage:
    policy = AssessPolicy(issue_before_assess=early)
    return AssessStage(registry(), street(), LinearModel(), policy, approval=approval)


def play(
    script: Script,
    approval: Mapping[Level, Approval] | None = None,
    minutes: int = 60,
    *,
    early: bool = False,
    seen: int = ONSET,
) -> list[Message]:
    stage, said = make_stage(approval, early=early), []
    for now_ms, messages in ticks(script, minutes, seen):
        said += [*stage.on_batch(messages, now_ms), *stage.on_time(now_ms)]
    return list(said)


def versions(said: Sequence[Message]) -> list[WarningNotice]:
    return [one for one in said if isinstance(one, WarningNotice) and one.id == WARNING]


def incidents(said: Sequence[Message]) -> list[Incident]:
    return [one for one in said if isinstance(one, Incident)]


def told(said: Sequence[Message]) -> list[tuple[str, Level]]:
    return [(one.status.value, one.level) for one in versions(said)]


APPROVE, REJECT, CANCEL = OperatorActKind.APPROVE, OperatorActKind.REJECT, OperatorActKind.CANCEL
CLEARED = AlarmState.CLEARED
YELLOW, ORANGE, RED, BLUE = Level.YELLOW, Level.ORANGE, Level.RED, Level.BLUE


# --- rising and falling ---


def test_a_worse_alarm_raises_the_warning_at_once() -> None:
    said = play(burst(m30=raised(30, RED)), minutes=40)
    assert told(said) == [("issued", YELLOW), ("upgraded", RED)]
    assert versions(said)[1].time_ms == at(30)


def test_a_warning_falls_one_level_at_a_time_once_its_alarm_has_eased() -> None:
    said = play(burst(ORANGE, m30=raised(30, BLUE)), minutes=50)
    assert told(said) == [("issued", ORANGE), ("downgraded", YELLOW), ("downgraded", BLUE)]
    first, second = versions(said)[1:]
    assert (first.time_ms, second.time_ms) == (at(30), at(35))
    assert first.reason == "evidence_eased"


def test_a_warning_rises_again_when_its_alarm_comes_back() -> None:
    said = play(burst(ORANGE, m30=raised(30, YELLOW), m32=raised(32, ORANGE)), minutes=50)
    assert told(said) == [("issued", ORANGE), ("downgraded", YELLOW), ("upgraded", ORANGE)]


def test_the_incident_keeps_its_level_while_the_warning_falls() -> None:
    said = play(burst(ORANGE, m30=raised(30, BLUE)), minutes=50)
    assert {one.level for one in incidents(said)} == {ORANGE}


def test_red_waits_for_a_person_and_falls_when_one_agrees() -> None:
    script = burst(RED, m30=raised(30, YELLOW))
    assert told(play(script, minutes=90)) == [("issued", RED), ("awaiting_approval", ORANGE)]
    script[40] = [act(APPROVE, 40)]
    said = play(script, minutes=44)
    assert told(said)[2:] == [("downgraded", ORANGE)]
    assert versions(said)[-1].actor == "Chief Li"


def test_red_falls_for_no_simulated_authority() -> None:
    script = burst(RED, m30=raised(30, YELLOW))
    said = play(script, {level: Approval(False, 0.0) for level in Level}, minutes=90)
    outside = [one for one in versions(said) if one.status in OUTSIDE]
    assert {one.level for one in outside} == {RED}


def test_a_person_may_keep_red() -> None:
    script = burst(RED, m30=raised(30, YELLOW), m40=act(REJECT, 40, "crew not there yet"))
    said = play(script, minutes=120)
    assert told(said)[2:] == [("updated", RED)]
    assert versions(said)[-1].reason == "rejected: crew not there yet"


@pytest.mark.parametrize("held", sorted(KEPT_FROM_ASSESS))
def test_an_alarm_shelved_after_it_opened_the_case_is_followed_to_its_end(held: Held) -> None:
    cleared = replace(raised(30, ORANGE, CLEARED), held=held.value)
    said = play(burst(ORANGE, m30=cleared), minutes=50)
    assert told(said)[1:] == [("downgraded", YELLOW), ("downgraded", BLUE)]
    shelved = {ONSET: [replace(raised(ONSET, ORANGE, AlarmState.RAISED), held=held.value)]}
    assert incidents(play(shelved, minutes=30)) == []


# --- approval ---


def test_an_authority_that_answers_nothing_holds_the_warning_back() -> None:
    said = play(burst(ORANGE), {ORANGE: PERSON}, minutes=120)
    assert told(said) == [("awaiting_approval", ORANGE)]
    assert incidents(said)[-1].status == "confirmed"


def test_a_simulated_authority_answers_after_its_minutes() -> None:
    first, second = versions(play(burst(ORANGE), {ORANGE: WAITS}, minutes=120))
    assert (first.status, second.status) == ("awaiting_approval", "issued")
    assert second.time_ms - first.time_ms == 10 * 60_000
    assert second.actor == "simulated authority"
    assert (first.version, second.version) == (2, 3)


def test_a_person_approves_before_the_simulated_authority_does() -> None:
    script = burst(ORANGE, m25=act(APPROVE, 25), m26=act(APPROVE, 25))
    last = versions(play(script, {ORANGE: WAITS}, minutes=120))
    assert [(one.status.value, one.actor) for one in last[1:]] == [("issued", "Chief Li")]
    assert last[1].time_ms == at(25)


def test_a_raise_waits_for_the_authority_of_its_level_and_what_is_out_stands() -> None:
    script = burst(m30=raised(30, RED), m50=act(APPROVE, 50))
    said = play(script, {RED: PERSON}, minutes=60)
    assert told(said) == [("issued", YELLOW), ("awaiting_approval", RED), ("upgraded", RED)]


def test_a_raise_that_eases_before_it_is_approved_is_dropped() -> None:
    script = burst(m30=raised(30, RED), m32=raised(32, YELLOW), m50=act(APPROVE, 50))
    said = play(script, {RED: PERSON}, minutes=60)
    assert told(said)[2:] == [("updated", YELLOW)]


def test_a_rejected_warning_is_cancelled_with_the_reason_and_not_asked_for_again() -> None:
    script = burst(ORANGE, m25=act(REJECT, 25, "drill in the street"))
    said = play(script, {ORANGE: PERSON}, minutes=120)
    assert told(said) == [("awaiting_approval", ORANGE), ("cancelled", ORANGE)]
    assert versions(said)[-1].reason == "rejected: drill in the street"


def test_a_rejected_warning_is_asked_for_again_when_it_gets_worse() -> None:
    script = burst(ORANGE, m25=act(REJECT, 25), m40=raised(40, RED))
    said = play(script, {ORANGE: PERSON, RED: PERSON}, minutes=120)
    assert told(said)[2:] == [("awaiting_approval", RED)]


def test_a_person_cancels_what_is_out_once() -> None:
    script = burst(ORANGE, m30=act(CANCEL, 30, "pump test"), m31=act(CANCEL, 31))
    said = play(script, minutes=60)
    assert told(said) == [("issued", ORANGE), ("cancelled", ORANGE)]
    assert versions(said)[-1].actor == "Chief Li"


def test_acts_about_nothing_that_waits_change_nothing() -> None:
    acts = {m: [act(kind, m)] for m, kind in ((5, APPROVE), (16, REJECT), (40, APPROVE))}
    plain = play(burst(), minutes=50)
    assert told(play({**acts, **burst()}, minutes=50)) == told(plain)


# --- properties ---


def test_versions_rise_by_one_and_nothing_is_out_twice() -> None:
    script = burst(ORANGE, m30=raised(30, BLUE), m45=raised(45, RED), m50=act(APPROVE, 50))
    script[58] = [raised(58, RED, CLEARED)]
    said = versions(play(script, {RED: PERSON, ORANGE: WAITS}, minutes=90))
    assert [one.version for one in said] == list(range(2, len(said) + 2))
    assert len({(one.id, one.version) for one in said}) == len(said) >= 5


LEVELS = st.sampled_from(list(Level))
KINDS = st.sampled_from([APPROVE, REJECT, CANCEL])
MOVES = st.lists(st.tuples(st.integers(20, 55), st.one_of(LEVELS, KINDS)), max_size=6)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(list(Level)), MOVES)
def test_no_level_falls_by_two_nor_from_red_without_a_person(
    first: Level, moves: list[tuple[int, Level | OperatorActKind]]
) -> None:
    script = burst(first)
    for number, (minute, move) in enumerate(moves):
        one = (
            raised(minute, move) if isinstance(move, Level) else act(move, minute, "", f"a{number}")
        )
        script.setdefault(minute, []).append(one)
    said = versions(play(script, {ORANGE: WAITS, RED: WAITS}, minutes=60))
    outside = [one for one in said if one.status in OUTSIDE or one.status == "cancelled"]
    for before, after in pairwise(outside):
        if WarningStatus.CANCELLED in (before.status, after.status):
            continue
        assert after.level - before.level <= 1
        if before.level is RED and after.level is not RED:
            assert after.actor == "Chief Li"


@pytest.mark.parametrize("check", [same_in_any_batching, same_after_restart])
def test_batching_and_restarts_change_no_version(check: Callable[..., Outputs]) -> None:
    script = burst(ORANGE, m25=act(APPROVE, 25), m30=raised(30, RED), m31=act(REJECT, 31, "no"))
    script[40] = [raised(40, BLUE)]
    said = check(lambda: make_stage({ORANGE: PERSON, RED: PERSON}), ticks(script, 60))
    assert len(told([one for tick in said for one in tick])) >= 5


# --- both orders of warning and assessment (acceptance 12 of the domain reference) ---


def test_both_orders_differ_only_in_when_the_warning_is_issued() -> None:
    script = burst(YELLOW, m30=raised(30, ORANGE))
    late, early = (play(script, early=is_early, seen=ONSET + 3) for is_early in (False, True))
    assert incidents(early) == incidents(late)
    assert versions(early)[0].time_ms < versions(late)[0].time_ms
    assert told(early)[-1] == told(late)[-1] == ("upgraded", ORANGE)
