"""Globs of rule files: what they fit, and those that can fit nothing."""

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

from sensors.levels import Level

LEVEL_WORDS = tuple(word for level in Level for word in (str(level.value), level.colour))
"""What a pattern for a level is held against: the numbers and the colours."""


def fits_any(glob: str, words: Iterable[str]) -> bool:
    """Return whether a glob (`*`, `?`, `[…]`, case counts) fits one of the words."""
    return any(fnmatchcase(word, glob) for word in words)


def is_unclosed(glob: str) -> bool:
    """Return whether a `[` is never closed: it would stand for itself, which no name has."""
    at = glob.find("[")
    while at >= 0:
        first = at + 1 + (glob[at + 1 : at + 2] == "!")
        end = glob.find("]", first + 1)
        if end < 0:
            return True
        at = glob.find("[", end + 1)
    return False


def instead_of(word: str, words: Iterable[str], otherwise: str) -> str:
    """Return the fix for a name that does not exist: the nearest that does, or `otherwise`."""
    near = get_close_matches(word, sorted(set(words)), 1, 0.7)
    return f"did you mean {near[0]}? else {otherwise}" if near else otherwise
