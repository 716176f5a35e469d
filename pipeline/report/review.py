"""Looking back on a closed case: the verdict, what to learn, what to put right and by whom."""

from pipeline.messages import Cause
from pipeline.report.cases import Case
from pipeline.report.words import UNKNOWN, count_text, minutes_text

NOT_CLAIMED = "no_hazard_claimed"
"""Reason of an evaluation of a case that claimed no hazard."""
TOLD_LATE = "told_late"
"""Reason of an evaluation of a case that told of something real too late to count."""


def verdict(case: Case) -> list[str]:
    """Return how the case compares with what really happened, line by line."""
    result = case.evaluation
    if result is None:
        return [UNKNOWN]
    timely = f"Clocks met in time: {result.clocks_in_time} of {result.clocks_due} due"
    if result.reason == TOLD_LATE:
        late = f"Late: {result.truth} counts as missed; it had done harm long before it was told"
        return [late, timely]
    if result.reason == NOT_CLAIMED:
        return ["No hazard was claimed: neither a hit nor false", timely]
    if not result.is_hit:
        return ["False: nothing that ought to be found matches this incident", timely]
    error_m = result.location_error_m
    pipes = result.location_error_pipes
    away = UNKNOWN if error_m is None else f"{error_m:.0f} m"
    away_pipes = "" if pipes is None else f", {count_text(pipes, 'pipe', 'pipes')}"
    return [
        f"Hit: it belongs to {result.truth}",
        f"Detection delay: {minutes_text(result.detection_delay_min)} after it could be seen first",
        f"Lead time before harm: {minutes_text(result.lead_time_min)}",
        f"Location error: {away}{away_pipes}",
        timely,
    ]


def is_false(case: Case) -> bool:
    """Return whether a case claimed a hazard and nothing true matches it."""
    result = case.evaluation
    if result is None or result.reason in (NOT_CLAIMED, TOLD_LATE):
        return False
    return not result.is_hit


def lessons(case: Case) -> list[str]:
    """Return what the case teaches: what was late, what was false, what was searched in vain."""
    found = [f"Late: {text}" for text in case.late.values()]
    if is_false(case):
        found.append("The rules that raised it need a look: no true incident was near")
    searched = sum("found nothing" in entry.text for entry in case.course)
    if searched:
        searches = count_text(searched, "search", "searches")
        found.append(f"{searches} found nothing before the case was closed")
    return found or ["None: every clock that came due was met in time"]


def rectification(case: Case, responsible: str) -> list[str]:
    """Return what is to be put right (整改), each with its owner."""
    tasks: list[str] = []
    if case.incident.cause == Cause.BURST:
        pipe = case.found or "the pipe"
        tasks.append(f"Examine {pipe} and its neighbours for the cause; owner: {responsible}")
    if case.incident.cause == Cause.PUMP_OUTAGE:
        tasks.append(f"Examine the pump and its supply; owner: {responsible}")
    if case.incident.cause == Cause.GAS_LEAK:
        pipe = case.found or "the pipe"
        tasks.append(f"Examine {pipe} for corrosion or digging; owner: {responsible}")
    if case.incident.cause in (Cause.PONDING, Cause.PUMP_STOPPED):
        tasks.append(f"Examine drains and pumps of the spot; owner: {responsible}")
    if case.incident.cause == Cause.FIRE_WATER:
        tasks.append(f"Examine tank, float valve and feed of the building; owner: {responsible}")
    if case.late:
        tasks.append("Explain the late clocks in writing; owner: the units named on the slips")
    return tasks or ["Nothing to put right"]
