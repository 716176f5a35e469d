"""Tells the platform of a run what an operator does."""

from collections.abc import Mapping
from itertools import count

from api.controller import RunController
from api.schemas.act import ActInfo, NewAct
from pipeline.messages import OperatorAct, OperatorActKind

_MINUTE_MS = 60_000
_NUMBERS = count(1)


def act_on(run: RunController, kind: OperatorActKind, target: str, body: NewAct) -> ActInfo:
    """Do something to one alarm, warning or silence with the next tick."""
    return told(run, kind, target, by=body.by, why=body.why, name=body.id, minutes=body.minutes)


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
) -> ActInfo:
    """Tell the platform of an act and return it; ProblemError (409) when the run is over."""
    now_ms = run.status().now_ms
    act = OperatorAct(
        id=name or new_id("act", now_ms),
        kind=kind,
        target=target,
        by=by,
        why=why,
        time_ms=now_ms,
        until_ms=now_ms + round(minutes * _MINUTE_MS) if minutes else 0,
        matchers=dict(matchers or {}),
    )
    run.tell(act)
    return ActInfo.of(act, run.about.utc_offset_ms)


def new_id(kind: str, now_ms: int) -> str:
    """Return an id no other act of this server has."""
    return f"{kind}-{now_ms}-{next(_NUMBERS)}"
