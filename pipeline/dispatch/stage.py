"""The dispatch stage: confirmed incidents in, decisions and work orders out."""

from collections.abc import Mapping, Sequence

from pipeline.dispatch.cases import Case, DispatchState, OpenOrder
from pipeline.dispatch.desk import DispatchDesk, is_patrol
from pipeline.dispatch.plans import Plans
from pipeline.dispatch.routing import Place
from pipeline.messages import Closure, Incident, IncidentStatus, Message
from pipeline.rules import ResponseLimits
from pipeline.stage import pack, unpack
from sensors.city import City
from sensors.field import Feedback, FeedbackKind, WorkOrder
from sensors.levels import Level

_VERSION = 2
_ENDING = (
    FeedbackKind.DONE,
    FeedbackKind.NOT_FOUND,
    FeedbackKind.REFUSED,
    FeedbackKind.REPLACED,
)
_MENDED = (FeedbackKind.REPAIRED, FeedbackKind.RESTORED)
_WORKS = (FeedbackKind.ROAD_CLOSED, FeedbackKind.PUMPING, FeedbackKind.BARRIER_PLACED)
"""What has to be taken away again when the water is gone."""
_TOMBSTONE_MS = 7 * 24 * 3_600_000
"""How long a closed incident is remembered, so a late version does not reopen it."""


class DispatchStage:
    """Sends teams to confirmed incidents and follows up until the field has mended them."""

    name = "dispatch"

    def __init__(self, city: City, plans: Plans, limits: Mapping[Level, ResponseLimits]) -> None:
        """Take the city (teams, roads, networks), the response plans and limits by level."""
        self._desk = DispatchDesk(city, plans, limits)
        self._state = DispatchState()

    def on_batch(self, batch: Sequence[Message], now_ms: int) -> Sequence[Message]:
        """Return decisions, each followed by its order, for what happened."""
        out: list[Message] = []
        for message in batch:
            if isinstance(message, Incident):
                out += self._on_incident(message, now_ms)
            elif isinstance(message, Feedback):
                out += self._on_feedback(message, now_ms)
            elif isinstance(message, Closure):
                out += self._on_closure(message, now_ms)
        return out

    def on_time(self, now_ms: int) -> Sequence[Message]:
        """Return nothing: dispatch waits for messages, never for a time."""
        return ()

    def next_due(self) -> int | None:
        """Return None: no timers."""
        return None

    def snapshot(self) -> bytes:
        """Return cases, who is busy and where teams stand."""
        return pack(self.name, _VERSION, self._state)

    def restore(self, snapshot: bytes) -> None:
        """Replace the state by a snapshot of `snapshot`."""
        self._state = unpack(snapshot, self.name, _VERSION, DispatchState)

    def _on_incident(self, incident: Incident, now_ms: int) -> list[Message]:
        state = self._state
        case = state.cases.get(incident.id)
        if incident.status in (IncidentStatus.DISMISSED, IncidentStatus.CLOSED):
            if case is not None:
                case.is_over = True
                self._forget(case, now_ms)
            return []
        if incident.status != IncidentStatus.CONFIRMED or incident.id in state.over:
            return []
        if case is None:
            case = state.cases[incident.id] = Case(incident)
        elif incident.version > case.incident.version:
            case.incident = incident
        return [*self._desk.amend(state, case, now_ms), *self._desk.serve(state, case, now_ms)]

    def _on_feedback(self, feedback: Feedback, now_ms: int) -> list[Message]:
        case = self._state.cases.get(feedback.incident)
        if case is None:
            return []
        if feedback.kind in _WORKS:
            case.has_works = True
        elif feedback.kind == FeedbackKind.REOPENED:
            case.has_works = False
        if feedback.kind in _MENDED:
            case.is_mended = True
        elif feedback.kind == FeedbackKind.FOUND and feedback.element:
            case.found = feedback.element
            return self._desk.amend(self._state, case, now_ms)
        track = case.open.get(feedback.order)
        if track is None:
            return []
        if feedback.kind == FeedbackKind.ARRIVED:
            track.is_at_site = True
        if feedback.kind not in _ENDING:
            return []
        self._end(case, track, feedback.kind)
        self._forget(case, now_ms)
        return self._serve_waiting(now_ms)

    def _end(self, case: Case, track: OpenOrder, kind: FeedbackKind) -> None:
        order = track.order
        del case.open[order.id]
        self._free(order)
        if kind == FeedbackKind.REFUSED:
            case.refused.append(order.team)
            case.given[track.step] -= 1
            return
        goal: Place = order.x_m, order.y_m
        self._state.stands_at[order.team] = self._desk.places.of(case.found, goal)
        if kind == FeedbackKind.NOT_FOUND:
            case.tried += [item for item in order.targets if item not in case.tried]
            case.found = "" if case.found in case.tried else case.found
        elif kind == FeedbackKind.DONE and track.step == 0:
            is_lead_wanted = is_patrol(order.acts) and self._desk.follow_up(case) is not None
            case.is_mended = case.is_mended or not is_lead_wanted

    def _on_closure(self, closure: Closure, now_ms: int) -> list[Message]:
        self._state.over[closure.incident] = now_ms
        case = self._state.cases.pop(closure.incident, None)
        if case is None:
            return []
        for track in case.open.values():
            self._free(track.order)
        return self._serve_waiting(now_ms)

    def _free(self, order: WorkOrder) -> None:
        if self._state.busy.get(order.team) == order.id:
            del self._state.busy[order.team]

    def _forget(self, case: Case, now_ms: int) -> None:
        state = self._state
        if case.is_over and not case.open:
            del state.cases[case.incident.id]
            state.over[case.incident.id] = now_ms
        for incident, over_ms in list(state.over.items()):
            if now_ms - over_ms > _TOMBSTONE_MS:
                del state.over[incident]

    def _serve_waiting(self, now_ms: int) -> list[Message]:
        """Serve every case that wants a team, the worst and oldest first."""
        out: list[Message] = []
        for case in sorted(self._state.cases.values(), key=_urgency):
            out += self._desk.serve(self._state, case, now_ms)
        return out


def _urgency(case: Case) -> tuple[int, int, str]:
    incident = case.incident
    return incident.level, incident.opened_ms, incident.id
