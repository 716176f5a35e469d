"""Every rule of the shipped sets has declarative tests in `tests/rules`, and they hold."""

from dataclasses import replace
from pathlib import Path

import pytest

from api.rule_tests.checking import named_in_tests
from api.rule_tests.document import CaseTable, DeviceTable, ExpectTable
from api.rule_tests.play import play
from api.rule_tests.sets import only
from api.rule_tests.suite import Case, load_cases, outcome_lines, run_case
from pipeline.messages import Alarm, AlarmState
from pipeline.rules import Direction, Function, Rule, default_rules, rules_named, shipped_sets
from sensors.devices import device_kind
from sensors.levels import Level

FOLDER = Path(__file__).parents[1] / "rules"
CASES = load_cases([FOLDER])
RULES = default_rules()
EDGES = [
    (rule.id, level)
    for rule in RULES.rules.values()
    for level in rule.thresholds
    if rule.signal.function is Function.VALUE and level >= rule.max_level_alone
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file.stem}: {case.test.name}")
def test_shipped_case(case: Case) -> None:
    outcome = run_case(case)
    assert outcome.is_passed, "\n".join(outcome_lines(outcome))


def test_every_default_rule_has_a_test() -> None:
    untested = sorted(set(RULES.rules) - named_in_tests(FOLDER))
    assert not untested, f"write a test in tests/rules for {untested}"


def decides(rule: Rule) -> Rule:
    """Return a rule without what only people read."""
    return replace(rule, basis={}, sources=(), note="", since="", rationale=None)


@pytest.mark.parametrize("name", [name for name in shipped_sets() if name != "national"])
def test_what_a_city_set_changes_or_adds_has_a_test_of_that_set(name: str) -> None:
    chosen = rules_named(name)
    own = [case for case in CASES if case.test.rules == name]
    filters = [expected.filter for case in own for expected in case.test.expect]
    tested = {str(one["rule"]) for one in filters if "rule" in one}
    changed = {
        rule.id
        for rule in chosen.rules.values()
        if rule.id not in RULES.rules or decides(rule) != decides(RULES.rules[rule.id])
    }
    assert sorted(changed - tested) == [], f"write a test of {name} in tests/rules"
    closing = [
        case
        for case in own
        if any("closure_depth_reached" in one.filter.values() for one in case.test.expect)
    ]
    kinds = {device.kind for case in closing for device in case.test.devices}
    if chosen.closure != RULES.closure:
        assert kinds == {"underpass_ponding", "road_ponding"}


@pytest.mark.parametrize(("rule_id", "level"), EDGES)
def test_oscillation_by_half_the_deadband_is_one_alarm(rule_id: str, level: Level) -> None:
    """Acceptance 2: ±deadband/2 around any threshold gives one alarm and no chatter."""
    rule = RULES.rule(rule_id)
    limit, half = rule.thresholds[level], rule.deadband / 2
    bad = limit + half if rule.direction is Direction.HIGH else limit - half
    good = 2 * limit - bad
    interval_ms = round(rule.sample_s * 1000)
    kind = device_kind(rule.select.kinds[0])
    low, high = sorted((bad, good))
    sheet = {"range_low": min(kind.range_low, low), "range_high": max(kind.range_high, high)}
    series = f"{bad:.9g}x3 ({good:.9g} {bad:.9g})x40"
    device = DeviceTable(id="D", kind=kind.kind, input=series, sheet=sheet)
    test = CaseTable(
        name="edge",
        devices=[device],
        interval=interval_ms / 1000,  # type: ignore[arg-type]
        expect=[ExpectTable(alarm={}, none=True)],
    )
    played = play(test, only(RULES, [rule_id]), "edge")
    alarms = [one for one in played.said if isinstance(one, Alarm) and one.rule == rule_id]
    raised = [one for one in alarms if one.state is AlarmState.RAISED]
    settled_ms = played.fleet.start_ms + 3 * interval_ms
    assert [(one.level, one.state) for one in raised] == [(level, AlarmState.RAISED)]
    assert not [one for one in alarms if one.time_ms >= settled_ms]
