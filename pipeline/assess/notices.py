"""Warnings in their versions: a draft is issued, updated or cancelled with its incident."""

from dataclasses import replace

from pipeline.assess.cases import Case
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
