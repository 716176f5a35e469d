"""What the rule sets say: thresholds, windows, response limits, risk, closures, sources."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RuleError
from pipeline.rules import (
    FUNCTIONS,
    Basis,
    Change,
    Closure,
    DeviceLimits,
    Direction,
    Function,
    Hold,
    Rule,
    RuleSet,
    default_rules,
    flattened,
    load_rules,
    rule_text,
    rules_named,
    shipped_sets,
)
from pipeline.warn.coupling.specs import own_specs
from sensors.levels import Level

LIST_FORM = Path(__file__).parents[1] / "data" / "rules" / "list_form.json"
"""A rule file as it was written before the format had a number: a JSON list of rules."""
HEAD = "format: 1\nextends: national\nversion: test-1\n"


def set_of(body: str) -> RuleSet:
    return load_rules(HEAD + body, "city.yaml")


@pytest.fixture(params=shipped_sets())
def shipped(request: pytest.FixtureRequest) -> RuleSet:
    return rules_named(request.param)


def test_default_rules_say_what_the_file_says() -> None:
    rule = default_rules().rule("water.pressure_head")
    assert rule.direction is Direction.LOW
    assert rule.thresholds == {
        Level.BLUE: 0.20,
        Level.YELLOW: 0.14,
        Level.ORANGE: 0.10,
        Level.RED: 0.05,
    }
    assert rule.holds[Level.BLUE] == Hold(3, 3)
    assert rule.holds[Level.RED] == Hold(2, 2)
    assert rule.basis[Level.YELLOW] is Basis.QUOTED
    assert rule.cited[Level.YELLOW] == ("W1",)
    assert rule.select.kinds == ("network_pressure",)
    assert rule.signal.function is Function.VALUE
    assert rule.windows_s == {}
    assert rule.change is None


def test_change_limits_come_with_the_drop_rule() -> None:
    rule = default_rules().rule("water.pressure_drop")
    assert rule.change == Change(0.7, 300, 120, 2, 21_600)
    assert rule.windows_s[Level.BLUE] == rule.signal.figures["window_s"] == 300
    assert rule.origins["recovered_share"].sources == ("W2",)


def test_level_without_threshold_is_absent() -> None:
    assert Level.RED not in default_rules().rule("flood.drain_fill").thresholds


def test_one_window_a_level_is_kept_apart() -> None:
    windows = default_rules().rule("rain.national").windows_s
    assert list(windows.values()) == [43_200, 21_600, 10_800, 10_800]
    assert next(iter(windows)) is Level.BLUE


def test_figures_that_are_not_given_have_their_defaults() -> None:
    figures = default_rules().rule("water.dma_cusum").signal.figures
    sheets = FUNCTIONS[Function.CUSUM].figures
    assert set(figures) == set(sheets)
    assert figures["clip_sigmas"] == sheets["clip_sigmas"].default


def test_unknown_rule_is_named_with_the_known_ones() -> None:
    with pytest.raises(RuleError, match=r"no rule 'water\.nothing'.*water\.pressure_head"):
        default_rules().rule("water.nothing")


@pytest.mark.parametrize(
    ("clock", "limit_ms"),
    [("ack", 300_000), ("onsite", 1_800_000), ("contain", 3_600_000), ("close", 14_400_000)],
)
def test_response_limits_are_given_in_event_time(clock: str, limit_ms: int) -> None:
    assert default_rules().response[Level.RED].limit_ms(clock) == limit_ms


def test_missing_response_limit_is_none() -> None:
    assert default_rules().response[Level.BLUE].limit_ms("report") is None


@given(likelihood=st.integers(1, 5), consequence=st.integers(1, 5))
def test_every_risk_product_has_a_colour_in_both_bands(likelihood: int, consequence: int) -> None:
    risk = default_rules().risk
    product = likelihood * consequence
    a, b = (risk.bands[name].level_of(product) for name in ("A", "B"))
    differ = product in (5, 6, 8, 10, 12)
    assert (a is not b) == differ
    assert (a is Level.RED) == (b is Level.RED) == (product in (20, 25))


@pytest.mark.parametrize(
    ("households", "consequence"), [(0, 1), (1999, 1), (2000, 2), (9999, 3), (30_000, 5)]
)
def test_consequence_follows_households_out_of_service(households: int, consequence: int) -> None:
    assert default_rules().risk.consequence_of(households) == consequence


def test_escalation_steps_climb() -> None:
    fractions = [step.at_fraction for step in default_rules().escalation]
    assert fractions == [0.8, 1.0, 1.5, 2.0, None]


# ---- every shipped set ----


def test_set_says_the_same_when_it_is_written_out_in_full(shipped: RuleSet) -> None:
    full = flattened(shipped.text, shipped.source)
    assert "extends" not in full
    again = load_rules(full, shipped.source)
    assert replace(again, text="") == replace(shipped, text="")
    assert flattened(full, shipped.source) == full


def test_text_of_a_set_gives_the_same_set(shipped: RuleSet) -> None:
    assert load_rules(shipped.text, shipped.source) == shipped


def test_every_number_of_a_set_says_where_it_comes_from(shipped: RuleSet) -> None:
    """A number that is quoted or an example names a source, and every source has a text."""
    for rule in shipped.rules.values():
        for level in rule.thresholds:
            assert rule.basis[level] is Basis.PROPOSED or rule.cited.get(level), (rule.id, level)
        assert set(rule.sources) <= set(shipped.sources)
    origins = {**shipped.origins}
    for rule in shipped.rules.values():
        origins |= {f"{rule.id}.{name}": origin for name, origin in rule.origins.items()}
    for name, origin in origins.items():
        assert origin.unit, name
        assert origin.basis is Basis.PROPOSED or origin.sources or origin.note, name
        assert set(origin.sources) <= set(shipped.sources), name


def test_every_rule_of_a_set_says_whom_it_wakes_and_why(shipped: RuleSet) -> None:
    for rule in shipped.rules.values():
        assert rule.rationale is not None, rule.id
        assert rule.select.kinds, rule.id
        assert rule.select.quantity, rule.id


def test_list_form_loads_to_the_same_rules_as_the_national_set() -> None:
    listed = load_rules(LIST_FORM.read_text("utf-8"), LIST_FORM.name)
    national = default_rules()
    younger = {"water.dma_drift"}  # than the list form
    assert list(listed.rules) == [name for name in national.rules if name not in younger]
    keep = ("cited", "sources", "rationale", "origins", "is_chain_of")

    def bare(rule: Rule) -> Rule:
        return replace(rule, **{name: getattr(Rule, name, None) for name in keep})

    for name, rule in listed.rules.items():
        assert bare(rule) == bare(national.rules[name])
    for section in ("response", "escalation", "risk", "device", "forces"):
        assert getattr(listed, section) == getattr(national, section)


def test_list_form_without_the_optional_keys_gets_the_default_limits() -> None:
    text = re.sub(
        r',\n "device_limits": \{.*\n \}\n\}', "\n}", LIST_FORM.read_text("utf-8"), flags=re.S
    )
    rules = load_rules(text, "plain.json")
    assert "device_limits" not in text
    assert rules.device == DeviceLimits() == default_rules().device


@pytest.mark.parametrize(
    ("name", "closure"),
    [
        ("national", Closure(25, 30)),
        ("beijing", Closure(27, 27)),
        ("shanghai", Closure(25, 40)),
        ("hebei", Closure(25, 30)),
        ("handan", Closure(30, 30)),
    ],
)
def test_closures_are_those_of_the_city(name: str, closure: Closure) -> None:
    assert rules_named(name).closure == closure


def test_city_sets_change_what_they_name_and_nothing_else() -> None:
    national, beijing = default_rules(), rules_named("beijing")
    changed = {name for name, rule in national.rules.items() if beijing.rules[name] != rule}
    assert changed == {"flood.ponding_underpass", "rain.local_1h"}
    assert set(beijing.rules) - set(national.rules) == {"rain.local_6h", "rain.local_24h"}
    assert beijing.rule("rain.local_1h").thresholds[Level.ORANGE] == 70
    assert beijing.city == "beijing"


def test_set_of_a_city_may_extend_that_of_its_province() -> None:
    handan = rules_named("handan")
    assert handan.rule("rain.local_24h") == rules_named("hebei").rule("rain.local_24h")
    depths = handan.rule("flood.ponding_underpass").thresholds.values()
    assert list(depths) == [30, 50, 100, 200]


def test_couplings_of_the_national_set_are_the_models_with_their_figures() -> None:
    specs = own_specs()
    couplings = {one.model: one for one in default_rules().couplings}
    assert set(couplings) == set(specs)
    for model, coupling in couplings.items():
        sheets = specs[model].figures
        for name, value in coupling.figures.items():
            assert value == sheets[name].value, (model, name)
            assert default_rules().origins[f"couplings.{model}.{name}"].unit == sheets[name].unit


# ---- extending a set ----


def test_override_changes_one_number_and_keeps_the_others() -> None:
    rule = set_of("rules:\n  water.pressure_head:\n    thresholds: {blue: 0.22}\n").rule(
        "water.pressure_head"
    )
    assert rule.thresholds[Level.BLUE] == 0.22
    assert rule.thresholds[Level.YELLOW] == 0.14


def test_number_that_is_changed_loses_the_source_of_the_old_one() -> None:
    body = "rules:\n  water.pressure_head:\n    thresholds: {yellow: 0.15, orange: 0.1}\n"
    rule = set_of(body).rule("water.pressure_head")
    assert rule.basis[Level.YELLOW] is Basis.PROPOSED
    assert Level.YELLOW not in rule.cited


def test_figure_is_replaced_with_its_unit_and_source() -> None:
    rules = set_of("closure: {road_cm: 35}\n")
    assert rules.closure == Closure(25, 35)
    assert rules.origins["closure.road_cm"].basis is Basis.PROPOSED
    assert rules.origins["closure.road_cm"].sources == ()


def test_another_function_takes_no_figures_of_the_old_one() -> None:
    body = (
        "rules:\n  water.pressure_drop:\n    signal: {function: delta, window_s: 600}\n"
        "    chain_of: water.pressure_head\n"
    )
    rule = set_of(body).rule("water.pressure_drop")
    assert rule.signal.figures == {"window_s": 600}
    assert rule.change is None
    assert rule.is_chain_of == "water.pressure_head"


def test_rule_that_is_switched_off_is_gone_and_frees_its_followers() -> None:
    rules = set_of("rules:\n  water.pressure_drop: {enabled: false}\n")
    assert "water.pressure_drop" not in rules.rules
    assert rules.rule("water.pressure_z").is_chain_of == ""


def test_silences_inhibitions_couplings_and_approval_are_read() -> None:
    rules = set_of(
        "silences:\n"
        "  works: {matchers: {area: D0*, rule: water.*}, why: works, begins: 22:00, ends: 06:00,"
        " days: [6, 7], suppress: true}\n"
        "inhibitions:\n"
        "  burst: {source: {rule: water.pressure_drop}, target: {rule: water.fire_static},"
        " equal: [area], why: the burst says it}\n"
        "couplings:\n  any.crowd: {enabled: false}\n"
        "  mine.wet: {expression: rain.local_1h >= yellow}\n"
        "approval:\n  red: {automatic: false, simulated_min: 5}\n"
        "rules:\n  gas.ch4_space: {latching: true, asks_resample: false, hold_s: {blue: 120}}\n"
    )
    (silence,) = rules.silences
    assert (silence.begins, silence.ends, silence.days) == ("22:00", "06:00", (6, 7))
    assert silence.is_suppression
    assert silence.matchers == {"area": "D0*", "rule": "water.*"}
    assert rules.inhibitions[0].equal == ("area",)
    couplings = {one.model: one for one in rules.couplings}
    assert not couplings["any.crowd"].is_on
    assert couplings["any.crowd"].figures == {"reach_m": 500}
    assert couplings["mine.wet"].expression == "rain.local_1h >= yellow"
    assert rules.approval[Level.RED].simulated_min == 5
    assert rules.approval[Level.BLUE].is_automatic
    rule = rules.rule("gas.ch4_space")
    assert rule.is_latching
    assert not rule.asks_resample
    assert rule.holds_s == {Level.BLUE: 120}


def test_file_without_a_version_of_its_own_does_not_pass_for_its_base() -> None:
    rules = load_rules("format: 1\nextends: national\n", "mine.yaml")
    assert rules.version == f"{default_rules().version}+"


def test_rules_named_reads_a_shipped_set_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(HEAD + "city: mine\n", "utf-8")
    assert rules_named(str(file)).city == "mine"
    assert rule_text(str(file)) == file.read_text("utf-8")
    with pytest.raises(RuleError, match=r"atlantis.*no such rule set or file.*beijing, handan"):
        rules_named("atlantis")
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RuleError, match=r"mine\.yaml:1.*UTF-8"):
        rules_named(str(file))
