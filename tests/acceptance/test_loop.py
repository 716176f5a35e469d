"""Acceptance 4, 5 and 6: silence, late batches, and many sensors that tell of one thing."""

from api.rule_tests.document import CaseTable, DeviceTable, ExpectTable
from api.rule_tests.play import Played, play
from pipeline.dispatch.plans import default_plans
from pipeline.dispatch.stage import DispatchStage
from pipeline.evaluate.stage import EvaluateStage
from pipeline.health_group import DeviceHealthGroup, grouped
from pipeline.messages import (
    Alarm,
    AlarmState,
    DeviceHealth,
    HealthKind,
    Incident,
    IncidentStatus,
    RunEvaluation,
    WarningNotice,
)
from pipeline.rules import default_rules
from sensors.field import WorkOrder
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from tests.unit.loop_messages import town
from tests.unit.point_town import town as point_town

RULES = default_rules()
MIN = 60_000


def played(devices: list[DeviceTable], interval_s: float = 60.0, **more: object) -> Played:
    expect = [ExpectTable(incident={}, none=True)]
    fields = {"name": "acceptance", "interval": interval_s, "people": 300.0, **more}
    test = CaseTable(devices=devices, expect=expect, **fields)  # type: ignore[arg-type]
    return play(test, RULES, "acceptance")


def test_silence_of_a_thousand_devices_is_one_group_and_no_colour() -> None:
    """Acceptance 4: 1,000 quality alarms, grouped to one entry; nothing is coloured."""
    silent = DeviceTable(id="P", kind="network_pressure", count=1000, areas=8, input="0.30x10 _x30")
    speaks = DeviceTable(id="Q", kind="network_pressure", area="Q", input="0.30x40")
    said = played([silent, speaks]).said
    health = [one for one in said if isinstance(one, DeviceHealth)]
    assert {(one.kind, one.is_on) for one in health} == {(HealthKind.OFFLINE, True)}
    assert len({one.device for one in health}) == len(health) == 1000
    entries = grouped(health)
    assert len(entries) == 1
    assert isinstance(entries[0], DeviceHealthGroup)
    assert entries[0].count == 1000
    coloured = [one for one in said if isinstance(one, Alarm | Incident | WarningNotice)]
    assert coloured == []


def test_a_late_batch_is_dated_by_its_samples_and_earns_no_lead_time() -> None:
    """Acceptance 5: the alarm has the sample's time; lead is counted from the receipt."""
    deep = DeviceTable(id="U1", kind="underpass_ponding", input="0x5 (40x30)@together 40x5")
    story = played([deep])
    begun_ms = story.fleet.start_ms
    received_ms = begun_ms + 34 * MIN
    raised = [
        one for one in story.said if isinstance(one, Alarm) and one.state is AlarmState.RAISED
    ]
    alarm = next(one for one in raised if one.rule == "flood.ponding_underpass")
    assert alarm.sample_ms <= begun_ms + 6 * MIN < received_ms == alarm.time_ms
    notices = [one for one in story.said if isinstance(one, WarningNotice)]
    assert min(one.time_ms for one in notices) >= received_ms
    harm_ms = begun_ms + 20 * MIN  # between the sample and its receipt
    true = TrueIncident(
        id="T", kind=TrueKind.PONDING, is_hazard=True, domain="flood", area="A", element="U1",
        x_m=0.0, y_m=0.0, level=Level.ORANGE, onset_ms=begun_ms, detectable_ms={}, harm_ms=harm_ms,
    )  # fmt: skip
    stage = EvaluateStage(point_town())
    told = [one for one in story.said if isinstance(one, Alarm | Incident | WarningNotice)]
    stage.on_batch([true, *told], story.fleet.start_ms)
    score = next(
        one for one in stage.finish(received_ms + 60 * MIN) if isinstance(one, RunEvaluation)
    )
    assert score.found == 1
    assert (score.lead_time_min or 0.0) <= 0
    assert (score.lead_time_all_min or 0.0) <= 0


def test_ten_sensors_of_one_area_are_one_incident_and_each_team_has_one_order() -> None:
    """Acceptance 6: many alarms at once are one incident; alarms are not incidents."""
    fall = "0.30~0.002x60 0.12~0.002x60"
    burst = DeviceTable(
        id="P", kind="network_pressure", area="D01", count=10, spacing_m=100.0, input=fall
    )
    story = played([burst])
    raised = {
        one.id for one in story.said if isinstance(one, Alarm) and one.state is AlarmState.RAISED
    }
    incidents = [one for one in story.said if isinstance(one, Incident)]
    assert len(raised) >= 10
    assert len({one.id for one in incidents}) == 1
    assert incidents[-1].status is IncidentStatus.CONFIRMED
    assert {alarm.split("/")[0] for alarm in incidents[-1].alarms} == set(story.fleet.registry.ids)
    dispatch = DispatchStage(town(), default_plans(), RULES.response)
    orders: list[WorkOrder] = []
    for one in incidents:
        said = [*dispatch.on_batch([one], one.time_ms), *dispatch.on_time(one.time_ms)]
        orders += [order for order in said if isinstance(order, WorkOrder)]
    assert orders
    assert len({order.id for order in orders}) == len(orders) == len({o.team for o in orders})
    assert {order.incident for order in orders} == {incidents[0].id}
