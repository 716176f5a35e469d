"""The dispatch desk: what a case still needs, decided and written as orders."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.dispatch.assignment import Assignment, choose_team, drive_min
from pipeline.dispatch.cases import (
    Case,
    DispatchState,
    OpenOrder,
    closed_places,
    due_times,
    is_exhausted,
    missing_steps,
    order_reason,
)
from pipeline.dispatch.plans import Plans, PlanStep
from pipeline.dispatch.reasons import Reason, Standing
from pipeline.dispatch.routing import Place, Places, Roads
from pipeline.dispatch.search import Search
from pipeline.messages import NOTICES, Cause, Dispatch, Message
from pipeline.rules import ResponseLimits
from sensors.city import City
from sensors.field import Act, WorkOrder
from sensors.levels import Level


def is_patrol(acts: Sequence[Act]) -> bool:
    """Return whether acts only look and mend nothing."""
    return tuple(acts) == (Act.INSPECT,)


class DispatchDesk:
    """Decides orders for a case; all it remembers is in the state it is given."""

    def __init__(self, city: City, plans: Plans, limits: Mapping[Level, ResponseLimits]) -> None:
        self._teams = city.teams()
        self.places = Places(city)
        self._roads = Roads(city)
        self._search = Search(city, self.places)
        self._plans = plans
        self._limits = limits

    def serve(self, state: DispatchState, case: Case, now_ms: int) -> list[Message]:
        """Return the decisions and orders for every plan step that wants a team."""
        if case.incident.cause in NOTICES:
            return []
        steps, is_follow_up = self._steps(case)
        if not steps:
            return _shortfall(case, 0, Assignment(None, 0.0, {}, Reason.NO_PLAN), now_ms)
        out: list[Message] = []
        for number, step in missing_steps(case, steps):
            targets = self._search.targets(case, step, case.given.get(number, 0))
            if self._has_nothing_to_do(case, step, targets):
                continue
            choice = self._choose(state, case, step, targets)
            if choice.team is None:
                out += _shortfall(case, number, choice, now_ms)
                continue
            reason = order_reason(case, step, choice.reason, is_follow_up=is_follow_up)
            due_ms = due_times(case, step, now_ms, self._limits[case.incident.level])
            case.given[number] = case.given.get(number, 0) + 1
            order = self._order(case, step, choice.team.id, targets, due_ms, now_ms, reason)
            out += _send(state, case, number, order, choice)
        if is_exhausted(case, steps[0]):
            exhausted = Assignment(None, 0.0, {}, Reason.SEARCH_EXHAUSTED)
            out += _shortfall(case, 0, exhausted, now_ms)
        return out

    def amend(self, state: DispatchState, case: Case, now_ms: int) -> list[Message]:
        """Send teams that are not there yet to the new place, or with the new acts."""
        steps, is_follow_up = self._steps(case)
        out: list[Message] = []
        for track in list(case.open.values()):
            if track.is_at_site or track.step >= len(steps) or (is_follow_up and track.step):
                continue
            old, step = track.order, steps[track.step]
            targets = self._search.targets(case, step)
            is_elsewhere = _is_elsewhere(step, old.targets, targets)
            acts = self._search.acts(step, targets)
            if not acts or (not is_elsewhere and acts == old.acts):
                continue
            due_ms = old.due_ms
            if acts != old.acts:
                limits = self._limits[case.incident.level]
                due_ms = due_times(case, step, now_ms, limits) | {"onsite": old.due_ms["onsite"]}
            reason = Reason.RELOCATED if is_elsewhere else Reason.REPLANNED
            order = self._order(case, step, old.team, targets, due_ms, now_ms, reason)
            del case.open[old.id]
            out += _send(state, case, track.step, order, self._same_team(state, order, reason))
        return out

    def _steps(self, case: Case) -> tuple[tuple[PlanStep, ...], bool]:
        """Return the plan of a case, and whether it follows up what a patrol found."""
        incident = case.incident
        steps = self._plans.steps(incident.domain, incident.cause, incident.level)
        if not (steps and is_patrol(steps[0].acts)):
            return steps, False
        cause = self.follow_up(case)
        if cause is None:
            return steps, False
        return self._plans.steps(incident.domain, cause, incident.level)[:1], True

    def follow_up(self, case: Case) -> Cause | None:
        """Return the cause whose lead mends what a patrol found; None when nothing is to mend.

        Gas a patrol finds in a sewer is nothing a gas team could mend.
        """
        if not case.found:
            return None
        if case.incident.domain == "gas":
            return Cause.GAS_LEAK if self._search.can_leak_gas(case.found) else None
        return Cause.PUMP_OUTAGE if self._search.is_pump(case.found) else Cause.BURST

    def _has_nothing_to_do(self, case: Case, step: PlanStep, targets: Sequence[str]) -> bool:
        """Return whether support would go for nothing: no place is left, none of them fits."""
        is_idle = not targets and case.incident.domain != "water"
        return step.role == "support" and (is_idle or not self._search.acts(step, targets))

    def _choose(
        self, state: DispatchState, case: Case, step: PlanStep, targets: Sequence[str]
    ) -> Assignment:
        if step.role == "lead" and not targets and case.tried:
            return Assignment(None, 0.0, {}, Reason.SEARCH_EXHAUSTED)
        self._roads.avoid(closed_places(state))
        is_known = any(set(step.skills) <= set(team.skills) for team in self._teams)
        choice = choose_team(
            self._teams,
            step.skills if is_known else step.otherwise or step.skills,
            busy=state.busy,
            refused=case.refused,
            stands_at=state.stands_at,
            goal=self._goal(case, targets),
            roads=self._roads,
        )
        is_stand_in = choice.team is not None and not is_known
        return replace(choice, reason=Reason.STAND_IN) if is_stand_in else choice

    def _same_team(self, state: DispatchState, order: WorkOrder, reason: Reason) -> Assignment:
        team = next(team for team in self._teams if team.id == order.team)
        self._roads.avoid(closed_places(state))
        minutes = drive_min(team, state.stands_at, (order.x_m, order.y_m), self._roads)
        return Assignment(team, minutes, {team.id: Standing.CHOSEN}, reason)

    def _goal(self, case: Case, targets: Sequence[str]) -> Place:
        location = case.incident.location
        middle = location.x_m, location.y_m
        return self.places.of(targets[0], middle) if targets else middle

    def _order(
        self,
        case: Case,
        step: PlanStep,
        team: str,
        targets: tuple[str, ...],
        due_ms: dict[str, int],
        now_ms: int,
        reason: Reason,
    ) -> WorkOrder:
        incident = case.incident
        case.numbered += 1
        x_m, y_m = self._goal(case, targets)
        return WorkOrder(
            id=f"O-{incident.id}-{case.numbered}",
            incident=incident.id,
            team=team,
            domain=incident.domain,
            level=incident.level,
            acts=self._search.acts(step, targets),
            targets=targets,
            x_m=x_m,
            y_m=y_m,
            issued_ms=now_ms,
            due_ms=due_ms,
            reason=reason,
        )


def _is_elsewhere(step: PlanStep, old: Sequence[str], new: Sequence[str]) -> bool:
    """Return whether a team must go elsewhere: the lead when the first target changed.

    A supporting team only when none of its targets is a candidate any more.
    """
    if not new:
        return False
    if step.role == "lead":
        return not old or old[0] != new[0]
    return not set(old) & set(new)


def _send(
    state: DispatchState, case: Case, step: int, order: WorkOrder, choice: Assignment
) -> list[Message]:
    case.open[order.id] = OpenOrder(order, step)
    case.told = [told for told in case.told if not told.startswith(f"{step}/")]
    state.busy[order.team] = order.id
    decision = Dispatch(
        incident=order.incident,
        order=order,
        travel_min=round(choice.travel_min, 2),
        considered=choice.considered,
        time_ms=order.issued_ms,
        reason=order.reason,
    )
    return [decision, order]


def _shortfall(case: Case, step: int, choice: Assignment, now_ms: int) -> list[Message]:
    """Report once that a step has no team and why."""
    told = f"{step}/{choice.reason}"
    if told in case.told:
        return []
    case.told.append(told)
    return [
        Dispatch(
            incident=case.incident.id,
            order=None,
            travel_min=0.0,
            considered=choice.considered,
            time_ms=now_ms,
            reason=choice.reason,
        )
    ]
