"""Rule files: what they say, and what is refused with file, key, value and fix."""

import json
from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RuleError
from pipeline.rules import (
    Basis,
    Change,
    DeviceLimits,
    Direction,
    Hold,
    default_rules,
    load_rules,
)
from sensors.levels import Level

TEXT = resources.files("pipeline.rules").joinpath("default.json").read_text("utf-8")
HEAD = 5
"""Place of `water.pressure_head` in the file."""


def changed(change: Callable[[Any], object]) -> str:
    document = json.loads(TEXT)
    change(document)
    return json.dumps(document)


def head(document: Any) -> Any:
    return document["rules"][HEAD]


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
    assert rule.windows_s == {}
    assert rule.change is None


def test_default_rules_cover_every_rule_of_the_file() -> None:
    assert list(default_rules().rules) == [rule["id"] for rule in json.loads(TEXT)["rules"]]


def test_change_limits_come_with_the_drop_rule() -> None:
    assert default_rules().rule("water.pressure_drop").change == Change(0.7, 300, 120, 2, 21_600)


def test_level_without_threshold_is_absent() -> None:
    assert Level.RED not in default_rules().rule("flood.drain_fill").thresholds


def test_one_window_a_level_is_kept_apart() -> None:
    windows = default_rules().rule("rain.national").windows_s
    assert windows == {
        Level.BLUE: 43_200,
        Level.YELLOW: 21_600,
        Level.ORANGE: 10_800,
        Level.RED: 10_800,
    }


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


def test_file_without_the_optional_keys_gets_the_default_limits() -> None:
    def strip(document: Any) -> None:
        del document["device_limits"]
        for step in document["escalation"]:
            for key in ("at_fraction", "slip", "tiers_up"):
                del step[key]
        for rule in document["rules"]:
            rule.pop("change", None)

    rules = load_rules(changed(strip), "plain.json")
    assert rules.device == DeviceLimits() == default_rules().device
    assert rules.escalation[0].at_fraction is None


def test_escalation_steps_climb() -> None:
    fractions = [step.at_fraction for step in default_rules().escalation]
    assert fractions == [0.8, 1.0, 1.5, 2.0, None]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: head(d).update(deadband=0.07),
            r"water\.pressure_head\)\.deadband = 0\.07: must be smaller than the step 0\.06",
        ),
        (
            lambda d: head(d)["thresholds"].update(red=0.3),
            r"thresholds\.red = 0\.3: direction is low, so it must lie below orange 0\.1",
        ),
        (
            lambda d: head(d)["thresholds"].update(orange=0.14),
            r"thresholds\.orange = 0\.14: .* below yellow 0\.14",
        ),
        (lambda d: head(d)["thresholds"].update(yellow=None), "null between two numbers"),
        (
            lambda d: head(d)["thresholds"].update(blue=None, yellow=None, orange=None, red=None),
            "no level has one",
        ),
        (
            lambda d: head(d)["on_m_of_n"].update(red=[3, 2]),
            r"on_m_of_n\.red = \[3, 2\]: need 1 <= m <= n <= 8",
        ),
        (lambda d: head(d)["on_m_of_n"].update(red=[1, 9]), r"on_m_of_n\.red = \[1, 9\]"),
        (
            lambda d: head(d)["basis"].update(red="guess"),
            r"rules\[5\]\.basis\.red \(water\.pressure_head\) = 'guess'.*'proposed'",
        ),
        (lambda d: head(d).update(max_level_alone="purple"), "max_level_alone.*'purple'.*'red'"),
        (lambda d: head(d)["thresholds"].update(purple=1), r"thresholds\.purple.*unknown key"),
        (lambda d: head(d).update(colour=1), r"colour \(water\.pressure_head\): unknown key"),
        (lambda d: head(d).pop("unit"), r"unit \(water\.pressure_head\): missing; add it"),
        (lambda d: head(d).update(deadband="x"), r"deadband .* = 'x'"),
        (lambda d: head(d).update(deadband=float("nan")), r"deadband .* = nan"),
        (lambda d: head(d).update(window_s=[1, 2]), r"window_s .* = \[1, 2\]"),
        (lambda d: head(d).update(clear_consecutive=0), r"clear_consecutive .* = 0"),
        (lambda d: head(d).update(id="gas.ch4_space"), "used twice; rename one"),
        (lambda d: d["rules"].append(5), r"rules\[18\] = 5"),
        (lambda d: d["risk"].update(default="C"), r"risk\.default = 'C': no such bands; use A, B"),
        (
            lambda d: d["risk"]["bands"]["A"].update(yellow=[6, 9]),
            r"risk\.bands\.A\.yellow = \[6, 9\].*begin at 5",
        ),
        (
            lambda d: d["risk"]["bands"]["A"].update(red=[17, 24]),
            r"risk\.bands\.A\.red: ends at 24, but R goes to 25",
        ),
        (
            lambda d: d["device_limits"]["battery_recovered"].update(value=0.1),
            r"battery_recovered = 0\.1: must lie between battery_low 0\.2 and 1",
        ),
        (
            lambda d: d["device_limits"]["stuck_samples"].update(value=1),
            "stuck_samples = 1: one sample equals itself",
        ),
        (lambda d: d["device_limits"]["skew_s"].update(value=-1), r"skew_s\.value = -1"),
        (lambda d: d["response"]["red"].update(ack_min=0), r"response\.red\.ack_min = 0"),
        (lambda d: d["forces_min"].insert(0, ["a", 3]), r"forces_min\[0\]\[0\] = 'a'"),
    ],
)
def test_mistake_is_refused_with_file_key_and_fix(
    change: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(RuleError, match=message) as caught:
        load_rules(changed(change), "city.json")
    assert str(caught.value).startswith("city.json: ")


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null", "[" * 100_000])
def test_text_that_is_no_rule_file_is_refused(text: str) -> None:
    with pytest.raises(RuleError, match=r"^city\.json: "):
        load_rules(text, "city.json")


def test_levels_may_share_a_threshold_only_with_different_windows() -> None:
    def same_window(document: Any) -> None:
        rain = next(rule for rule in document["rules"] if rule["id"] == "rain.national")
        rain["window_s"] = 3600

    load_rules(TEXT, "city.json")
    with pytest.raises(RuleError, match="must lie above blue 50"):
        load_rules(changed(same_window), "city.json")
