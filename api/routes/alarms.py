"""Alarms as operators see them: how they stand, what is done about them, silences, figures."""

from dataclasses import replace
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Path, Query, status

from api.act_checks import check_matchers, check_minutes, is_in_force
from api.alarm_view import AlarmView, alarms_of, book_of, chattering, meant, silences
from api.controller import RunController
from api.problems import ProblemError
from api.routes.acting import act_on, all_acts, is_known, told
from api.routes.dependencies import AnyRun, DrivenRun, PageAsked
from api.run_rules import rules_in_use
from api.run_status import Run
from api.schemas.act import ActInfo, NewAct, NewBulkAct, NewSilence, SilenceInfo, SilenceList
from api.schemas.alarm import AlarmInfo, AlarmKpis, AlarmList, ChatteringAlarm, ChatteringList
from pipeline.messages import AlarmStanding, AlarmState, OperatorActKind
from pipeline.rules import AlarmPolicy
from pipeline.warn.management.states import AlarmEvent, Refusal, after

router = APIRouter(tags=["warn"])

_TAKEN = status.HTTP_202_ACCEPTED


class Verb(StrEnum):
    """What can be done to an alarm."""

    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    OUT_OF_SERVICE = "out-of-service"
    IN_SERVICE = "in-service"
    RESET = "reset"

    @property
    def kind(self) -> OperatorActKind:
        """The act."""
        return OperatorActKind(self.value.replace("-", "_"))


_CHECKED = {
    Verb.ACKNOWLEDGE: AlarmEvent.ACKNOWLEDGED,
    Verb.SHELVE: AlarmEvent.SHELVED,
    Verb.UNSHELVE: AlarmEvent.UNSHELVED,
    Verb.RESET: AlarmEvent.RESET,
}
"""Acts the table of standings can refuse before they are taken."""
_LETS_GO = {
    Verb.UNSUPPRESS: (OperatorActKind.SUPPRESS, Refusal.NOT_SUPPRESSED),
    Verb.IN_SERVICE: (OperatorActKind.OUT_OF_SERVICE, Refusal.NOT_OUT_OF_SERVICE),
}
"""Acts that undo another one → that one, and the refusal when it is not in force."""


@router.get("/alarms", summary="List alarms")
def list_alarms(
    run: AnyRun,
    page: PageAsked,
    state: Annotated[AlarmState | None, Query(description="only those in this state")] = None,
    standing: Annotated[
        list[AlarmStanding] | None, Query(description="only those that stand so; may be repeated")
    ] = None,
    area: Annotated[str | None, Query(description="glob")] = None,
    domain: Annotated[str | None, Query(description="glob")] = None,
    device: Annotated[str | None, Query(description="glob")] = None,
    rule: Annotated[str | None, Query(description="glob")] = None,
    level: Annotated[str | None, Query(description="number or colour")] = None,
    *,
    told: Annotated[bool | None, Query(description="whether operators were told")] = None,
) -> AlarmList:
    """List each alarm in its newest state, with where it stands before the operators."""
    asked = {"area": area, "domain": domain, "device": device, "rule": rule, "level": level}
    matchers = {name: value for name, value in asked.items() if value is not None}
    chosen = [
        view
        for view in alarms_of(run.entries())
        if state in (None, view.entry.data["state"])
        and (standing is None or view.standing in standing)
        and (told is None or told is not bool(view.entry.data.get("held")))
        and (not matchers or view.fits(matchers))
    ]
    return _page(run, page, chosen)


@router.get("/alarms/stale", summary="List stale alarms")
def list_stale(run: AnyRun, page: PageAsked) -> AlarmList:
    """List the alarms that stand for longer than the rule file allows (24 h in the sources)."""
    entries = run.entries()
    stale = book_of(entries, run.about.start_ms).stale
    return _page(run, page, [view for view in alarms_of(entries) if view.entry.subject in stale])


@router.get("/alarms/chattering", summary="List chattering alarms")
def list_chattering(run: AnyRun, page: PageAsked) -> ChatteringList:
    """List the alarms that come and go so often that operators are not told any more."""
    found = chattering(run.entries())
    offset_ms = run.about.utc_offset_ms
    items = [ChatteringAlarm.of(entry, offset_ms) for entry in page.of(found)]
    return ChatteringList(total=len(found), items=items)


@router.get("/alarms/kpis", summary="Get figures of alarm management")
def show_kpis(
    run: AnyRun,
    operators: Annotated[int | None, Query(ge=1, le=1000, description="on shift")] = None,
) -> AlarmKpis:
    """Return the operators' load so far: per operator and 10 minutes, floods, priorities.

    Size of the shift and limits of a flood are those of the rules in force (section `alarms`);
    `operators` takes the place of the one.
    """
    policy = _policy(run)
    policy = policy if operators is None else replace(policy, operators=operators)
    book = book_of(run.entries(), run.about.start_ms)
    return AlarmKpis(figures=book.figures(run.status().now_ms, policy))


@router.post("/alarms/acknowledge", status_code=_TAKEN, summary="Acknowledge alarms")
def acknowledge_alarms(run: DrivenRun, body: NewBulkAct) -> ActInfo:
    """Acknowledge every alarm that stands and fits all matchers; 404 when none does."""
    if not is_known(run, body.id) and not meant(alarms_of(run.entries()), body.matchers):
        raise ProblemError(
            404,
            "no-such-alarm",
            f"no alarm of run {run.id} stands and fits {body.matchers}; GET /runs/{run.id}/alarms",
            matchers=body.matchers,
        )
    kind = OperatorActKind.ACKNOWLEDGE
    return told(run, kind, "", by=body.by, why=body.why, name=body.id, matchers=body.matchers)


@router.post("/alarms/{alarm:path}/{verb}", status_code=_TAKEN, summary="Act on an alarm")
def act_on_alarm(
    run: DrivenRun,
    alarm: Annotated[str, Path(description="id of the alarm: device/rule/time")],
    verb: Verb,
    body: NewAct | None = None,
) -> ActInfo:
    """Do something to one alarm with the next tick; 409 says why it cannot be done.

    Shelving without `minutes` is one-shot: it ends when the alarm returns to normal. No shelving
    is longer than the rule file allows (422). `minutes` is for what ends by itself: shelving,
    suppressing and taking out of service.
    """
    found = {view.entry.subject: view for view in alarms_of(run.entries())}.get(alarm)
    if found is None:
        raise ProblemError(
            404,
            "unknown-alarm",
            f"run {run.id} has no alarm {alarm!r}; GET /runs/{run.id}/alarms lists them",
            alarm=alarm,
        )
    body = body or NewAct()
    refusal = _refusal(run, found, verb)
    if refusal is not None and not is_known(run, body.id):
        raise _refused(found, refusal)
    is_checked = verb in _CHECKED or verb in _LETS_GO
    return act_on(run, verb.kind, alarm, body, is_spent=is_checked and refusal is None)


@router.get("/silences", summary="List silences")
def list_silences(run: AnyRun, page: PageAsked) -> SilenceList:
    """List what operators do not want to be told, from the tick on that took it."""
    found = silences(run.entries(), run.status().now_ms)
    items = [SilenceInfo.of(act, run.about.utc_offset_ms) for act in page.of(found)]
    return SilenceList(total=len(found), items=items)


@router.post("/silences", status_code=_TAKEN, summary="Silence alarms")
def silence(run: DrivenRun, body: NewSilence) -> ActInfo:
    """Keep alarms that fit all matchers from operators and from assessment for some time.

    422 when a matcher fits nothing of the run; 409 when the `id` was used for another silence,
    or for one that is over.
    """
    check_minutes(run, OperatorActKind.SILENCE, body.minutes)
    check_matchers(run, body.matchers)
    return told(
        run,
        OperatorActKind.SILENCE,
        "",
        by=body.by,
        why=body.why,
        name=body.id,
        matchers=body.matchers,
        minutes=body.minutes,
    )


@router.delete("/silences/{silence_id}", status_code=_TAKEN, summary="End a silence")
def end_silence(run: DrivenRun, silence_id: str) -> ActInfo:
    """End a silence before its time; alarms that still stand are told with the next tick."""
    known = [SilenceInfo.of(act, 0).id for act in silences(run.entries(), run.status().now_ms)]
    if silence_id not in known:
        raise ProblemError(
            404,
            "unknown-silence",
            f"run {run.id} has no silence {silence_id!r}: there are {', '.join(known) or 'none'}",
            silence=silence_id,
        )
    return act_on(run, OperatorActKind.UNSILENCE, silence_id, NewAct())


def _page(run: Run, page: PageAsked, views: list[AlarmView]) -> AlarmList:
    items = [AlarmInfo.of(view, run.about.utc_offset_ms) for view in page.of(views)]
    return AlarmList(total=len(views), items=items)


def _policy(run: Run) -> AlarmPolicy:
    """Return the figures of the shift; the default for an old run whose rules are refused today."""
    try:
        return rules_in_use(run).alarms
    except ProblemError:
        return AlarmPolicy()


def _refusal(run: RunController, view: AlarmView, verb: Verb) -> Refusal | None:
    """Return why an act makes no sense as the alarm stands, None when it may be taken."""
    if verb in _LETS_GO:
        kind, refusal = _LETS_GO[verb]
        now_ms = run.status().now_ms
        return None if is_in_force(all_acts(run), kind, view.entry.subject, now_ms) else refusal
    if verb not in _CHECKED:
        return None
    if verb is Verb.SHELVE and view.standing is AlarmStanding.NORMAL:
        return Refusal.NO_CHANGE  # it is over: what is to come is silenced or suppressed
    event = _CHECKED[verb]
    then = after(view.standing, event, is_active=view.is_active, is_latching=False)
    return then if isinstance(then, Refusal) else None


def _refused(view: AlarmView, refusal: Refusal) -> ProblemError:
    reason = refusal.value.removeprefix("refused_").replace("_", " ")
    detail = f"alarm {view.entry.subject} stands as {view.standing.value}: {reason}"
    if refusal is Refusal.NOT_SUPPRESSED and view.standing is AlarmStanding.SUPPRESSED:
        detail += " by an operator but by the rule file: change that"
    return ProblemError(
        409,
        "refused",
        detail,
        alarm=view.entry.subject,
        standing=view.standing.value,
        reason=refusal.value,
    )
