"""What the platform counted of readings and frames, for summaries and metrics."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadingCounts:
    """Readings as the platform counted them; `rejected` has 1 for a frame refused whole."""

    received: int
    duplicate: int
    rejected: int
    by_reason: dict[str, int]


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """Frames as the platform counted them, against what the world says it published.

    Attributes:
        received: Frames that came for the first time.
        duplicate: Frames that came again.
        lost: Gaps in the gateways' numbers that nothing has filled; the last frames of a
            gateway leave no gap.
    """

    received: int
    duplicate: int
    lost: int

    def unaccounted(self, published: int, declared_lost: int) -> int:
        """Return how many frames nobody can account for; 0 when the wire keeps its word.

        Args:
            published: Frames that got a number, each once, lost ones among them.
            declared_lost: Those of them that the world did not send.
        """
        return published - declared_lost - self.received
