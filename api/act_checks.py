"""What operators ask for, held against the run: acts that make no sense are refused at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import msgspec

from api.casebook import of_kind
from api.problems import ProblemError
from api.run_rules import rules_in_use
from api.run_status import Run
from api.warning_models import alarm_names, outside_models
from pipeline.messages import OperatorAct, OperatorActKind
from pipeline.ports import LogEntry
from pipeline.rules.globs import fits_any, instead_of
from pipeline.warn.management.records import tag_of

MINUTE_MS = 60_000
_MOST_COMPARED, _MOST_LISTED = 1000, 12
"""Of more names none is looked for that is nearly right, and of more not all are told."""
_Kind = OperatorActKind
_ENDED_BY: Mapping[OperatorActKind, OperatorActKind] = MappingProxyType(
    {
        _Kind.SILENCE: _Kind.UNSILENCE,
        _Kind.SUPPRESS: _Kind.UNSUPPRESS,
        _Kind.OUT_OF_SERVICE: _Kind.IN_SERVICE,
    }
)
_TIMED = frozenset({_Kind.SHELVE, *_ENDED_BY})
"""Acts that may end by themselves."""


def check_minutes(run: Run, kind: OperatorActKind, minutes: float | None) -> None:
    """Refuse a time that an act does not take, or that is too short or too long for it.

    Raises:
        ProblemError: 422 with key, value and fix.
    """
    if minutes is None:
        return
    if kind not in _TIMED:
        raise _wrong("minutes", minutes, f"{kind.value} does not end by itself; leave it out")
    tick_ms = _tick_ms(run)
    if round(minutes * MINUTE_MS) <= tick_ms:
        message = "over before the next tick takes it"
        fix = f"give more than {tick_ms / MINUTE_MS:g}" if tick_ms else "give more"
        raise _wrong("minutes", minutes, f"{message}; {fix}")
    if kind is _Kind.SHELVE:
        most_min = rules_in_use(run).alarms.most_shelved_s / 60.0
        if minutes > most_min:
            message = (
                f"longer than the rules in force allow; give at most {most_min:g} "
                "(`alarms.most_shelved_s` of the rule file)"
            )
            raise _wrong("minutes", minutes, message)


def check_matchers(run: Run, matchers: Mapping[str, str]) -> None:
    """Refuse matchers that fit no device, area, quantity or rule of the run.

    Raises:
        ProblemError: 422 with key, value and fix.
    """
    for name, glob in matchers.items():
        words = _words(run, name)
        if words is not None and not fits_any(glob, words):
            near = words if len(words) <= _MOST_COMPARED else ()
            is_few = len(words) <= _MOST_LISTED
            known = f"use {', '.join(words)}" if is_few else "name one of the run"
            fix = instead_of(glob, near, known)
            raise _wrong(f"matchers.{name}", glob, f"fits no {name}; {fix}")


def acts_of(entries: Sequence[LogEntry]) -> list[OperatorAct]:
    """Return the acts in a log."""
    return [
        msgspec.convert(entry.data, OperatorAct, strict=False)
        for entry in of_kind(entries, "OperatorAct")
    ]


def is_in_force(
    acts: Iterable[OperatorAct], kind: OperatorActKind, about: str, now_ms: int
) -> bool:
    """Return whether the newest act of a kind that lasts, or its opposite, still holds.

    Args:
        acts: Oldest first.
        kind: Silence, suppress or out of service.
        about: Alarm, or name of the silence.
        now_ms: Event time.
    """
    kinds = (kind, _ENDED_BY[kind])
    mine = [act for act in acts if act.kind in kinds and _place(act) == tag_of(about)]
    return bool(mine) and mine[-1].kind is kind and not 0 < mine[-1].until_ms <= now_ms


def is_over(acts: Iterable[OperatorAct], act: OperatorAct, now_ms: int) -> bool:
    """Return whether what an act brought has ended, by itself or by another act."""
    if act.kind in _ENDED_BY:
        return not is_in_force(acts, act.kind, _place(act), now_ms)
    return 0 < act.until_ms <= now_ms


def is_same(one: OperatorAct, other: OperatorAct) -> bool:
    """Return whether two acts ask for the same, whenever they do."""
    return _gist(one) == _gist(other)


def _gist(act: OperatorAct) -> tuple[object, ...]:
    lasts_ms = act.until_ms - act.time_ms if act.until_ms else 0
    return act.kind, act.target, act.matchers, act.by, act.why, lasts_ms


def _place(act: OperatorAct) -> str:
    return tag_of(act.target or act.id)


def _tick_ms(run: Run) -> int:
    """Return the event time of a tick, 0 before the first."""
    status = run.status()
    return (status.now_ms - run.about.start_ms) // status.ticks if status.ticks else 0


def _words(run: Run, name: str) -> Sequence[str] | None:
    """Return what alarms of a run can have in a field, None for what cannot be known."""
    registry = run.registry()
    if name == "device":
        return registry.ids
    if name in ("area", "quantity"):
        return sorted(set(registry.texts(name)))
    if name == "rule":
        rules = rules_in_use(run)
        installed = outside_models(replace(rules, couplings=()))
        return sorted(alarm_names(rules, installed))
    return None


def _wrong(key: str, value: object, message: str) -> ProblemError:
    where = f"body.{key}"
    errors = [{"where": where, "message": message, "value": repr(value)}]
    return ProblemError(422, "invalid-request", f"{where} = {value!r}: {message}", errors=errors)
