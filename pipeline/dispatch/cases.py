"""What dispatch remembers of an incident, and what its plan still asks for."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.dispatch.plans import PlanStep
from pipeline.dispatch.reasons import Reason
from pipeline.dispatch.routing import Place
from pipeline.messages import Incident, Mark
from pipeline.rules import ResponseLimits
from sensors.field import Act, WorkOrder

_CONTAINING = (
    Act.ISOLATE,
    Act.RESTART_PUMP,
    Act.OPEN_VALVE,
    Act.START_PUMP,
    Act.CLOSE_ROAD,
    Act.PLACE_BARRIER,
)
"""Acts that stop an incident from getting worse."""


@dataclass(slots=True)
class OpenOrder:
    """An order a team has and has not ended."""

    order: WorkOrder
    step: int
    is_at_site: bool = False


@dataclass(slots=True)
class Case:
    """One confirmed incident.

    Attributes:
        incident: Its newest version.
        numbered: Orders numbered so far, amended ones included.
        given: Plan step → orders made for it, amended ones not counted.
        open: Order id → order not ended yet.
        tried: Elements searched in vain.
        refused: Teams that refused.
        found: Element the field found damaged, empty until then.
        is_mended: Whether the field reported the lead's acts done.
        due_ms: Deadlines that outlive an order: a second search does not buy time.
        told: Step and reason of the shortfalls reported, so each is reported once.
        has_works: Whether a road was closed, or pumps or barriers set up, and not taken away.
    """

    incident: Incident
    numbered: int = 0
    given: dict[int, int] = field(default_factory=dict)
    open: dict[str, OpenOrder] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    found: str = ""
    is_mended: bool = False
    is_over: bool = False
    due_ms: dict[str, int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    has_works: bool = False


@dataclass(slots=True)
class DispatchState:
    """All cases, who has which order, and where teams were last known to be."""

    cases: dict[str, Case] = field(default_factory=dict)
    busy: dict[str, str] = field(default_factory=dict)
    stands_at: dict[str, Place] = field(default_factory=dict)
    over: dict[str, int] = field(default_factory=dict)


def closed_places(state: DispatchState) -> list[Place]:
    """Return where the platform knows a road to be closed by water.

    That is from the depth at which it is closed until the water is gone and what was set up is
    taken away.
    """
    return [
        (case.incident.location.x_m, case.incident.location.y_m)
        for case in state.cases.values()
        if Mark.CLOSURE_DEPTH in case.incident.adjustments
        and (Mark.WATER_GONE not in case.incident.adjustments or case.has_works)
    ]


def missing_steps(case: Case, steps: Sequence[PlanStep]) -> list[tuple[int, PlanStep]]:
    """Return the plan steps that still want a team, one entry an order, lead first.

    What waits for a sign of the sensors is still wanted when the damage is mended, and so is
    support while water stands: a pump that was started is not yet a dry road.
    """
    if case.is_over:
        return []
    missing: list[tuple[int, PlanStep]] = []
    for number, step in enumerate(steps):
        if (case.is_mended and _ends_with_mending(case, step)) or not _is_due(case, step):
            continue
        given = case.given.get(number, 0)
        if step.role == "lead":
            is_open = any(order.step == number for order in case.open.values())
            wanted = 0 if is_open or given >= step.orders else 1
        else:
            wanted = min(step.teams, step.orders) - given
        missing.extend([(number, step)] * max(wanted, 0))
    return missing


def _is_due(case: Case, step: PlanStep) -> bool:
    """Return whether the sensors show what a step waits for; only what was closed is reopened."""
    is_shown = not step.when or step.when in case.incident.adjustments
    return is_shown and (case.has_works or Act.REOPEN not in step.acts)


def _ends_with_mending(case: Case, step: PlanStep) -> bool:
    has_water = case.incident.domain == "flood" and Mark.WATER_GONE not in case.incident.adjustments
    return not step.when and (step.role == "lead" or not has_water)


def is_exhausted(case: Case, lead: PlanStep) -> bool:
    """Return whether the lead has used up its orders and none is open."""
    is_open = any(order.step == 0 for order in case.open.values())
    return not (case.is_mended or case.is_over or is_open) and case.given.get(0, 0) >= lead.orders


def due_times(case: Case, step: PlanStep, now_ms: int, limits: ResponseLimits) -> dict[str, int]:
    """Return the deadlines of a new order and note the lasting ones in the case.

    On scene counts from each dispatch; contain and close from the first one whose acts have
    them. A supporting order has only its own arrival to meet.
    """
    due = {"onsite": now_ms + (limits.limit_ms("onsite") or 0)}
    if step.role == "support":
        return due
    clocks = ["close"]
    if any(act in _CONTAINING for act in step.acts):
        clocks.insert(0, "contain")
    for clock in clocks:
        due[clock] = case.due_ms.setdefault(clock, now_ms + (limits.limit_ms(clock) or 0))
    return due


def order_reason(case: Case, step: PlanStep, chosen: Reason, *, is_follow_up: bool) -> Reason:
    """Return why a new order is made, given why its team was chosen."""
    if step.role == "lead" and is_follow_up:
        return Reason.FOUND_BY_PATROL
    if step.role == "lead" and case.tried:
        return Reason.NEXT_SEARCH
    return chosen
