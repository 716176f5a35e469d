"""The four levels of alarms and warnings: 1 red is the most severe, 4 blue the least."""

from enum import IntEnum


class Level(IntEnum):
    """Level of an alarm, warning or true incident.

    The number is what the law names (Emergency Response Law: level one red … level four
    blue) and always travels with the colour, because ISO 22324 uses blue for something else.
    A smaller number is more severe: compare with `is_worse_than`, never with `<` by habit.
    """

    RED = 1
    ORANGE = 2
    YELLOW = 3
    BLUE = 4

    @property
    def colour(self) -> str:
        """The colour's name in lower case, as the rule files spell it."""
        return self.name.lower()

    @property
    def roman(self) -> str:
        """The level as a roman numeral, I to IV."""
        return ("I", "II", "III", "IV")[self.value - 1]

    def is_worse_than(self, other: "Level | None") -> bool:
        """Return whether this level is more severe than `other` (None is no level at all)."""
        return other is None or self.value < other.value

    @classmethod
    def of_colour(cls, colour: str) -> "Level":
        """Return the level named by a colour such as `"red"`; KeyError if there is none."""
        return cls[colour.upper()]


def worst(*levels: Level | None) -> Level | None:
    """Return the most severe of `levels`, or None when none is given."""
    present = [level for level in levels if level is not None]
    return min(present) if present else None
