"""Water on roads, full drains, rain and fire water: one incident each, pumps, closed roads."""

import pytest

from pipeline.messages import Bulletin, Cause, CitizenTold, Closure, Dispatch, IncidentStatus, Slip
from sensors.field import Act, FeedbackKind, HotlineReport, WorkOrder
from sensors.ground_truth import TrueKind
from sensors.levels import Level
from tests.unit.point_town import Story, at, town, truth


def wet(minutes: int = 4, **values: float) -> Story:
    story = Story()
    story.run(10)
    story.run(minutes, **values)
    return story


def lead_of(story: Story) -> WorkOrder:
    return next(order for order in reversed(story.orders()) if order.team == "T-flood")


def test_standing_water_is_ponding_at_its_spot() -> None:
    [incident] = wet(FS1=20).incidents()
    assert (incident.cause, incident.level) == (Cause.PONDING, Level.BLUE)
    assert incident.location.candidates == ("FS1",)
    assert (incident.location.x_m, incident.domain) == (2000.0, "flood")


def test_each_spot_is_an_incident_of_its_own() -> None:
    assert [one.location.candidates for one in wet(FS1=20, FS2=20).incidents()] == [
        ("FS1",),
        ("FS2",),
    ]


@pytest.mark.parametrize("runs", [True, False])
def test_pump_measured_standing_is_named_first(runs: bool) -> None:
    [incident] = wet(5, FU1=12, FP1=float(runs)).incidents()
    if runs:
        assert (incident.cause, incident.location.candidates) == (Cause.PONDING, ("FU1",))
    else:
        assert incident.cause is Cause.PUMP_STOPPED
        assert incident.location.candidates == ("FP1", "FU1")
    assert incident.location.x_m == 2600.0


def test_pump_that_waits_for_its_well_is_not_held_to_have_failed() -> None:
    story = wet(3, FU1=12, FP1=0)
    story.run(20, FP1=1)
    assert story.incidents()[0].cause is Cause.PONDING


def test_pump_that_stops_later_changes_the_cause_and_the_order() -> None:
    story = wet(FU1=12, FP1=1)
    assert lead_of(story).acts[0] is Act.CLEAR_INLET
    story.run(4, FP1=0)
    assert story.incidents()[0].cause is Cause.PUMP_STOPPED
    assert lead_of(story).acts[0] is Act.START_PUMP
    assert lead_of(story).targets == ("FP1", "FU1")


def test_silent_pump_says_nothing() -> None:
    story = Story()
    story.run(10)
    story.silence("FP1")
    story.run(60, every=20)
    story.run(4, FU1=12)
    assert story.incidents()[0].cause is Cause.PONDING


@pytest.mark.parametrize(
    ("spot", "depth_cm", "is_closed"),
    [("FU1", 24, False), ("FU1", 25, True), ("FS1", 29, False), ("FS1", 30, True)],
)
def test_road_is_closed_at_its_depth_whatever_the_colour(
    spot: str, depth_cm: float, is_closed: bool
) -> None:
    story = wet(FP1=1, **{spot: depth_cm})
    closing = [order for order in story.orders() if order.acts == (Act.CLOSE_ROAD,)]
    assert [order.targets for order in closing] == ([(spot,)] if is_closed else [])


def test_case_is_closed_when_the_water_is_gone_and_what_was_set_up_is_taken_away() -> None:
    story = wet(FU1=30, FP1=1)
    [closing] = [order for order in story.orders() if order.acts == (Act.CLOSE_ROAD,)]
    lead = lead_of(story)
    story.run(
        2,
        *story.tell(closing, FeedbackKind.ROAD_CLOSED, FeedbackKind.DONE),
        *story.tell(lead, FeedbackKind.PUMPING, FeedbackKind.DONE),
    )
    story.run(40, FU1=7)  # no alarm any more, yet no dry road
    assert story.of(Closure) == []
    assert Act.REOPEN not in [act for order in story.orders() for act in order.acts]
    story.run(3, FU1=1)
    reopening = story.orders()[-1]
    assert (reopening.acts, reopening.targets) == ((Act.REOPEN,), ("FU1",))
    story.run(30)
    assert story.of(Closure) == []
    story.run(15, *story.tell(reopening, FeedbackKind.REOPENED, FeedbackKind.DONE))
    assert [one.reason for one in story.of(Closure)] == ["done_and_recovered"]


def test_water_that_deepens_after_the_pumps_were_set_up_brings_more_help() -> None:
    story = wet(FU1=16, FP1=1)
    story.run(2, *story.tell(lead_of(story), FeedbackKind.PUMPING, FeedbackKind.DONE))
    story.run(4, FU1=60)
    assert {"T-flood", "T-police", "T-fire"} == {order.team for order in story.orders()}
    assert len([order for order in story.orders() if order.team == "T-flood"]) == 2


def test_full_drains_of_an_area_are_one_blue_notice_that_sends_nobody() -> None:
    story = wet(FM1=0.0, FM2=0.1, FM3=0.1)
    assert [(one.cause, one.level, one.area) for one in story.incidents()] == [
        (Cause.SURCHARGE, Level.BLUE, "A"),
        (Cause.SURCHARGE, Level.BLUE, "B"),
    ]
    story.run(300, every=5)
    story.run(60, FM1=2.5, FM2=2.5, FM3=2.5)
    assert story.of(Dispatch) == []
    assert [slip for slip in story.of(Slip) if slip.clock == "dispatch"] == []
    assert [one.reason for one in story.of(Closure)] == ["notice_over"] * 2


def test_a_storm_over_the_city_is_one_incident_and_keeps_its_colour() -> None:
    story = Story()
    story.run(70, every=5, FG1=12, FG2=12)
    for step in range(12):
        story.run(5, every=5, FG1=12 + 9 * step, FG2=12 + 5 * step)
    [incident] = story.incidents()
    assert (incident.cause, incident.domain) == (Cause.STORM, "rain")
    assert incident.level is Level.ORANGE
    assert set(incident.devices) == {"D-FG1", "D-FG2"}
    assert story.orders() == []


def test_low_hydrant_pressure_is_fire_water_in_its_building() -> None:
    story = wet(H1=0.06)
    [incident] = story.incidents()
    assert (incident.cause, incident.domain) == (Cause.FIRE_WATER, "fire")
    assert incident.location.candidates == ("H1",)
    assert [order.team for order in story.orders()] == ["T-fire"]


def test_people_near_by_make_an_incident_worse() -> None:
    story = Story(town(people=60_000.0))
    story.run(10)
    story.run(3, GM1=1.2)
    [incident] = story.incidents()
    assert (incident.level, incident.consequence) == (Level.ORANGE, 5)
    assert incident.households == pytest.approx(180_000 / 2.62, abs=0.1)


def test_old_alarm_opens_nothing_after_the_closure() -> None:
    story = wet(FS1=20)
    story.run(2, *story.tell(lead_of(story), FeedbackKind.DONE))
    story.run(60, FS1=0)
    assert story.incidents()[0].status is IncidentStatus.CLOSED
    story.run(4, FS1=20)
    assert len(story.incidents()) == 2  # a new fact


def test_scores_take_each_spot_for_itself_and_leave_notices_out() -> None:
    story = Story()
    flood, spots = TrueKind.PONDING, (("FS1", 2000.0), ("FS2", 2300.0))
    true = [truth(f"P-{spot}", flood, spot, x_m, 8.0) for spot, x_m in spots]
    storm = truth("S", TrueKind.STORM, "FG1", 0.0, 0.0, is_hazard=False)
    story.run(10, *true, storm)
    story.run(4, FS2=20, FM1=0.0)
    story.run(4, FS1=20)
    story.finish()
    run = next(m for m in reversed(story.said) if type(m).__name__ == "RunEvaluation")
    assert (run.found, run.missed, run.false) == (2, 0, 0)
    assert run.location_error_m == pytest.approx(5.0)  # devices hang 5 m beside their spots
    summary = story.of(Bulletin)[-1].markdown
    assert "| drains and flooding | 3 | 0 | 2 | 0 | 0 |" in summary
    assert "no hazard claimed" in summary


def test_citizens_are_heard_near_open_cases_before_and_after_they_open() -> None:
    def call(name: str, x_m: float, minute: float) -> HotlineReport:
        return HotlineReport(name, at(minute - 2), at(minute), "road_flooded", "A", x_m, 0.0)

    story = Story()
    story.run(10)
    story.run(4, call("C1", 2100.0, 10), call("C2", 5000.0, 10), FS1=20)
    story.run(3, call("C3", 1900.0, 14))
    told = {one.call: one for one in story.of(CitizenTold)}
    case = story.incidents()[0].id
    assert [told[name].incident for name in ("C1", "C2", "C3")] == ["", "", case]
    assert (told["C3"].reason, told["C3"].actor) == ("call_near_case", "hotline")
    flash, *_ = [one for one in story.of(Bulletin) if one.incident == case]
    assert "flood" in flash.fields["domain"]
    story.run(2, *story.tell(lead_of(story), FeedbackKind.DONE))
    story.run(60, FS1=0)
    words = "A citizen told the hotline of a flooded road near by"
    assert max(one.markdown.count(words) for one in story.of(Bulletin)) == 2
