"""The router: loop order, feedback in the next pass, no echo, and an end to endless talk."""

from collections.abc import Sequence

import pytest

from pipeline.loop import Step
from pipeline.messages import Closure, Message, Milestone, Slip
from pipeline.runners.router import Router
from sensors.field import Feedback, FeedbackKind
from tests.unit.hand_stages import HandStage, closure_of, milestone_of, slip_of

NOW_MS = 1_000
FEEDBACK = Feedback("f1", "o1", "I-1", "T1", FeedbackKind.ARRIVED, 900)


def steps(*takes: type) -> list[Step]:
    return [Step(name, name, kind, "incident") for name, kind in zip("abc", takes, strict=False)]


def route(stages: Sequence[HandStage], takes: Sequence[type], *given: Message) -> list[Message]:
    router = Router({stage.name: stage for stage in stages}, steps(*takes))
    return router.run(given, NOW_MS)


def test_later_stages_hear_in_the_same_pass_and_earlier_ones_in_the_next() -> None:
    heard: list[str] = []
    a = HandStage("a", lambda one: [milestone_of(one)] if isinstance(one, Feedback) else [], heard)
    b = HandStage("b", lambda one: [closure_of(one)], heard)
    c = HandStage("c", lambda one: [slip_of(one)], heard)
    router = Router(
        {"a": a, "b": b, "c": c},
        [
            Step("a", "a", Feedback | Slip, "incident"),
            Step("b", "b", Milestone, "incident"),
            Step("c", "c", Closure, "incident"),
        ],
    )
    said = router.run([FEEDBACK], NOW_MS)
    assert [type(one).__name__ for one in said] == ["Milestone", "Closure", "Slip"]
    assert heard == [
        "a Feedback",
        "a time",
        "b Milestone",
        "b time",
        "c Closure",
        "c time",
        "a Slip",
    ]


def test_a_stage_is_never_given_its_own_output() -> None:
    heard: list[str] = []
    echo = HandStage("a", lambda one: [slip_of(one)], heard)
    said = route([echo], [Slip], slip_of(FEEDBACK))
    assert len(said) == 1
    assert heard == ["a Slip", "a time"]


def test_stages_that_take_nothing_still_hear_of_time_once() -> None:
    heard: list[str] = []
    said = route([HandStage("a", lambda one: [], heard, on_time=[slip_of(FEEDBACK)])], [Closure])
    assert said == [slip_of(FEEDBACK)]
    assert heard == ["a time"]


def test_time_is_not_told_twice_in_one_moment() -> None:
    heard: list[str] = []
    stage = HandStage("a", lambda one: [], heard, on_time=[slip_of(FEEDBACK)])
    router = Router({"a": stage}, steps(Closure))
    assert router.run([closure_of(FEEDBACK)], NOW_MS, is_time_told=False) == []
    assert heard == ["a Closure"]


def test_endless_talk_between_two_stages_is_an_error() -> None:
    ping = HandStage("a", lambda one: [closure_of(one)])
    pong = HandStage("b", lambda one: [slip_of(one)])
    with pytest.raises(RuntimeError, match="did not come to rest"):
        route([ping, pong], [Slip, Closure], slip_of(FEEDBACK))


def test_a_loop_without_one_of_its_stages_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no stage for \['b'\]"):
        Router({"a": HandStage("a", lambda one: [])}, steps(Slip, Closure))
