"""Response plans as data: which acts, skills and teams an incident of a kind and level needs."""

from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Literal

import msgspec

from pipeline.errors import RuleError
from pipeline.messages import Cause
from sensors.field import Act
from sensors.levels import Level

Key = tuple[str, Cause, Level]

NEEDING_PLAN: Mapping[str, tuple[Cause, ...]] = MappingProxyType(
    {
        "water": (Cause.BURST, Cause.PUMP_OUTAGE, Cause.LOW_SUPPLY, Cause.UNKNOWN),
        "gas": (Cause.GAS_LEAK, Cause.BIOGAS, Cause.STEADY_METHANE),
        "flood": (Cause.PONDING, Cause.PUMP_STOPPED),
        "fire": (Cause.FIRE_WATER,),
    }
)
"""Domain → causes that send a team; the others are dismissed, or told as a notice only."""


class PlanStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step of a plan: so many teams with these skills do these acts.

    Attributes:
        role: `lead` carries the incident's deadlines and is followed up until it is done;
            `support` helps once.
        acts: What the team does, in order.
        skills: Every one of these the team must have.
        teams: How many teams.
        targets: Most elements in one order; more are searched by the next order.
        search: `near_first` takes the most likely candidate first, `far_first` the least, so
            that two teams meet in the middle.
        orders: Most orders this step may lead to in one incident.
        basis: Where it comes from: `quoted`, `example` or `proposed`.
        otherwise: Skills that will do when no team of the city has `skills`.
        when: What sensors must show at the place before the step is due; empty for at once.
    """

    role: Literal["lead", "support"]
    acts: tuple[Act, ...]
    skills: tuple[str, ...]
    teams: int
    targets: int
    search: Literal["near_first", "far_first"]
    orders: int
    basis: Literal["quoted", "example", "proposed"]
    otherwise: tuple[str, ...] = ()
    when: Literal["", "closure_depth_reached", "water_gone"] = ""


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    domain: str
    cause: Cause
    levels: tuple[str, ...]
    steps: tuple[PlanStep, ...]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: str
    note: str
    plans: tuple[_Entry, ...]


class Plans:
    """All response plans, looked up by domain, cause and level."""

    def __init__(self, version: str, steps: Mapping[Key, tuple[PlanStep, ...]]) -> None:
        self.version = version
        self._steps = MappingProxyType(dict(steps))

    def steps(self, domain: str, cause: Cause, level: Level) -> tuple[PlanStep, ...]:
        """Return the steps for an incident, lead first; empty when no plan covers it."""
        return self._steps.get((domain, cause, level), ())


def load_plans(text: str | bytes, source: str) -> Plans:
    """Read plans from JSON.

    Args:
        text: Content of a plans file, shaped like `plans.json`.
        source: Name of the file, for messages.

    Raises:
        RuleError: naming file, key, value and fix.
    """
    try:
        file = msgspec.json.decode(text, type=_File)
    except msgspec.MsgspecError as error:
        raise RuleError(f"{source}: {error}; compare with pipeline/dispatch/plans.json") from error
    steps: dict[Key, tuple[PlanStep, ...]] = {}
    for number, entry in enumerate(file.plans):
        where = f"{source}: plans[{number}]"
        _check_steps(entry.steps, where)
        for level in _levels(entry.levels, where):
            key = (entry.domain, entry.cause, level)
            if key in steps:
                raise RuleError(
                    f"{where}.levels: {level.colour!r} of {entry.domain}/{entry.cause} "
                    "has a plan already; remove it from one of the two"
                )
            steps[key] = entry.steps
    _check_complete(steps, source)
    return Plans(file.version, steps)


def default_plans() -> Plans:
    """Return the plans that come with the program."""
    file = resources.files("pipeline.dispatch") / "plans.json"
    return load_plans(file.read_bytes(), "pipeline/dispatch/plans.json")


def _levels(colours: tuple[str, ...], where: str) -> list[Level]:
    try:
        return [Level.of_colour(colour) for colour in colours]
    except KeyError as error:
        raise RuleError(
            f"{where}.levels: unknown level {error.args[0].lower()!r}; "
            f"use {[level.colour for level in Level]}"
        ) from error


def _check_steps(steps: tuple[PlanStep, ...], where: str) -> None:
    leads = [step for step in steps if step.role == "lead"]
    if steps and steps[0].when:
        raise RuleError(f"{where}.steps[0].when: {steps[0].when!r}; a lead goes at once, remove it")
    if len(leads) != 1 or steps[0].role != "lead" or leads[0].teams != 1:
        raise RuleError(f"{where}.steps: need one lead step of one team, and it comes first")
    for number, step in enumerate(steps):
        for key in ("teams", "targets", "orders"):
            value = getattr(step, key)
            if value < 1:
                raise RuleError(f"{where}.steps[{number}].{key}: {value}; must be 1 or more")
        if not step.acts:
            raise RuleError(f"{where}.steps[{number}].acts: empty; name at least one act")
        if step.orders < step.teams:
            raise RuleError(
                f"{where}.steps[{number}].orders: {step.orders} is less than "
                f"teams {step.teams}; each team needs an order"
            )


def _check_complete(steps: Mapping[Key, tuple[PlanStep, ...]], source: str) -> None:
    for domain in sorted({domain for domain, _, _ in steps}):
        for cause in NEEDING_PLAN.get(domain, ()):
            for level in Level:
                if (domain, cause, level) not in steps:
                    raise RuleError(
                        f"{source}: plans: {domain}/{cause}/{level.colour} has no plan; add one"
                    )
