"""What leaves the platform: orders to the field, and alarms, incidents, warnings, bulletins."""

from pipeline.messages import (
    Alarm,
    AlarmState,
    Bulletin,
    Incident,
    IncidentStatus,
    Message,
    WarningNotice,
    WarningStatus,
)
from sensors.field import WorkOrder, encode, encode_numbered
from sensors.transports import topics
from sensors.transports.topics import PlatformKind


class Outgoing:
    """Turns messages into (key, topic, payload), numbering the orders.

    Keys are the same after a restart, so nothing is sent twice as something new. Drafts,
    provisional alarms and dismissed incidents stay inside.
    """

    def __init__(self, city: str, orders: int = 0, published: int = 0) -> None:
        self._city, self.orders, self.published = city, orders, published

    def of(self, message: Message) -> tuple[str, str, bytes] | None:
        """Return what a message sends out, None when it stays inside."""
        if isinstance(message, WorkOrder):
            self.orders += 1
            topic = topics.order_topic(self._city, message.id)
            return f"order/{self.orders}", topic, encode_numbered(self.orders, message)
        named = _public(message)
        if named is None:
            return None
        self.published += 1
        kind, name = named
        topic = topics.platform_topic(self._city, kind, name)
        return f"{kind}/{self.published}", topic, encode(message)


def _public(message: Message) -> tuple[PlatformKind, str] | None:
    match message:
        case Alarm(state=AlarmState.PROVISIONAL | AlarmState.WITHDRAWN):
            return None
        case Alarm():
            return PlatformKind.ALARM, message.device
        case Incident(status=IncidentStatus.CONFIRMED | IncidentStatus.CLOSED):
            return PlatformKind.INCIDENT, message.id
        case WarningNotice(status=WarningStatus.DRAFT):
            return None
        case WarningNotice(status=WarningStatus.CANCELLED) if not message.version > 1:
            return None
        case WarningNotice():
            return PlatformKind.WARNING, message.id
        case Bulletin():
            return PlatformKind.BULLETIN, message.id
        case _:
            return None
