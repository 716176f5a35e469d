"""The rule language: rule sets as data (YAML), checked, layered and turned into tables."""

from pipeline.rules.functions import FUNCTIONS, FigureSheet, FunctionSheet
from pipeline.rules.load import (
    default_rules,
    flattened,
    load_rules,
    mistakes,
    rule_text,
    rules_named,
    shipped_sets,
)
from pipeline.rules.management import (
    AlarmPolicy,
    Approval,
    Closure,
    Coupling,
    Inhibition,
    Silence,
)
from pipeline.rules.mistakes import Mistake, RuleFileError
from pipeline.rules.ruleset import (
    Basis,
    Change,
    DeviceLimits,
    Direction,
    EscalationStep,
    Force,
    Hold,
    Origin,
    ResponseLimits,
    RiskBands,
    RiskMethod,
    Rule,
    RuleSet,
)
from pipeline.rules.schema import json_schema
from pipeline.rules.signal import Function, Rationale, Select, Signal

__all__ = [
    "FUNCTIONS",
    "AlarmPolicy",
    "Approval",
    "Basis",
    "Change",
    "Closure",
    "Coupling",
    "DeviceLimits",
    "Direction",
    "EscalationStep",
    "FigureSheet",
    "Force",
    "Function",
    "FunctionSheet",
    "Hold",
    "Inhibition",
    "Mistake",
    "Origin",
    "Rationale",
    "ResponseLimits",
    "RiskBands",
    "RiskMethod",
    "Rule",
    "RuleFileError",
    "RuleSet",
    "Select",
    "Signal",
    "Silence",
    "default_rules",
    "flattened",
    "json_schema",
    "load_rules",
    "mistakes",
    "rule_text",
    "rules_named",
    "shipped_sets",
]
