"""Reads the event log of a run: current alarms, newest incidents, orders, what happened to whom."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.ports import LogEntry


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order: the entry of its dispatch and what the team reported, oldest first."""

    dispatch: LogEntry
    feedback: tuple[LogEntry, ...]

    @property
    def state(self) -> str:
        """The newest report of the team, `issued` before the first."""
        return str(self.feedback[-1].data["kind"]) if self.feedback else "issued"


def of_kind(entries: Sequence[LogEntry], kind: str) -> list[LogEntry]:
    """Return the entries of a kind, in order."""
    return [entry for entry in entries if entry.kind == kind]


def newest_by_subject(entries: Sequence[LogEntry], kind: str) -> list[LogEntry]:
    """Return the last entry of each subject, in the order in which the subjects first appeared."""
    newest: dict[str, LogEntry] = {}
    for entry in of_kind(entries, kind):
        newest[entry.subject] = entry
    return list(newest.values())


def orders(entries: Sequence[LogEntry]) -> list[OrderRecord]:
    """Return every order with the reports on it, in the order of their issue."""
    reports: dict[str, list[LogEntry]] = {}
    for entry in of_kind(entries, "Feedback"):
        reports.setdefault(entry.data["order"], []).append(entry)
    return [
        OrderRecord(entry, tuple(reports.get(entry.data["order"]["id"], ())))
        for entry in of_kind(entries, "Dispatch")
        if entry.data["order"] is not None
    ]


def story(entries: Sequence[LogEntry], incident: str) -> list[LogEntry]:
    """Return all entries about an incident: its own, its alarms', its warnings' and reports'."""
    alarms = {
        alarm
        for entry in of_kind(entries, "Incident")
        if entry.subject == incident
        for alarm in entry.data["alarms"]
    }
    return [
        entry
        for entry in entries
        if entry.subject == incident
        or entry.data.get("incident") == incident
        or (entry.kind == "Alarm" and entry.subject in alarms)
    ]
