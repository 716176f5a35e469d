"""What operators do to alarms: each act carried out or refused with a reason, never an error."""

from pipeline.messages import (
    AlarmStanding,
    Held,
    Incident,
    IncidentStatus,
    OperatorAct,
    OperatorActKind,
)
from pipeline.rules import AlarmPolicy
from pipeline.warn.management.matching import matches
from pipeline.warn.management.records import DeskState, Hold, Tag, tag_of
from pipeline.warn.management.standings import Standings, Why
from pipeline.warn.management.states import AlarmEvent, Refusal

_Kind = OperatorActKind
_HOLDS = {
    _Kind.SILENCE: Held.SILENCED,
    _Kind.SUPPRESS: Held.SUPPRESSED,
    _Kind.OUT_OF_SERVICE: Held.OUT_OF_SERVICE,
}
_LETS_GO = {
    _Kind.UNSILENCE: Held.SILENCED,
    _Kind.UNSUPPRESS: Held.SUPPRESSED,
    _Kind.IN_SERVICE: Held.OUT_OF_SERVICE,
}
_NOT_HELD = {
    _Kind.UNSUPPRESS: Refusal.NOT_SUPPRESSED,
    _Kind.IN_SERVICE: Refusal.NOT_OUT_OF_SERVICE,
}
_SETTLED = {
    IncidentStatus.CONFIRMED: Why.INCIDENT_CONFIRMED,
    IncidentStatus.DISMISSED: Why.INCIDENT_DISMISSED,
    IncidentStatus.CLOSED: Why.INCIDENT_CLOSED,
}
_UNSEEN = frozenset({AlarmStanding.UNACKNOWLEDGED, AlarmStanding.RETURNED_UNACKNOWLEDGED})


class Acts:
    """Carries out acts and acknowledges the alarms of incidents that were decided on."""

    def __init__(self, state: DeskState, standings: Standings, policy: AlarmPolicy) -> None:
        """Take what is remembered (changed in place) and the longest shelving."""
        self._state, self._standings = state, standings
        self._most_ms = round(policy.most_shelved_s * 1000.0)

    def carry_out(self, act: OperatorAct, now_ms: int) -> None:
        """Do what an operator asked for; acts on warnings are none of this desk's."""
        if act.kind in _HOLDS:
            self._hold(act, now_ms)
        elif act.kind in _LETS_GO:
            self._let_go(act, now_ms)
        elif act.kind in (_Kind.ACKNOWLEDGE, _Kind.RESET, _Kind.SHELVE, _Kind.UNSHELVE):
            for name, tag in self._meant(act):
                refusal = self._to_alarm(act, name, tag, now_ms)
                if refusal is not None and act.target:
                    self._standings.say(tag, tag.standing, now_ms, refusal.value, act.by)

    def acknowledge(self, incident: Incident, now_ms: int) -> None:
        """Acknowledge the alarms of an incident that was confirmed, dismissed or closed."""
        why = _SETTLED[incident.status]
        for alarm in incident.alarms:
            name = tag_of(alarm)
            tag = self._state.tags.get(name)
            if tag is not None and tag.alarm.id == alarm and tag.standing in _UNSEEN:
                event = AlarmEvent.ACKNOWLEDGED
                self._standings.move(
                    name, tag, event, now_ms, reason=why.value, actor=incident.actor
                )

    def _meant(self, act: OperatorAct) -> list[tuple[str, Tag]]:
        tags = self._state.tags
        if act.target:
            name = tag_of(act.target)
            return [(name, tags[name])] if name in tags else []
        return [
            (name, tag)
            for name, tag in tags.items()
            if (tag.is_active or tag.standing is not AlarmStanding.NORMAL)
            and matches(act.matchers, tag.alarm)
        ]

    def _to_alarm(self, act: OperatorAct, name: str, tag: Tag, now_ms: int) -> Refusal | None:
        if act.target not in ("", name, tag.alarm.id):
            return Refusal.SUPERSEDED
        if act.kind is _Kind.SHELVE:
            return self._shelve(act, name, tag, now_ms)
        if act.kind is _Kind.UNSHELVE:
            if tag.mode != Held.SHELVED:
                return Refusal.NOT_SHELVED
            tag.shelved_until_ms, tag.is_one_shot = 0, False
            self._standings.settle_mode(name, tag, "", now_ms, actor=act.by)
            self._state.is_changed = True
            return None
        is_ack = act.kind is _Kind.ACKNOWLEDGE
        event = AlarmEvent.ACKNOWLEDGED if is_ack else AlarmEvent.RESET
        return self._standings.move(name, tag, event, now_ms, actor=act.by)

    def _shelve(self, act: OperatorAct, name: str, tag: Tag, now_ms: int) -> Refusal | None:
        if tag.mode:
            return Refusal(f"refused_is_{tag.mode}")
        most_ms = now_ms + self._most_ms
        until_ms = min(act.until_ms, most_ms) if act.until_ms else most_ms
        if until_ms <= now_ms:
            return Refusal.ALREADY_OVER
        tag.shelved_until_ms, tag.is_one_shot = until_ms, not act.until_ms and tag.is_active
        self._standings.wake(until_ms, "shelf", name)
        self._standings.settle_mode(name, tag, Held.SHELVED, now_ms, actor=act.by)
        self._state.is_changed = True
        return None

    def _hold(self, act: OperatorAct, now_ms: int) -> None:
        kind, matchers = _HOLDS[act.kind], dict(act.matchers)
        name = act.id
        if not matchers and act.target:
            device, _, rule = tag_of(act.target).partition("/")
            matchers = {"device": _literal(device), "rule": _literal(rule)}
            name = _hold_name(kind, act.target)
        elif act.target:
            name = act.target
        if not matchers or 0 < act.until_ms <= now_ms:
            return
        self._state.holds[name] = Hold(name, kind, matchers, act.by, act.why, act.until_ms)
        if act.until_ms:
            self._standings.wake(act.until_ms, "hold", name)
        self._state.is_changed = True

    def _let_go(self, act: OperatorAct, now_ms: int) -> None:
        kind, holds = _LETS_GO[act.kind], self._state.holds
        for name in (act.target, _hold_name(kind, act.target)):
            if name in holds and holds[name].kind is kind:
                del holds[name]
                self._state.is_changed = True
                return
        tag = self._state.tags.get(tag_of(act.target))
        if tag is not None and act.kind in _NOT_HELD:
            refusal = _NOT_HELD[act.kind]
            self._standings.say(tag, tag.standing, now_ms, refusal.value, act.by)


def _hold_name(kind: Held, target: str) -> str:
    """Return the id of a hold on one alarm, so that its alarm finds it again."""
    return f"{kind.value}:{tag_of(target)}"


def _literal(text: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in text)
