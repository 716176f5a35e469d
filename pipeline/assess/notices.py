"""What the assessment wants of warnings: a draft is issued, updated, cancelled with its incident.

Which version follows, and when it leaves, is decided by `lifecycle.WarningDesk`.
"""

from dataclasses import replace

from pipeline.assess.cases import AssessState, Case
from pipeline.assess.reasons import Reason
from pipeline.messages import WarningNotice, WarningStatus

_ACTOR = "assess"


def issue(case: Case, now_ms: int, reason: str) -> list[WarningNotice]:
    """Issue the case's warning, or update it when it is out already.

    The oldest draft becomes the warning of the incident; the others are cancelled, so that one
    event is one warning. Without a draft the case makes its own.
    """
    status = WarningStatus.UPDATED
    if case.warning is None:
        status = WarningStatus.ISSUED
        case.warning = case.drafts.pop(0) if case.drafts else _own_draft(case)
    case.warning = replace(
        case.warning,
        version=case.warning.version + 1,
        status=status,
        level=case.level,
        area=case.area,
        incident=case.id,
        alarms=tuple(sorted(case.alarms)),
        time_ms=now_ms,
        reason=reason,
        actor=_ACTOR,
    )
    drafts, case.drafts = case.drafts, []
    merged = [cancelled(draft, now_ms, Reason.MERGED_INTO_INCIDENT, case.id) for draft in drafts]
    return [case.warning, *merged]


def give_drafts(state: AssessState, now_ms: int, join_window_ms: int) -> list[WarningNotice]:
    """Attach new drafts to the cases of their alarms.

    Args:
        state: Cases, and the drafts that no case has yet.
        now_ms: Event time.
        join_window_ms: How long a draft whose alarms have no case waits for one.

    Returns:
        Drafts taken back: those of ended cases, of cases with a warning, and of no case at all.
    """
    returned: list[WarningNotice] = []
    waiting: list[WarningNotice] = []
    for draft in state.drafts:
        owners = [state.owner[alarm] for alarm in draft.alarms if alarm in state.owner]
        case = state.cases.get(owners[0]) if owners else None
        if case is not None and case.is_open and case.warning is None:
            case.drafts.append(draft)
        elif case is not None:
            reason = Reason.MERGED_INTO_INCIDENT.value if case.is_open else case.reason
            returned.append(cancelled(draft, now_ms, reason, case.id))
        elif now_ms < draft.time_ms + join_window_ms:
            waiting.append(draft)
        else:
            returned.append(cancelled(draft, now_ms, Reason.ALARMS_WITHDRAWN, ""))
    state.drafts = waiting
    return returned


def cancel(case: Case, now_ms: int, reason: str) -> list[WarningNotice]:
    """Cancel whatever the case has out or in draft."""
    notices = [cancelled(draft, now_ms, reason, case.id) for draft in case.drafts]
    if case.warning is not None and case.warning.status is not WarningStatus.CANCELLED:
        case.warning = cancelled(case.warning, now_ms, reason, case.id)
        notices.insert(0, case.warning)
    case.drafts = []
    return notices


def cancelled(notice: WarningNotice, now_ms: int, reason: str, incident: str) -> WarningNotice:
    """Return the version of a warning that takes it back."""
    return replace(
        notice,
        version=notice.version + 1,
        status=WarningStatus.CANCELLED,
        incident=incident,
        time_ms=now_ms,
        reason=str(reason),
        actor=_ACTOR,
    )


def _own_draft(case: Case) -> WarningNotice:
    return WarningNotice(
        id=f"W-{case.area}-{case.domain}-{case.opened_ms}",
        version=0,
        status=WarningStatus.DRAFT,
        level=case.level,
        domain=case.domain,
        area=case.area,
        incident=case.id,
        alarms=tuple(case.alarms),
        time_ms=case.opened_ms,
        reason=case.reason,
    )
