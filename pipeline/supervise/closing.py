"""When a case may be closed, and when the sensors contradict the crews."""

from collections.abc import Mapping

from pipeline.supervise.cases import Case
from pipeline.supervise.reasons import Reason
from pipeline.supervise.verify import Sensor, VerifyLimits, recovered_ms

_MINUTE_MS = 60_000


def closing(
    case: Case, sensors: Mapping[str, Sensor], limits: VerifyLimits
) -> tuple[int, Reason] | None:
    """Return when a case may be closed and why, None while something stands against it.

    Against it stand: it was not confirmed, an order is open, an alarm of its devices stands,
    water is not yet measured gone.
    """
    if case.confirmed_ms is None or case.has_water or _has_open_order(case):
        return None
    quiet_ms = recovered_ms(sensors, case.devices)
    if quiet_ms is None:
        return None
    quiet_ms = max(quiet_ms, case.confirmed_ms)
    clear_ms = quiet_ms + round(limits.clear_min * _MINUTE_MS)
    if case.is_notice:
        return clear_ms, Reason.NOTICE_OVER
    if case.done_ms is not None:
        return max(clear_ms, case.done_ms), Reason.DONE_AND_RECOVERED
    if case.orders:
        return clear_ms, Reason.NOTHING_FOUND_AND_RECOVERED
    return quiet_ms + round(limits.unattended_min * _MINUTE_MS), Reason.RECOVERED_UNATTENDED


def contradiction(case: Case, sensors: Mapping[str, Sensor], limits: VerifyLimits) -> int | None:
    """Return when the crews' word is contradicted, None while nothing speaks against it."""
    if case.done_ms is None or case.is_contradicted or _has_open_order(case):
        return None
    if case.is_patrolled:
        return None
    if recovered_ms(sensors, case.devices) is not None:
        return None
    return case.done_ms + round(limits.disagree_min * _MINUTE_MS)


def _has_open_order(case: Case) -> bool:
    return any(order.is_open for order in case.orders.values())
