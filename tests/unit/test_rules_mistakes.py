"""What is refused of a rule file: file, line, key, value and fix of every mistake."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.rules import RuleFileError, load_rules, mistakes, rule_text, shipped_sets
from pipeline.rules.check import LONGEST_HOLD

HEAD = "format: 1\nextends: national\nversion: test-1\n"
"""Three lines: a body begins in line 4."""
HYDRANT = "rules:\n  water.pressure_head:\n"
"""Two more: what a rule says begins in line 6."""
NATIONAL = rule_text("national")
PLAIN = [
    (number, match["key"], match.span("value"))
    for number, line in enumerate(NATIONAL.splitlines(), start=1)
    if (match := re.fullmatch(r"\s+(- )?(?P<key>[a-z_]+): (?P<value>[0-9.]+)", line))
]
"""Lines of the national set that hold one plain number: line, key and where the number stands."""


def document() -> Any:
    return yaml.load(NATIONAL, Loader=yaml.CSafeLoader)


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("    deadband: 0.07", 6, r"deadband = 0\.07: must be smaller than the step 0\.06 from"),
        ("    thresholds: {red: 0.3}", 6, r"red = 0\.3: direction is low, .* below orange 0\.1"),
        ("    thresholds:\n      orange: 0.14", 7, r"orange = 0\.14: .* below yellow 0\.14"),
        ("    thresholds: {yellow: null}", 6, "null between two numbers; give it a number"),
        ("    thresholds: null", 6, "thresholds = null: should be a mapping"),
        ("    on_m_of_n: {red: [3, 2]}", 6, rf"red = \[3, 2\]: need 1 <= m <= n <= {LONGEST_HOLD}"),
        ("    on_m_of_n: {red: [1, 9]}", 6, r"on_m_of_n\.red = \[1, 9\]"),
        ("    on_m_of_n: {red: [1, 1.5]}", 6, r"on_m_of_n\.red\[1\] = 1\.5: .*whole number"),
        ("    basis: {red: guess}", 6, r"basis\.red = 'guess': .*'proposed'; use one of them"),
        ("    max_level_alone: purple", 6, "max_level_alone = 'purple'.*'red'"),
        ("    thresholds: {purple: 1}", 6, r"thresholds\.purple: unknown key; remove it"),
        ("    colour: 1", 6, r"water\.pressure_head\.colour: unknown key"),
        ("    deadband: '0.01'", 6, r"deadband = '0\.01': .*without quotes"),
        ("    sample_s: 0", 6, r"sample_s = 0: should be greater than 0"),
        ("    unit: kPa", 6, r"unit = 'kPa': value of pressure is in 'MPa'"),
        ("    select: {quantity: presure}", 6, r"quantity = 'presure': no such quantity; use flow"),
        ("    signal: {function: medain}", 6, r"signal\.function = 'medain'.*'mean'"),
        ("    signal: {function: mean}", 6, r"signal: mean needs window_s"),
        ("    signal: {function: value, k: 1}", 6, r"signal\.k: no figure of value; .* takes none"),
        ("    signal: {function: max, window_s: [1, 2]}", 6, r"window_s is one number, or four"),
        ("    signal: {function: max, window_s: 0}", 6, r"window_s = 0\.0: outside 1 to 604800 s"),
        (
            "    signal: {function: cusum, warm_up: 2.5}\n    unit: sigma",
            6,
            r"warm_up = 2\.5: not a whole number",
        ),
        (
            "    signal: {function: max, window_s: {value: 5, unit: min}}",
            6,
            r"unit|'min': window_s is in s; convert it",
        ),
        ("    sources: {red: [Z9]}", 6, r"sources\.red = 'Z9': no such source; add it"),
        ("    chain_of: water.nothing", 6, r"chain_of = 'water\.nothing': no other rule"),
        ("    rationale: {respond_min: 0}", 6, r"rationale\.respond_min = 0: .*greater than 0"),
        ("    enabled: 1", 6, r"enabled = 1: not true or false"),
    ],
)
def test_mistake_in_a_rule_names_line_key_value_and_fix(body: str, line: int, message: str) -> None:
    found = mistakes(HEAD + HYDRANT + body + "\n", "city.yaml")
    assert found
    assert found[0].line == line
    assert re.search(message, str(found[0])), str(found[0])
    assert str(found[0]).startswith(f"city.yaml:{line}: ")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("rules: 5", "rules = 5: should be a mapping"),
        ("rules: {water head: {}}", r"'water head': not of the form domain\.name"),
        ("closure: {road_cm: -3}", r"closure\.road_cm = -3\.0: must be above 0; raise it"),
        ("closure: {road_cm: {value: 3, unit: m}}", r"unit = 'm': road_cm is in cm; convert it"),
        ("closure: {road_cm: x}", r"closure\.road_cm = 'x': .*without quotes"),
        ("closure: {road_cm: {}}", r"closure\.road_cm\.value: missing; add it"),
        ("alarms: {flood_ends: 11}", r"flood_ends = 11\.0: must not be above flood_begins 10"),
        ("alarms: {operators: 1.5}", r"operators = 1\.5: not a whole number"),
        ("silences: {n: {matchers: {}, why: x}}", r"matchers = \{\}"),
        ("silences: {n: {matchers: {colour: x}, why: x}}", r"matchers\.colour.*'area'"),
        (
            "silences: {n: {matchers: {area: x}, why: x, begins: 22:00}}",
            "ends is missing: a schedule has both",
        ),
        (
            "silences: {n: {matchers: {area: x}, why: x, begins: 7:00, ends: 08:00}}",
            r"begins = '7:00': not a time of the day; write HH:MM",
        ),
        ("couplings: {any.crowd: {figures: {reach_m: [1, 2]}}}", "a figure is one number"),
        ("couplings: {my.one: {expression: a, file: b}}", "both an expression and a file"),
        ("couplings: {any.crowd: {off: true}}", r"any\.crowd\.off: unknown key"),
        ("risk: {default: C}", r"risk\.default = 'C': no such bands; use A, B"),
        ("risk: {bands: {A: {yellow: [6, 9]}}}", r"A\.yellow = \[6, 9\]: .*begin at 5"),
        ("risk: {bands: {A: {red: [17, 24]}}}", r"A\.red = .*ends at 24, but R goes to 25"),
        ("device_limits: {battery_recovered: 0.1}", r"0\.1: must lie between battery_low 0\.2"),
        ("device_limits: {stuck_samples: 1}", r"stuck_samples = 1: one sample equals itself"),
        ("device_limits: {skew_s: {value: -1}}", r"skew_s = -1\.0: must be above 0"),
        ("response: {red: {ack_min: 0}}", r"response\.red\.ack_min = 0"),
        ("forces_min: [[a, 3]]", r"forces_min\[0\]\[0\] = 'a'"),
        ("sources: {X: }", r"sources\.X = null"),
        ("surprise: 1", "surprise: unknown key"),
        ("<<: {a: 1}", "a merge key; rule files have none: use `extends`"),
        ("city: x\u200b: y", "not YAML"),
        ("city: &a x", "city: an anchor; rule files have none"),
        ("city: !!str x", "city: a tag .*; remove it"),
        ("? [a]\n: 1", "a key that is no text"),
        ("version: twice", "version: given twice, first in line 3; remove one of them"),
        ("city: 'open", "not YAML"),
        ("\tcity: x", "not YAML: a tab; indent with spaces"),
        ("city: \x07", "control characters are not allowed; save it as plain UTF-8"),
        ("approval: {red: {automatic: no}}", "'no' is true or false to some readers"),
        ("forces_min: [[1_0, x]]", r"forces_min\[0\]\[0\]: '1_0' is not a plain decimal number"),
        ("forces_min: [[010, x]]", "'010' is not a plain decimal number"),
        ("forces_min: [[.nan, x]]", "'.nan' is not a finite number"),
        ("forces_min: [[1e999, x]]", "longer than a number can be kept"),
        (f"forces_min: [[{'9' * 9000}, x]]", "longer than a number can be kept; use at most 15"),
    ],
)
def test_mistake_outside_the_rules_is_refused_in_its_line(body: str, message: str) -> None:
    with pytest.raises(RuleFileError, match=message) as caught:
        load_rules(HEAD + body + "\n", "city.yaml")
    assert caught.value.mistakes[0].line == 4


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "not a rule file"),
        ("{", 1, "not YAML"),
        ("[]", 1, "not a rule file"),
        ("null", 1, "not a rule file"),
        ("[" * 100_000, 1, "nested deeper"),
        ("x" * 1_000_001, 1, "longer than"),
        ("rules: {}", 1, "format is missing"),
        ("format: 2\nextends: national", 1, "format = 2: this program reads format 1"),
        ("format: 1\nextends: atlantis", 2, "'atlantis': no such rule set; .*beijing, handan"),
        ("format: 1\nextends: ../secret.yaml", 2, "no such rule set"),
        (HEAD + "---\na: 1", 4, "a second document"),
        ('{"rules": [\n5]}', 2, r"rules\[0\] = 5: a rule without an id"),
        ('{"rules": [{"id": "a.b"},\n{"id": "a.b"}]}', 2, r"rules\[1\]\.id = 'a\.b': used twice"),
    ],
)
def test_text_that_is_no_rule_file_is_refused(text: str, line: int, message: str) -> None:
    with pytest.raises(RuleFileError, match=message) as caught:
        load_rules(text, "city.yaml")
    assert caught.value.mistakes[0].line == line


def test_all_mistakes_are_told_in_the_order_of_the_file() -> None:
    text = HEAD + HYDRANT + "    deadband: 5\n    unit: kPa\n  gas.flow_z:\n    sources: [Z9]\n"
    found = mistakes(text, "city.yaml")
    assert [(one.line, one.key.rsplit(".", 1)[-1]) for one in found] == [
        (6, "deadband"),
        (7, "unit"),
        (9, "sources"),
    ]
    with pytest.raises(RuleFileError, match="and 2 more") as caught:
        load_rules(text, "city.yaml")
    assert list(caught.value.mistakes) == found


def test_good_files_have_no_mistakes() -> None:
    for name in shipped_sets():
        assert mistakes(rule_text(name), name) == []
    assert mistakes("\ufeff" + HEAD, "bom.yaml") == []
    assert mistakes(HEAD + HYDRANT + "    deadband: 1e-2\n", "exponent.yaml") == []


def test_mistakes_in_a_list_of_rules_are_found_in_their_lines() -> None:
    national = document()
    rule = {**national["rules"]["flood.drain_freeboard"], "id": "flood.drain_freeboard"}
    rule["window_s"] = "x"
    text = json.dumps({**national, "rules": [rule]}, indent=1)
    text = text.replace('"format": 1,', "")
    (found,) = mistakes(text, "old.json")
    assert '"window_s": "x"' in text.splitlines()[found.line - 1]
    assert found.key == "rules.flood.drain_freeboard.signal.window_s"


@settings(max_examples=60, deadline=None)
@given(place=st.sampled_from(PLAIN), is_key=st.booleans())
def test_any_number_that_becomes_a_word_and_any_misspelt_key_is_found(
    place: tuple[int, str, tuple[int, int]], is_key: bool
) -> None:
    number, key, (start, end) = place
    lines = NATIONAL.splitlines()
    line = lines[number - 1]
    if is_key:
        lines[number - 1] = line.replace(f"{key}:", f"{key}x:", 1)
    else:
        lines[number - 1] = f"{line[:start]}wrong{line[end:]}"
    found = mistakes("\n".join(lines), "broken.yaml")
    wanted = f"{key}x" if is_key else key
    assert any(one.line == number and wanted in one.key.split(".") for one in found), found


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.integers(0, 40), min_size=4, max_size=4),
    deadband=st.integers(0, 5),
    is_high=st.booleans(),
)
def test_levels_are_taken_only_when_they_worsen_by_more_than_the_deadband(
    values: list[int], deadband: int, is_high: bool
) -> None:
    blue, yellow, orange, red = values
    text = (
        f"{HEAD}{HYDRANT}    direction: {'high' if is_high else 'low'}\n    deadband: {deadband}\n"
        f"    thresholds: {{blue: {blue}, yellow: {yellow}, orange: {orange}, red: {red}}}\n"
    )
    steps = [yellow - blue, orange - yellow, red - orange]
    is_good = all((step if is_high else -step) > deadband for step in steps)
    assert (mistakes(text, "city.yaml") == []) == is_good


def test_levels_may_share_a_threshold_only_with_different_windows() -> None:
    text = HEAD + "rules:\n  rain.national:\n    signal: {window_s: 3600}\n"
    with pytest.raises(RuleFileError, match=r"rain\.national\.thresholds\.yellow.* above blue 50"):
        load_rules(text, "city.yaml")


def _drop(*path: str) -> Callable[[Any], object]:
    def change(node: Any) -> object:
        for key in path[:-1]:
            node = node[key]
        return node.pop(path[-1])

    return change


SHAPES: list[Callable[[Any], object]] = [
    _drop("version"),
    _drop("response", "red"),
    _drop("rules", "gas.flow_z", "unit"),
    _drop("rules", "rain.local_1h", "signal", "window_s"),
    lambda d: d.update(surprise=1),
    lambda d: d["rules"]["gas.flow_z"].update(deadband="x"),
    lambda d: d["rules"]["gas.flow_z"].update(direction="up"),
    lambda d: d["rules"]["gas.flow_z"].update(colour=1),
    lambda d: d["rules"]["gas.flow_z"]["signal"].update(k=1),
    lambda d: d["rules"]["gas.flow_z"]["signal"].update(slot_s=-1),
    lambda d: d["rules"]["rain.national"]["signal"].update(window_s=[1, 2]),
    lambda d: d["closure"].update(road_cm="x"),
    lambda d: d["closure"].update(road_cm={"value": 1, "basis": "guess"}),
    lambda d: d.update(silences={"n": {"matchers": {"colour": "x"}, "why": "x"}}),
    lambda d: d["couplings"].update({"any.crowd": {"on": True}}),
]
"""Changes to the shape of a complete file."""

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1, 1) | st.sampled_from(["", "x"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["value", "blue", "function", "a.b", "id"]), inner)
    ),
    max_leaves=6,
)
"""Values that stand where something else belongs."""


def _paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below: list[tuple[Any, Any]] = []
    if isinstance(node, dict):
        below = list(node.items())
    elif isinstance(node, list):
        below = list(enumerate(node))
    return [path, *(one for key, it in below for one in _paths(it, (*path, key)))]


DOCUMENT = document()
PATHS = [path for path in _paths(DOCUMENT) if path]


@settings(max_examples=40, deadline=None)
@given(path=st.sampled_from(PATHS), junk=JUNK, is_override=st.booleans())
def test_any_value_anywhere_is_taken_or_refused_with_a_place(
    path: tuple[Any, ...], junk: Any, is_override: bool
) -> None:
    if is_override:
        value = junk
        for key in reversed(path):
            value = [value] if isinstance(key, int) else {key: value}
        content: Any = {"format": 1, "extends": "national", **value}
    else:
        content = json.loads(json.dumps(DOCUMENT))
        node = content
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = junk
    text = json.dumps(content, indent=1)
    found = mistakes(text, "junk.json")
    for one in found:
        assert one.file == "junk.json"
        assert 1 <= one.line <= len(text.splitlines())
        assert one.problem
        assert one.fix
    if not found:
        assert load_rules(text, "junk.json").text == text


@settings(max_examples=40, deadline=None)
@given(
    start=st.integers(0, len(NATIONAL) - 1),
    length=st.integers(0, 40),
    put=st.text(st.sampled_from("{}[]:,-'\"#&*!|>%@`\t\n x0\x00\u2028é"), max_size=8),
)
def test_damaged_text_is_taken_or_refused_and_never_raises_anything_else(
    start: int, length: int, put: str
) -> None:
    text = NATIONAL[:start] + put + NATIONAL[start + length :]
    found = mistakes(text, "damaged.yaml")
    assert all(1 <= one.line <= text.count("\n") + 1 + text.count("\u2028") for one in found)
