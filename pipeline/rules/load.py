"""Reads a rule file into a `RuleSet`, or says which file, key and value is wrong and the fix."""

import json
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import ValidationError

from pipeline.errors import RuleError
from pipeline.rules.check import check_device_limits, check_risk, check_rule
from pipeline.rules.document import (
    ByColour,
    DeviceTable,
    Document,
    ResponseTable,
    RiskTable,
    RuleTable,
)
from pipeline.rules.ruleset import (
    Basis,
    Change,
    DeviceLimits,
    Direction,
    EscalationStep,
    Force,
    Hold,
    ResponseLimits,
    RiskBands,
    RiskMethod,
    Rule,
    RuleSet,
)
from sensors.levels import Level

T = TypeVar("T")
_UNION_ARMS = ("float", "constrained-float")
"""How pydantic names the arms of a union inside an error's path; no keys of the file."""
_MILDEST_FIRST = (Level.BLUE, Level.YELLOW, Level.ORANGE, Level.RED)


def default_rules() -> RuleSet:
    """Return the rule set that comes with the program."""
    text = resources.files("pipeline.rules").joinpath("default.json").read_text("utf-8")
    return load_rules(text, "default.json")


def load_rules(text: str, source: str) -> RuleSet:
    """Read a rule file.

    Args:
        text: Its content, JSON.
        source: Its name, for messages.

    Raises:
        RuleError: it contradicts itself or is not a rule file; the message names the file,
            the key, the value and the fix.
    """
    try:
        raw = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise RuleError(f"{source}: not JSON: {error}; fix the syntax there") from error
    try:
        document = Document.model_validate_json(text)
    except ValidationError as error:
        raise RuleError(_first_mistake(error, raw, source)) from error
    return _rule_set(document, source)


def _first_mistake(error: ValidationError, raw: Any, source: str) -> str:
    mistake = error.errors(include_url=False)[0]
    where = [part for part in mistake["loc"] if part not in _UNION_ARMS and "[" not in str(part)]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)[1:]
    rule = ""
    if len(where) > 1 and where[0] == "rules" and isinstance(where[1], int):
        table = raw["rules"][where[1]]
        rule = f" ({table['id']})" if isinstance(table, dict) and "id" in table else ""
    if mistake["type"] == "missing":
        return f"{source}: {path}{rule}: missing; add it"
    if mistake["type"] == "extra_forbidden":
        return f"{source}: {path}{rule}: unknown key; remove it or correct its spelling"
    return f"{source}: {path or 'the file'}{rule} = {mistake['input']!r}: {mistake['msg']}"


def _rule_set(document: Document, source: str) -> RuleSet:
    rules: dict[str, Rule] = {}
    for number, table in enumerate(document.rules):
        rule = _rule(table)
        if rule.id in rules:
            raise RuleError(f"{source}: rules[{number}].id = {rule.id!r}: used twice; rename one")
        check_rule(rule, f"{source}: rules[{number}] ({rule.id})")
        rules[rule.id] = rule
    device = _device(document.device_limits)
    check_device_limits(device, source)
    risk = _risk(document.risk)
    check_risk(risk, source)
    return RuleSet(
        source=source,
        version=document.version,
        rules=MappingProxyType(rules),
        response=MappingProxyType(
            {level: _response(level, row) for level, row in _by_level(document.response).items()}
        ),
        escalation=tuple(
            EscalationStep(s.step, s.when, s.act, s.at_fraction, s.slip, s.tiers_up)
            for s in document.escalation
        ),
        risk=risk,
        device=device,
        forces=tuple(Force(after, name) for after, name in document.forces_min),
    )


def _by_level(table: ByColour[T]) -> Mapping[Level, T]:
    return MappingProxyType({level: getattr(table, level.colour) for level in _MILDEST_FIRST})


def _rule(table: RuleTable) -> Rule:
    thresholds = _by_level(table.thresholds)
    if table.window_s is None:
        windows: dict[Level, float] = {}
    elif isinstance(table.window_s, list):
        windows = dict(zip(_MILDEST_FIRST, table.window_s, strict=True))
    else:
        windows = dict.fromkeys(_MILDEST_FIRST, table.window_s)
    change = table.change
    return Rule(
        id=table.id,
        domain=table.domain,
        indicator=table.indicator,
        unit=table.unit,
        direction=Direction(table.direction),
        sample_s=table.sample_s,
        sample_alarm_s=table.sample_alarm_s,
        thresholds=MappingProxyType(
            {level: value for level, value in thresholds.items() if value is not None}
        ),
        basis=MappingProxyType(
            {level: Basis(word) for level, word in _by_level(table.basis).items()}
        ),
        holds=MappingProxyType(
            {level: Hold(*pair) for level, pair in _by_level(table.on_m_of_n).items()}
        ),
        windows_s=MappingProxyType(windows),
        clear_consecutive=table.clear_consecutive,
        deadband=table.deadband,
        max_level_alone=Level.of_colour(table.max_level_alone),
        change=None if change is None else Change(**change.model_dump(exclude={"basis"})),
        sources=tuple(table.sources),
        note=table.note,
    )


def _response(level: Level, table: ResponseTable) -> ResponseLimits:
    fields = table.model_dump()
    return ResponseLimits(level=level, **{**fields, "notify": tuple(table.notify)})


def _risk(table: RiskTable) -> RiskMethod:
    bands = {name: RiskBands(name, _by_level(bounds)) for name, bounds in table.bands.items()}
    households = sorted((int(c), bound) for c, bound in table.consequence_households.items())
    return RiskMethod(table.scale, table.default, MappingProxyType(bands), tuple(households))


def _device(table: DeviceTable | None) -> DeviceLimits:
    if table is None:
        return DeviceLimits()
    values = {name: limit["value"] for name, limit in table.model_dump().items()}
    return DeviceLimits(**{**values, "stuck_samples": int(values["stuck_samples"])})
