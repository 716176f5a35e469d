"""Figures of alarm management: what the operators of a shift were told, and how they coped.

Definitions and targets are those of domain/README §2.9 (ISA-18.2, IEC 62682, EEMUA 191 as a
public document cites them): per operator and 10 minutes, share of time in flood, share of the
ten most frequent, chattering, stale, mix of priorities 80/15/5.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.messages import (
    Alarm,
    AlarmFlood,
    AlarmHandling,
    AlarmStanding,
    AlarmState,
    Incident,
    IncidentStatus,
)
from pipeline.rules import AlarmPolicy
from sensors.levels import Level

Figures = dict[str, float | int | dict[str, float | int]]
"""Name → number, or names → numbers."""

SLOT_MS = 600_000
"""The 10 minutes in which operators' load is counted."""
TOP = 10
"""How many of the most frequent are looked at together."""
CHATTERING, CHATTERING_ENDED, STALE = "chattering", "chattering_ended", "stale"
"""Reasons of a handling that say these things."""

_ENDS = frozenset({AlarmState.CLEARED, AlarmState.WITHDRAWN})
_AWAY = frozenset({AlarmStanding.SHELVED, AlarmStanding.SUPPRESSED, AlarmStanding.OUT_OF_SERVICE})
_PRIORITIES = {Level.RED: "high", Level.ORANGE: "medium", Level.YELLOW: "low", Level.BLUE: "low"}
"""Three priorities as the sources count them, 5/15/80 % (which levels are which: proposed)."""


@dataclass(slots=True)
class AlarmBook:
    """Counts what operators were told and did, alarm by alarm.

    Operator-facing is an alarm that is raised, or provisional and red, and not held; it counts
    again when it gets worse, and when it comes back from a hold.

    Attributes:
        began_ms: Earliest event time noted, None before.
        activations: Alarms raised, told or not.
        announced: Alarms put before operators.
        slots: Number of the 10 minutes → announced in it.
        by_rule: Rule → announced.
        by_device: Device → announced.
        by_level: Level → announced.
        held: Reason → activations held for it.
        standing: Alarm → worst level it was announced at, 0 for not at all; while it stands.
        waits_ms: Alarm → since when it waits to be acknowledged.
        acknowledged: How many were, and `ack_ms` the sum of how long it took.
        chattering: `device/rule` → whether it chatters now.
        stale: Alarms that stand too long now; `stale_ever` counts all.
        floods: Floods of groups that began.
        incidents: Incidents that left the platform; values mean nothing.
    """

    began_ms: int | None = None
    activations: int = 0
    announced: int = 0
    slots: dict[int, int] = field(default_factory=dict)
    by_rule: dict[str, int] = field(default_factory=dict)
    by_device: dict[str, int] = field(default_factory=dict)
    by_level: dict[int, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    standing: dict[str, int] = field(default_factory=dict)
    waits_ms: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    ack_ms: int = 0
    chattering: dict[str, bool] = field(default_factory=dict)
    stale: dict[str, int] = field(default_factory=dict)
    stale_ever: int = 0
    floods: int = 0
    incidents: dict[str, bool] = field(default_factory=dict)

    def begin(self, now_ms: int) -> None:
        """Note that time passes, also when nothing happens."""
        if self.began_ms is None or now_ms < self.began_ms:
            self.began_ms = now_ms

    def note(self, message: Alarm | AlarmHandling | AlarmFlood | Incident) -> None:
        """Note one message; others than these are of no account here."""
        self.begin(message.time_ms)
        match message:
            case Alarm():
                self._note_alarm(message)
            case AlarmHandling():
                self._note_handling(message)
            case AlarmFlood():
                self.floods += message.is_on
            case Incident(status=IncidentStatus.CONFIRMED):
                self.incidents[message.id] = True
            case _:
                pass

    def figures(self, now_ms: int, policy: AlarmPolicy) -> Figures:
        """Return the figures up to `now_ms`; those without a denominator are left out.

        Args:
            now_ms: End of the time looked at, event time.
            policy: Operators on shift, and when a flood begins and ends.
        """
        began_ms = now_ms if self.began_ms is None else self.began_ms
        first, last = began_ms // SLOT_MS, max(began_ms, now_ms - 1) // SLOT_MS
        slots, operators = last - first + 1, policy.operators
        hours = max(now_ms - began_ms, SLOT_MS) / 3_600_000
        figures: Figures = {
            "operators": operators,
            "hours": round(hours, 3),
            "activations": self.activations,
            "announced": self.announced,
            "announced_per_hour": _short(self.announced / hours),
            "per_operator_hour": _short(self.announced / hours / operators),
            "per_operator_10_min_mean": _short(self.announced / slots / operators),
            "per_operator_10_min_max": _short(max(self.slots.values(), default=0) / operators),
            "flood_share": _short(self._flood_slots(first, last, policy) / slots),
            "group_floods": self.floods,
            "chattering": sum(self.chattering.values()),
            "chattering_ever": len(self.chattering),
            "stale": len(self.stale),
            "stale_ever": self.stale_ever,
            "unacknowledged": len(self.waits_ms),
            "incidents": len(self.incidents),
            "held": {name: self.held[name] for name in sorted(self.held)},
            "by_level": {str(level): self.by_level[level] for level in sorted(self.by_level)},
            "top_rules": dict(_top(self.by_rule)),
            "top_devices": dict(_top(self.by_device)),
        }
        if self.acknowledged:
            figures["ack_min"] = _short(self.ack_ms / self.acknowledged / 60_000)
        if self.activations:
            figures["incidents_per_activation"] = _short(len(self.incidents) / self.activations)
        if self.announced:
            figures["top_devices_share"] = _short(_share(self.by_device, self.announced))
            figures["priorities"] = self._priorities()
        return figures

    def _note_alarm(self, alarm: Alarm) -> None:
        if alarm.state in _ENDS:
            self.standing.pop(alarm.id, None)
            self.stale.pop(alarm.id, None)
            return
        if alarm.state is AlarmState.PROVISIONAL and alarm.level is not Level.RED:
            return
        before = self.standing.get(alarm.id)
        if before is None:
            if alarm.state is AlarmState.CHANGED:
                return
            before = self.standing[alarm.id] = 0
            self.activations += 1
            if alarm.held:
                self.held[alarm.held] = self.held.get(alarm.held, 0) + 1
        if not alarm.held and alarm.level.is_worse_than(Level(before) if before else None):
            self.standing[alarm.id] = alarm.level.value
            self._announce(alarm)

    def _announce(self, alarm: Alarm) -> None:
        slot = alarm.time_ms // SLOT_MS
        self.announced += 1
        self.slots[slot] = self.slots.get(slot, 0) + 1
        self.by_rule[alarm.rule] = self.by_rule.get(alarm.rule, 0) + 1
        self.by_device[alarm.device] = self.by_device.get(alarm.device, 0) + 1
        self.by_level[alarm.level.value] = self.by_level.get(alarm.level.value, 0) + 1

    def _note_handling(self, handling: AlarmHandling) -> None:
        name = f"{handling.device}/{handling.rule}"
        if handling.reason in (CHATTERING, CHATTERING_ENDED):
            self.chattering[name] = handling.reason == CHATTERING
        elif handling.reason == STALE:
            self.stale[handling.alarm] = handling.time_ms
            self.stale_ever += 1
        if handling.standing in _AWAY:
            self.waits_ms.pop(handling.alarm, None)
            if self.standing.get(handling.alarm):
                self.standing[handling.alarm] = 0  # when it comes back it is announced afresh
        elif handling.standing is AlarmStanding.UNACKNOWLEDGED:
            self.waits_ms.setdefault(handling.alarm, handling.time_ms)
        elif handling.standing is not AlarmStanding.RETURNED_UNACKNOWLEDGED:
            since_ms = self.waits_ms.pop(handling.alarm, None)
            if since_ms is not None:
                self.acknowledged += 1
                self.ack_ms += handling.time_ms - since_ms

    def _flood_slots(self, first: int, last: int, policy: AlarmPolicy) -> int:
        """Return how many of the 10 minutes an operator spent in a flood."""
        begins = policy.flood_begins * policy.operators
        ends = policy.flood_ends * policy.operators
        in_flood, is_on, before = 0, False, first
        for slot in sorted(self.slots):
            if not first <= slot <= last:
                continue
            count = self.slots[slot]
            is_on = count >= ends if is_on and slot - before <= 1 else count > begins
            in_flood += is_on
            before = slot
        return in_flood

    def _priorities(self) -> dict[str, float | int]:
        """Return the share of each priority among what was announced."""
        shares: Counter[str] = Counter()
        for level, count in self.by_level.items():
            shares[_PRIORITIES[Level(level)]] += count
        return {name: _short(shares[name] / self.announced) for name in ("low", "medium", "high")}


def _top(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:TOP]


def _share(counts: Mapping[str, int], whole: int) -> float:
    return sum(count for _, count in _top(counts)) / whole


def _short(number: float) -> float:
    """Return a number with 4 significant digits."""
    return float(f"{number:.4g}")
