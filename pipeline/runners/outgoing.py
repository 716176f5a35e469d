"""What leaves the platform: orders to the field, and alarms, incidents, warnings, bulletins."""

from dataclasses import dataclass, field

from pipeline.messages import (
    OUTSIDE,
    Alarm,
    AlarmState,
    Bulletin,
    BulletinKind,
    DeviceHealth,
    Incident,
    IncidentStatus,
    Message,
    WarningNotice,
    WarningStatus,
)
from sensors.field import WorkOrder, encode, encode_numbered
from sensors.transports import topics
from sensors.transports.topics import PlatformKind


@dataclass
class Sent:
    """What is remembered of what went out.

    Attributes:
        orders: Number of the last order.
        published: Number of the last message of any other kind.
        is_out: Ids of the warnings and incidents that are out and not over; values mean nothing.
    """

    orders: int = 0
    published: int = 0
    is_out: dict[str, bool] = field(default_factory=dict)


class Outgoing:
    """Turns messages into (key, topic, payload), numbering the orders.

    Keys are the same after a restart, so nothing is sent twice as something new. Drafts, warnings
    that wait for their authority, provisional alarms and dismissed incidents stay inside, and so
    does the end of a warning or incident whose beginning did. A warning's notice goes out as its
    CAP message (XML), everything else as JSON.
    """

    def __init__(self, city: str, sent: Sent | None = None) -> None:
        self._city, self.sent = city, sent or Sent()

    def of(self, message: Message) -> tuple[str, str, bytes] | None:
        """Return what a message sends out, None when it stays inside."""
        if isinstance(message, DeviceHealth):
            return None
        if isinstance(message, WorkOrder):
            self.sent.orders += 1
            number = self.sent.orders
            topic = topics.order_topic(self._city, message.id)
            return f"order/{number}", topic, encode_numbered(number, message)
        named = self._public(message)
        if named is None:
            return None
        self.sent.published += 1
        kind, name = named
        topic = topics.platform_topic(self._city, kind, name)
        key = f"{kind}/{self.sent.published}"
        if isinstance(message, Bulletin) and message.cap:
            return key, topic, message.cap.encode()
        return key, topic, encode(message)

    def _public(self, message: Message) -> tuple[PlatformKind, str] | None:
        match message:
            case Alarm(state=AlarmState.PROVISIONAL | AlarmState.WITHDRAWN):
                return None
            case Alarm():
                return PlatformKind.ALARM, message.device
            case Incident(status=IncidentStatus.CONFIRMED):
                return self._out(PlatformKind.INCIDENT, message.id)
            case Incident(status=IncidentStatus.CLOSED):
                return self._over(PlatformKind.INCIDENT, message.id)
            case WarningNotice(status=status) if status in OUTSIDE:
                return self._out(PlatformKind.WARNING, message.id)
            case WarningNotice(status=WarningStatus.CANCELLED):
                return self._over(PlatformKind.WARNING, message.id)
            case Bulletin(kind=BulletinKind.NOTICE):
                return PlatformKind.CAP, message.id
            case Bulletin():
                return PlatformKind.BULLETIN, message.id
            case _:
                return None

    def _out(self, kind: PlatformKind, name: str) -> tuple[PlatformKind, str]:
        self.sent.is_out[f"{kind}/{name}"] = True
        return kind, name

    def _over(self, kind: PlatformKind, name: str) -> tuple[PlatformKind, str] | None:
        return (kind, name) if self.sent.is_out.pop(f"{kind}/{name}", False) else None
