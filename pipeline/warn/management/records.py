"""What the alarm desk remembers: alarms, groups, holds and timers."""

from dataclasses import dataclass, field

from pipeline.messages import Alarm, AlarmStanding, DeviceHealth, Held, Incident, OperatorAct


@dataclass(slots=True)
class Tag:
    """The place of an alarm: a rule at a device, over all its activations.

    Attributes:
        alarm: Newest message, as the rule gave it.
        standing: Where it stands before the operators.
        is_active: Whether the rule holds it in alarm.
        since_ms: Event time at which it became so.
        held: Why operators are not told, empty when they are.
        is_told: Whether the stages after know of this activation.
        announced: Worst level this activation was announced at, 0 for none.
        shelved_until_ms: End of its shelving, 0 when it is not shelved.
        is_one_shot: Whether the shelving also ends when the alarm returns.
        raised_ms: Activations within the chattering window, oldest first.
        is_chattering: Whether it is held for chattering.
        mode: `Held` that took it out of the operators' view, empty for none.
    """

    alarm: Alarm
    standing: AlarmStanding = AlarmStanding.NORMAL
    is_active: bool = False
    since_ms: int = 0
    held: str = ""
    is_told: bool = False
    announced: int = 0
    shelved_until_ms: int = 0
    is_one_shot: bool = False
    raised_ms: list[int] = field(default_factory=list)
    is_chattering: bool = False
    mode: str = ""


@dataclass(slots=True)
class Group:
    """Alarms of one domain in one area, or quality alarms of one kind in one area.

    Attributes:
        announced_ms: When the group was announced last, None for never.
        level: Worst level it was announced at in this window.
        recent: Activations of the last interval (event time, alarm id), oldest first.
        is_flood: Whether there is a flood.
        first: Id of the first alarm of the flood.
        alarms: Activations of the flood.
        grouped: Those of them that were not announced.
    """

    announced_ms: int | None = None
    level: int = 0
    recent: list[tuple[int, str]] = field(default_factory=list)
    is_flood: bool = False
    first: str = ""
    alarms: int = 0
    grouped: int = 0


@dataclass(slots=True)
class Hold:
    """A lasting order of an operator not to be told of what matches.

    Attributes:
        kind: Silenced, suppressed or out of service.
        until_ms: Event time at which it ends by itself, 0 for never.
    """

    id: str
    kind: Held
    matchers: dict[str, str]
    by: str
    why: str
    until_ms: int


@dataclass(slots=True)
class DeskState:
    """Everything the desk remembers.

    Attributes:
        tags: `device/rule` → its alarm.
        groups: `area/domain` → the group; `area/kind` of quality alarms, such as `D1/offline`.
        holds: Id → order of an operator.
        scheduled: Silences of the rule file that are on.
        next_edge_ms: When that may change by the time of day, 0 for never.
        timers: Heap of (event time, kind, what it is about).
        seen: Ids of acts taken, newest last; a second copy is ignored.
        acts: Acts that wait for the next tick.
        incidents: Incidents that wait for it.
        health: Devices that became doubtful, which wait for it.
        is_changed: Whether something outside an alarm changed what is held.
    """

    tags: dict[str, Tag] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    scheduled: list[str] = field(default_factory=list)
    next_edge_ms: int = 0
    timers: list[tuple[int, str, str]] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    acts: list[OperatorAct] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    health: list[DeviceHealth] = field(default_factory=list)
    is_changed: bool = False


def tag_of(alarm: str) -> str:
    """Return `device/rule` of an alarm's id; what is no alarm's id comes back as it is."""
    parts = alarm.split("/")
    return "/".join(parts[:2])
