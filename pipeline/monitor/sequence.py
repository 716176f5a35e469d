"""Which frames of each gateway have come: repeats are told from new ones, gaps are counted."""

from dataclasses import dataclass, field
from enum import StrEnum

from sensors.readings import FrameId

WINDOW = 1024
"""A missing frame is declared lost when its gateway is so many frames further."""
BOOTS = 4
"""Boots of one gateway that are remembered; frames of older ones are stale."""


class Arrival(StrEnum):
    """What a frame is, judged by its identity."""

    NEW = "new"
    DUPLICATE = "duplicate"
    STALE = "stale"


@dataclass(slots=True)
class Boot:
    """Frames of one boot of a gateway: everything up to `newest` has come but `missing`.

    `missing` is ascending and holds numbers within `WINDOW` of `newest` only.
    """

    newest: int = -1
    missing: dict[int, None] = field(default_factory=dict)
    lost: int = 0

    def note(self, seq: int) -> Arrival:
        """Note a frame and return what it is."""
        if seq == self.newest + 1:
            self.newest = seq
        elif seq > self.newest:
            first = max(self.newest + 1, seq - WINDOW)
            self.lost += first - (self.newest + 1)
            self.missing.update(dict.fromkeys(range(first, seq)))
            self.newest = seq
        elif seq in self.missing:
            del self.missing[seq]
            return Arrival.NEW
        else:
            return Arrival.STALE if seq < self.newest - WINDOW else Arrival.DUPLICATE
        if self.missing:
            self._declare_lost()
        return Arrival.NEW

    def _declare_lost(self) -> None:
        floor = self.newest - WINDOW
        while self.missing and (oldest := next(iter(self.missing))) < floor:
            del self.missing[oldest]
            self.lost += 1


@dataclass(slots=True)
class FrameLedger:
    """The frames of all gateways.

    A gateway counts from 0 within a boot, so frames before the first one seen are missing too.
    """

    gateways: dict[str, dict[int, Boot]] = field(default_factory=dict)
    forgotten_lost: int = 0

    @property
    def lost(self) -> int:
        """Frames declared lost and those missing at this moment; a late frame takes itself off."""
        return self.forgotten_lost + sum(
            boot.lost + len(boot.missing)
            for boots in self.gateways.values()
            for boot in boots.values()
        )

    def note(self, frame: FrameId) -> Arrival:
        """Note a frame and return what it is."""
        boots = self.gateways.setdefault(frame.gateway, {})
        boot = boots.get(frame.boot)
        if boot is None:
            if len(boots) >= BOOTS and not self._make_room(boots, frame.boot):
                return Arrival.STALE
            boot = boots[frame.boot] = Boot()
        return boot.note(frame.seq)

    def _make_room(self, boots: dict[int, Boot], wanted: int) -> bool:
        oldest = min(boots)
        if wanted < oldest:
            return False
        gone = boots.pop(oldest)
        self.forgotten_lost += gone.lost + len(gone.missing)
        return True
