"""The rule set: thresholds, holds, response limits, escalation and risk bands, read from JSON."""

from pipeline.rules.load import default_rules, load_rules
from pipeline.rules.management import (
    AlarmPolicy,
    Approval,
    Closure,
    Coupling,
    Inhibition,
    Silence,
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
from pipeline.rules.signal import Function, Rationale, Select, Signal

__all__ = [
    "AlarmPolicy",
    "Approval",
    "Basis",
    "Change",
    "Closure",
    "Coupling",
    "DeviceLimits",
    "Direction",
    "EscalationStep",
    "Force",
    "Function",
    "Hold",
    "Inhibition",
    "Rationale",
    "ResponseLimits",
    "RiskBands",
    "RiskMethod",
    "Rule",
    "RuleSet",
    "Select",
    "Signal",
    "Silence",
    "default_rules",
    "load_rules",
]
