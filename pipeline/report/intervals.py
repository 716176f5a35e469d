"""How often follow-up bulletins go out, by level."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sensors.levels import Level

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class FollowUp:
    """When the next follow-up goes out.

    Attributes:
        every_min: Least time since the bulletin before, minutes.
        is_regular: Whether it goes out without news too.
        basis: Where the figure comes from.
    """

    every_min: float
    is_regular: bool
    basis: str = "proposed"

    def due_ms(self, last_ms: int, *, has_news: bool) -> int | None:
        """Return when the next one is due after one at `last_ms`, None while it waits for news."""
        if not (self.is_regular or has_news):
            return None
        return last_ms + round(self.every_min * _MINUTE_MS)


FOLLOW_UPS: Mapping[Level, FollowUp] = MappingProxyType(
    {
        Level.RED: FollowUp(60.0, is_regular=True),
        Level.ORANGE: FollowUp(60.0, is_regular=True),
        Level.YELLOW: FollowUp(60.0, is_regular=False),
        Level.BLUE: FollowUp(1440.0, is_regular=False),
    }
)
"""Red and orange hourly; yellow on news, at most hourly; blue on news, in the daily list."""
