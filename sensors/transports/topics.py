"""The topic tree: building, parsing and matching of every topic the two halves use.

    tocsin/{city}/{area}/{domain}/{gateway}/{kind}/{codec}     what gateways send and get
    tocsin/{city}/platform/{alarm|…|bulletin}/{id}             what the platform issues
    tocsin/{city}/platform/ack                                 its answer to a clock tick
    tocsin/{city}/world/{clock|truth|feedback|hotline|registry}  what the world says

The area is the partition key. `world` and `platform` are therefore no names of areas.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from sensors.errors import TopicError

ROOT = "tocsin"
"""First segment of every topic."""

RESERVED_AREAS = frozenset({"world", "platform"})
"""Names an area cannot have."""

_SEGMENT = re.compile(r"(?!\$)[\x21\x22\x24-\x2a\x2c-\x2e\x30-\x7e]{1,128}")


class TelemetryKind(StrEnum):
    """What a gateway's topic carries."""

    TELE = "tele"
    STATE = "state"
    EVT = "evt"
    CMD = "cmd"
    ACK = "ack"


class PlatformKind(StrEnum):
    """What the platform issues to the outside."""

    ALARM = "alarm"
    INCIDENT = "incident"
    WARNING = "warning"
    ORDER = "order"
    BULLETIN = "bulletin"
    CAP = "cap"


def check_segment(text: str) -> str:
    """Return `text` when it can be one segment of a topic.

    Raises:
        TopicError: it is empty, longer than 128 characters, not printable ASCII, or has a
            space, `+`, `#`, `/` or a leading `$`.
    """
    if _SEGMENT.fullmatch(text) is None:
        raise TopicError(
            f"{text!r} cannot be a topic segment: use 1 to 128 ASCII characters without space, "
            "+, #, / and without a leading $"
        )
    return text


@dataclass(frozen=True, slots=True)
class TelemetryTopic:
    """A gateway's topic taken apart; `str()` puts it together again.

    Raises:
        TopicError: a part is no valid segment, or the area is a reserved name.
    """

    city: str
    area: str
    domain: str
    gateway: str
    kind: TelemetryKind
    codec: str

    def __post_init__(self) -> None:
        for part in (self.city, self.area, self.domain, self.gateway, self.codec):
            check_segment(part)
        if self.area in RESERVED_AREAS:
            raise TopicError(f"an area cannot be called {self.area!r}; rename it in the city")

    def __str__(self) -> str:
        parts = (ROOT, self.city, self.area, self.domain, self.gateway, self.kind, self.codec)
        return "/".join(parts)

    @classmethod
    def parse(cls, topic: str) -> "TelemetryTopic":
        """Return the parts of a gateway's topic.

        Raises:
            TopicError: it is not one; the message says what is wrong.
        """
        parts = topic.split("/")
        if len(parts) != 7 or parts[0] != ROOT:
            raise TopicError(f"{topic!r} is not {ROOT}/city/area/domain/gateway/kind/codec")
        _, city, area, domain, gateway, kind, codec = parts
        try:
            return cls(city, area, domain, gateway, TelemetryKind(kind), codec)
        except ValueError as error:
            raise TopicError(f"{topic!r}: kind is one of {[*map(str, TelemetryKind)]}") from error


def telemetry_filter(city: str) -> str:
    """Return the filter of all frames of readings of a city."""
    return f"{ROOT}/{check_segment(city)}/+/+/+/{TelemetryKind.TELE}/+"


def status_filter(city: str) -> str:
    """Return the filter of all device status messages of a city."""
    return f"{ROOT}/{check_segment(city)}/+/+/+/{TelemetryKind.STATE}/+"


def platform_topic(city: str, kind: PlatformKind, message_id: str) -> str:
    """Return the topic of one thing the platform issues.

    Ids may hold any character (alarm ids hold slashes): what a segment cannot hold is
    percent-encoded (`urllib.parse.unquote` turns it back).
    """
    segment = check_segment(quote(message_id, safe="!()*,-.:;=@_~"))
    return f"{ROOT}/{check_segment(city)}/platform/{kind}/{segment}"


def platform_filter(city: str, kind: PlatformKind) -> str:
    """Return the filter of everything of one kind the platform issues."""
    return f"{ROOT}/{check_segment(city)}/platform/{kind}/+"


def order_topic(city: str, order_id: str) -> str:
    """Return the topic of one work order."""
    return platform_topic(city, PlatformKind.ORDER, order_id)


def order_filter(city: str) -> str:
    """Return the filter of all work orders."""
    return platform_filter(city, PlatformKind.ORDER)


def ack_topic(city: str) -> str:
    """Return the topic on which the platform acknowledges clock ticks."""
    return f"{ROOT}/{check_segment(city)}/platform/ack"


def clock_topic(city: str) -> str:
    """Return the topic of the world's clock."""
    return _world_topic(city, "clock")


def truth_topic(city: str) -> str:
    """Return the topic of ground truth, which only `evaluate` may hear."""
    return _world_topic(city, "truth")


def feedback_topic(city: str) -> str:
    """Return the topic of what crews report."""
    return _world_topic(city, "feedback")


def hotline_topic(city: str) -> str:
    """Return the topic of what citizens tell the hotline."""
    return _world_topic(city, "hotline")


def registry_topic(city: str) -> str:
    """Return the topic of the (retained) device registry."""
    return _world_topic(city, "registry")


def _world_topic(city: str, leaf: str) -> str:
    return f"{ROOT}/{check_segment(city)}/world/{leaf}"


def matches(topic_filter: str, topic: str) -> bool:
    """Return whether a topic matches a filter by the rules of MQTT 3.1.1 §4.7.

    `+` is one level, a last `#` any number of them and its parent too; a filter that begins
    with a wildcard does not match a topic that begins with `$`.
    """
    if topic.startswith("$") and topic_filter[:1] in ("+", "#"):
        return False
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(
        want in ("+", level) for want, level in zip(wanted, levels, strict=True)
    )
