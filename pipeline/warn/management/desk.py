"""The alarm desk: what operators are told of the alarms, and what they do to them."""

import heapq
from collections.abc import Sequence
from dataclasses import fields, replace
from operator import attrgetter

from pipeline.messages import (
    KEPT_FROM_ASSESS,
    Alarm,
    AlarmFlood,
    AlarmStanding,
    AlarmState,
    DeviceHealth,
    Held,
    Incident,
    IncidentStatus,
    Message,
    OperatorAct,
)
from pipeline.rules import RuleSet
from pipeline.warn.management.acts import Acts
from pipeline.warn.management.groups import Groups
from pipeline.warn.management.inhibit import Inhibitors
from pipeline.warn.management.matching import UTC_OFFSET_MS, Matches, is_on, matcher, next_change
from pipeline.warn.management.records import DeskState, Tag
from pipeline.warn.management.standings import Standings, Why, heavier
from pipeline.warn.management.states import AlarmEvent
from sensors.levels import Level
from sensors.registry import Registry

__all__ = ["AlarmDesk", "DeskState"]

RELEASED = "hold_ended"
"""Reason of an alarm that is told again because what held it has ended and it still stands."""

_ENDS = frozenset({AlarmState.CLEARED, AlarmState.WITHDRAWN})
_AS_THEY_ARE = frozenset({"", Held.GROUPED})
"""Told, or one of many of its group: nothing that ends changes that."""
_MOST_SEEN = 10_000
_NAMES = tuple(field.name for field in fields(Alarm) if field.name != "held")
_VALUES = attrgetter(*_NAMES)
_DECIDED = frozenset({IncidentStatus.CONFIRMED, IncidentStatus.DISMISSED, IncidentStatus.CLOSED})


class AlarmDesk:
    """Holds back, groups and counts alarms; keeps their ISA-18.2 standings.

    Everything it decides about an alarm follows from alarms of the same area, so that areas can
    be worked on apart. A provisional alarm below red stands nowhere yet: it is announced with
    the sample that confirms it.
    """

    def __init__(
        self, registry: Registry, rules: RuleSet, *, utc_offset_ms: int = UTC_OFFSET_MS
    ) -> None:
        """Take the devices (for matchers) and the rule set's limits, silences and inhibitions.

        Args:
            registry: The devices.
            rules: The rule set.
            utc_offset_ms: Offset of the city's time, for silences with times of day.
        """
        self._registry, self._rules, self._utc_offset_ms = registry, rules, utc_offset_ms
        self._floods: list[AlarmFlood] = []
        self._adopt(DeskState())

    @property
    def state(self) -> DeskState:
        """Everything it remembers; may be replaced by a restored one."""
        return self._state

    @state.setter
    def state(self, state: DeskState) -> None:
        self._adopt(state)

    def reload(self, rules: RuleSet) -> None:
        """Go on by another rule set; nothing remembered is lost."""
        self._rules = rules
        self._adopt(self._state)
        self._state.is_changed = True

    def take(self, message: OperatorAct | Incident | DeviceHealth) -> None:
        """Take what operators did, their alarms' incidents, and devices that became doubtful."""
        state = self._state
        if isinstance(message, DeviceHealth):
            state.health += [message] if message.is_on else []
            return
        if isinstance(message, Incident):
            if message.status in _DECIDED and message.alarms:
                state.incidents.append(message)
        elif message.id not in state.seen:
            state.seen[message.id] = message.time_ms
            state.acts.append(message)
            if len(state.seen) > _MOST_SEEN:
                del state.seen[next(iter(state.seen))]

    def handle(self, alarms: Sequence[Alarm], now_ms: int) -> list[Message]:
        """Return the alarms in the same order, `held` set, with what follows from them.

        Called once a tick, also when there are no alarms: acts and expiries are worked on here.
        After the alarms given come those told again because their hold has ended, then the
        handlings and the floods.
        """
        state = self._state
        self._follow_schedules(now_ms)
        self._expire(now_ms)
        acts, state.acts = state.acts, []
        for act in acts:
            self._acts.carry_out(act, now_ms)
        decided, state.incidents = state.incidents, []
        for incident in decided:
            self._acts.acknowledge(incident, now_ms)
        if state.is_changed:
            self._read_holds()
        self._count_health(now_ms)
        told = self._in_turn(alarms, now_ms)
        if state.is_changed:
            told += self._settle_all(now_ms)
        said, self._standings.said = self._standings.said, []
        floods, self._floods = self._floods, []
        return [*told, *said, *floods]

    def next_due(self) -> int | None:
        """Return when something expires or waits to be worked on."""
        state = self._state
        waiting = [act.time_ms for act in state.acts] + [one.time_ms for one in state.incidents]
        waiting += [one.time_ms for one in state.health[:1]]
        waiting += [state.next_edge_ms] if state.next_edge_ms else []
        waiting += [state.timers[0][0]] if state.timers else []
        return min(waiting, default=None)

    # Alarms.

    def _in_turn(self, alarms: Sequence[Alarm], now_ms: int) -> list[Alarm]:
        """Take the alarms of a tick: those that can inhibit others first, told in their order."""
        first = [place for place, one in enumerate(alarms) if self._inhibitors.may_be_source(one)]
        if not first:
            return [self._one(alarm, now_ms) for alarm in alarms]
        is_first = set(first)
        told = list(alarms)
        for place in [*first, *(at for at in range(len(alarms)) if at not in is_first)]:
            told[place] = self._one(alarms[place], now_ms)
        return told

    def _one(self, alarm: Alarm, now_ms: int) -> Alarm:
        name = f"{alarm.device}/{alarm.rule}"
        tag = self._state.tags.get(name)
        stands = tag is not None and tag.is_active and tag.alarm.id == alarm.id
        if tag is not None and stands:
            if alarm.state in _ENDS:
                return self._end(name, tag, alarm, now_ms)
            return self._go_on(name, tag, alarm, now_ms)
        is_hint = alarm.state is AlarmState.PROVISIONAL and alarm.level is not Level.RED
        if is_hint or alarm.state in _ENDS:
            mode = self._mode(alarm, tag)[0]
            return _held(alarm, mode or (Held.SILENCED if self._is_silenced(alarm) else ""))
        if tag is None:
            tag = self._state.tags[name] = Tag(alarm)
        return self._begin(name, tag, alarm, now_ms)

    def _begin(self, name: str, tag: Tag, alarm: Alarm, now_ms: int) -> Alarm:
        tag.alarm, tag.is_active, tag.since_ms = alarm, True, now_ms
        tag.held, tag.is_told, tag.announced = "", False, 0
        mode, actor = self._mode(alarm, tag)
        self._standings.settle_mode(name, tag, mode, now_ms, actor=actor)
        self._standings.move(name, tag, AlarmEvent.RAISED, now_ms)
        self._standings.wake(now_ms + self._stale_ms, "stale", name)
        self._note_source(name, tag)
        self._count_chatter(name, tag, now_ms)
        why = self._why_held(name, tag)
        if why not in KEPT_FROM_ASSESS:
            self._count_flood(alarm, now_ms)
        return self._tell(tag, why, now_ms)

    def _go_on(self, name: str, tag: Tag, alarm: Alarm, now_ms: int) -> Alarm:
        is_worse = alarm.level.is_worse_than(tag.alarm.level)
        tag.alarm = alarm
        self._note_source(name, tag)
        mode, actor = self._mode(alarm, tag)
        self._standings.settle_mode(name, tag, mode, now_ms, actor=actor)
        why = self._why_held(name, tag)
        if is_worse:
            self._standings.move(name, tag, AlarmEvent.WORSENED, now_ms)
        elif why not in KEPT_FROM_ASSESS and tag.held not in KEPT_FROM_ASSESS:
            return _held(alarm, tag.held)  # what gets no worse is no news
        return self._tell(tag, why, now_ms)

    def _end(self, name: str, tag: Tag, alarm: Alarm, now_ms: int) -> Alarm:
        held = tag.held
        if tag.announced or (tag.is_told and held in KEPT_FROM_ASSESS):
            held = ""  # who was told that it began is told that it is over
        tag.alarm, tag.is_active, tag.held = alarm, False, ""
        self._standings.move(name, tag, AlarmEvent.RETURNED, now_ms)
        if tag.is_one_shot and tag.shelved_until_ms:
            tag.shelved_until_ms, tag.is_one_shot = 0, False
            mode, _ = self._mode(alarm, tag)
            why = Why.ONE_SHOT_RETURNED.value
            self._standings.settle_mode(name, tag, mode, now_ms, reason=why)
        self._note_source(name, tag)
        return _held(alarm, held)

    def _tell(self, tag: Tag, why: str, now_ms: int) -> Alarm:
        tag.held = str(why or self._groups.admit(tag, now_ms))
        tag.is_told |= tag.held not in KEPT_FROM_ASSESS
        return _held(tag.alarm, tag.held)

    def _settle_all(self, now_ms: int) -> list[Alarm]:
        """Look again at every alarm; return those that are told (again) as their hold ended."""
        self._state.is_changed = False
        told: list[Alarm] = []
        for name, tag in list(self._state.tags.items()):
            mode, actor = self._mode(tag.alarm, tag)
            if mode != tag.mode:
                self._standings.settle_mode(name, tag, mode, now_ms, actor=actor)
                self._note_source(name, tag)
        for name, tag in self._state.tags.items():
            if not tag.is_active:
                continue
            why, before = self._why_held(name, tag), tag.held
            if why in KEPT_FROM_ASSESS:
                tag.held = str(why)
            elif before in KEPT_FROM_ASSESS or (not why and before not in _AS_THEY_ARE):
                if before not in KEPT_FROM_ASSESS and tag.standing is AlarmStanding.ACKNOWLEDGED:
                    tag.held = Held.GROUPED.value  # its incident was told meanwhile
                    continue
                is_known = tag.is_told
                self._tell(tag, why, now_ms)
                state = AlarmState.CHANGED if is_known else AlarmState.RAISED
                told.append(
                    replace(tag.alarm, state=state, held=tag.held, time_ms=now_ms, reason=RELEASED)
                )
        self._state.is_changed = False
        return told

    # What holds an alarm.

    def _mode(self, alarm: Alarm, tag: Tag | None) -> tuple[str, str]:
        """Return what takes an alarm out of the operators' view, if anything, and who did."""
        mode, actor = (Held.SHELVED.value, "") if tag and tag.shelved_until_ms else ("", "")
        for fits, kind, by in self._modes:
            if fits(alarm):
                mode = heavier(mode, kind)
                actor = by if mode == kind else actor
        return str(mode), actor

    def _is_silenced(self, alarm: Alarm) -> bool:
        return any(fits(alarm) for fits in self._silences)

    def _read_holds(self) -> None:
        """Make the tests of what is held from the orders and silences that are on."""
        holds = self._state.holds.values()
        on = [one for one in self._rules.silences if one.id in self._state.scheduled]
        self._silences: list[Matches] = [
            *(matcher(hold.matchers) for hold in holds if hold.kind is Held.SILENCED),
            *(matcher(silence.matchers) for silence in on if not silence.is_suppression),
        ]
        self._modes: list[tuple[Matches, Held, str]] = [
            *((matcher(h.matchers), h.kind, h.by) for h in holds if h.kind is not Held.SILENCED),
            *((matcher(one.matchers), Held.SUPPRESSED, "") for one in on if one.is_suppression),
        ]

    def _why_held(self, name: str, tag: Tag) -> str:
        if tag.mode:
            return tag.mode
        if self._is_silenced(tag.alarm):
            return Held.SILENCED
        if tag.announced:
            return ""
        if self._inhibitors.is_inhibited(name, tag.alarm):
            return Held.INHIBITED
        return Held.CHATTERING if tag.is_chattering else ""

    def _note_source(self, name: str, tag: Tag) -> None:
        if self._inhibitors.note(name, tag):
            self._state.is_changed = True

    def _count_chatter(self, name: str, tag: Tag, now_ms: int) -> None:
        count = self._rules.alarms.chatter_count
        oldest_ms = now_ms - self._chatter_ms
        tag.raised_ms = [at for at in tag.raised_ms if at > oldest_ms] + [now_ms]
        if len(tag.raised_ms) >= count and not tag.is_chattering:
            tag.is_chattering = True
            self._standings.say(tag, tag.standing, now_ms, Why.CHATTERING.value)
            self._standings.wake(tag.raised_ms[-count] + self._chatter_ms, "chatter", name)

    def _count_health(self, now_ms: int) -> None:
        """Group the quality alarms of devices: a thousand that fall silent are one event."""
        health, self._state.health = self._state.health, []
        for one in sorted(health, key=lambda one: (one.time_ms, one.device, one.kind)):
            self._note_flood(self._groups.count_health(one, now_ms))

    def _count_flood(self, alarm: Alarm, now_ms: int) -> None:
        self._note_flood(self._groups.count(alarm, now_ms))

    def _note_flood(self, flood: AlarmFlood | None) -> None:
        if flood is not None:
            self._floods.append(flood)
            self._standings.wake(self._groups.ends_ms(flood.group), "flood", flood.group)

    # Clocks.

    def _follow_schedules(self, now_ms: int) -> None:
        """Turn the silences of the rule file on and off by the time of day."""
        state = self._state
        silences = [one for one in self._rules.silences if is_on(one, now_ms, self._utc_offset_ms)]
        names = [silence.id for silence in silences]
        if names != state.scheduled:
            state.scheduled, state.is_changed = names, True
        edges = [next_change(one, now_ms, self._utc_offset_ms) for one in self._rules.silences]
        state.next_edge_ms = min((edge for edge in edges if edge is not None), default=0)

    def _expire(self, now_ms: int) -> None:
        timers = self._state.timers
        while timers and timers[0][0] <= now_ms:
            due_ms, kind, about = heapq.heappop(timers)
            if kind == "hold":
                self._expire_hold(about, now_ms)
            elif kind == "flood":
                self._expire_flood(about, now_ms)
            elif kind == "stale":
                self._note_stale(about, due_ms, now_ms)
            elif about in self._state.tags:
                self._expire_tag(kind, about, self._state.tags[about], now_ms)

    def _expire_hold(self, name: str, now_ms: int) -> None:
        hold = self._state.holds.get(name)
        if hold is not None and 0 < hold.until_ms <= now_ms:
            del self._state.holds[name]
            self._state.is_changed = True

    def _expire_flood(self, group: str, now_ms: int) -> None:
        flood = self._groups.check(group, now_ms)
        if flood is not None:
            self._floods.append(flood)
        elif self._state.groups[group].is_flood:
            self._standings.wake(self._groups.ends_ms(group), "flood", group)

    def _note_stale(self, name: str, due_ms: int, now_ms: int) -> None:
        """Say that an alarm has stood too long; the timer may be of an activation long over."""
        tag = self._state.tags.get(name)
        if tag is not None and tag.is_active and tag.since_ms + self._stale_ms <= due_ms:
            self._standings.say(tag, tag.standing, now_ms, Why.STALE.value)

    def _expire_tag(self, kind: str, name: str, tag: Tag, now_ms: int) -> None:
        policy = self._rules.alarms
        tag.raised_ms = [at for at in tag.raised_ms if at > now_ms - self._chatter_ms]
        if kind == "shelf" and 0 < tag.shelved_until_ms <= now_ms:
            tag.shelved_until_ms, tag.is_one_shot = 0, False
            mode, _ = self._mode(tag.alarm, tag)
            why = Why.SHELVING_EXPIRED.value
            self._standings.settle_mode(name, tag, mode, now_ms, reason=why)
            self._state.is_changed = True
        elif kind == "chatter" and tag.is_chattering:
            if len(tag.raised_ms) >= policy.chatter_count:
                again_ms = tag.raised_ms[-policy.chatter_count] + self._chatter_ms
                self._standings.wake(again_ms, "chatter", name)
                return
            tag.is_chattering, self._state.is_changed = False, True
            self._standings.say(tag, tag.standing, now_ms, Why.CHATTERING_ENDED.value)
        is_at_work = tag.is_active or tag.mode or tag.raised_ms or tag.is_chattering
        if tag.standing is AlarmStanding.NORMAL and not is_at_work:
            del self._state.tags[name]

    def _adopt(self, state: DeskState) -> None:
        """Build everything that follows from the state and the rules."""
        policy = self._rules.alarms
        self._state = state
        self._stale_ms = round(policy.stale_s * 1000.0)
        self._chatter_ms = round(policy.chatter_window_s * 1000.0)
        self._standings = Standings(state, self._rules)
        self._acts = Acts(state, self._standings, policy)
        self._groups = Groups(policy, state.groups)
        self._inhibitors = Inhibitors(self._registry, self._rules)
        self._floods = []
        self._read_holds()
        for name, tag in state.tags.items():
            self._inhibitors.note(name, tag)


def _held(alarm: Alarm, why: str) -> Alarm:
    """Return an alarm with what holds it; thousands a tick, so without `replace`."""
    if alarm.held == why:
        return alarm
    return Alarm(**dict(zip(_NAMES, _VALUES(alarm), strict=True)), held=str(why))
