"""Draft warnings: the first raised alarm of an area opens one, later alarms join it silently."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.messages import Alarm, AlarmState, WarningNotice, WarningStatus
from sensors.levels import Level

JOIN_MS = 30 * 60_000
"""How long alarms of the same area and domain join a draft (proposed)."""


class DraftReason(StrEnum):
    """Why a warning was drafted."""

    FIRST_ALARM_OF_AREA = "first_alarm_of_area"


@dataclass(slots=True)
class Drafts:
    """The newest draft of each area and domain.

    Attributes:
        opened_ms: Area → domain → event time of its newest draft.
    """

    opened_ms: dict[str, dict[str, int]] = field(default_factory=dict)

    def draft(self, alarms: Sequence[Alarm], now_ms: int) -> list[WarningNotice]:
        """Return the drafts that the alarms of one moment open, by area and domain."""
        raised: dict[tuple[str, str], list[Alarm]] = {}
        for alarm in alarms:
            if alarm.state is AlarmState.RAISED:
                raised.setdefault((alarm.area, alarm.domain), []).append(alarm)
        notices: list[WarningNotice] = []
        for (area, domain), group in sorted(raised.items()):
            opened = self.opened_ms.setdefault(area, {})
            if domain in opened and now_ms - opened[domain] < JOIN_MS:
                continue
            opened[domain] = now_ms
            notices.append(_notice(area, domain, group, now_ms))
        return notices


def _notice(area: str, domain: str, alarms: Sequence[Alarm], now_ms: int) -> WarningNotice:
    return WarningNotice(
        id=f"W-{area}-{domain}-{now_ms}",
        version=1,
        status=WarningStatus.DRAFT,
        level=Level(min(alarm.level for alarm in alarms)),
        domain=domain,
        area=area,
        incident="",
        alarms=tuple(alarm.id for alarm in alarms),
        time_ms=now_ms,
        reason=DraftReason.FIRST_ALARM_OF_AREA.value,
    )
