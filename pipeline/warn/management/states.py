"""Standings of an alarm before its operators and what leads from one to the next, as a table.

States and transitions are those of ISA-18.2 / IEC 62682 (figure "alarm state transition"); a
latched alarm is one state here, reached when it has returned *and* was acknowledged.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from pipeline.messages import AlarmStanding as At


class AlarmEvent(StrEnum):
    """What befalls an alarm: from the process, from operators, or from a clock."""

    RAISED = "raised"
    WORSENED = "worsened"
    RETURNED = "returned"
    ACKNOWLEDGED = "acknowledged"
    RESET = "reset"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"
    REMOVED = "removed_from_service"
    RESTORED = "back_in_service"


class Refusal(StrEnum):
    """Why an act on an alarm is refused."""

    NOTHING_TO_ACKNOWLEDGE = "refused_nothing_to_acknowledge"
    ALREADY_ACKNOWLEDGED = "refused_already_acknowledged"
    NOT_LATCHED = "refused_not_latched"
    STILL_IN_ALARM = "refused_still_in_alarm"
    IS_SHELVED = "refused_is_shelved"
    NOT_SHELVED = "refused_not_shelved"
    IS_SUPPRESSED = "refused_is_suppressed"
    NOT_SUPPRESSED = "refused_not_suppressed"
    IS_OUT_OF_SERVICE = "refused_is_out_of_service"
    NOT_OUT_OF_SERVICE = "refused_not_out_of_service"
    ALREADY_OVER = "refused_ends_in_the_past"
    SUPERSEDED = "refused_a_newer_alarm_stands"
    NO_CHANGE = "refused_no_change"


class _When(NamedTuple):
    """A target that depends on the alarm: whether it latches, or whether it is in alarm."""

    is_so: At
    otherwise: At


_IF_LATCHING = _When(At.LATCHED, At.NORMAL)
_IF_IN_ALARM = _When(At.UNACKNOWLEDGED, At.NORMAL)
_E = AlarmEvent
_HOLDS = {_E.SHELVED: At.SHELVED, _E.SUPPRESSED: At.SUPPRESSED, _E.REMOVED: At.OUT_OF_SERVICE}
_PROCESS = (_E.RAISED, _E.WORSENED, _E.RETURNED)

_TABLE: Mapping[At, Mapping[AlarmEvent, At | _When]] = MappingProxyType(
    {
        At.NORMAL: {_E.RAISED: At.UNACKNOWLEDGED, **_HOLDS},
        At.UNACKNOWLEDGED: {
            _E.RAISED: At.UNACKNOWLEDGED,
            _E.WORSENED: At.UNACKNOWLEDGED,
            _E.RETURNED: At.RETURNED_UNACKNOWLEDGED,
            _E.ACKNOWLEDGED: At.ACKNOWLEDGED,
            **_HOLDS,
        },
        At.ACKNOWLEDGED: {
            _E.RAISED: At.UNACKNOWLEDGED,
            _E.WORSENED: At.UNACKNOWLEDGED,
            _E.RETURNED: _IF_LATCHING,
            **_HOLDS,
        },
        At.RETURNED_UNACKNOWLEDGED: {
            _E.RAISED: At.UNACKNOWLEDGED,
            _E.ACKNOWLEDGED: _IF_LATCHING,
            **_HOLDS,
        },
        At.LATCHED: {_E.RAISED: At.UNACKNOWLEDGED, _E.RESET: At.NORMAL, **_HOLDS},
        At.SHELVED: {
            **dict.fromkeys(_PROCESS, At.SHELVED),
            _E.UNSHELVED: _IF_IN_ALARM,
            _E.SUPPRESSED: At.SUPPRESSED,
            _E.REMOVED: At.OUT_OF_SERVICE,
        },
        At.SUPPRESSED: {
            **dict.fromkeys(_PROCESS, At.SUPPRESSED),
            _E.UNSUPPRESSED: _IF_IN_ALARM,
            _E.REMOVED: At.OUT_OF_SERVICE,
        },
        At.OUT_OF_SERVICE: {
            **dict.fromkeys(_PROCESS, At.OUT_OF_SERVICE),
            _E.RESTORED: _IF_IN_ALARM,
        },
    }
)
"""Standing → event → standing after it; what is missing is refused."""

_HELD: Mapping[At, Refusal] = MappingProxyType(
    {
        At.SHELVED: Refusal.IS_SHELVED,
        At.SUPPRESSED: Refusal.IS_SUPPRESSED,
        At.OUT_OF_SERVICE: Refusal.IS_OUT_OF_SERVICE,
    }
)
_NO_END: Mapping[AlarmEvent, Refusal] = MappingProxyType(
    {
        _E.UNSHELVED: Refusal.NOT_SHELVED,
        _E.UNSUPPRESSED: Refusal.NOT_SUPPRESSED,
        _E.RESTORED: Refusal.NOT_OUT_OF_SERVICE,
    }
)


def after(standing: At, event: AlarmEvent, *, is_active: bool, is_latching: bool) -> At | Refusal:
    """Return the standing an event leads to, or why it is refused.

    Args:
        standing: Where the alarm stands.
        event: What befalls it.
        is_active: Whether its rule holds it in alarm, after the event.
        is_latching: Whether its rule latches (`Rule.is_latching`).
    """
    target = _TABLE[standing].get(event)
    if target is None:
        return _why_not(standing, event, is_active=is_active)
    if isinstance(target, _When):
        is_so = is_latching if target is _IF_LATCHING else is_active
        return target.is_so if is_so else target.otherwise
    return target


def _why_not(standing: At, event: AlarmEvent, *, is_active: bool) -> Refusal:
    if event in _NO_END:
        return _NO_END[event]
    if standing in _HELD:
        return _HELD[standing]
    if event is _E.ACKNOWLEDGED:
        is_done = standing in (At.ACKNOWLEDGED, At.LATCHED)
        return Refusal.ALREADY_ACKNOWLEDGED if is_done else Refusal.NOTHING_TO_ACKNOWLEDGE
    if event is _E.RESET:
        return Refusal.STILL_IN_ALARM if is_active else Refusal.NOT_LATCHED
    return Refusal.NO_CHANGE
