"""What the tests of alarm management share: a small registry, a rule set by hand, alarms, acts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.messages import Alarm, AlarmState, OperatorAct, OperatorActKind
from pipeline.rules import (
    AlarmPolicy,
    Basis,
    DeviceLimits,
    Direction,
    Hold,
    RiskBands,
    RiskMethod,
    Rule,
    RuleSet,
)
from sensors.levels import Level
from sensors.registry import Registry
from tests.conformance.pressure_devices import START_MS, pressure_device

MIN = 60_000
T0 = START_MS
AREAS = ("D01", "D02")
REGISTRY = Registry.of(pressure_device(number, area) for area in AREAS for number in range(6))
DEVICES: Mapping[str, tuple[str, ...]] = {
    area: tuple(REGISTRY.ids[row] for row in REGISTRY.where("area", area)) for area in AREAS
}
"""Area → its devices."""


def rule(name: str, **changes: Any) -> Rule:
    """Return a rule of which only what alarm management reads matters."""
    made = Rule(
        id=name,
        domain="water",
        indicator="x",
        unit="MPa",
        direction=Direction.LOW,
        sample_s=300.0,
        sample_alarm_s=60.0,
        thresholds={Level.YELLOW: 0.2},
        basis={Level.YELLOW: Basis.PROPOSED},
        holds={Level.YELLOW: Hold(1, 1)},
        windows_s={},
        clear_consecutive=1,
        deadband=0.0,
        max_level_alone=Level.RED,
        change=None,
        sources=(),
        note="",
    )
    return replace(made, **changes)


def rule_set(*rules: Rule, policy: AlarmPolicy | None = None, **changes: Any) -> RuleSet:
    """Return a rule set; silences, inhibitions and limits as given."""
    known = rules or (rule("p"), rule("q"), rule("latched", is_latching=True))
    return RuleSet(
        source="hand",
        version="1",
        rules={one.id: one for one in known},
        response={},
        escalation=(),
        risk=RiskMethod(5, "A", {"A": RiskBands("A", {})}, ()),
        device=DeviceLimits(),
        forces=(),
        alarms=policy or AlarmPolicy(),
        **changes,
    )


def alarm(
    device: str = DEVICES["D01"][0],
    rule_id: str = "p",
    state: AlarmState = AlarmState.RAISED,
    level: Level = Level.YELLOW,
    raised_ms: int = T0,
    at_ms: int | None = None,
    **changes: Any,
) -> Alarm:
    """Return an alarm of a device as the rules give it."""
    area = next((area for area, ids in DEVICES.items() if device in ids), "D01")
    made = Alarm(
        id=f"{device}/{rule_id}/{raised_ms}",
        device=device,
        rule=rule_id,
        domain="water",
        area=area,
        quantity="pressure",
        level=level,
        state=state,
        value=0.1,
        limit=0.2,
        before=float("nan"),
        raised_ms=raised_ms,
        sample_ms=raised_ms if at_ms is None else at_ms,
        time_ms=raised_ms if at_ms is None else at_ms,
        reason="held_beyond_limit",
        unit="MPa",
    )
    return replace(made, **changes)


def act(kind: OperatorActKind, target: str = "", **changes: Any) -> OperatorAct:
    """Return an act of an operator; its id follows from what it says."""
    fields = {"by": "li", "why": "test", "time_ms": T0, **changes}
    name = fields.pop("id", f"{kind}-{target}-{sorted(fields.items())}")
    return OperatorAct(id=str(name), kind=kind, target=target, **fields)
