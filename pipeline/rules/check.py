"""What a rule file must satisfy beyond its shape, so that its levels make sense together."""

from itertools import pairwise

from pipeline.errors import RuleError
from pipeline.rules.ruleset import DeviceLimits, Direction, RiskMethod, Rule
from sensors.levels import Level

LONGEST_HOLD = 8
"""Most samples an m-of-n hold may look back on."""
_MILDEST_FIRST = (Level.BLUE, Level.YELLOW, Level.ORANGE, Level.RED)


def check_rule(rule: Rule, where: str) -> None:
    """Raise RuleError when a rule's thresholds, deadband or holds contradict each other."""
    _check_holds(rule, where)
    _check_steps(rule, where)
    present = [place for place, level in enumerate(_MILDEST_FIRST) if level in rule.thresholds]
    if not present:
        raise RuleError(f"{where}.thresholds: no level has one; give at least one number")
    if present[-1] - present[0] >= len(present):
        raise RuleError(f"{where}.thresholds: null between two numbers; give it a number")


def _check_holds(rule: Rule, where: str) -> None:
    for level, hold in rule.holds.items():
        if not 1 <= hold.m <= hold.n <= LONGEST_HOLD:
            raise RuleError(
                f"{where}.on_m_of_n.{level.colour} = {list(hold)}: need "
                f"1 <= m <= n <= {LONGEST_HOLD}; lower the first or raise the second number"
            )


def _check_steps(rule: Rule, where: str) -> None:
    """Thresholds worsen with the level; the deadband fits between any two of them.

    Two levels may share a threshold when their windows differ (as in the national rain rule).
    """
    sign = 1.0 if rule.direction is Direction.HIGH else -1.0
    present = [level for level in _MILDEST_FIRST if level in rule.thresholds]
    for milder, worse in pairwise(present):
        step = sign * (rule.thresholds[worse] - rule.thresholds[milder])
        names = f"{milder.colour} {rule.thresholds[milder]:g}"
        key = f"{where}.thresholds.{worse.colour} = {rule.thresholds[worse]:g}"
        may_be_equal = rule.windows_s.get(worse) != rule.windows_s.get(milder)
        if step < 0 or (step == 0 and not may_be_equal):
            side = "above" if sign > 0 else "below"
            raise RuleError(
                f"{key}: direction is {rule.direction.value}, so it must lie {side} {names}; "
                f"change it or the direction"
            )
        if step > 0 and rule.deadband >= step:
            raise RuleError(
                f"{where}.deadband = {rule.deadband:g}: must be smaller than the step {step:g} "
                f"from {milder.colour} to {worse.colour}; lower it"
            )


def check_device_limits(limits: DeviceLimits, source: str) -> None:
    """Raise RuleError when a device limit contradicts another."""
    if not limits.battery_low <= limits.battery_recovered <= 1.0:
        raise RuleError(
            f"{source}: device_limits.battery_recovered = {limits.battery_recovered:g}: must lie "
            f"between battery_low {limits.battery_low:g} and 1; change one of them"
        )
    if limits.stuck_samples < 2:
        raise RuleError(
            f"{source}: device_limits.stuck_samples = {limits.stuck_samples}: one sample equals "
            f"itself; use 2 or more"
        )


def check_risk(risk: RiskMethod, source: str) -> None:
    """Raise RuleError when a risk band leaves a product out or the default does not exist."""
    if risk.default not in risk.bands:
        known = ", ".join(sorted(risk.bands))
        raise RuleError(f"{source}: risk.default = {risk.default!r}: no such bands; use {known}")
    for name, bands in risk.bands.items():
        expected = 1
        for level in _MILDEST_FIRST:
            low, high = bands.bounds[level]
            if low != expected or high < low:
                raise RuleError(
                    f"{source}: risk.bands.{name}.{level.colour} = [{low}, {high}]: bands must "
                    f"follow each other without gap; begin at {expected}"
                )
            expected = high + 1
        if expected != risk.scale**2 + 1:
            raise RuleError(
                f"{source}: risk.bands.{name}.red: ends at {expected - 1}, but R goes to "
                f"{risk.scale**2}; end it there"
            )
