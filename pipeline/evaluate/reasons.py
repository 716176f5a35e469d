"""Why an evaluation was made and what it rests on."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a case or a run was evaluated."""

    MATCHED = "matched"
    """The incident belongs to something that really happened."""
    NO_TRUTH_MATCHES = "no_truth_matches"
    """Nothing that ought to be found was near enough in place and time."""
    TOLD_LATE = "told_late"
    """It was told of something real while that lasted, but so long after harm began that it
    counts as missed: neither a hit nor false."""
    NO_HAZARD_CLAIMED = "no_hazard_claimed"
    """It was a notice, or gas that was only patrolled: neither a hit nor false."""
    REVISED = "revised"
    """The end of the run made another verdict of a case evaluated before."""
    OPEN_AT_END = "open_at_end"
    """The run ended before the case was closed."""
    RUN_ENDED = "run_ended"
