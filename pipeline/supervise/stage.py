"""The supervise stage: clocks started and met, slips for late ones, closing by the sensors."""

from collections.abc import Mapping, Sequence

from pipeline.messages import (
    Alarm,
    Bulletin,
    BulletinKind,
    Closure,
    Dispatch,
    Incident,
    IncidentStatus,
    Message,
    WarningNotice,
    WarningStatus,
)
from pipeline.rules import EscalationStep, ResponseLimits
from pipeline.stage import pack, unpack
from pipeline.supervise.cases import (
    Case,
    OrderTrack,
    SuperviseState,
    belongs_to,
    draft_of,
    earliest,
    meet,
    note_devices,
    note_signs,
    open_case,
    start,
)
from pipeline.supervise.closing import closing, contradiction
from pipeline.supervise.deadlines import Clock, ClockName, tighten
from pipeline.supervise.slips import ladder, next_rung
from pipeline.supervise.ticking import contradiction_slip, due_slips
from pipeline.supervise.verify import VerifyLimits, note_alarm, recovered_ms
from sensors.field import Feedback, FeedbackKind, WorkOrder
from sensors.levels import Level

_VERSION = 2
_CONTAINED = (
    FeedbackKind.ISOLATED,
    FeedbackKind.REPAIRED,
    FeedbackKind.RESTORED,
    FeedbackKind.VENTILATED,
    FeedbackKind.PUMPING,
    FeedbackKind.ROAD_CLOSED,
    FeedbackKind.BARRIER_PLACED,
)
"""What keeps an incident from getting worse: the damage is cut off, or people are kept away."""
_MENDED = (FeedbackKind.REPAIRED, FeedbackKind.RESTORED)
_ENDING = (
    FeedbackKind.DONE,
    FeedbackKind.NOT_FOUND,
    FeedbackKind.REFUSED,
    FeedbackKind.REPLACED,
)
_TOMBSTONE_MS = 7 * 24 * 3_600_000
"""How long a closed incident is remembered, so a late version does not reopen it."""


class SuperviseStage:
    """Watches every case from the draft warning until the sensors agree that it is over."""

    name = "supervise"

    def __init__(
        self,
        limits: Mapping[Level, ResponseLimits],
        escalation: Sequence[EscalationStep],
        verify: VerifyLimits | None = None,
    ) -> None:
        """Take limits by level, the escalation steps, and how sensors confirm an end."""
        self._limits = limits
        self._ladders = {level: ladder(escalation, level) for level in Level}
        self._verify = verify or VerifyLimits()
        self._state = SuperviseState()

    def on_batch(self, batch: Sequence[Message], now_ms: int) -> Sequence[Message]:
        """Return the milestones reached; slips and closures wait for `on_time`."""
        out: list[Message] = []
        for message in batch:
            match message:
                case Alarm():
                    note_alarm(self._state.sensors, message, now_ms)
                case WarningNotice():
                    self._on_warning(message)
                case Incident():
                    out += self._on_incident(message, now_ms)
                case Dispatch(order=WorkOrder()):
                    out += self._on_dispatch(message, now_ms)
                case Feedback():
                    out += self._on_feedback(message, now_ms)
                case Bulletin(kind=BulletinKind.FLASH):
                    out += self._meet(message.incident, ClockName.REPORT, message.time_ms, now_ms)
                case _:
                    pass
        return out

    def on_time(self, now_ms: int) -> Sequence[Message]:
        """Return closures the sensors agree to, then the slips that fall due, earliest first."""
        out = self._close(now_ms)
        self._drop_quiet_drafts()
        for case in self._cases():
            disagree_ms = contradiction(case, self._state.sensors, self._verify)
            if disagree_ms is not None and disagree_ms <= now_ms:
                case.is_contradicted = True
                out.append(contradiction_slip(case, disagree_ms, now_ms))
        out += due_slips(self._state, self._ladders, now_ms)
        return out

    def next_due(self) -> int | None:
        """Return when the next slip or closure may fall due."""
        state = self._state
        moments: list[int] = []
        clocks = [draft.clock for draft in state.drafts.values()]
        for case in state.cases.values():
            clocks += case.clocks.values()
            end = closing(case, state.sensors, self._verify)
            disagree_ms = contradiction(case, state.sensors, self._verify)
            moments += [end[0]] if end else []
            moments += [] if disagree_ms is None else [disagree_ms]
        for clock in clocks:
            rung = next_rung(clock, self._ladders[clock.level])
            moments += [rung[1]] if rung else []
        return min(moments, default=None)

    def snapshot(self) -> bytes:
        """Return drafts, cases, standing alarms and the record of overdue orders."""
        return pack(self.name, _VERSION, self._state)

    def restore(self, snapshot: bytes) -> None:
        """Replace the state by a snapshot of `snapshot`."""
        self._state = unpack(snapshot, self.name, _VERSION, SuperviseState)

    def _cases(self) -> list[Case]:
        return [self._state.cases[incident] for incident in sorted(self._state.cases)]

    def _limit(self, level: Level, clock: ClockName) -> int | None:
        return self._limits[level].limit_ms(clock)

    def _meet(self, incident: str, key: str, done_ms: int, now_ms: int) -> Sequence[Message]:
        case = self._state.cases.get(incident)
        return [] if case is None else meet(case, key, done_ms, now_ms)

    def _on_warning(self, warning: WarningNotice) -> None:
        state = self._state
        if warning.status != WarningStatus.DRAFT:
            if warning.status == WarningStatus.CANCELLED:
                state.drafts.pop(warning.id, None)
            return
        draft = draft_of(warning, self._limit(warning.level, ClockName.ACK) or 0)
        if not any(belongs_to(draft, case) for case in state.cases.values()):
            state.drafts[warning.id] = draft

    def _on_incident(self, incident: Incident, now_ms: int) -> list[Message]:
        state = self._state
        if incident.id in state.over:
            return []
        out: list[Message] = []
        case = state.cases.get(incident.id)
        if case is None:
            case = state.cases[incident.id] = open_case(incident)
            note_devices(case, incident)
            out += self._acknowledge(case, incident, now_ms)
        elif incident.version > case.version:
            case.version = incident.version
            note_devices(case, incident)
        note_signs(case, incident)
        self._take_drafts(case)
        for clock in case.clocks.values():
            tighten(clock, incident.level, self._limits[incident.level], now_ms)
        if incident.status == IncidentStatus.ASSESSING:
            return out
        out += meet(case, ClockName.ASSESS, incident.time_ms, now_ms)
        if incident.status == IncidentStatus.CONFIRMED:
            self._confirm(case, incident)
        else:
            self._end(case.id, now_ms)
        return out

    def _acknowledge(self, case: Case, incident: Incident, now_ms: int) -> list[Message]:
        """Take up the draft that led to the incident: acknowledged now, assessment starts."""
        draft = earliest(item for item in self._state.drafts.values() if belongs_to(item, case))
        opened_ms = incident.time_ms
        if draft is not None:
            clock = draft.clock
        else:
            limit_ms = self._limit(incident.level, ClockName.ACK) or 0
            clock = Clock(ClockName.ACK, "", "", incident.level, opened_ms, opened_ms + limit_ms)
        start(case, clock)
        self._start(case, ClockName.ASSESS, incident.level, opened_ms)
        return [*meet(case, ClockName.ACK, opened_ms, now_ms)]

    def _take_drafts(self, case: Case) -> None:
        drafts = self._state.drafts
        for name in [item.id for item in drafts.values() if belongs_to(item, case)]:
            del drafts[name]

    def _start(self, case: Case, name: ClockName, level: Level, start_ms: int) -> None:
        limit_ms = self._limit(level, name)
        if limit_ms is not None:
            start(case, Clock(name, "", "", level, start_ms, start_ms + limit_ms))

    def _confirm(self, case: Case, incident: Incident) -> None:
        if case.confirmed_ms is None:
            case.confirmed_ms = incident.time_ms
            if not case.is_notice:
                self._start(case, ClockName.DISPATCH, incident.level, incident.time_ms)
            self._start(case, ClockName.REPORT, incident.level, incident.time_ms)

    def _on_dispatch(self, dispatch: Dispatch, now_ms: int) -> list[Message]:
        order = dispatch.order
        case = self._state.cases.get(dispatch.incident)
        if order is None or case is None:
            return []
        onsite = self._replace_order(case, order)
        case.orders[order.id] = OrderTrack(order.team)
        asset = order.targets[0] if order.targets else ""
        for name, due_ms in sorted(order.due_ms.items()):
            clock = Clock(name, order.id, asset, order.level, order.issued_ms, due_ms)
            if name == ClockName.ONSITE and onsite is not None:
                clock.start_ms, clock.step = onsite.start_ms, onsite.step
            running = case.clocks.get(clock.key)
            if running is not None:
                running.order, running.asset = order.id, asset
            start(case, clock)
        if ClockName.CLOSE in order.due_ms:
            return [*meet(case, ClockName.DISPATCH, order.issued_ms, now_ms)]
        return []

    def _replace_order(self, case: Case, order: WorkOrder) -> Clock | None:
        """End the order this one amends and return its arrival clock, which goes on."""
        for name, track in case.orders.items():
            if track.is_open and track.team == order.team:
                track.is_open = False
                return case.clocks.pop(f"{ClockName.ONSITE}/{name}", None)
        return None

    def _on_feedback(self, feedback: Feedback, now_ms: int) -> list[Message]:
        case = self._state.cases.get(feedback.incident)
        track = case.orders.get(feedback.order) if case else None
        if case is None or track is None:
            return []
        onsite = f"{ClockName.ONSITE}/{feedback.order}"
        out: list[Message] = []
        if feedback.kind == FeedbackKind.ARRIVED:
            out += meet(case, onsite, feedback.time_ms, now_ms)
        if feedback.kind in _CONTAINED:
            out += meet(case, ClockName.CONTAIN, feedback.time_ms, now_ms)
        is_end_of_open = track.is_open and feedback.kind == FeedbackKind.DONE
        if is_end_of_open or feedback.kind in _MENDED:
            case.done_ms = max(case.done_ms or 0, feedback.time_ms)
        if feedback.kind in _ENDING:
            track.is_open = False
            case.clocks.pop(onsite, None)
        return out

    def _close(self, now_ms: int) -> list[Message]:
        out: list[Message] = []
        for case in self._cases():
            end = closing(case, self._state.sensors, self._verify)
            if end is None or end[0] > now_ms:
                continue
            out += meet(case, ClockName.CLOSE, now_ms, now_ms)
            out.append(Closure(case.id, is_verified=True, time_ms=now_ms, reason=end[1]))
            self._end(case.id, now_ms)
        return out

    def _end(self, incident: str, now_ms: int) -> None:
        state = self._state
        state.cases.pop(incident, None)
        state.over[incident] = now_ms
        for name, over_ms in list(state.over.items()):
            if now_ms - over_ms > _TOMBSTONE_MS:
                del state.over[name]

    def _drop_quiet_drafts(self) -> None:
        """Forget drafts whose alarms have all gone quiet before anyone took them up."""
        state = self._state
        for name, draft in list(state.drafts.items()):
            is_heard = bool(draft.devices) and all(item in state.sensors for item in draft.devices)
            if is_heard and recovered_ms(state.sensors, draft.devices) is not None:
                del state.drafts[name]
