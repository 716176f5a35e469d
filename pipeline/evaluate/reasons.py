"""Why an evaluation was made and what it rests on."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a case or a run was evaluated."""

    MATCHED = "matched"
    """The incident belongs to something that really happened."""
    NO_TRUTH_MATCHES = "no_truth_matches"
    """Nothing that ought to be found was near enough in place and time."""
    NO_HAZARD_CLAIMED = "no_hazard_claimed"
    """It was a notice, or gas held as biogas and patrolled: neither a hit nor false."""
    REVISED = "revised"
    """The end of the run made another verdict of a case evaluated before."""
    OPEN_AT_END = "open_at_end"
    """The run ended before the case was closed."""
    RUN_ENDED = "run_ended"
