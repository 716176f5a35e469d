"""The summary of a run (通报): scores, cases, and who was late."""

from collections.abc import Mapping, Sequence

from pipeline.messages import Bulletin, BulletinKind, RunEvaluation
from pipeline.report.cases import Case, ReportState
from pipeline.report.gazetteer import Gazetteer
from pipeline.report.markdown import document, table
from pipeline.report.notices import AUTHOR, STATUS
from pipeline.report.reasons import Reason
from pipeline.report.review import NOT_CLAIMED, TOLD_LATE, is_false
from pipeline.report.words import CAUSES, DOMAINS, KINDS, CityTime, minutes_text, number_text

_DOMAIN_HEAD = ("Domain", "Cases", "Closed", "Hits", "False", "Calls of citizens")
_KPI_HEAD = ("Figure", "Value")
_CASE_HEAD = ("Incident", "Level", "Cause", "Place", "Confirmed", "Closed", "Verdict")


def run_summary(
    run: RunEvaluation, state: ReportState, places: Gazetteer, times: CityTime, now_ms: int
) -> Bulletin:
    """Write the summary of a run from its scores and the cases reported."""
    cases = [state.cases[name] for name in sorted(state.cases)]
    fields = _fields(run, cases, times, now_ms)
    title = f"{KINDS[BulletinKind.SUMMARY]}: {places.city}"
    late_text = f", {run.late} told too late" if run.late else ""
    lead = (
        f"{run.found} of {run.true} true incidents found, {run.missed} missed, "
        f"{run.false} false{late_text} · {times.full(now_ms)} · {STATUS}"
    )
    text = document(title, lead, [(_label(name), value) for name, value in fields.items()], [])
    if cases:
        rows = [_case_row(case, times) for case in cases]
        text += "\n## Cases\n\n" + table(_CASE_HEAD, rows) + "\n"
    if {case.incident.domain for case in cases} - {"water"}:
        text += "\n## By domain\n\n" + table(_DOMAIN_HEAD, _domain_rows(cases)) + "\n"
    if shown := _kpi_rows(run.alarms_kpi):
        text += "\n## Load on the operators\n\n" + table(_KPI_HEAD, shown) + "\n"
    late = [f"{case.incident.id}: {item}" for case in cases for item in case.late.values()]
    text += "\n## Late\n\n"
    text += "\n".join(f"- {line}" for line in late or ["Nothing was late"]) + "\n"
    return Bulletin(
        id=f"B-run-{state.summaries + 1}",
        kind=BulletinKind.SUMMARY,
        number=state.summaries + 1,
        incident="",
        title=title,
        fields=fields,
        markdown=text,
        time_ms=now_ms,
        reason=Reason.RUN_ENDED,
    )


def _fields(run: RunEvaluation, cases: list[Case], times: CityTime, now_ms: int) -> dict[str, str]:
    closed = sum(case.closure is not None for case in cases)
    error_m = "not applicable" if run.location_error_m is None else f"{run.location_error_m:.0f} m"
    return {
        "kind": KINDS[BulletinKind.SUMMARY],
        "status": STATUS,
        "time_of_report": times.full(now_ms),
        "true_incidents": str(run.true),
        "found": str(run.found),
        "missed": str(run.missed),
        "false": str(run.false),
        "told_too_late": str(run.late),
        "probability_of_detection": number_text(run.pod),
        "false_alarm_ratio": number_text(run.far_ratio),
        "critical_success_index": number_text(run.csi),
        "bias": number_text(run.bias),
        "detection_delay": minutes_text(run.detection_delay_min),
        "lead_time_over_hits": minutes_text(run.lead_time_min),
        "lead_time_with_misses_as_0": minutes_text(run.lead_time_all_min),
        "location_error": error_m,
        "timeliness_of_due_clocks": number_text(run.timeliness),
        "alarms": str(run.alarms),
        "cases_closed": f"{closed} of {len(cases)}",
        "author": AUTHOR,
    }


def _domain_rows(cases: list[Case]) -> list[tuple[str, ...]]:
    """Return how the cases of each domain went; a run of water alone needs no such table."""
    rows: list[tuple[str, ...]] = []
    for domain, words in DOMAINS.items():
        mine = [case for case in cases if case.incident.domain == domain]
        hits = sum(case.evaluation is not None and case.evaluation.is_hit for case in mine)
        closed = sum(case.closure is not None for case in mine)
        told = sum(len(case.calls) for case in mine)
        counts = (len(mine), closed, hits, sum(map(is_false, mine)), told)
        if mine:
            rows.append((words, *map(str, counts)))
    return rows


def _kpi_rows(kpi: Mapping[str, object]) -> list[tuple[str, ...]]:
    """Return figures of alarm management; lists by their lengths, tables line by line."""
    rows: list[tuple[str, ...]] = []
    for name, value in kpi.items():
        if isinstance(value, Mapping):
            rows += [(f"{_label(name)}: {key}", _figure(one)) for key, one in value.items()]
        else:
            rows.append((_label(name), _figure(value)))
    return rows


def _figure(value: object) -> str:
    if value is None:
        return "undefined"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return str(len(value))
    return str(value)


def _case_row(case: Case, times: CityTime) -> tuple[str, ...]:
    incident = case.incident
    result = case.evaluation
    candidates = incident.location.candidates
    outcome = "open" if result is None else f"hit {result.truth}" if result.is_hit else "false"
    if result is not None and result.reason == NOT_CLAIMED:
        outcome = "no hazard claimed"
    if result is not None and result.reason == TOLD_LATE:
        outcome = f"late {result.truth}"
    return (
        incident.id,
        f"{incident.level.roman} {incident.level.colour}",
        CAUSES[incident.cause],
        case.found or (candidates[0] if candidates else incident.area),
        times.full(case.course[0].time_ms),
        times.full(case.closure.time_ms) if case.closure else "open",
        outcome,
    )


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()
