"""Acceptance list of the domain reference, 9 to 12: timeliness, CAP, reports, both orders."""

from dataclasses import fields
from itertools import chain
from xml.etree import ElementTree as XmlTree

import pytest

from pipeline.assess.policy import AssessPolicy
from pipeline.assess.stage import AssessStage
from pipeline.messages import (
    OUTSIDE,
    Bulletin,
    BulletinKind,
    CaseEvaluation,
    Closure,
    Dispatch,
    Incident,
    Milestone,
    RunEvaluation,
    WarningNotice,
)
from pipeline.rules import default_rules
from sensors.field import FeedbackKind
from sensors.ground_truth import TrueKind
from sensors.levels import Level
from tests.unit.point_town import Story, at, make_stages, registry, town, truth

LIMITS = default_rules().response
ISSUE_TIMES = {"lead_time_min", "lead_time_all_min", "detection_delay_min"}
"""Figures of a run that are measured from the issue of a warning."""


def leak(*, early: bool = False, answers: bool = True) -> Story:
    """Gas in a space of three devices: one speaks first, the second confirms, a crew mends it."""
    city = town()
    policy = AssessPolicy(issue_before_assess=early)
    stages = {**make_stages(city), "assess": AssessStage(registry(), city, None, policy)}
    story = Story(city=city, stages=stages)
    story.run(10)
    story.run(4, truth("L1", TrueKind.GAS_PINHOLE, "GM9", 5000.0, 10, harm_ms=at(60)), GM9a=0.8)
    story.run(5, GM9b=0.8)
    story.run(10, GM9b=3.0)
    if answers:
        orders = list({order.team: order for order in story.orders()}.values())
        for minutes, kinds, values in (
            (5, (FeedbackKind.ARRIVED, FeedbackKind.VENTILATED), {}),
            (5, (FeedbackKind.FOUND, FeedbackKind.REPAIRED, FeedbackKind.RESTORED), {}),
            (120, (FeedbackKind.DONE,), {"GM9a": 0.0, "GM9b": 0.0}),
        ):
            feedback = [story.tell(order, *kinds, element="GM9") for order in orders]
            story.run(minutes, *chain.from_iterable(feedback), **values)
    story.run(180)
    story.finish()
    return story


@pytest.fixture(scope="module")
def late() -> Story:
    return leak()


@pytest.fixture(scope="module")
def early() -> Story:
    return leak(early=True)


def evaluation(story: Story) -> RunEvaluation:
    last = story.of(RunEvaluation)[-1]
    assert isinstance(last, RunEvaluation)
    return last


def test_an_order_kept_open_past_its_limit_is_overdue_in_the_timeliness() -> None:
    ignored = leak(answers=False)
    assert ignored.of(Closure) == []
    due = [one for one in ignored.of(Milestone) if one.clock == "onsite"]
    assert due == []  # nobody arrived: the clock never ended …
    timeliness = evaluation(ignored).timeliness
    assert timeliness is not None
    met = [one for one in ignored.of(Milestone) if one.is_in_time]
    assert 0 < timeliness < 1  # … and counts as due all the same
    late_clocks = {(one.incident, one.clock) for one in ignored.of(Milestone) if not one.is_in_time}
    assert timeliness < len(met) / (len(met) + len(late_clocks))


def test_every_cap_message_says_exercise_and_the_number_of_its_level(late: Story) -> None:
    notices = [one for one in late.of(Bulletin) if one.kind is BulletinKind.NOTICE]
    outside = [one for one in late.of(WarningNotice) if one.status in OUTSIDE]
    assert len(notices) >= len(outside) >= 2
    space = {"cap": "urn:oasis:names:tc:emergency:cap:1.2"}
    kinds = []
    for notice in notices:
        root = XmlTree.fromstring(notice.cap)
        kinds.append(root.findtext("cap:msgType", "", space))
        assert root.findtext("cap:status", "", space) == "Exercise"
        codes = root.findall(".//cap:parameter", space)
        numbers = {one.findtext("cap:value", "", space) for one in codes[:1]}
        assert numbers <= {str(level.value) for level in Level}
        assert (root.find("cap:references", space) is None) == (kinds[-1] == "Alert")
    assert (kinds[0], kinds[-1]) == ("Alert", "Cancel")
    assert "Update" in kinds


def test_reports_are_complete_and_the_flash_is_timed_from_the_issue(late: Story) -> None:
    flashes = [one for one in late.of(Bulletin) if one.kind is BulletinKind.FLASH]
    assert flashes
    for flash in flashes:
        issued = [
            one.time_ms
            for one in late.of(WarningNotice)
            if one.incident == flash.incident and one.status in OUTSIDE
        ]
        minutes = (flash.time_ms - min(issued)) / 60_000
        level = next(one for one in late.of(Incident) if one.id == flash.incident and one.version)
        assert flash.fields["report_time"].startswith(f"{minutes:.0f} min after the warning")
        assert "limit" in flash.fields["report_time"], level
    for bulletin in late.of(Bulletin):
        assert [name for name, text in bulletin.fields.items() if not text.strip()] == []


def test_both_orders_of_warning_and_assessment_differ_only_in_issue_times(
    late: Story, early: Story
) -> None:
    assert early.of(Incident) == late.of(Incident)
    assert [one.order for one in early.of(Dispatch)] == [one.order for one in late.of(Dispatch)]
    assert early.of(Closure) == late.of(Closure)
    issued = [
        min(one.time_ms for one in story.of(WarningNotice) if one.status in OUTSIDE)
        for story in (early, late)
    ]
    assert issued[0] < issued[1]
    for name in (one.name for one in fields(RunEvaluation) if one.name not in ISSUE_TIMES):
        assert getattr(evaluation(early), name) == getattr(evaluation(late), name), name
    assert len(early.of(CaseEvaluation)) == len(late.of(CaseEvaluation))
    last = [[one for one in s.of(WarningNotice) if one.incident][-1] for s in (early, late)]
    assert (last[0].status, last[0].level) == (last[1].status, last[1].level)
