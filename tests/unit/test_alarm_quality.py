"""Few alarms and no false warnings: lone gas pressure, drift by demand, outages of many devices."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from api.cli import app
from api.commands.errors import run_guarded
from api.detection.quiet import MOST_ANNOUNCED_H, load_of, measure
from api.library import find_scenario
from pipeline.health_group import DeviceHealthGroup, grouped
from pipeline.loop import LOOP
from pipeline.messages import (
    Alarm,
    AlarmFlood,
    AlarmState,
    Cause,
    HealthKind,
    IncidentStatus,
    Message,
    WarningNotice,
    WarningStatus,
)
from pipeline.monitor.stage import MonitorStage
from pipeline.rules import default_rules
from pipeline.runners.router import Router
from pipeline.warn.functions.normals import OwnNormal
from pipeline.warn.stage import WarnStage
from sensors.levels import Level
from sensors.registry import Registry
from tests.conformance.pressure_devices import frame_of, pressure_device
from tests.unit import point_town
from tests.unit.loop_messages import T0, alarm, incident, warning
from tests.unit.point_town import Story

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
SHORT = str(Path(__file__).parents[1] / "data" / "short-burst.yaml")
FIGURES = {
    "learning_s": 1800.0,
    "warm_up": 3.0,
    "new_normal_s": 21_600.0,
    "drift_per_h": 10.0,
    "drift_most": 20.0,
}


def shortfalls(samples: Sequence[tuple[int, float]]) -> list[float]:
    """The signal of one device after each sample, percent."""
    function = OwnNormal(np.array([10.0]), FIGURES, is_excess=False)
    row, sound = np.zeros(1, np.intp), np.zeros(1, np.bool_)
    return [
        float(function.apply(row, np.array([at_ms]), np.array([value]), sound)[0])
        for at_ms, value in samples
    ]


def test_a_fall_by_demand_between_two_rare_samples_is_granted() -> None:
    rare = [(n * 2 * HOUR_MS, 190.0) for n in range(4)]
    evening = [(7 * HOUR_MS + n * MINUTE_MS, 169.0 - 0.1 * n) for n in range(20)]
    assert max(shortfalls([*rare, *evening])[3:]) < 10.0


def test_the_same_fall_within_minutes_is_not() -> None:
    frequent = [(n * 5 * MINUTE_MS, 190.0) for n in range(4)]
    struck = [(16 * MINUTE_MS + n * MINUTE_MS, 160.0) for n in range(60)]
    found = shortfalls([*frequent, *struck])[4:]
    assert found[0] == pytest.approx(100 * 30 / 190 - 10 / 60)
    assert found == pytest.approx([found[0]] * 60)  # what was granted does not grow


def test_a_deep_fall_between_rare_samples_is_seen_all_the_same() -> None:
    rare = [(n * 2 * HOUR_MS, 190.0) for n in range(4)]
    assert shortfalls([*rare, (8 * HOUR_MS, 60.0)])[-1] > 30.0


def test_the_sample_after_a_wild_one_upwards_is_no_fall() -> None:
    rare = [(n * 2 * HOUR_MS, 2.6) for n in range(6)]
    wild = [(12 * HOUR_MS, 197.9), (12 * HOUR_MS + MINUTE_MS, 2.6)]
    assert shortfalls([*rare, *wild])[-1] < 10.0


def test_one_jump_in_the_warm_up_is_no_part_of_the_normal() -> None:
    found = shortfalls([(n * 5 * MINUTE_MS, value) for n, value in enumerate((2.7, 0.0, 2.7, 2.7))])
    assert found[-1] == pytest.approx(0.0)


@pytest.fixture
def three_pressures(monkeypatch: pytest.MonkeyPatch) -> Story:
    more = (*point_town._DEVICES, ("gas_pressure", "GJ4", "A", 800.0))
    monkeypatch.setattr(point_town, "_DEVICES", more)
    story = Story()
    story.run(10)
    return story


def test_a_lone_gas_pressure_beside_silent_ones_is_a_device_fault(three_pressures: Story) -> None:
    three_pressures.run(4, GJ8=1.2)
    assert [one.status for one in three_pressures.incidents()] == [IncidentStatus.ASSESSING]
    three_pressures.run(15)
    [found] = three_pressures.incidents()
    assert (found.status, found.cause) == (IncidentStatus.DISMISSED, Cause.DEVICE_FAULT)
    issued = [
        one for one in three_pressures.of(WarningNotice) if one.status is WarningStatus.ISSUED
    ]
    assert (issued, three_pressures.orders()) == ([], [])


@pytest.mark.parametrize("second", [{"GJ4": 1.8}, {"GS1": 30.0}], ids=["pressure", "methane"])
def test_a_second_device_or_another_kind_confirms_it(
    three_pressures: Story, second: dict[str, float]
) -> None:
    three_pressures.run(4, GJ8=1.2)
    three_pressures.run(5, **second)
    assert {one.cause for one in three_pressures.incidents()} == {Cause.GAS_LEAK}
    assert three_pressures.orders()


def test_too_much_pressure_near_by_is_no_second_device_for_too_little(
    three_pressures: Story,
) -> None:
    three_pressures.run(4, GJ8=1.2)
    three_pressures.run(5, GJ4=4.5)
    three_pressures.run(15)
    assert {one.rule for one in three_pressures.of(Alarm)} == {
        "gas.pressure_low",
        "gas.pressure_high",
    }
    assert {one.cause for one in three_pressures.incidents()} == {Cause.DEVICE_FAULT}
    assert three_pressures.orders() == []


def test_two_pressures_that_jump_about_are_two_noisy_devices(three_pressures: Story) -> None:
    for _ in range(8):
        three_pressures.run(1, GJ8=2.4, GJ4=2.6)
        three_pressures.run(1, GJ8=2.6, GJ4=2.4)
    for _ in range(12):
        three_pressures.run(2, GJ8=1.2, GJ4=1.1)
        three_pressures.run(1, GJ8=2.9, GJ4=3.0)
    assert {one.cause for one in three_pressures.incidents()} <= {Cause.DEVICE_FAULT}
    assert IncidentStatus.DISMISSED in {one.status for one in three_pressures.incidents()}
    assert three_pressures.orders() == []


# Quality alarms of many devices at once (domain/README §3.4, check 4).


def silenced(devices: int) -> list[Message]:
    """Everything monitor and warn say while all devices of an area send once and never again."""
    registry = Registry.of(pressure_device(number) for number in range(devices))
    stages = {
        "monitor": MonitorStage(registry, default_rules().device),
        "warn": WarnStage(registry, default_rules()),
    }
    router = Router(stages, [step for step in LOOP if step.name in stages])
    frame = frame_of([(number, T0, 0.3) for number in range(devices)])
    said = router.run([frame], T0)
    for minute in range(1, 40):
        said += router.run([], T0 + minute * MINUTE_MS)
    return said


def test_a_thousand_silent_devices_are_one_event_without_a_colour() -> None:
    said = silenced(1000)
    groups = [one for one in grouped(said) if isinstance(one, DeviceHealthGroup)]
    assert [(one.kind, one.count, one.areas) for one in groups] == [
        (HealthKind.OFFLINE, 1000, {"D01": 1000})
    ]
    floods = [one for one in said if isinstance(one, AlarmFlood)]
    assert [(one.group, one.is_on) for one in floods] == [
        ("D01/offline", True),
        ("D01/offline", False),
    ]
    assert (floods[-1].alarms, floods[-1].grouped, floods[-1].first) == (1000, 999, "WP-D01-0000")
    assert floods[0].reason == "many_devices_at_once"
    assert not [one for one in said if isinstance(one, Alarm | WarningNotice)]


def test_a_few_silent_devices_are_no_event() -> None:
    assert not [one for one in silenced(10) if isinstance(one, AlarmFlood)]


# What operators are told.


def test_figures_of_a_quiet_time() -> None:
    raised = [
        alarm(device=f"WP-{n}", raised_ms=T0 + n * 10 * MINUTE_MS, time_ms=T0 + n * 10 * MINUTE_MS)
        for n in range(7)
    ]
    hint = alarm(device="X", state=AlarmState.PROVISIONAL, level=Level.YELLOW, time_ms=T0)
    held = alarm(device="Y", held="grouped", time_ms=T0)
    said = [
        hint,
        held,
        *raised,
        incident(time_ms=T0 + MINUTE_MS, status=IncidentStatus.CONFIRMED),
        warning(status=WarningStatus.ISSUED, level=Level.RED),
    ]
    load = load_of(said, default_rules(), start_ms=T0, end_ms=T0 + 2 * HOUR_MS)
    assert (load.raised, load.announced, load.announced_h) == (8, 7, 3.5)
    assert (load.worst_h, load.worst_at_h, load.first_h) == (6, 0, 6)
    assert (load.first_incident_s, load.incidents_per_alarm) == (60.0, 0.125)
    [rule] = load.rules
    assert (rule.raised, rule.announced, rule.held) == (8, 7, {"grouped": 1})
    assert sum(load.issued.values()) == 1
    assert load.announced_h < MOST_ANNOUNCED_H
    assert not load.is_quiet  # a warning went out


def test_bench_quiet_prints_the_figures_of_a_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", "quiet", SHORT, "--json"]
    assert run_guarded(lambda standalone_mode: app(words, standalone_mode=standalone_mode)) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["hours"] == 6.0
    assert figures["raised"] >= figures["announced"] > 0
    assert figures["incidents"] == {"water burst": 1}


def test_an_outage_is_a_handful_of_events_and_the_first_is_told_at_once(tmp_path: Path) -> None:
    text = find_scenario("base-station-outage").path.read_text(encoding="utf-8")
    until_link_is_back = tmp_path / "outage.yaml"
    until_link_is_back.write_text(text.replace("duration: 18h", "duration: 10h"), encoding="utf-8")
    load = measure(str(until_link_is_back), default_rules())
    assert (load.hours, load.health > 100) == (10.0, True)
    assert load.first_incident_s is not None
    assert load.first_incident_s <= 60.0
    assert load.floods + load.opened <= 0.1 * (load.raised + load.health)


def test_a_flood_of_alarms_becomes_a_handful_of_incidents(tmp_path: Path) -> None:
    text = find_scenario("alarm-flood").path.read_text(encoding="utf-8")
    until_water_stands = tmp_path / "flood.yaml"
    until_water_stands.write_text(text.replace("duration: 24h", "duration: 17h"), encoding="utf-8")
    load = measure(str(until_water_stands), default_rules())
    assert load.raised > 100
    assert 0.0 < load.incidents_per_alarm <= 0.1
    assert load.first_incident_s is not None
    assert load.first_incident_s <= 60.0
