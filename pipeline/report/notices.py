"""The warning notice (预警通报): each version of a warning that is out, with its CAP message."""

from collections.abc import Mapping

from pipeline.messages import OUTSIDE, Bulletin, BulletinKind, WarningNotice, WarningStatus
from pipeline.report.cap import CapFacts, CapMessage, CapThread, CapWriter
from pipeline.report.cases import Case
from pipeline.report.gazetteer import Gazetteer
from pipeline.report.grounds import Ground, first_sample_ms, ground_lines
from pipeline.report.markdown import document
from pipeline.report.words import (
    ADVICE,
    DOMAINS,
    KINDS,
    OTHER_ADVICE,
    UNKNOWN,
    CityTime,
    level_text,
    reason_text,
)
from pipeline.rules import ResponseLimits, Rule
from sensors.levels import Level

AUTHOR = "Tocsin duty desk (automatic)"
STATUS = "Exercise"
"""Nothing a simulator writes is ever `Actual`."""
_AUTOMATIC = "assess"
"""Actor of a version that nobody had to approve."""


class NoticeWriter:
    """Writes the notice of each version of a warning that leaves the platform."""

    def __init__(
        self,
        names: Gazetteer,
        cap: CapWriter,
        limits: Mapping[Level, ResponseLimits],
        rules: Mapping[str, Rule],
        times: CityTime,
    ) -> None:
        self._names, self._cap, self._limits = names, cap, limits
        self._rules, self._times = rules, times

    def write(
        self,
        notice: WarningNotice,
        threads: dict[str, CapThread],
        case: Case | None,
        grounds: Mapping[str, Ground],
    ) -> Bulletin | None:
        """Return the notice of a version; None when it stays inside the platform.

        Args:
            notice: The version.
            threads: CAP threads of the warnings that are out, by warning; brought up to date.
            case: Its case, None while the incident is not confirmed.
            grounds: Numbers behind its alarms as far as they are known, by alarm.
        """
        is_over = notice.status is WarningStatus.CANCELLED
        if not is_over and notice.status not in OUTSIDE:
            return None
        thread = threads.get(notice.id)
        if thread is None and is_over:
            return None
        thread = thread or threads.setdefault(notice.id, CapThread())
        limits = self._limits[notice.level]
        facts = CapFacts(
            incident=None if case is None else case.incident,
            grounds=tuple(grounds[name] for name in sorted(grounds)),
            began_ms=first_sample_ms(notice.alarms, notice.time_ms),
            expires_ms=notice.time_ms + (limits.limit_ms("close") or 0),
        )
        message = self._cap.write(notice, thread, facts)
        if is_over:
            del threads[notice.id]
        return self._bulletin(notice, message, facts, case)

    def _bulletin(
        self,
        notice: WarningNotice,
        message: CapMessage,
        facts: CapFacts,
        case: Case | None,
    ) -> Bulletin:
        limits = self._limits[notice.level]
        basis = ground_lines(facts.grounds, self._rules)
        advice = OTHER_ADVICE if case is None else ADVICE.get(case.incident.cause, OTHER_ADVICE)
        is_over = notice.status is WarningStatus.CANCELLED
        fields = {
            "number": message.identifier,
            "kind": KINDS[BulletinKind.NOTICE],
            "status": STATUS,
            "warning": f"{notice.id}, version {notice.version}",
            "change": f"{reason_text(notice.status.value)} ({reason_text(notice.reason)})",
            "level": level_text(notice.level),
            "domain": DOMAINS.get(notice.domain, notice.domain),
            "area": self._names.area(notice.area),
            "polygon": message.polygon or message.circle,
            "valid_from": self._times.full(notice.time_ms),
            "valid_to": self._times.full(notice.time_ms if is_over else facts.expires_ms),
            "basis": "; ".join(basis) or UNKNOWN,
            "advice": "The warning is over." if is_over else advice,
            "joint_units": ", ".join(limits.notify) or UNKNOWN,
            "refers_to": " ".join(message.references) or "none, it is the first",
            "author": AUTHOR,
            "approver": "nobody had to" if notice.actor == _AUTOMATIC else notice.actor,
            "sent_to": ", ".join(limits.notify) or UNKNOWN,
        }
        title = (
            f"{KINDS[BulletinKind.NOTICE]}: {fields['domain']}, "
            f"{reason_text(notice.status.value)}, {fields['area']}"
        )
        lead = f"**{fields['level']}** · warning {notice.id} · {fields['valid_from']} · {STATUS}"
        facts_shown = [
            (name.replace("_", " ").capitalize(), text)
            for name, text in fields.items()
            if name not in ("polygon", "basis")
        ]
        sections = [("Basis", basis)]
        return Bulletin(
            id=f"{notice.id}-v{notice.version}",
            kind=BulletinKind.NOTICE,
            number=notice.version,
            incident=notice.incident,
            title=title,
            fields=fields,
            markdown=document(title, lead, facts_shown, sections),
            time_ms=notice.time_ms,
            reason=notice.reason,
            sent_to=limits.notify,
            cap=message.xml,
        )
