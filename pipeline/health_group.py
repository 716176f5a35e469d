"""One log entry for many devices whose health changed in the same way at the same moment."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from pipeline.messages import DeviceHealth, HealthKind

GROUPED_FROM = 100
"""Fewer devices than this are entered one by one (proposed: a base station has about 1,000)."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DeviceHealthGroup:
    """What `count` single `DeviceHealth` messages said, for the event log.

    Attributes:
        kind: What is wrong, or no longer.
        is_on: Whether it began.
        count: How many devices.
        devices: Their ids, in the order of the messages.
        areas: Area → how many of them are there, in the order of the areas.
        time_ms: Event time of all of them.
        reason: Reason of all of them.
        actor: Who noticed.
    """

    STAGE: ClassVar[str] = "monitor"
    kind: HealthKind
    is_on: bool
    count: int
    devices: tuple[str, ...]
    areas: dict[str, int]
    time_ms: int
    reason: str
    actor: str = "monitor"

    @property
    def subject(self) -> str:
        """How many devices it is about."""
        return f"{self.count} devices"


def grouped(messages: Sequence[T]) -> list[T | DeviceHealthGroup]:
    """Return the messages of one tick with large groups of `DeviceHealth` as one message each.

    A group stands where its first message stood; everything else keeps its place. The outcome
    follows from the messages alone, so a restart comes to the same entries.
    """
    groups: dict[tuple[HealthKind, bool, int, str, str], list[DeviceHealth]] = {}
    for message in messages:
        if isinstance(message, DeviceHealth):
            groups.setdefault(_key(message), []).append(message)
    large = {key for key, members in groups.items() if len(members) >= GROUPED_FROM}
    if not large:
        return list(messages)
    kept: list[T | DeviceHealthGroup] = []
    for message in messages:
        if not isinstance(message, DeviceHealth):
            kept.append(message)
            continue
        key = _key(message)
        if key not in large:
            kept.append(message)
        elif key in groups:
            kept.append(_group(groups.pop(key)))
    return kept


def _key(message: DeviceHealth) -> tuple[HealthKind, bool, int, str, str]:
    return message.kind, message.is_on, message.time_ms, message.reason, message.actor


def _group(members: Sequence[DeviceHealth]) -> DeviceHealthGroup:
    first = members[0]
    return DeviceHealthGroup(
        first.kind,
        first.is_on,
        len(members),
        tuple(one.device for one in members),
        _counted(one.area for one in members),
        first.time_ms,
        first.reason,
        first.actor,
    )


def _counted(areas: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for area in areas:
        counts[area] = counts.get(area, 0) + 1
    return dict(sorted(counts.items()))
