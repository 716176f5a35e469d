"""What passes between the platform and the field: orders out, feedback and the clock back.

Each message is a frozen dataclass; `encode` and `decode` turn it into JSON and back (msgspec
checks types on the way in, so a malformed message is a `FrameError`, never a half-read one).
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

import msgspec

from sensors.errors import FrameError, RejectReason
from sensors.levels import Level

T = TypeVar("T")


class Act(StrEnum):
    """What a crew can be told to do, in the order plans usually list it."""

    INSPECT = "inspect"
    ISOLATE = "isolate"
    REPAIR = "repair"
    RESTORE = "restore"
    RESTART_PUMP = "restart_pump"
    OPEN_VALVE = "open_valve"
    CHECK_DEVICE = "check_device"
    VENTILATE = "ventilate"
    CORDON = "cordon"
    START_PUMP = "start_pump"
    CLOSE_ROAD = "close_road"
    PLACE_BARRIER = "place_barrier"
    CLEAR_INLET = "clear_inlet"
    REOPEN = "reopen"


class FeedbackKind(StrEnum):
    """Where a crew stands with an order."""

    ACCEPTED = "accepted"
    DEPARTED = "departed"
    ARRIVED = "arrived"
    FOUND = "found"
    NOT_FOUND = "not_found"
    ISOLATED = "isolated"
    REPAIRED = "repaired"
    RESTORED = "restored"
    DONE = "done"
    REFUSED = "refused"
    REPLACED = "replaced"
    VENTILATED = "ventilated"
    CORDONED = "cordoned"
    PUMPING = "pumping"
    ROAD_CLOSED = "road_closed"
    BARRIER_PLACED = "barrier_placed"
    INLET_CLEARED = "inlet_cleared"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """An order to one team.

    Attributes:
        id: Unique; the field ignores a second copy of an order it has.
        incident: Incident the order serves.
        team: Team it is sent to.
        domain: `water`, `gas`, `flood` or `fire`.
        level: Level of the incident when the order was made.
        acts: What to do, in order.
        targets: Elements to inspect and act on, most likely first.
        x_m: Where to go first, metres in the city's plane.
        y_m: Northing of the same place.
        issued_ms: Event time of the order.
        due_ms: Stage name (`onsite`, `contain`, `close`) → event time it is due.
        reason: Named reason of the dispatch decision.
    """

    id: str
    incident: str
    team: str
    domain: str
    level: Level
    acts: tuple[Act, ...]
    targets: tuple[str, ...]
    x_m: float
    y_m: float
    issued_ms: int
    due_ms: dict[str, int]
    reason: str


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a team reports about an order."""

    id: str
    order: str
    incident: str
    team: str
    kind: FeedbackKind
    time_ms: int
    element: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class HotlineReport:
    """What a citizen told the hotline: a sensor that is late, misplaces things and may be wrong.

    Attributes:
        id: Unique.
        seen_ms: When the caller says to have noticed it.
        time_ms: When the call was taken.
        subject: `gas_smell`, `no_water`, `water_on_road` or `road_flooded`.
        area: Area of the place told.
        x_m: Easting of the place told, metres in the city's plane.
        y_m: Northing of the same place.
    """

    id: str
    seen_ms: int
    time_ms: int
    subject: str
    area: str
    x_m: float
    y_m: float


@dataclass(frozen=True, slots=True)
class Actuation:
    """An act on the network: by a crew in the field or by remote control."""

    act: Act
    element: str
    time_ms: int
    actor: str


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """Health of one device as its gateway reports it (heartbeat, not a reading)."""

    device: str
    time_ms: int
    battery: float
    """Charge left, 0 to 1."""


@dataclass(frozen=True, slots=True)
class ClockTick:
    """The world's clock: everything up to `time_ms` has been published.

    Attributes:
        tick: Number of the tick, from 1.
        time_ms: Event time at its end.
        frames: Telemetry frames published so far in this run.
        messages: Other messages (status, feedback, truth) published so far, by topic kind.
        is_final: Whether the run ends with this tick.
        wants_ack: Whether the world waits for a `ClockAck` before it goes on (lockstep).
    """

    tick: int
    time_ms: int
    frames: int
    messages: dict[str, int] = field(default_factory=dict)
    is_final: bool = False
    wants_ack: bool = True


@dataclass(frozen=True, slots=True)
class ClockAck:
    """The platform has done all work of `tick` and published `orders` orders so far."""

    tick: int
    orders: int


@dataclass(frozen=True, slots=True)
class DamagedMessage:
    """Stands for a message whose number was known but whose body could not be read."""

    number: int
    detail: str


class _Numbered(msgspec.Struct):
    n: int
    body: msgspec.Raw


def encode_numbered(number: int, message: object) -> bytes:
    """Return a message with its number, so that the receiver notices loss and repetition.

    Both sides count each topic kind up from 1; the clock tick and its acknowledgement say how
    many there are, which makes lockstep independent of the order in which topics arrive.
    """
    return msgspec.json.encode(_Numbered(number, msgspec.Raw(msgspec.json.encode(message))))


def decode_numbered(payload: bytes, kind: type[T]) -> tuple[int, T | DamagedMessage]:
    """Return (number, message); FrameError when not even the number can be read."""
    outer = decode(payload, _Numbered)
    try:
        return outer.n, decode(bytes(outer.body), kind)
    except FrameError as error:
        return outer.n, DamagedMessage(outer.n, error.detail)


def encode(message: object) -> bytes:
    """Return a field message as JSON."""
    return msgspec.json.encode(message)


def decode(payload: bytes, kind: type[T]) -> T:
    """Return the `kind` in `payload`; FrameError (malformed) when it is not one."""
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FrameError(RejectReason.MALFORMED, f"{kind.__name__}: {error}") from error
