"""What a run shows while it goes: a table in a terminal, lines elsewhere, nothing for JSON."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from api.commands.live import LineView, QuietView, TableView, view_for
from api.commands.pressure import PressureCurve
from api.plan import RunPlan, plan_run
from pipeline.event_log import EventLog
from pipeline.loop import STAGES
from pipeline.messages import (
    Bulletin,
    BulletinKind,
    DeviceHealth,
    HealthKind,
    IncidentStatus,
    Transition,
    WarningStatus,
)
from pipeline.ports import LogEntry
from sensors.field import Feedback, FeedbackKind
from simulator.scenario import Scenario
from tests.unit.loop_messages import closure, dispatch, feedback, incident, order, warning

MIN = 60_000


def make_plan(title: str = "A quiet day") -> RunPlan:
    fields = {
        "format": 1,
        "name": "hours",
        "title": title,
        "city": {"generate": {"junctions": 40}},
        "start": "2026-06-01T00:00:00+08:00",
        "duration": "10h",
    }
    return plan_run(Scenario.model_validate(fields), Path("hours.yaml"))


PLAN = make_plan()
START = PLAN.scenario.start_ms
DEVICES = [PLAN.registry.ids[number] for number in PLAN.registry.where("quantity", "pressure")]
CASE = f"I-D01-{START + 190 * MIN}"


def log(*messages: Transition | Feedback) -> list[LogEntry]:
    writer = EventLog()
    return [writer.add(message) for message in messages]


def confirmed(minute: int = 195, **changes: object) -> object:
    fields: dict[str, object] = {
        "devices": tuple(DEVICES[:3]),
        "opened_ms": START + 190 * MIN,
        "time_ms": START + minute * MIN,
    }
    return incident(CASE, **(fields | changes))


def console_of(width: int = 80, terminal: bool = True) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def drawn(view: TableView, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(view._draw())
    return written(console)


def story(*messages: Transition | Feedback, width: int = 200) -> list[str]:
    """Return what scrolls by above the table."""
    console = console_of(width, terminal=False)
    TableView(PLAN, console).entries(log(*messages))
    return written(console).splitlines()


# --- which view ---


def test_json_shows_nothing() -> None:
    console = console_of()
    view = view_for(PLAN, console, is_json=True)
    with view:
        view.entries(log(closure(START)))
        view.tick(START, np.zeros(len(PLAN.registry)))
    assert type(view) is QuietView
    assert written(console) == ""


def test_a_terminal_gets_the_table_and_a_pipe_plain_lines() -> None:
    assert isinstance(view_for(PLAN, console_of(), is_json=False), TableView)
    assert isinstance(view_for(PLAN, console_of(terminal=False), is_json=False), LineView)


# --- plain lines ---


def test_plain_lines_give_time_stage_and_what_happened_unbroken() -> None:
    console = console_of(width=40, terminal=False)
    LineView(PLAN, console).entries(log(confirmed()))
    assert written(console) == (
        "06-01 03:15  assess    confirmed: burst at P4, level III yellow, 80% sure (leak_fits) "
        f"{CASE}\n"
    )


def test_plain_lines_give_each_hour_once() -> None:
    console = console_of(terminal=False)
    view = LineView(PLAN, console)
    for minute in range(1, 131):
        view.tick(START + minute * MIN, np.zeros(1))
    assert [line.split(maxsplit=2) for line in written(console).splitlines()] == [
        ["06-01", "01:00", "… 10% of the run"],
        ["06-01", "02:00", "… 20% of the run"],
    ]


# --- the table ---


def test_the_table_has_the_seven_stages_in_order_with_their_cases() -> None:
    view = TableView(PLAN, console_of())
    view.entries(log(confirmed(), dispatch(order(incident=CASE, issued_ms=START))))
    lines = drawn(view).splitlines()
    rows = [line.split() for line in lines if line[:1].isdigit() and line[1] == " "]
    assert [row[1] for row in rows] == list(STAGES)
    assert [row[3] for row in rows] == ["1", "1", "1", "1", "0", "0", "0"]
    assert "burst at P4" in " ".join(rows[2])


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_table_keeps_to_the_width_and_to_a_small_terminals_height(width: int) -> None:
    view = TableView(PLAN, console_of(width))
    view.tick(START + 185 * MIN, np.ones(len(PLAN.registry)))
    view.entries(log(confirmed(), closure(START + 200 * MIN, CASE)))
    view.tick(START + 200 * MIN, np.zeros(len(PLAN.registry)))
    lines = drawn(view, width).splitlines()
    assert len(lines) <= 14
    assert max(cell_len(line) for line in lines) <= width


HOSTILE = "a [b] [/b] [red]x[/] [link=y] \\[ [/] :bell:"


def test_square_brackets_from_outside_are_shown_as_they_are() -> None:
    console = console_of(400)
    view = TableView(make_plan(HOSTILE), console)
    note = feedback(FeedbackKind.REFUSED, START, note=HOSTILE, incident=CASE)
    bulletin = Bulletin("B", BulletinKind.FLASH, 1, CASE, HOSTILE, {}, "", START, "confirmed")
    with view:
        view.entries(log(confirmed(reason=HOSTILE), note, bulletin))
        view.tick(START, np.zeros(len(PLAN.registry)))
    lines = drawn(view, 400).splitlines()
    assert sum(HOSTILE in line for line in lines) == 4  # title, assess, report, field
    assert written(console).count(HOSTILE) >= 3


def test_the_table_counts_doubtful_devices_and_forgets_those_that_are_over() -> None:
    view = TableView(PLAN, console_of(120))
    stuck = DeviceHealth(DEVICES[0], "D01", HealthKind.STUCK, True, START, "same_value")
    late = replace(stuck, kind=HealthKind.LATE)
    other = replace(stuck, device=DEVICES[1])
    view.entries(log(stuck, late, other))
    assert f"{len(PLAN.registry)} devices, 2 doubtful" in drawn(view, 120)
    view.entries(log(*(replace(one, is_on=False) for one in (late, other))))
    assert "1 doubtful" in drawn(view, 120)


# --- the story above the table ---


def test_every_turn_of_a_warning_is_told_once_and_its_notice_is_not() -> None:
    wanted = [
        WarningStatus.AWAITING_APPROVAL,
        WarningStatus.ISSUED,
        WarningStatus.UPGRADED,
        WarningStatus.DOWNGRADED,
    ]
    versions = [warning(one, START + MIN, incident=CASE) for one in wanted]
    notice = Bulletin(
        "W-v2", BulletinKind.NOTICE, 2, CASE, "预警通报", {}, "", START, "x", cap="<a/>"
    )
    told = story(confirmed(), *versions, notice)
    assert [line.split("warning ")[1].split(":")[0] for line in told[1:]] == wanted
    console = console_of(terminal=False)
    LineView(PLAN, console).entries(log(notice))
    assert written(console) == ""


def test_the_story_tells_the_turns_of_an_incident_once() -> None:
    told = story(
        incident(CASE, status=IncidentStatus.ASSESSING, confidence=0.0),
        confirmed(),
        confirmed(version=2),
        warning(WarningStatus.ISSUED, START + 195 * MIN, incident=CASE),
        feedback(FeedbackKind.ACCEPTED, START + 196 * MIN, incident=CASE),
        feedback(FeedbackKind.ISOLATED, START + 210 * MIN, incident=CASE, element="P4"),
        closure(START + 300 * MIN, CASE),
    )
    assert [line.split()[:3] for line in told] == [
        ["03:15", "assess", "confirmed:"],
        ["03:15", "warn", "warning"],
        ["03:30", "field", "T1:"],
        ["05:00", "supervise", "closed"],
    ]


def test_the_story_leaves_out_warnings_that_stay_inside() -> None:
    inside = (WarningStatus.DRAFT, WarningStatus.CANCELLED)
    assert story(*(warning(status, START) for status in inside)) == []


def test_the_story_names_incidents_by_area_and_time_of_day() -> None:
    assert story(confirmed())[0].endswith("(leak_fits) I-D01@03:10")


def test_a_line_of_the_story_does_not_run_over_a_narrow_terminal() -> None:
    line = story(confirmed(), width=50)
    assert len(line) == 1
    assert cell_len(line[0]) <= 50


# --- the pressure ---


def curve_of(falls: Sequence[float], closed: int | None = None, until: int = 300) -> PressureCurve:
    """Return the curve of a burst at minute 185 that takes `falls` from the first devices."""
    curve = PressureCurve(PLAN)
    columns = [PLAN.registry.number[name] for name in DEVICES[: len(falls)]]
    for minute in range(1, until + 1):
        values = np.full(len(PLAN.registry), 0.4)
        if 185 <= minute < 240:
            values[columns] -= falls
        if minute == 195:
            for entry in log(confirmed()):
                curve.take(entry)
        if minute == closed:
            for entry in log(closure(START + minute * MIN, CASE)):
                curve.take(entry)
        curve.tick(START + minute * MIN, values)
    return curve


def test_there_is_no_curve_without_an_incident() -> None:
    assert "no incident so far" in PressureCurve(PLAN).draw(80).plain


def test_the_curve_follows_the_device_that_fell_most_and_shows_its_lowest() -> None:
    head, line = curve_of([0.05, 0.2, 0.1]).draw(80).plain.splitlines()
    assert head == f"pressure {DEVICES[1]}, 02:10-05:00: 0.400, lowest 0.200, now 0.400 MPa"
    assert line[0] == line[-1] == "█"
    assert "▁" in line


def test_the_curve_ends_an_hour_after_the_incident_was_closed() -> None:
    head = curve_of([0.1], closed=250, until=400).draw(80).plain
    assert "02:10-05:10: 0.400, lowest 0.300, then 0.400 MPa" in head


def test_a_device_without_supply_counts_as_no_pressure() -> None:
    assert "lowest 0.000" in curve_of([np.nan]).draw(80).plain


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(1, 200))
def test_a_curve_fits_its_width_and_keeps_a_short_fall(values: list[float], width: int) -> None:
    curve = PressureCurve(PLAN)
    curve.tick(START + 185 * MIN, np.full(len(PLAN.registry), 1.0))
    for entry in log(confirmed()):
        curve.take(entry)
    for place, value in enumerate(values):
        curve.tick(START + (186 + place) * MIN, np.full(len(PLAN.registry), value))
    head, line = curve.draw(width).plain.split("\n")
    assert len(line) <= max(width, 20)
    assert "▁" in line
    assert f"lowest {min(values):.3f}" in head
