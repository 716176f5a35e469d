"""What the platform needs from outside and gets plugged in by the composition root."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the sensors say of the network's own operation at one moment.

    Attributes:
        pump_on: Pump link id → whether it was measured running.
        tank_level_m: Tank node id → measured level above the tank's bottom, metres.
    """

    pump_on: Mapping[str, bool]
    tank_level_m: Mapping[str, float]


AGREEING = 3
"""Of so many devices at one element the middle value counts: one that lies is outvoted."""


def agreed(
    elements: Sequence[str], distance_ms: NDArray[np.int64], value: NDArray[np.float64]
) -> dict[str, float]:
    """Return what the devices at each element say of it, by the samples nearest to a moment.

    Args:
        elements: Element of each device.
        distance_ms: How far its sample is from the moment asked for.
        value: The sample; NaN for none.

    Returns:
        Element → middle value of its `AGREEING` nearest samples, of fewer devices the nearest;
        elements nobody has told of are left out.
    """
    nearest: dict[str, list[float]] = {}
    for place in np.argsort(distance_ms, kind="stable").tolist():
        if np.isfinite(value[place]):
            nearest.setdefault(elements[place], []).append(float(value[place]))
    return {
        element: sorted(said[:AGREEING])[1] if len(said) >= AGREEING else said[0]
        for element, said in sorted(nearest.items())
    }


class NetworkModel(Protocol):
    """The platform's own, imperfect model of a network: never the world's state.

    Arrays have one entry a registered device, in registry order and in the unit of the
    device's quantity; NaN where the model says nothing.
    """

    @property
    def pipes(self) -> Sequence[str]:
        """Ids of the pipes that can leak, in a fixed order."""
        ...

    def expect(self, at_ms: int, conditions: Conditions) -> NDArray[np.float64]:
        """Return what undisturbed devices would show at `at_ms`."""
        ...

    def leak_changes(
        self,
        at_ms: int,
        conditions: Conditions,
        pipes: Sequence[str],
        leak_m3_h: float,
        devices: NDArray[np.integer] | None = None,
    ) -> NDArray[np.float64]:
        """Return the change a leak in each pipe would make.

        Args:
            at_ms: Event time, for the time-of-day demand.
            conditions: Measured operation.
            pipes: Candidate pipes.
            leak_m3_h: Size of the leak as discharge at 30 m head.
            devices: Numbers of the devices asked for, None for all.

        Returns:
            Array (len(pipes), devices asked for): disturbed minus undisturbed. A large network
            may answer to first order when many pipes are asked for at once.
        """
        ...


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of the append-only event log.

    `hash` is the SHA-256 over the previous entry's hash and this entry's content, so a changed,
    dropped or reordered entry is noticed.
    """

    seq: int
    time_ms: int
    stage: str
    kind: str
    actor: str
    subject: str
    reason: str
    data: dict[str, Any]
    prev_hash: str
    hash: str


class EventStore(Protocol):
    """Where the event log, the snapshots and what waits to be sent are kept."""

    def append(self, entries: Sequence[LogEntry], outbox: Sequence[tuple[str, str, bytes]]) -> None:
        """Append entries and outgoing (key, topic, payload) in one transaction."""
        ...

    def entries(self, after: int = -1, limit: int | None = None) -> Sequence[LogEntry]:
        """Return entries with `seq` greater than `after`, in order."""
        ...

    def unsent(self) -> Sequence[tuple[str, str, bytes]]:
        """Return outgoing messages that were not marked as sent, oldest first."""
        ...

    def mark_sent(self, keys: Sequence[str]) -> None:
        """Mark outgoing messages as sent."""
        ...

    def save_snapshot(self, seq: int, state: bytes) -> None:
        """Keep `state` as the newest snapshot; it holds all effects up to log entry `seq`."""
        ...

    def snapshot(self) -> tuple[int, bytes] | None:
        """Return the newest snapshot as (seq, state), None when there is none."""
        ...

    def close(self) -> None:
        """Release the store."""
        ...


class Inbox(Protocol):
    """Where what was received is safe before the broker is told so."""

    def append(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Keep messages (topic, payload); they are safe when this returns."""
        ...

    def read(self) -> Iterator[tuple[str, bytes]]:
        """Yield the messages kept since the last `restart`, in order."""
        ...

    def restart(self, messages: Sequence[tuple[str, bytes]] = ()) -> None:
        """Forget everything but `messages`: a snapshot holds the rest."""
        ...

    def close(self) -> None:
        """Release the journal; what it keeps stays."""
        ...
