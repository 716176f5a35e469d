"""Reads how alarms stand, what is silenced and which rules are in force from the log of a run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import msgspec

from api.casebook import newest_by_subject, of_kind
from pipeline.evaluate.kpis import AlarmBook
from pipeline.messages import (
    Alarm,
    AlarmFlood,
    AlarmHandling,
    AlarmStanding,
    AlarmState,
    Incident,
    OperatorAct,
    OperatorActKind,
)
from pipeline.ports import LogEntry
from pipeline.warn.management.matching import matches
from pipeline.warn.management.records import tag_of
from pipeline.warn.management.standings import Why

_IN_ALARM = frozenset({AlarmState.PROVISIONAL, AlarmState.RAISED, AlarmState.CHANGED})
_KINDS: dict[str, type[Alarm | AlarmHandling | AlarmFlood | Incident]] = {
    "Alarm": Alarm,
    "AlarmHandling": AlarmHandling,
    "AlarmFlood": AlarmFlood,
    "Incident": Incident,
}


@dataclass(frozen=True, slots=True)
class AlarmView:
    """An alarm in its newest state and where it stands before its operators."""

    entry: LogEntry
    standing: AlarmStanding
    until_ms: int

    @property
    def alarm(self) -> Alarm:
        """The alarm as a message."""
        return alarm_of(self.entry)

    @property
    def is_active(self) -> bool:
        """Whether its rule holds it in alarm."""
        return self.entry.data["state"] in _IN_ALARM

    def fits(self, matchers: Mapping[str, str]) -> bool:
        """Return whether the alarm fits all matchers."""
        return matches(matchers, self.alarm)


def alarms_of(entries: Sequence[LogEntry]) -> list[AlarmView]:
    """Return every alarm, in the order they were first seen.

    An alarm whose place has a newer one stands as normal: it is over.
    """
    newest: dict[str, dict[str, Any]] = {}
    for entry in of_kind(entries, "AlarmHandling"):
        newest[tag_of(entry.subject)] = entry.data
    views: list[AlarmView] = []
    for entry in newest_by_subject(entries, "Alarm"):
        handling = newest.get(tag_of(entry.subject))
        if handling is None or handling["alarm"] != entry.subject:
            views.append(AlarmView(entry, AlarmStanding.NORMAL, 0))
        else:
            standing = AlarmStanding(handling["standing"])
            views.append(AlarmView(entry, standing, int(handling["until_ms"])))
    return views


def alarm_of(entry: LogEntry) -> Alarm:
    """Return the alarm of its entry, in which NaN is null."""
    numbers = {
        name: nan for name in ("value", "limit", "before") if entry.data.get(name, nan) is None
    }
    return msgspec.convert({**entry.data, **numbers}, Alarm, strict=False)


def book_of(entries: Iterable[LogEntry], start_ms: int) -> AlarmBook:
    """Return the counts of alarm management of a run, from its beginning."""
    ledger = Ledger(start_ms)
    ledger.add(entries)
    return ledger.book


class Ledger:
    """Alarm management of a run as far as its log was read; more can be added at any time.

    Attributes:
        book: The counts.
        standing: `device/rule` → where its newest alarm stands.
        read: How many entries were read.
    """

    def __init__(self, start_ms: int) -> None:
        self.book, self.standing, self.read = AlarmBook(), dict[str, AlarmStanding](), 0
        self.book.begin(start_ms)

    def add(self, entries: Iterable[LogEntry]) -> None:
        """Read the next entries of the log."""
        for entry in entries:
            self.read += 1
            kind = _KINDS.get(entry.kind)
            if kind is Alarm:
                self.book.note(alarm_of(entry))
            elif kind is not None:
                self.book.note(msgspec.convert(entry.data, kind, strict=False))
            if kind is AlarmHandling:
                standing = AlarmStanding(entry.data["standing"])
                self.standing[tag_of(entry.subject)] = standing


def chattering(entries: Sequence[LogEntry]) -> list[LogEntry]:
    """Return for each place that chatters now the entry that says since when."""
    found: dict[str, LogEntry] = {}
    for entry in of_kind(entries, "AlarmHandling"):
        name = tag_of(entry.subject)
        if entry.reason == Why.CHATTERING:
            found[name] = entry
        elif entry.reason == Why.CHATTERING_ENDED:
            found.pop(name, None)
    return list(found.values())


def silences(entries: Sequence[LogEntry], now_ms: int) -> list[OperatorAct]:
    """Return the silences operators made that hold now, oldest first."""
    found: dict[str, OperatorAct] = {}
    for entry in of_kind(entries, "OperatorAct"):
        if entry.data["kind"] not in (OperatorActKind.SILENCE, OperatorActKind.UNSILENCE):
            continue
        act = msgspec.convert(entry.data, OperatorAct, strict=False)
        if act.kind is OperatorActKind.SILENCE:
            found[silence_id(act)] = act
        else:
            found.pop(act.target, None)
    return [act for act in found.values() if not 0 < act.until_ms <= now_ms]


def silence_id(act: OperatorAct) -> str:
    """Return the name by which a silence is ended."""
    return act.target or act.id


def meant(views: Iterable[AlarmView], matchers: Mapping[str, str]) -> list[AlarmView]:
    """Return the alarms that stand and fit matchers."""
    return [
        view for view in views if view.standing is not AlarmStanding.NORMAL and view.fits(matchers)
    ]


def rules_in_force(entries: Sequence[LogEntry]) -> tuple[str, str, str] | None:
    """Return source, version and text of the newest rule file taken; None: those it began with."""
    texts: dict[str, str] = {}
    newest: tuple[str, str, str] | None = None
    for entry in entries:
        if entry.kind == "RuleText":
            texts[entry.subject] = entry.data["text"]
        elif entry.kind == "RulesChanged" and entry.data["is_taken"]:
            newest = entry.subject, entry.data["version"], texts.get(entry.subject, "")
    return newest
