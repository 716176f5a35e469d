"""Moves alarms from one standing to the next and says so."""

import heapq
from enum import StrEnum

from pipeline.messages import AlarmHandling, AlarmStanding, Held
from pipeline.rules import RuleSet
from pipeline.warn.management.records import DeskState, Tag
from pipeline.warn.management.states import AlarmEvent, Refusal, after

_BY_DESK = "warn"
_BEGIN = {
    Held.SHELVED: AlarmEvent.SHELVED,
    Held.SUPPRESSED: AlarmEvent.SUPPRESSED,
    Held.OUT_OF_SERVICE: AlarmEvent.REMOVED,
}
_END = {
    Held.SHELVED: AlarmEvent.UNSHELVED,
    Held.SUPPRESSED: AlarmEvent.UNSUPPRESSED,
    Held.OUT_OF_SERVICE: AlarmEvent.RESTORED,
}
_WEIGHT = {"": 0, Held.SHELVED: 1, Held.SUPPRESSED: 2, Held.OUT_OF_SERVICE: 3}
"""Which of several modes counts: the one that says most about the alarm."""


class Why(StrEnum):
    """Why an alarm changed its standing, where the event itself does not say it."""

    SHELVING_EXPIRED = "shelving_expired"
    ONE_SHOT_RETURNED = "one_shot_returned"
    INCIDENT_CONFIRMED = "incident_confirmed"
    INCIDENT_DISMISSED = "incident_dismissed"
    INCIDENT_CLOSED = "incident_closed"
    CHATTERING = "chattering"
    CHATTERING_ENDED = "chattering_ended"
    STALE = "stale"


class Standings:
    """Writes down what happens to alarms before their operators.

    Attributes:
        said: What is to be told; whoever takes it empties it.
    """

    def __init__(self, state: DeskState, rules: RuleSet) -> None:
        """Take what is remembered (changed in place) and the rules (for latching)."""
        self._state, self._rules = state, rules
        self.said: list[AlarmHandling] = []

    def move(
        self,
        name: str,
        tag: Tag,
        event: AlarmEvent,
        now_ms: int,
        *,
        reason: str = "",
        actor: str = _BY_DESK,
    ) -> Refusal | None:
        """Let something befall an alarm; return why not when the table has no such transition.

        Nothing is said when it stands as it did, but for a new activation.
        """
        rule = self._rules.rules.get(tag.alarm.rule)
        latches = rule is not None and rule.is_latching
        before = tag.standing
        target = after(before, event, is_active=tag.is_active, is_latching=latches)
        if isinstance(target, Refusal):
            return target
        tag.standing = target
        is_new = event is AlarmEvent.RAISED and target is AlarmStanding.UNACKNOWLEDGED
        if target is not before or is_new:
            self.say(tag, before, now_ms, reason or event.value, actor)
        if target is AlarmStanding.NORMAL:
            window_ms = round(self._rules.alarms.chatter_window_s * 1000.0)
            self.wake(now_ms + window_ms, "prune", name)
        return None

    def settle_mode(
        self, name: str, tag: Tag, mode: str, now_ms: int, *, reason: str = "", actor: str = ""
    ) -> None:
        """Take an alarm out of the operators' view, or let it back (`mode` empty)."""
        if mode == tag.mode:
            return
        before, tag.mode = tag.mode, mode
        who = actor or _BY_DESK
        if before and _WEIGHT[mode] < _WEIGHT[before]:
            self.move(name, tag, _END[Held(before)], now_ms, reason=reason, actor=who)
            tag.announced = 0
        if mode:
            self.move(name, tag, _BEGIN[Held(mode)], now_ms, reason=reason, actor=who)

    def say(
        self, tag: Tag, before: AlarmStanding, now_ms: int, reason: str, actor: str = _BY_DESK
    ) -> None:
        """Say how an alarm stands, with a reason: a change, a refusal, a remark."""
        alarm = tag.alarm
        self.said.append(
            AlarmHandling(
                alarm=alarm.id,
                device=alarm.device,
                rule=alarm.rule,
                area=alarm.area,
                domain=alarm.domain,
                level=alarm.level,
                standing=tag.standing,
                before=before,
                until_ms=tag.shelved_until_ms,
                time_ms=now_ms,
                reason=reason,
                actor=actor,
            )
        )

    def wake(self, at_ms: int, kind: str, about: str) -> None:
        """Have something looked at again at a moment of event time."""
        heapq.heappush(self._state.timers, (at_ms, kind, about))


def heavier(one: str, other: str) -> str:
    """Return which of two modes counts."""
    return one if _WEIGHT[one] >= _WEIGHT[other] else other
