"""Why supervision acted; tests, metrics and bulletins use the same words."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a milestone, slip or closure was recorded."""

    IN_TIME = "in_time"
    LATE = "late"
    NEAR_LIMIT = "near_limit"
    """80 % of a limit is used: a reminder."""
    LIMIT_PASSED = "limit_passed"
    EXTENSION_PASSED = "extension_passed"
    DOUBLE_LIMIT = "double_limit"
    """Twice the limit: the case is listed (挂牌督办)."""
    REPEATED_AT_ASSET = "repeated_at_asset"
    """The third overdue order at one asset within 30 days: listed at once."""
    NOT_DELISTED = "not_delisted"
    """The listed case was not dealt with in time: named in the circular."""
    SENSORS_DISAGREE = "sensors_disagree"
    """The crews say done, the sensors do not."""
    DONE_AND_RECOVERED = "done_and_recovered"
    NOTHING_FOUND_AND_RECOVERED = "nothing_found_and_recovered"
    NOTICE_OVER = "notice_over"
    """It was told and watched, nobody was sent, and the sensors are quiet."""
    RECOVERED_UNATTENDED = "recovered_unattended"
    """No team ever came and the sensors have long been quiet."""
