"""Flash, follow-up and final reports: their required fields and how they read."""

from collections.abc import Mapping, Sequence

from pipeline.messages import Bulletin, BulletinKind, Incident
from pipeline.report.cases import Case, Entry
from pipeline.report.gazetteer import Gazetteer
from pipeline.report.grounds import first_sample_ms, ground_lines
from pipeline.report.intervals import FOLLOW_UPS
from pipeline.report.markdown import document
from pipeline.report.notices import AUTHOR, STATUS
from pipeline.report.reasons import Reason
from pipeline.report.review import lessons, rectification, verdict
from pipeline.report.words import (
    ADVICE,
    CAUSES,
    KINDS,
    OTHER_ADVICE,
    PERSONS_PER_HOUSEHOLD,
    UNKNOWN,
    CityTime,
    count_text,
    level_text,
    minutes_text,
)
from pipeline.rules import ResponseLimits, Rule
from sensors.levels import Level

_LABELS: Mapping[str, str] = {
    "number": "Number",
    "kind": "Kind",
    "status": "Status",
    "refers_to": "Refers to",
    "level": "Level",
    "time_of_event": "Time of event",
    "time_of_report": "Time of report",
    "place": "Place",
    "source": "Source",
    "domain": "Domain",
    "nature": "Nature",
    "suspected_cause": "Suspected cause",
    "cause": "Cause",
    "affected": "People affected",
    "casualties": "Casualties",
    "loss": "Loss",
    "units_on_scene": "Units",
    "trend": "Trend",
    "advice": "Advice",
    "help_needed": "Help needed",
    "responsibility": "Responsible body",
    "report_time": "Report time",
    "next_report": "Next report",
    "author": "Author",
    "approver": "Approver",
    "sent_to": "Sent to",
}
"""Fields shown in the table, in this order; the others have a section of their own."""


class BulletinWriter:
    """Writes the bulletins of a case; number and course are kept by the case."""

    def __init__(
        self,
        places: Gazetteer,
        limits: Mapping[Level, ResponseLimits],
        times: CityTime,
        rules: Mapping[str, Rule],
    ) -> None:
        self._places = places
        self._limits = limits
        self._times = times
        self._rules = rules

    def flash(self, case: Case, now_ms: int, reason: Reason) -> Bulletin:
        """Write the first report (快报)."""
        fields = self._head(case, BulletinKind.FLASH, now_ms) | self._situation(case, now_ms)
        basis, models = self._basis(case), list(case.findings.values())
        fields |= {"basis": "; ".join(basis) or UNKNOWN}
        fields |= {"report_time": self._report_time(case, now_ms)}
        fields |= self._foot(case, self._next(case, now_ms))
        sections = [
            ("Measures taken", self._lines(_measures(case), now_ms)),
            ("Numbers behind the alarms", basis),
            ("Findings of warning models", models),
        ]
        return self._bulletin(case, BulletinKind.FLASH, fields, sections, now_ms, reason)

    def follow_up(self, case: Case, now_ms: int, reason: Reason) -> Bulletin:
        """Write a follow-up (续报): only what changed since the report before."""
        news = self._lines(case.news(), now_ms) or ["No change since the report before"]
        fields = self._head(case, BulletinKind.FOLLOW_UP, now_ms) | {
            "refers_to": _bulletin_id(case, case.numbered),
            "place": self._places.place(case.incident),
            "changes": "; ".join(news),
            "units_on_scene": self._units(case),
            "trend": _trend(case),
        }
        fields |= self._foot(case, self._next(case, now_ms))
        sections = [("Changes since the report before", news)]
        return self._bulletin(case, BulletinKind.FOLLOW_UP, fields, sections, now_ms, reason)

    def final(self, case: Case, now_ms: int, reason: Reason) -> Bulletin:
        """Write the final report (终报) with the evaluation."""
        responsible = self._places.responsible(case.incident, case.found)
        course = self._lines(sorted(case.course, key=lambda entry: entry.time_ms), now_ms)
        measures = self._lines(_measures(case), now_ms)
        points = {
            "course": course,
            "measures": measures or ["None: no team was sent"],
            "evaluation": verdict(case),
            "lessons": lessons(case),
            "rectification": rectification(case, responsible),
            "warnings": self._lines(case.warnings, now_ms) or ["None went out"],
            "basis": self._basis(case) or [UNKNOWN],
        }
        if case.findings:
            points["models"] = list(case.findings.values())
        found = f", found at {case.found}" if case.found else ""
        fields = self._head(case, BulletinKind.FINAL, now_ms) | {
            "refers_to": _bulletin_id(case, 1),
            "place": self._places.place(case.incident),
            "cause": f"{CAUSES[case.incident.cause]}{found}",
            "affected": _affected(case.incident),
            "casualties": UNKNOWN,
            "loss": self._loss(case),
            "responsibility": responsible,
        }
        fields |= {name: "; ".join(lines) for name, lines in points.items()}
        fields |= self._foot(case, "none, this is the final report")
        sections = [
            ("Course", course),
            ("Evaluation", points["evaluation"]),
            ("Lessons", points["lessons"]),
            ("To be put right", points["rectification"]),
            ("Versions of the warning", points["warnings"]),
            ("Numbers behind the alarms", points["basis"]),
            ("Findings of warning models", points.get("models", [])),
        ]
        return self._bulletin(case, BulletinKind.FINAL, fields, sections, now_ms, reason)

    def _head(self, case: Case, kind: BulletinKind, now_ms: int) -> dict[str, str]:
        return {
            "number": _bulletin_id(case, case.numbered + 1),
            "kind": KINDS[kind],
            "status": STATUS,
            "level": level_text(case.incident.level),
            "time_of_event": self._times.full(began_ms(case.incident)),
            "time_of_report": self._times.full(now_ms),
        }

    def _situation(self, case: Case, now_ms: int) -> dict[str, str]:
        incident = case.incident
        measures = self._lines(_measures(case), now_ms) or ["None yet"]
        return {
            "place": self._places.place(incident),
            "source": _source(incident),
            "domain": incident.domain,
            "nature": f"{CAUSES[incident.cause]}, risk {level_text(incident.risk_level)} "
            f"(likelihood {incident.likelihood} × consequence {incident.consequence})",
            "suspected_cause": f"{CAUSES[incident.cause]}, "
            f"confidence {incident.confidence:.0%} ({incident.location.method})",
            "affected": _affected(incident),
            "casualties": UNKNOWN,
            "loss": UNKNOWN,
            "measures": "; ".join(measures),
            "units_on_scene": self._units(case),
            "trend": _trend(case),
            "advice": ADVICE.get(incident.cause, OTHER_ADVICE),
            "help_needed": f"another team ({case.lacks})" if case.lacks else "none asked for",
            "responsibility": self._places.responsible(incident, case.found),
        }

    def _foot(self, case: Case, next_report: str) -> dict[str, str]:
        limits = self._limits[case.incident.level]
        return {
            "next_report": next_report,
            "author": AUTHOR,
            "approver": limits.authority,
            "sent_to": ", ".join(limits.notify) or UNKNOWN,
        }

    def _next(self, case: Case, now_ms: int) -> str:
        follow_up = FOLLOW_UPS[case.incident.level]
        due_ms = follow_up.due_ms(now_ms, has_news=True)
        when = self._times.full(due_ms if due_ms is not None else now_ms)
        return when if follow_up.is_regular else f"on news, not before {when}"

    def _basis(self, case: Case) -> list[str]:
        return ground_lines(case.grounds.values(), self._rules)

    def _report_time(self, case: Case, now_ms: int) -> str:
        """Return the time since the warning was issued beside the limit of the level."""
        limit_min = self._limits[case.incident.level].report_min
        limit = "no limit" if limit_min is None else f"limit {minutes_text(limit_min)}"
        if case.issued_ms is None:
            return f"no warning is out yet, {limit}"
        minutes = (now_ms - case.issued_ms) / 60_000
        is_late = limit_min is not None and minutes > limit_min
        used = f"{minutes_text(minutes)} after the warning was issued, {limit}"
        return f"{used}: {'late' if is_late else 'in time'}"

    def _units(self, case: Case) -> str:
        units = [f"{self._places.team(unit.team)}: {unit.state}" for unit in case.units.values()]
        return "; ".join(units) or "none yet"

    def _loss(self, case: Case) -> str:
        end_ms = case.restored_ms or (case.closure.time_ms if case.closure else None)
        if end_ms is None:
            return UNKNOWN
        minutes = (end_ms - began_ms(case.incident)) / 60_000
        what = "supply" if case.incident.domain == "water" else "the place"
        return f"{what} disturbed for about {minutes_text(minutes)}; other loss {UNKNOWN}"

    def _lines(self, entries: Sequence[Entry], now_ms: int) -> list[str]:
        return [
            f"{self._times.short(entry.time_ms, day_of_ms=now_ms)} {entry.text}"
            for entry in entries
        ]

    def _bulletin(
        self,
        case: Case,
        kind: BulletinKind,
        fields: dict[str, str],
        sections: Sequence[tuple[str, Sequence[str]]],
        now_ms: int,
        reason: Reason,
    ) -> Bulletin:
        incident = case.incident
        number = case.numbered + 1
        ordinal = f" {number - 1}" if kind == BulletinKind.FOLLOW_UP else ""
        what = CAUSES[incident.cause]
        title = f"{KINDS[kind]}{ordinal}: {what}, {self._places.area(incident.area)}"
        lead = (
            f"**{level_text(incident.level)}** · incident {incident.id} · "
            f"{self._times.full(now_ms)} · {STATUS}"
        )
        facts = [(label, fields[name]) for name, label in _LABELS.items() if name in fields]
        return Bulletin(
            id=_bulletin_id(case, number),
            kind=kind,
            number=number,
            incident=incident.id,
            title=title,
            fields=fields,
            markdown=document(title, lead, facts, sections),
            time_ms=now_ms,
            reason=reason,
            sent_to=self._limits[incident.level].notify,
        )


def _bulletin_id(case: Case, number: int) -> str:
    return f"B-{case.incident.id}-{number}"


def _measures(case: Case) -> list[Entry]:
    measures = [entry for entry in case.course if entry.is_measure]
    return sorted(measures, key=lambda entry: entry.time_ms)


def began_ms(incident: Incident) -> int:
    """Return the first violating sample among the alarms, else when the incident was opened."""
    return first_sample_ms(incident.alarms, incident.opened_ms)


def _source(incident: Incident) -> str:
    rules = sorted({alarm.split("/")[1] for alarm in incident.alarms if alarm.count("/") == 2})
    named = ", ".join(rules) if rules else UNKNOWN
    alarms = count_text(len(incident.alarms), "alarm", "alarms")
    devices = count_text(len(incident.devices), "device", "devices")
    return f"rule {named}; {alarms} on {devices}"


def _affected(incident: Incident) -> str:
    if incident.households <= 0:
        return UNKNOWN
    people = incident.households * PERSONS_PER_HOUSEHOLD
    return f"about {incident.households:.0f} households, {people:.0f} people"


def _trend(case: Case) -> str:
    if case.closure is not None:
        return "over"
    if case.restored_ms is not None:
        return "recovering, supply restored"
    if case.contained_ms is not None:
        return "contained"
    if case.incident.level.is_worse_than(case.first_level):
        return f"worsening, level {case.first_level.roman} at first"
    if case.first_level.is_worse_than(case.incident.level):
        return f"easing, level {case.first_level.roman} at first"
    return "steady since it was confirmed"
