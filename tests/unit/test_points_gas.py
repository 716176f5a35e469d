"""Gas from the first methane to the closed case: leak or biogas, which pipe, who goes."""

import pytest

from pipeline.messages import (
    OUTSIDE,
    Cause,
    Closure,
    DeviceHealth,
    HealthKind,
    Incident,
    IncidentStatus,
    Mark,
    WarningNotice,
)
from sensors.field import Act, FeedbackKind
from sensors.levels import Level
from tests.unit.point_town import Story, at, town

LEAK = (Act.INSPECT, Act.VENTILATE, Act.ISOLATE, Act.REPAIR, Act.RESTORE)


def leak(**values: float) -> Story:
    story = Story()
    story.run(10)
    story.run(4, **values)
    return story


def test_methane_in_one_space_is_a_leak_near_it() -> None:
    [incident] = leak(GM1=1.2).incidents()
    assert (incident.status, incident.cause) == (IncidentStatus.CONFIRMED, Cause.GAS_LEAK)
    assert (incident.level, incident.domain) == (Level.YELLOW, "gas")
    assert incident.location.candidates == ("G0", "G1", "GM1")
    assert (incident.location.x_m, incident.location.y_m) == (100.0, 0.0)


def test_foul_valve_well_is_the_first_candidate() -> None:
    [incident] = leak(GV1=1.2).incidents()
    assert incident.location.candidates[0] == "GV1"
    assert incident.location.candidates[1] == "G1"


def test_pipe_between_foul_spaces_comes_first_and_a_clean_one_speaks_against_it() -> None:
    [incident] = leak(GM1=0.6, GM2=3.0).incidents()
    assert incident.location.candidates[0] == "G0"
    assert 100.0 < incident.location.x_m < 180.0
    assert incident.confidence > leak(GM1=1.2).incidents()[0].confidence


def test_spaces_within_150_m_are_one_incident_and_a_far_one_another() -> None:
    story = leak(GM1=1.2)
    story.run(10, GM2=1.2)
    story.run(10, GM3=1.2)
    near, far = story.incidents()
    assert set(near.devices) == {"D-GM1", "D-GM2"}
    assert far.devices == ("D-GM3",)


def test_spaces_at_both_ends_of_one_pipe_are_one_incident_unless_one_between_is_clean() -> None:
    story = leak(GM1=1.2)  # GV1 stands 200 m away, and GM2 between them on the same pipe
    story.run(10, GV1=1.2)
    assert len(story.incidents()) == 2
    story = leak(GM1=1.2, GM2=0.4)
    story.run(10, GV1=1.2)
    assert len(story.incidents()) == 1


def test_later_space_of_another_hour_is_another_incident() -> None:
    story = leak(GM1=1.2)
    story.run(70)
    story.run(4, GM2=1.2)
    assert len(story.incidents()) == 2


def test_methane_in_a_station_weighs_as_its_share_by_volume() -> None:
    [incident] = leak(GS1=22.0).incidents()
    assert (incident.cause, incident.level) == (Cause.GAS_LEAK, Level.YELLOW)
    assert incident.location.candidates[0] == "G7"


def test_pressure_that_falls_with_methane_makes_it_worse_and_surer() -> None:
    story = leak(GM1=1.2)
    story.run(5, GJ1=2.1)
    [incident] = story.incidents()
    assert incident.adjustments == ("gas.leak_neighbours",)
    assert incident.level is Level.ORANGE


def test_pressure_alone_is_a_leak_whose_place_is_the_lowest_pressure() -> None:
    [incident] = leak(GJ8=1.2).incidents()
    assert (incident.cause, incident.location.method) == (Cause.GAS_LEAK, "lowest_gas_pressure")
    assert incident.location.candidates[0] == "G7"


def test_pressure_that_falls_after_the_team_came_makes_nothing_worse() -> None:
    story = leak(GM1=1.2)
    [order] = story.orders()
    story.run(5, *story.tell(order, FeedbackKind.ARRIVED))
    story.run(10, GJ1=0.0)
    [incident] = story.incidents()
    assert "D-GJ1" in incident.devices
    assert incident.level is Level.ORANGE  # two kinds agree, but not red as the pressure alone


def slow(element: str, then: float = 0.9) -> Story:
    """Methane that needs eight hours from clean air to the limit, at a normal sampling rate."""
    story = Story()
    for step in range(17):
        story.run(30, every=30, **{element: 0.05 + step * 0.03})
    story.run(90, every=30, **{element: then})
    return story


def test_slow_rise_in_one_sewer_is_biogas_held_at_blue_and_patrolled() -> None:
    story = slow("GM3", then=1.4)
    [incident] = story.incidents()
    assert (incident.cause, incident.level) == (Cause.BIOGAS, Level.BLUE)
    assert incident.adjustments == ("held_as_biogas",)
    assert incident.location.candidates[0] == "GM3"
    assert [order.acts for order in story.orders()] == [(Act.INSPECT,)]


def test_slow_rise_in_a_valve_well_is_a_leak() -> None:
    assert slow("GV1").incidents()[0].cause is Cause.GAS_LEAK


def creep(hours: float, last: float = 21.0, device: str = "GS1") -> Story:
    """Methane of one room that creeps up to 18 %LEL, hour by hour, and then to `last`."""
    story = Story()
    for step in range(round(hours) + 1):
        story.run(60, every=30, **{device: 18.0 * step / hours})
    story.run(10, every=1, **{device: last})
    return story


def test_methane_that_creeps_up_for_a_day_at_one_station_is_a_device_fault_and_no_warning() -> None:
    story = creep(24)
    assert {(one.status, one.cause, one.reason) for one in story.of(Incident)[-1:]} == {
        (IncidentStatus.DISMISSED, Cause.DEVICE_FAULT, "slow_rise_of_one_device")
    }
    assert not [one for one in story.of(WarningNotice) if one.status in OUTSIDE]
    assert not story.orders()


@pytest.mark.parametrize(
    ("hours", "last"), [(9, 21.0), (24, 45.0), (24, 60.0)], ids=["faster", "leapt", "red"]
)
def test_methane_of_a_station_that_rose_within_hours_leapt_or_is_red_is_a_leak(
    hours: float, last: float
) -> None:
    assert creep(hours, last).incidents()[-1].cause is Cause.GAS_LEAK


def test_methane_that_was_always_there_is_no_biogas_while_its_rise_is_unknown() -> None:
    story = Story()
    story.run(120, every=30, GM1=0.9)
    assert story.incidents()[0].cause is Cause.GAS_LEAK


def test_biogas_becomes_a_leak_with_a_second_space() -> None:
    story = slow("GM1")
    assert story.incidents()[0].cause is Cause.BIOGAS
    story.run(30, every=30, GM2=0.4)
    assert story.incidents()[0].cause is Cause.BIOGAS  # one sample may be noise
    story.run(30, every=30, GM2=0.4)
    [incident] = story.incidents()
    assert (incident.cause, incident.level) == (Cause.GAS_LEAK, Level.BLUE)
    assert story.orders()[-1].acts == LEAK


def test_patrol_that_finds_a_pipe_is_followed_up_and_one_that_finds_sewage_is_not() -> None:
    for found, orders in (("G4", 2), ("GM3", 1)):
        story = slow("GM3")
        patrol = story.orders()[0]
        story.run(1, *story.tell(patrol, FeedbackKind.ARRIVED))
        story.run(1, *story.tell(patrol, FeedbackKind.FOUND, element=found))
        story.run(2, *story.tell(patrol, FeedbackKind.DONE))
        assert len(story.orders()) == orders
        if orders == 2:
            assert story.orders()[-1].acts == LEAK


def test_doubtful_device_is_a_fault_when_it_has_not_come_good_in_time() -> None:
    skew = DeviceHealth("D-GM1", "A", HealthKind.SKEW, True, at(10), "test")
    good = DeviceHealth("D-GM1", "A", HealthKind.SKEW, False, at(20), "test")
    story = Story()
    story.run(10)
    story.run(10, skew, GM1=1.2)
    assert [one.status for one in story.incidents()] == [IncidentStatus.ASSESSING]
    story.run(20)
    [incident] = story.incidents()
    assert (incident.status, incident.cause) == (IncidentStatus.DISMISSED, Cause.DEVICE_FAULT)
    assert story.orders() == []
    story = Story()
    story.run(10)
    story.run(10, skew, GM1=1.2)
    story.run(1, good)
    assert story.incidents()[0].cause is Cause.GAS_LEAK


@pytest.mark.parametrize(
    ("value", "teams"),
    [
        (1.2, {"T-gas"}),
        (2.6, {"T-gas", "T-police", "T-fire"}),
        (4.5, {"T-gas", "T-police", "T-fire", "T-medical"}),
    ],
)
def test_more_forces_go_at_worse_levels(value: float, teams: set[str]) -> None:
    story = leak(GM1=value)
    assert {order.team for order in story.orders()} == teams
    lead = story.orders()[0]
    airs_too = len(teams) == 1  # where the fire crew airs, the gas crew goes for the valves
    assert lead.acts == (LEAK if airs_too else tuple(act for act in LEAK if act != Act.VENTILATE))
    assert {"onsite", "contain", "close"} == set(lead.due_ms)


def test_spaces_are_aired_and_not_pipes() -> None:
    orders = {order.team: order for order in leak(GM1=2.6).orders()}
    assert orders["T-fire"].targets == ("GM1",)


def test_nobody_is_sent_to_air_a_pipe() -> None:
    story = leak(GJ8=1.2)  # pressure alone: no space is known to be foul
    assert story.incidents()[0].level is Level.RED
    acts = [act for order in story.orders() for act in order.acts]
    assert Act.REPAIR in acts
    assert Act.VENTILATE not in acts


def test_pressure_all_over_the_city_at_one_moment_is_one_leak() -> None:
    story = leak(GJ1=1.2, GJ8=1.5, GM1=3.0)
    assert len(story.incidents()) == 1


def test_city_without_a_gas_team_sends_who_can_repair_and_says_so() -> None:
    story = Story(town({"T1": ("water", "repair", "inspect")}))
    story.run(10)
    story.run(3, GM1=1.2)
    assert [(order.team, order.reason) for order in story.orders()] == [("T1", "stand_in")]


def test_case_closes_when_the_leak_is_mended_and_the_air_is_clean() -> None:
    story = leak(GM1=1.2)
    [order] = story.orders()
    kinds = (FeedbackKind.ARRIVED, FeedbackKind.VENTILATED)
    story.run(5, *story.tell(order, *kinds, element="GM1"))
    contained = [m for m in story.said if getattr(m, "clock", "") == "contain"]
    assert [one.is_in_time for one in contained] == [True]
    kinds = (FeedbackKind.FOUND, FeedbackKind.ISOLATED, FeedbackKind.REPAIRED)
    story.run(5, *story.tell(order, *kinds, FeedbackKind.RESTORED, element="G0"))
    story.run(30, *story.tell(order, FeedbackKind.DONE))
    assert story.of(Closure) == []  # the space is still foul
    story.run(30, GM1=0.0)
    assert [closure.reason for closure in story.of(Closure)] == ["done_and_recovered"]
    assert story.incidents()[0].status is IncidentStatus.CLOSED


def test_versions_follow_each_other_and_never_get_milder() -> None:
    story = leak(GM1=1.2)
    story.run(10, GM1=4.5)
    story.run(20, GM1=0.0)
    versions = story.of(Incident)
    assert [one.version for one in versions] == list(range(1, len(versions) + 1))
    confirmed = [one.level for one in versions if one.status is IncidentStatus.CONFIRMED]
    assert confirmed == sorted(confirmed, reverse=True)
    assert versions[0].time_ms == at(11)
    assert not any(mark in one.adjustments for one in versions for mark in Mark)


def test_one_of_three_devices_in_a_space_is_outvoted_and_nobody_is_sent() -> None:
    story = leak(GM9a=0.8)
    assert [one.status for one in story.incidents()] == [IncidentStatus.ASSESSING]
    story.run(65)
    [incident] = story.incidents()
    assert (incident.status, incident.cause) == (IncidentStatus.DISMISSED, Cause.DEVICE_FAULT)
    assert incident.reason == "neighbours_contradict_device"
    assert story.orders() == []


def test_second_device_in_the_same_space_confirms_the_first() -> None:
    story = leak(GM9a=0.8)
    story.run(5, GM9b=0.8)
    [incident] = story.incidents()
    assert (incident.status, incident.cause) == (IncidentStatus.CONFIRMED, Cause.GAS_LEAK)


def test_two_of_three_that_are_silent_outvote_nobody() -> None:
    story = Story()
    story.run(10)
    for element in ("GM9b", "GM9c"):
        story.silence(element)
    story.run(300)
    for value in (0.6, 0.65, 0.7, 0.75, 0.8):
        story.run(1, GM9a=value)
    [incident] = story.incidents()
    assert (incident.status, incident.cause) == (IncidentStatus.CONFIRMED, Cause.GAS_LEAK)


def test_gas_that_comes_and_goes_with_clean_air_between_is_a_noisy_device() -> None:
    story = leak(GM3=0.7)
    for _ in range(15):
        story.run(1, GM3=0.02)
        story.run(4, GM3=0.6)
    assert [one.status for one in story.incidents()] == [IncidentStatus.DISMISSED]
    assert story.incidents()[0].cause is Cause.DEVICE_FAULT
    assert story.orders() == []


@pytest.mark.parametrize("is_noisy", [True, False])
def test_two_high_samples_of_a_device_that_jumped_about_before_are_no_leak(is_noisy: bool) -> None:
    story = Story()
    story.run(10)
    for value in (0.6, 0.02, 0.7, 0.0, 0.4, 0.05) if is_noisy else (0.02, 0.0, 0.05):
        story.run(1, GM3=value)
    story.run(1, GM3=1.7)
    story.run(1, GM3=1.1)
    [incident] = story.incidents()
    if is_noisy:
        assert incident.status is IncidentStatus.ASSESSING
        story.run(30, GM3=0.6)
        [incident] = story.incidents()
        assert (incident.status, incident.cause) == (IncidentStatus.DISMISSED, Cause.DEVICE_FAULT)
        assert story.orders() == []
    else:
        assert (incident.status, incident.cause) == (IncidentStatus.CONFIRMED, Cause.GAS_LEAK)


def test_mild_gas_that_rises_is_told_once_four_samples_agree() -> None:
    story = Story()
    story.run(10)
    for value in (0.52, 0.57, 0.62):
        story.run(1, GM3=value)
    assert [one.status for one in story.incidents()] == [IncidentStatus.ASSESSING]
    for value in (0.67, 0.72):
        story.run(1, GM3=value)
    [incident] = story.incidents()
    assert (incident.status, incident.cause) == (IncidentStatus.CONFIRMED, Cause.GAS_LEAK)


def steady() -> Story:
    """Methane of one space that leaps to a value below yellow and stays there."""
    story = Story()
    story.run(10)
    story.run(8, GM1=0.7)
    return story


def test_mild_gas_that_does_not_rise_is_patrolled_and_claims_no_leak() -> None:
    story = steady()
    assert [one.status for one in story.incidents()] == [IncidentStatus.ASSESSING]
    story.run(1)
    [incident] = story.incidents()
    assert (incident.cause, incident.level) == (Cause.STEADY_METHANE, Level.BLUE)
    assert incident.reason == "methane_does_not_rise"
    assert incident.adjustments == ("held_for_patrol",)
    assert [order.acts for order in story.orders()] == [(Act.INSPECT,)]


@pytest.mark.parametrize("later", [{"GM1": 1.2}, {"GM2": 0.4}], ids=["worse", "second space"])
def test_what_was_patrolled_becomes_a_leak_when_it_rises_or_a_second_space_does(
    later: dict[str, float],
) -> None:
    story = steady()
    story.run(1)
    assert story.incidents()[0].cause is Cause.STEADY_METHANE
    story.run(4, **later)
    [incident] = story.incidents()
    assert incident.cause is Cause.GAS_LEAK
    assert story.orders()[-1].acts == LEAK


def test_pressure_that_changes_while_the_patrol_is_there_makes_no_leak_of_it() -> None:
    story = steady()
    story.run(1)
    [patrol] = story.orders()
    story.run(2, *story.tell(patrol, FeedbackKind.ARRIVED))
    story.run(10, GJ1=2.0)
    [incident] = story.incidents()
    assert "D-GJ1" in incident.devices
    assert incident.cause is Cause.STEADY_METHANE


def test_a_second_space_that_is_as_foul_as_it_always_was_confirms_nothing() -> None:
    story = Story()
    story.run(60, every=30, GM1=0.45)
    story.run(10, GM2=0.7)
    assert story.incidents()[0].cause is Cause.STEADY_METHANE


def test_a_device_that_fell_silent_before_it_was_seen_to_stand_still_is_believed() -> None:
    story = Story()
    story.run(10)
    story.run(3, GM3=0.6)
    story.silence("GM3")
    story.run(10)
    assert story.incidents()[0].cause is Cause.GAS_LEAK
