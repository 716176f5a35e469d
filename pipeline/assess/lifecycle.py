"""A warning's way out: asked for, approved, issued, raised, lowered step by step, taken back.

The assessment says what it wants of a warning (`notices.issue` and `notices.cancel`); this desk
says which version follows: at once where a level's approval is automatic, else after its
authority has answered. A level rises at once. It is lowered one step at a time, only when the
alarms behind it have eased by their own clear counts, and never from red without a person.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pipeline.assess.cases import AssessState, Case
from pipeline.messages import (
    IncidentStatus,
    Message,
    OperatorAct,
    OperatorActKind,
    WarningNotice,
    WarningStatus,
)
from pipeline.rules import Approval, ResponseLimits
from sensors.levels import Level, worst

_MINUTE_MS = 60_000
_ACTOR = "assess"
_AUTOMATIC = Approval()
ON_WARNINGS = frozenset({OperatorActKind.APPROVE, OperatorActKind.REJECT, OperatorActKind.CANCEL})
"""Acts of operators that are about warnings; the others are about alarms."""


class Turn(StrEnum):
    """Why a warning got a version that no news of its incident gave it."""

    EVIDENCE_EASED = "evidence_eased"
    EVIDENCE_BACK = "evidence_back"
    RED_WAITS_FOR_A_PERSON = "red_is_lowered_by_a_person"
    REJECTED = "rejected"
    CANCELLED_BY_A_PERSON = "cancelled_by_a_person"


@dataclass(slots=True)
class Track:
    """One warning on its way.

    Attributes:
        newest: Its newest version, whatever its status.
        out: Level at which it stands outside, None while it does not.
        waiting: The version that waits for its authority, None when none does.
        asked_ms: Since when it waits.
        changed_ms: When its level outside last changed.
        refused: Worst level a person refused; only a worse one is asked for again.
        is_kept: Whether a person refused to lower it.
    """

    newest: WarningNotice
    out: Level | None = None
    waiting: WarningNotice | None = None
    asked_ms: int = 0
    changed_ms: int = 0
    refused: Level | None = None
    is_kept: bool = False


@dataclass(slots=True)
class WarningState:
    """Every warning the assessment has asked for and not taken back, by id."""

    tracks: dict[str, Track] = field(default_factory=dict)


class WarningDesk:
    """Decides which versions of warnings there are, and keeps what stands outside.

    Attributes:
        state: Everything it remembers; may be replaced by a restored one.
    """

    def __init__(
        self,
        approval: Mapping[Level, Approval],
        response: Mapping[Level, ResponseLimits],
        step_ms: int,
    ) -> None:
        """Take who approves each level, their names, and the least time between two steps down.

        A level that `approval` leaves out is automatic; `step_ms` is event time.
        """
        self._approval, self._response, self._step_ms = approval, response, step_ms
        self.state = WarningState()

    def release(self, wanted: Iterable[Message], cases: AssessState, now_ms: int) -> list[Message]:
        """Return the messages with each warning in the version its authority lets it have."""
        released: list[Message] = []
        for message in wanted:
            if not isinstance(message, WarningNotice):
                released.append(message)
            elif message.status is WarningStatus.CANCELLED:
                released += self._take_back(message)
            else:
                released += self._want(message, cases.cases.get(message.incident), cases, now_ms)
        return released

    def answer(self, acts: Iterable[OperatorAct], now_ms: int) -> list[Message]:
        """Return what follows from the acts of people, in the order in which they were done."""
        released: list[Message] = []
        for act in sorted(acts, key=lambda act: (act.time_ms, act.id)):
            track = self.state.tracks.get(act.target)
            if track is None:
                continue
            match act.kind:
                case OperatorActKind.APPROVE if track.waiting is not None:
                    released.append(_let_out(track, track.waiting, now_ms, act.by))
                case OperatorActKind.REJECT if track.waiting is not None:
                    released.append(_reject(track, track.waiting, act, now_ms))
                case OperatorActKind.CANCEL if track.waiting or track.out is not None:
                    reason = _because(Turn.CANCELLED_BY_A_PERSON, act)
                    released.append(_refuse(track, now_ms, reason, act.by))
                case _:
                    pass
        return released

    def on_time(self, cases: AssessState, now_ms: int) -> list[Message]:
        """Return the answers of simulated authorities, then the levels that change by evidence."""
        released: list[Message] = []
        for track in self.state.tracks.values():
            due_ms = self._answer_ms(track)
            if track.waiting is not None and due_ms is not None and due_ms <= now_ms:
                authority = self._authority(track.waiting.level)
                released.append(_let_out(track, track.waiting, now_ms, authority))
        for track in self.state.tracks.values():
            case = cases.cases.get(track.newest.incident)
            if case is not None and case.status is IncidentStatus.CONFIRMED:
                released += self._follow_evidence(track, case, cases, now_ms)
        return released

    def next_due(self, cases: AssessState) -> int | None:
        """Return when an authority answers or a step down falls due."""
        due = [self._answer_ms(track) for track in self.state.tracks.values()]
        for track in self.state.tracks.values():
            case = cases.cases.get(track.newest.incident)
            if case is not None and self._can_ease(track, case, cases):
                due.append(track.changed_ms + self._step_ms)
        return min((moment for moment in due if moment is not None), default=None)

    # --- what the assessment wants ---

    def _want(
        self, notice: WarningNotice, case: Case | None, cases: AssessState, now_ms: int
    ) -> list[Message]:
        track = self.state.tracks.get(notice.id)
        if track is None:
            draft = replace(notice, version=notice.version - 1, status=WarningStatus.DRAFT)
            track = self.state.tracks[notice.id] = Track(draft)
        level = notice.level if case is None else warranted(case, cases)
        if track.out is None and track.waiting is not None:
            level = worst(level, track.waiting.level) or level
        return self._ask(track, notice, worst(level, track.out) or level, now_ms)

    def _ask(self, track: Track, notice: WarningNotice, level: Level, now_ms: int) -> list[Message]:
        """Let a version out at a level, or have its authority asked."""
        if _is_refused(track, level):
            if track.out is None:
                return []
            level = track.out
        notice = replace(notice, level=level)
        waiting = track.waiting
        if level == track.out:
            kept = waiting and replace(notice, level=waiting.level, reason=waiting.reason)
            return [_let_out(track, notice, now_ms, _ACTOR, keep=kept)]
        if self._approval.get(level, _AUTOMATIC).is_automatic:
            return [_let_out(track, notice, now_ms, _ACTOR)]
        if waiting is None or waiting.level != level:
            return [_wait(track, notice, now_ms)]
        track.waiting = notice
        if track.out is None:
            return []  # the answer brings the news along
        return [_let_out(track, replace(notice, level=track.out), now_ms, _ACTOR, keep=notice)]

    def _take_back(self, notice: WarningNotice) -> list[Message]:
        """Cancel a warning with its incident; a draft that never came here just ends."""
        track = self.state.tracks.pop(notice.id, None)
        if track is None:
            return [notice]
        if track.newest.status is WarningStatus.CANCELLED:
            return []  # a person did it before
        return [replace(notice, version=track.newest.version + 1, level=_stands_at(track))]

    # --- what follows from evidence and time ---

    def _follow_evidence(
        self, track: Track, case: Case, cases: AssessState, now_ms: int
    ) -> list[Message]:
        out, level = track.out, warranted(case, cases)
        if out is None:
            return []
        waiting = track.waiting
        if waiting is not None and not _is_still_wanted(out, waiting.level, level):
            eased = waiting.level.is_worse_than(out)
            reason = Turn.EVIDENCE_EASED if eased else Turn.EVIDENCE_BACK
            notice = replace(track.newest, level=out, reason=reason.value)
            return [_let_out(track, notice, now_ms, _ACTOR)]
        if level.is_worse_than(worst(out, waiting.level if waiting else None)):
            notice = replace(track.newest, reason=Turn.EVIDENCE_BACK.value)
            is_refused = _is_refused(track, level)
            return [] if is_refused else self._ask(track, notice, level, now_ms)
        is_time = now_ms >= track.changed_ms + self._step_ms
        if not is_time or not self._can_ease(track, case, cases):
            return []
        lower = Level(out.value + 1)
        notice = replace(track.newest, level=lower, reason=Turn.EVIDENCE_EASED.value)
        if out is not Level.RED:
            return [_let_out(track, notice, now_ms, _ACTOR)]
        return [_wait(track, replace(notice, reason=Turn.RED_WAITS_FOR_A_PERSON.value), now_ms)]

    def _can_ease(self, track: Track, case: Case, cases: AssessState) -> bool:
        """Return whether the evidence speaks for a lower level and nothing stands against it."""
        if track.out is None or track.waiting is not None or track.is_kept:
            return False
        if case.status is not IncidentStatus.CONFIRMED or not has_eased(case, cases):
            return False
        return track.out.is_worse_than(warranted(case, cases))

    def _answer_ms(self, track: Track) -> int | None:
        """Return when a simulated authority answers; None: a person must, or nothing waits."""
        if track.waiting is None or track.out is Level.RED:
            return None
        minutes = self._approval.get(track.waiting.level, _AUTOMATIC).simulated_min
        return None if minutes is None else track.asked_ms + round(minutes * _MINUTE_MS)

    def _authority(self, level: Level) -> str:
        limits = self._response.get(level)
        return f"{limits.authority} (simulated)" if limits else "simulated authority"


def has_eased(case: Case, cases: AssessState) -> bool:
    """Return whether every alarm that stands is milder than the worst the case has seen."""
    now = worst(*(alarm.level for alarm in cases.standing(case)))
    return now is None or case.evidence_level.is_worse_than(now)


def warranted(case: Case, cases: AssessState) -> Level:
    """Return the level the alarms that stand now speak for, adjusted as the case's own is.

    It is the case's level until they ease; with none left it is blue, until the case is closed.
    """
    if case.status is not IncidentStatus.CONFIRMED or not has_eased(case, cases):
        return case.level
    now = worst(*(alarm.level for alarm in cases.standing(case)))
    if now is None:
        return Level.BLUE
    adjusted = now.value + case.level.value - case.evidence_level.value
    return Level(min(max(adjusted, case.level.value), Level.BLUE.value))


def _is_refused(track: Track, level: Level) -> bool:
    """Return whether a person turned down this level, or a worse one."""
    return track.refused is not None and not level.is_worse_than(track.refused)


def _is_still_wanted(out: Level, asked: Level, level: Level) -> bool:
    """Return whether the evidence still speaks for the change somebody is asked for."""
    return level.is_worse_than(out) if asked.is_worse_than(out) else out.is_worse_than(level)


def _wait(track: Track, notice: WarningNotice, now_ms: int) -> WarningNotice:
    """Ask the authority of a level; what stands outside goes on standing."""
    track.asked_ms = now_ms
    track.waiting = _next(track, notice, WarningStatus.AWAITING_APPROVAL, now_ms, _ACTOR)
    return track.waiting


def _let_out(
    track: Track,
    notice: WarningNotice,
    now_ms: int,
    actor: str,
    keep: WarningNotice | None = None,
) -> WarningNotice:
    """Give out a version; `keep` goes on waiting."""
    level, before = notice.level, track.out
    status = WarningStatus.UPDATED
    if before is None:
        status = WarningStatus.ISSUED
    elif level != before:
        is_up = level.is_worse_than(before)
        status = WarningStatus.UPGRADED if is_up else WarningStatus.DOWNGRADED
        track.is_kept &= not is_up
    if level != before:
        track.changed_ms = now_ms
    track.out, track.waiting = level, keep
    return _next(track, notice, status, now_ms, actor)


def _reject(track: Track, waiting: WarningNotice, act: OperatorAct, now_ms: int) -> WarningNotice:
    """Turn down what waits: a first issue is cancelled, a change leaves what stands as it is."""
    reason = _because(Turn.REJECTED, act)
    if track.out is None:
        return _refuse(track, now_ms, reason, act.by)
    if waiting.level.is_worse_than(track.out):
        track.refused = worst(track.refused, waiting.level)
    else:
        track.is_kept = True
    return _let_out(track, replace(waiting, level=track.out, reason=reason), now_ms, act.by)


def _refuse(track: Track, now_ms: int, reason: str, actor: str) -> WarningNotice:
    """Take a warning back for good, short of a level worse than the one refused."""
    waiting = track.waiting.level if track.waiting else None
    track.refused = worst(track.refused, track.out, waiting)
    notice = replace(track.newest, level=_stands_at(track), reason=reason)
    track.out = track.waiting = None
    return _next(track, notice, WarningStatus.CANCELLED, now_ms, actor)


def _next(
    track: Track, notice: WarningNotice, status: WarningStatus, now_ms: int, actor: str
) -> WarningNotice:
    version = track.newest.version + 1
    track.newest = replace(notice, version=version, status=status, time_ms=now_ms, actor=actor)
    return track.newest


def _stands_at(track: Track) -> Level:
    return track.out or (track.waiting or track.newest).level


def _because(turn: Turn, act: OperatorAct) -> str:
    return f"{turn.value}: {act.why}" if act.why else turn.value
