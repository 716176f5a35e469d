"""Groups of alarms: one announcement each, and floods with what came first."""

from dataclasses import replace
from enum import StrEnum

from pipeline.messages import Alarm, AlarmFlood, DeviceHealth, Held
from pipeline.rules import AlarmPolicy
from pipeline.warn.management.records import Group, Tag
from sensors.levels import Level


class FloodReason(StrEnum):
    """Why a flood began or ended."""

    MORE_THAN_OPERATORS_TAKE = "more_alarms_than_operators_take"
    MANY_DEVICES_AT_ONCE = "many_devices_at_once"
    FEW_ALARMS_AGAIN = "few_alarms_again"


class Groups:
    """Says whether an alarm is announced or one of many of its group.

    The group of an alarm is its area and domain. Its first alarm is announced; others within
    `AlarmPolicy.group_window_s`, and as long as a flood of the group lasts, are not, unless
    they are worse than what was announced.
    """

    def __init__(self, policy: AlarmPolicy, groups: dict[str, Group]) -> None:
        """Take the limits, and what is remembered (changed in place)."""
        self._groups = groups
        self._window_ms = round(policy.flood_window_s * 1000.0)
        self._group_ms = round(policy.group_window_s * 1000.0)
        self._begins, self._ends = policy.flood_begins, policy.flood_ends

    def count(self, alarm: Alarm, now_ms: int) -> AlarmFlood | None:
        """Count an activation; return the flood when one begins with it."""
        return self._count(group_of(alarm), alarm.id, now_ms)

    def count_health(self, health: DeviceHealth, now_ms: int) -> AlarmFlood | None:
        """Count a quality alarm; return the flood when one begins with it.

        It is never announced by itself, so all of a flood but the first are grouped.
        """
        name = f"{health.area}/{health.kind}"
        flood = self._count(name, health.device, now_ms)
        group = self._groups[name]
        group.grouped = max(group.alarms - 1, 0)
        if flood is None:
            return None
        reason = FloodReason.MANY_DEVICES_AT_ONCE.value
        return replace(flood, grouped=group.grouped, reason=reason)

    def _count(self, name: str, what: str, now_ms: int) -> AlarmFlood | None:
        group = self._named(name)
        group.recent.append((now_ms, what))
        self._forget(group, now_ms)
        if group.is_flood:
            group.alarms += 1
            return None
        if len(group.recent) <= self._begins:
            return None
        group.is_flood = True
        group.first, group.alarms = group.recent[0][1], len(group.recent)
        return self._say(name, group, FloodReason.MORE_THAN_OPERATORS_TAKE, now_ms)

    def admit(self, tag: Tag, now_ms: int) -> str:
        """Return "" when an alarm in force is announced (or was at this level), else `GROUPED`."""
        level = tag.alarm.level
        if tag.announced and not level.is_worse_than(Level(tag.announced)):
            return ""
        group = self._group(tag.alarm)
        is_fresh = group.announced_ms is None or (
            not group.is_flood and now_ms - group.announced_ms >= self._group_ms
        )
        if is_fresh or level.is_worse_than(Level(group.level)):
            group.announced_ms, group.level = now_ms, level.value
            tag.announced = level.value
            return ""
        if tag.held != Held.GROUPED:
            group.grouped += group.is_flood
        return Held.GROUPED

    def check(self, name: str, now_ms: int) -> AlarmFlood | None:
        """Return the end of a group's flood when it is over."""
        group = self._groups[name]
        self._forget(group, now_ms)
        if not group.is_flood or len(group.recent) >= self._ends:
            return None
        said = self._say(name, group, FloodReason.FEW_ALARMS_AGAIN, now_ms, is_on=False)
        group.is_flood, group.first, group.alarms, group.grouped = False, "", 0, 0
        return said

    def ends_ms(self, name: str) -> int:
        """Return when a group's flood ends if nothing more comes."""
        recent = self._groups[name].recent
        return recent[-self._ends][0] + self._window_ms if len(recent) >= self._ends else 0

    def _group(self, alarm: Alarm) -> Group:
        return self._named(group_of(alarm))

    def _named(self, name: str) -> Group:
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = Group()
        return group

    def _forget(self, group: Group, now_ms: int) -> None:
        oldest_ms, recent = now_ms - self._window_ms, group.recent
        if recent and recent[0][0] <= oldest_ms:
            gone = next((at for at, one in enumerate(recent) if one[0] > oldest_ms), len(recent))
            del recent[:gone]

    def _say(
        self, name: str, group: Group, reason: FloodReason, now_ms: int, *, is_on: bool = True
    ) -> AlarmFlood:
        return AlarmFlood(
            group=name,
            is_on=is_on,
            alarms=group.alarms,
            grouped=group.grouped,
            first=group.first,
            time_ms=now_ms,
            reason=reason.value,
        )


def group_of(alarm: Alarm) -> str:
    """Return the name of an alarm's group, `area/domain`."""
    return f"{alarm.area}/{alarm.domain}"
