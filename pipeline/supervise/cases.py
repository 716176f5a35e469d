"""What supervision remembers: drafts not taken up yet, cases with their clocks and orders."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.messages import NOTICES, PATROLLED, Cause, Incident, Mark, Milestone, WarningNotice
from pipeline.supervise.deadlines import Clock, ClockName
from pipeline.supervise.reasons import Reason
from pipeline.supervise.verify import Sensor, device_of


@dataclass(slots=True)
class Draft:
    """A draft warning no incident has taken up yet; it is named by its own id until then."""

    id: str
    domain: str
    area: str
    devices: list[str]
    clock: Clock


@dataclass(slots=True)
class OrderTrack:
    """How far an order is: open until the field ends it or a newer one replaces it."""

    team: str
    is_open: bool = True


@dataclass(slots=True)
class Case:
    """An incident under supervision.

    Attributes:
        clocks: Key → running clock.
        met: Keys of clocks that ended, so none starts twice.
        confirmed_ms: When it left the platform, None while it is being assessed.
        done_ms: When the field last said done, None until then.
        is_contradicted: Whether the slip `sensors_disagree` was given.
        is_notice: Whether it only tells and watches, and sends nobody.
        is_patrolled: Whether nothing is mended, so that alarms go on after the team has left.
        has_water: Whether water was measured standing and is not yet measured gone.
    """

    id: str
    domain: str
    area: str
    devices: list[str]
    version: int
    clocks: dict[str, Clock] = field(default_factory=dict)
    met: list[str] = field(default_factory=list)
    orders: dict[str, OrderTrack] = field(default_factory=dict)
    confirmed_ms: int | None = None
    done_ms: int | None = None
    is_contradicted: bool = False
    is_notice: bool = False
    is_patrolled: bool = False
    has_water: bool = False


@dataclass(slots=True)
class SuperviseState:
    """Drafts, cases, the alarms that stand, overdue orders by asset, and closed cases."""

    drafts: dict[str, Draft] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    sensors: dict[str, Sensor] = field(default_factory=dict)
    overdue: dict[str, dict[str, int]] = field(default_factory=dict)
    over: dict[str, int] = field(default_factory=dict)


def open_case(incident: Incident) -> Case:
    """Return a new case for an incident."""
    return Case(incident.id, incident.domain, incident.area, [], incident.version)


def note_devices(case: Case, incident: Incident) -> None:
    """Add the devices of a newer version: its own and those its alarms are on."""
    joined = (*incident.devices, *(device_of(alarm) for alarm in incident.alarms))
    case.devices = sorted({*case.devices, *joined})


def note_signs(case: Case, incident: Incident) -> None:
    """Note what the newest version says of the place: a notice only, water that still stands."""
    if incident.version < case.version:
        return
    case.is_notice = incident.cause in NOTICES
    case.is_patrolled = incident.cause in PATROLLED
    is_ponding = incident.cause in (Cause.PONDING, Cause.PUMP_STOPPED)
    case.has_water = is_ponding and Mark.WATER_GONE not in incident.adjustments


def draft_of(warning: WarningNotice, limit_ms: int) -> Draft:
    """Return a draft whose acknowledgement is due `limit_ms` after it was drafted."""
    start_ms = warning.time_ms
    clock = Clock(ClockName.ACK, "", "", warning.level, start_ms, start_ms + limit_ms)
    devices = sorted({device_of(alarm) for alarm in warning.alarms})
    return Draft(warning.id, warning.domain, warning.area, devices, clock)


def belongs_to(draft: Draft, case: Case) -> bool:
    """Return whether a draft is about a case: a shared device, or the same area and domain."""
    if draft.domain != case.domain:
        return False
    return draft.area == case.area or not set(draft.devices).isdisjoint(case.devices)


def start(case: Case, clock: Clock) -> None:
    """Start a clock unless one of its key runs or has ended."""
    if clock.key not in case.clocks and clock.key not in case.met:
        case.clocks[clock.key] = clock


def meet(case: Case, key: str, done_ms: int, now_ms: int) -> list[Milestone]:
    """End a running clock and return its milestone; nothing when it does not run."""
    clock = case.clocks.pop(key, None)
    if clock is None:
        return []
    case.met.append(key)
    is_in_time = done_ms <= clock.due_ms
    return [
        Milestone(
            incident=case.id,
            order=clock.order,
            clock=clock.name,
            due_ms=clock.due_ms,
            done_ms=done_ms,
            is_in_time=is_in_time,
            time_ms=now_ms,
            reason=Reason.IN_TIME if is_in_time else Reason.LATE,
        )
    ]


def earliest(drafts: Iterable[Draft]) -> Draft | None:
    """Return the draft that was drafted first, None when there is none."""
    return min(drafts, key=lambda draft: (draft.clock.start_ms, draft.id), default=None)
