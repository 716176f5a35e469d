"""Why a bulletin goes out."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a bulletin goes out."""

    CONFIRMED = "confirmed"
    LEVEL_RAISED = "level_raised"
    INTERVAL = "interval"
    """The level's interval has passed, with news or without."""
    NEWS = "news"
    """There is news, and the last bulletin is old enough."""
    WITHDRAWN = "withdrawn"
    """The incident was dismissed after it had been reported."""
    CASE_CLOSED = "case_closed"
    EVALUATION_REVISED = "evaluation_revised"
    RUN_ENDED = "run_ended"
    CALL_NEAR_CASE = "call_near_case"
    """A citizen told of something near an open case."""
    CALL_WITHOUT_CASE = "call_without_case"
    """A citizen told of something where no case is open."""
