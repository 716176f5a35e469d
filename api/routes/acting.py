"""Tells the platform of a run what an operator does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from threading import Lock, RLock
from weakref import WeakKeyDictionary

from api.act_checks import MINUTE_MS, acts_of, check_minutes, is_over, is_same
from api.controller import RunController
from api.problems import ProblemError
from api.schemas.act import ActInfo, NewAct
from pipeline.messages import OperatorAct, OperatorActKind

_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class _Told:
    """Acts a run was told that are in no log yet, by id.

    `lock` is held while an act is compared with those before and told: requests come in several
    threads.
    """

    lock: RLock = field(default_factory=RLock)
    waiting: dict[str, OperatorAct] = field(default_factory=dict)


_TOLD: WeakKeyDictionary[RunController, _Told] = WeakKeyDictionary()
_OPENING = Lock()


def act_on(
    run: RunController, kind: OperatorActKind, target: str, body: NewAct, *, is_spent: bool = False
) -> ActInfo:
    """Do something to one alarm, warning or silence with the next tick; see `told`."""
    check_minutes(run, kind, body.minutes)
    return told(
        run,
        kind,
        target,
        by=body.by,
        why=body.why,
        name=body.id,
        minutes=body.minutes,
        is_spent=is_spent,
    )


def told(
    run: RunController,
    kind: OperatorActKind,
    target: str,
    *,
    by: str,
    why: str,
    name: str | None = None,
    matchers: Mapping[str, str] | None = None,
    minutes: float | None = None,
    is_spent: bool = False,
) -> ActInfo:
    """Tell the platform of an act and return it; one with a known id is not told again.

    Args:
        run: The run.
        kind: What is done.
        target: Alarm, warning or silence, empty when `matchers` say what is meant.
        by: Who.
        why: Reason.
        name: Id of the act; None to make one.
        matchers: What is meant.
        minutes: How long it lasts, None for no end.
        is_spent: Whether such an act, if it was done before, has no effect any more.

    Raises:
        ProblemError: 409, the run is over, or the id was used for another act or for one that
            has ended.
    """
    now_ms = run.status().now_ms
    act = OperatorAct(
        id=name or new_id("act", now_ms),
        kind=kind,
        target=target,
        by=by,
        why=why,
        time_ms=now_ms,
        until_ms=now_ms + round(minutes * MINUTE_MS) if minutes else 0,
        matchers=dict(matchers or {}),
    )
    told_before = _told_to(run)
    with told_before.lock:
        before = _before(run, act, is_spent=is_spent)
        if before is None:
            run.tell(act)
            told_before.waiting[act.id] = act
    return ActInfo.of(before or act, run.about.utc_offset_ms)


def is_known(run: RunController, name: str | None) -> bool:
    """Return whether an act of this id was told before."""
    return name is not None and any(act.id == name for act in all_acts(run))


def all_acts(run: RunController) -> list[OperatorAct]:
    """Return the acts of a run, those that wait for a tick last."""
    told_before = _told_to(run)
    with told_before.lock:
        logged = acts_of(run.entries())
        for act in logged:
            told_before.waiting.pop(act.id, None)
        return [*logged, *told_before.waiting.values()]


def new_id(kind: str, now_ms: int) -> str:
    """Return an id no other act of this server has."""
    return f"{kind}-{now_ms}-{next(_NUMBERS)}"


def _told_to(run: RunController) -> _Told:
    with _OPENING:
        return _TOLD.setdefault(run, _Told())


def _before(run: RunController, act: OperatorAct, *, is_spent: bool) -> OperatorAct | None:
    """Return the act of the same id that was told before, None when there is none."""
    acts = all_acts(run)
    before = next((one for one in acts if one.id == act.id), None)
    if before is None:
        return None
    is_done = act.id not in _told_to(run).waiting
    is_ended = is_done and (is_spent or is_over(acts, before, act.time_ms))
    if is_same(before, act) and not is_ended:
        return before
    why = "and has ended" if is_same(before, act) else "which was another act"
    raise ProblemError(
        409,
        "id-used",
        f"id {act.id!r} was used for {before.kind.value} {before.target or before.matchers}, "
        f"{why}; give another id, or none",
        act=act.id,
        used_for=before.kind.value,
    )
