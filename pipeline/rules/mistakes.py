"""A mistake in a rule file: where it is, what is wrong with it and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.errors import RuleError

Path = tuple[str | int, ...]
"""Keys and places from the top of a document down to one value."""


class Flaw(NamedTuple):
    """A contradiction: where, the value there (None: not shown), what is wrong and what to do."""

    path: Path
    value: object
    problem: str
    fix: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake of a rule file.

    Attributes:
        file: Name of the file.
        line: Line, from 1.
        column: Column, from 1.
        key: Path of the value, such as `rules.gas.ch4_space.deadband`; empty for the whole file.
        value: The value as it is written (shortened), empty when it is missing.
        problem: What is wrong.
        fix: What to do.
    """

    file: str
    line: int
    column: int
    key: str
    value: str
    problem: str
    fix: str

    def __str__(self) -> str:
        """Return it as one line: `file:line: key = value: problem; fix`."""
        what = f"{self.key or 'the file'} = {self.value}" if self.value else self.key or "the file"
        end = f"; {self.fix}" if self.fix else ""
        return f"{self.file}:{self.line}: {what}: {self.problem}{end}"


class RuleFileError(RuleError):
    """A rule file is refused; `mistakes` holds all of them, the message is the first."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        """Take the mistakes in the order of the file, at least one."""
        self.mistakes = tuple(mistakes)
        more = len(self.mistakes) - 1
        rest = f" (and {more} more)" if more else ""
        super().__init__(f"{self.mistakes[0]}{rest}")


MOST_SHOWN = 60
"""Characters of a value or key that a message shows."""


def key_of(path: Path) -> str:
    """Return a path as people write it: `rules.gas.flow_z.on_m_of_n.red[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    text = text.removeprefix(".")
    return text if len(text) <= 2 * MOST_SHOWN else text[: 2 * MOST_SHOWN - 1] + "…"


def shown(value: object) -> str:
    """Return a value for a message, as the file would write it, cut when it is long."""
    if value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    else:
        text = repr(value)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
