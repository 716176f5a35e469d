"""Compares what was said with what a test expects, and says readably where they differ."""

import difflib
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

from api.rule_tests.document import CaseTable, ExpectTable
from api.rule_tests.durations import duration_ms, duration_words
from api.rule_tests.play import Played
from api.rule_tests.wanted import bound, check_expectation
from pipeline.errors import RuleError
from pipeline.messages import (
    Alarm,
    AlarmFlood,
    AlarmHandling,
    AlarmState,
    DeviceHealth,
    Incident,
    ModelFinding,
    WarningNotice,
)
from sensors.levels import Level

_KINDS: Mapping[str, type] = {
    "alarm": Alarm,
    "standing": Alarm,
    "warning": WarningNotice,
    "finding": ModelFinding,
    "incident": Incident,
    "health": DeviceHealth,
    "handling": AlarmHandling,
    "flood": AlarmFlood,
}
_WORDS: Mapping[str, tuple[str, ...]] = {
    "alarm": ("device", "rule", "state", "level", "held", "reason"),
    "warning": ("id", "status", "level", "area", "domain", "reason"),
    "finding": ("model", "effect", "level", "is_on", "reason"),
    "incident": ("id", "status", "level", "cause", "reason"),
    "health": ("device", "kind", "is_on", "reason"),
    "handling": ("device", "rule", "standing", "reason"),
    "flood": ("group", "is_on", "alarms", "grouped"),
}
"""Subject → fields whose words a line of `are` may have, in the order they are shown."""
_OVER = frozenset({AlarmState.CLEARED, AlarmState.WITHDRAWN})
_MOST_LINES = 40


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that was not met: number (from 1), what was wanted and what came."""

    number: int
    wanted: str
    got: str


def failures_of(test: CaseTable, played: Played, where: str) -> list[Failure]:
    """Return the expectations of a test that what was said does not meet.

    Raises:
        RuleError: an expectation names what there is not (`api.rule_tests.wanted`).
    """
    found: list[Failure] = []
    for number, expected in enumerate(test.expect, 1):
        at = f"{where}: expect {number}"
        judged = _Judge(expected, test, played, at)
        problem = judged.problem()
        if problem:
            found.append(Failure(number, judged.wanted(), problem))
    return found


class _Judge:
    """One expectation against what was said."""

    def __init__(self, expected: ExpectTable, test: CaseTable, played: Played, at: str) -> None:
        self._expected, self._played, self._at = expected, played, at
        tolerance = expected.tolerance if expected.tolerance is not None else test.tolerance
        self._tolerance = tolerance or 0
        self._start_ms = played.fleet.start_ms
        kind = _KINDS[expected.subject]
        self._all: list[Any] = [one for one in played.said if isinstance(one, kind)]
        check_expectation(expected, kind, test, played.rules, played.fleet, at)

    def problem(self) -> str:
        """Return what is wrong, empty when the expectation is met."""
        expected = self._expected
        if expected.subject == "standing":
            return self._counted(list(self._standing()))
        chosen = [message for message in self._all if self._is_meant(message)]
        chosen = [message for message in chosen if self._is_then(message)]
        if expected.are is None:
            return self._counted(chosen)
        return self._listed(chosen, expected.are)

    def wanted(self) -> str:
        """Return the expectation in words."""
        expected = self._expected
        which = ", ".join(f"{key}: {value}" for key, value in expected.filter.items())
        parts = [f"{expected.subject} {{{which}}}"]
        if expected.at is not None:
            slack = f" ± {duration_words(self._tolerance)}" if self._tolerance else ""
            parts.append(f"at {duration_words(expected.at)}{slack}")
        if expected.begin is not None:
            parts.append(f"from {duration_words(expected.begin)}")
        if expected.end is not None:
            parts.append(f"to {duration_words(expected.end)}")
        if expected.none or expected.count == 0:
            return "no " + " ".join(parts)
        if expected.count is not None:
            parts.append(f"{expected.count} times")
        if expected.at_most is not None:
            parts.append(f"{expected.at_most} times at most")
        return " ".join(parts)

    def _counted(self, chosen: Sequence[Any]) -> str:
        expected, got = self._expected, len(chosen)
        if expected.none or expected.count is not None:
            wanted = 0 if expected.none else expected.count
            if got == wanted:
                return ""
            return f"{got} instead of {wanted}:\n{self._shown(chosen or self._near())}"
        if expected.at_most is not None:
            if got <= expected.at_most:
                return ""
            return f"{got}, more than {expected.at_most}:\n{self._shown(chosen)}"
        return "" if got else f"none; what came instead:\n{self._shown(self._near())}"

    def _listed(self, chosen: Sequence[Any], lines: Sequence[str]) -> str:
        """Compare a whole sequence; a line is met by the words it has."""
        wanted = [_line(text, self._at) for text in lines]
        is_met = len(wanted) == len(chosen) and all(
            self._is_line(one, message) for one, message in zip(wanted, chosen, strict=True)
        )
        if is_met:
            return ""
        got = [
            lines[place]
            if place < len(wanted) and self._is_line(wanted[place], message)
            else self._text(message)
            for place, message in enumerate(chosen)
        ]
        diff = list(difflib.ndiff(list(lines), got))
        kept = [text for text in diff if not text.startswith("?")]
        return "expected (-) and got (+):\n" + _cut([f"  {text}" for text in kept])

    def _is_line(self, line: tuple[int, frozenset[str]], message: Any) -> bool:
        after_ms, words = line
        if abs(message.time_ms - self._start_ms - after_ms) > self._tolerance:
            return False
        shown = frozenset(_word(message, name) for name in _WORDS[self._subject])
        return words.issubset(shown)

    @property
    def _subject(self) -> str:
        subject = self._expected.subject
        return "alarm" if subject == "standing" else subject

    def _standing(self) -> Iterator[Any]:
        """Yield the alarms that stand at the moment, in their newest version, as is meant."""
        assert self._expected.at is not None
        moment_ms = self._start_ms + self._expected.at
        newest = {alarm.id: alarm for alarm in self._all if alarm.time_ms <= moment_ms}
        for alarm in newest.values():
            if alarm.state not in _OVER and self._is_meant(alarm):
                yield alarm

    def _near(self) -> Sequence[Any]:
        """Return what is worth showing when nothing fits: same device and rule, or all of it."""
        names = [name for name in ("device", "rule", "model", "cause") if name in self._filter]
        near = [
            message
            for message in self._all
            if all(_is_value(self._filter[name], getattr(message, name)) for name in names)
        ]
        return near or self._all

    @property
    def _filter(self) -> Mapping[str, Any]:
        return self._expected.filter

    def _is_meant(self, message: Any) -> bool:
        for name, wanted in self._filter.items():
            if hasattr(message, name):
                if not _is_value(wanted, getattr(message, name)):
                    return False
            else:
                after_ms = getattr(message, f"{name}_ms") - self._start_ms
                if abs(after_ms - duration_ms(wanted)) > self._tolerance:
                    return False
        return True

    def _is_then(self, message: Any) -> bool:
        after_ms, expected = message.time_ms - self._start_ms, self._expected
        if expected.at is not None:
            return bool(abs(after_ms - expected.at) <= self._tolerance)
        if expected.begin is not None and after_ms < expected.begin - self._tolerance:
            return False
        return bool(expected.end is None or after_ms <= expected.end + self._tolerance)

    def _shown(self, messages: Sequence[Any]) -> str:
        return _cut([f"  + {self._text(message)}" for message in messages]) or "  (nothing)"

    def _text(self, message: Any) -> str:
        words = (_word(message, name) for name in _WORDS[self._subject])
        return " ".join([duration_words(message.time_ms - self._start_ms), *filter(None, words)])


def timeline(played: Played) -> list[str]:
    """Return the alarms, findings, incidents and warnings of a test as lines, in order."""
    subjects = {kind: subject for subject, kind in _KINDS.items() if subject in _WORDS}
    said = [message for message in played.said if type(message) in subjects]
    return [_told(message, subjects[type(message)], played.fleet.start_ms) for message in said]


def _told(message: Any, subject: str, start_ms: int) -> str:
    words = (_word(message, name) for name in _WORDS[subject])
    return " ".join([duration_words(message.time_ms - start_ms), subject, *filter(None, words)])


def _cut(lines: list[str]) -> str:
    if len(lines) > _MOST_LINES:
        more = len(lines) - _MOST_LINES
        lines = [*lines[:_MOST_LINES], f"  … and {more} more"]
    return "\n".join(lines)


def _line(text: str, at: str) -> tuple[int, frozenset[str]]:
    first, *words = text.split()
    try:
        return duration_ms(first), frozenset(words)
    except ValueError as error:
        raise RuleError(f"{at}: are = {text!r}: {error}; begin the line with it") from error


def _word(message: Any, name: str) -> str:
    value = getattr(message, name)
    if name == "is_on":
        return "on" if value else "off"
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, Level):
        return value.colour
    return str(value.value if isinstance(value, Enum) else value)


def _is_value(wanted: Any, got: Any) -> bool:
    """Return whether a field is what the filter wants: a glob, a bound, one of a list, a number."""
    if isinstance(wanted, list):
        return any(_is_value(one, got) for one in wanted)
    if isinstance(got, tuple | list):
        return any(_is_value(wanted, one) for one in got)
    if isinstance(wanted, bool) or isinstance(got, bool):
        return bool(wanted == got)
    if isinstance(got, int | float) and not isinstance(got, Level):
        return _is_number(wanted, float(got))
    return got is not None and fnmatchcase(_plain(got), str(wanted))


def _is_number(wanted: Any, got: float) -> bool:
    if isinstance(wanted, int | float):
        return math.isclose(float(wanted), got, rel_tol=1e-6, abs_tol=1e-9)
    given = bound(str(wanted))
    return given is not None and _HOLDS[given[0]](got, given[1])


_HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
