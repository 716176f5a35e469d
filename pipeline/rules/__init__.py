"""The rule set: thresholds, holds, response limits, escalation and risk bands, read from JSON."""

from pipeline.rules.load import default_rules, load_rules
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

__all__ = [
    "Basis",
    "Change",
    "DeviceLimits",
    "Direction",
    "EscalationStep",
    "Force",
    "Hold",
    "ResponseLimits",
    "RiskBands",
    "RiskMethod",
    "Rule",
    "RuleSet",
    "default_rules",
    "load_rules",
]
