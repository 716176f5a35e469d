"""The casebook finds current states and whole stories in an event log."""

from api.casebook import newest_by_subject, of_kind, orders, story
from tests.unit.api_runs import ALARM, INCIDENT, ORDER, log


def test_an_alarm_is_seen_in_its_newest_state() -> None:
    found = newest_by_subject(log(), "Alarm")
    assert [(entry.subject, entry.data["state"]) for entry in found] == [(ALARM, "cleared")]


def test_incidents_keep_the_order_in_which_they_appeared() -> None:
    found = newest_by_subject(log(), "Incident")
    assert [(entry.subject, entry.data["version"]) for entry in found] == [
        (INCIDENT, 3),
        ("I-D02-9", 1),
    ]


def test_an_order_carries_what_its_team_reported_and_a_lack_of_teams_is_no_order() -> None:
    (record,) = orders(log())
    assert record.dispatch.data["order"]["id"] == ORDER
    assert [entry.data["kind"] for entry in record.feedback] == ["accepted", "done"]
    assert record.state == "done"


def test_an_order_without_a_report_is_issued() -> None:
    (record,) = orders([entry for entry in log() if entry.kind != "Feedback"])
    assert record.state == "issued"


def test_a_story_has_everything_about_its_incident_and_nothing_else() -> None:
    entries = log()
    others = [entry for entry in entries if entry not in story(entries, INCIDENT)]
    assert [entry.subject for entry in others] == ["I-D02-9", "run"]


def test_a_story_is_in_the_order_of_the_log() -> None:
    found = [entry.seq for entry in story(log(), INCIDENT)]
    assert found == sorted(found)
    assert len(found) == len(log()) - 2


def test_entries_of_a_kind_are_found_by_name() -> None:
    assert [entry.data["id"] for entry in of_kind(log(), "Bulletin")] == ["B-1", "B-run-1"]
