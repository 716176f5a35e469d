"""What is wrong with a rule test is said, with exit code 2; nothing misspelt passes."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

from api.commands.errors import run_guarded
from api.commands.rules import app
from api.rule_tests.document import read_tests
from api.rule_tests.durations import duration_ms
from api.rule_tests.notation import NotationError, read_series
from api.rule_tests.suite import cases_of, run_case
from pipeline.errors import RuleError
from pipeline.rules import rule_text

MINUTE_MS = 60_000
ONE = """\
tests:
  - name: one
    devices: [{id: P1, kind: network_pressure, input: "0.30x6 0.08x4"}]
    expect: [%s]
"""
GOOD = ONE % "{alarm: {rule: water.pressure_head, state: raised}}"


def call(*words: str) -> int:
    return run_guarded(lambda standalone_mode: app(list(words), standalone_mode=standalone_mode))


def error_of(expect: str, text: str = ONE) -> str:
    (case,) = cases_of(Path("x.yaml"), read_tests(text % expect, "x.yaml"))
    return run_case(case).error


@pytest.mark.parametrize(
    ("expect", "says"),
    [
        ("{alarm: {rule: water.presure_head}, none: true}",
         "x.yaml: one: expect 1: alarm.rule = 'water.presure_head': no such rule here; "
         "did you mean water.pressure_head?"),
        ("{alarm: {rule: [water.pressure_head, gas.nothing]}}", "alarm.rule = 'gas.nothing'"),
        ("{finding: {model: gas.biogass}, count: 0}", "did you mean gas.biogas?"),
        ("{alarm: {device: P9}, none: true}", "alarm.device = 'P9': no such device"),
        ("{incident: {devices: P9}, none: true}", "incident.devices = 'P9': no such device"),
        ("{warning: {area: B}, none: true}", "warning.area = 'B': no such area here; it may be A"),
        ("{warning: {domain: watr}, none: true}", "did you mean water?"),
        ("{alarm: {level: orang}, none: true}", "alarm.level = 'orang': no such word; did you"),
        ("{alarm: {state: rised}, count: 0}", "did you mean raised?"),
        ("{health: {kind: ofline}, none: true}", "did you mean offline?"),
        ("{health: {is_on: maybe}, none: true}", "health.is_on = 'maybe': not true or false"),
        ("{alarm: {value: '> abc'}, none: true}", "alarm.value = '> abc': neither a number nor"),
        ("{alarm: {confidence: high}, none: true}", "alarm.confidence = 'high': neither a number"),
        ("{alarm: {level: }, none: true}", "alarm.level = None: no value"),
        ("{alarm: {raised: zzz}, none: true}", "alarm.raised = 'zzz': no span of time"),
        ("{alarm: {}, at: 100d, none: true}", "at = 100d: the test ends at 45m"),
        ("{alarm: {}, from: 50m, none: true}", "from = 50m: the test ends at 45m"),
        ("{standing: {}, at: 1h, none: true}", "at = 1h: the test ends at 45m"),
    ],
)  # fmt: skip
def test_an_expectation_that_nothing_could_meet_is_refused(expect: str, says: str) -> None:
    assert says in error_of(expect)


@pytest.mark.parametrize(
    "expect",
    [
        "{alarm: {rule: 'water.*', device: 'P*', level: [orange, red], value: '<= 0.1'}}",
        "{alarm: {rule: gas.ch4_space}, none: true}",
        "{alarm: {state: raised}, at: 50m, tolerance: 10m}",
        "{alarm: {}, to: 5h}",
        "{alarm: {domain: water, area: A, raised: 35m, state: raised}, tolerance: 5m}",
    ],
)
def test_what_is_spelt_right_is_judged(expect: str) -> None:
    assert error_of(expect) == ""


def test_a_rule_that_a_test_drops_may_be_expected_to_be_quiet() -> None:
    dropped = "rules: {format: 1, extends: national, rules: {water.pressure_head: "
    text = f"{dropped}{{enabled: false}}}}}}\n{ONE}"
    assert error_of("{alarm: {rule: water.pressure_head}, none: true}", text) == ""


def test_times_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(RuleError, match=r"expect\[0\]: `from` is after `to`"):
        read_tests(ONE % "{alarm: {}, from: 5h, to: 1h}", "x")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1e400x3", "larger than a number"),
        ("1e308+1e308x4", "larger than a number"),
        ("1~1e308", "larger than a number"),
        ("sin(1e308,1e308,4m)x4", "larger than a number"),
        ("1x3@together(5m)", "@together takes no time"),
        ("1x3@reversed(5m)", "@reversed takes no time"),
        ("1@late", "@late without a time; write @late"),
        ("1@late(400d)", "later than 366d"),
        ("1@late(99999999999d)", "longer than 36600d"),
        ("(stuck)x3 0.3", "without a sample before"),
    ],
)
def test_a_series_that_cannot_be_is_refused(text: str, says: str) -> None:
    with pytest.raises(NotationError, match=says):
        read_series(text, MINUTE_MS)


def test_stuck_reaches_out_of_its_brackets() -> None:
    series = read_series("0.3x2 (stuckx2 0.1)x2 stuck", MINUTE_MS)
    assert series.base[series.shows].tolist() == [0.3, 0.3, 0.3, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1]
    assert np.isfinite(series.base).all()


def test_spans_have_a_bound() -> None:
    for span in ("99999999999d", "9" * 400 + "d", 1e300):
        with pytest.raises(ValueError, match="is longer than 36600d; write less"):
            duration_ms(span)


def test_a_test_of_too_many_ticks_is_refused_at_once() -> None:
    error = error_of("{alarm: {}, none: true}", f"interval: 1s\n{ONE}    duration: 9999d\n")
    assert "863,913,600 ticks of 1s, more than 100,000,000; shorten it or give a longer" in error


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "t.yaml:1: the file = null: not a file of rule tests; write a mapping that begins"),
        ("format: 1\nextends: national\n", "t.yaml:1: the file: a rule file, not a file of rule"),
        (GOOD.replace('"0.30x6 0.08x4"', "0.3"),
         "t.yaml:3: tests[0].devices[0].input = 0.3: a number or word that YAML takes for no text; "
         "put it in quotes"),
        (GOOD.replace("0.30x6", "0.30y6"), "device P1: input = `0.30▸y6 0.08x4`"),
        (GOOD.replace("input", "expected: 'x', input"), "device P1: expected = `▸x`"),
        (GOOD.replace("network_pressure", "pressure_network"), "device P1: kind = 'pressure_netw"),
        (GOOD.replace("state: raised", "colour: red"), "alarm.colour: no such field; it has"),
    ],
)  # fmt: skip
def test_a_wrong_file_or_test_has_exit_code_2(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(text, "utf-8")
    assert call("test", str(file)) == 2
    said = capsys.readouterr()
    assert says in said.out + said.err


def test_rule_files_beside_the_tests_of_a_folder_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text("format: 1\nextends: national\n", "utf-8")
    (tmp_path / "old.yaml").write_text("rules:\n- id: water.pressure_head\n", "utf-8")
    (tmp_path / "t.yaml").write_text(GOOD, "utf-8")
    assert call("test", str(tmp_path)) == 0
    assert "1 of 1 tests passed" in capsys.readouterr().out


def test_a_file_that_is_no_text_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.yaml").write_bytes(b"tests: \xff\xfe")
    assert call("test", str(tmp_path)) == 2
    assert "not UTF-8 text" in capsys.readouterr().err


def test_check_refuses_a_folder_of_tests_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("check", "national", "--tests", str(tmp_path / "none")) == 2
    said = capsys.readouterr()
    assert f"{tmp_path / 'none'}: no such file or folder" in said.err
    assert "no test names this rule" not in said.out


def test_junit_is_xml_whatever_a_test_is_called(tmp_path: Path) -> None:
    file, junit = tmp_path / "t.yaml", tmp_path / "junit.xml"
    file.write_text(GOOD.replace("name: one", r'name: "a\u0007b\ufffe<&"'), "utf-8")
    assert call("test", str(file), "--junit", str(junit)) == 0
    (suite,) = ElementTree.parse(junit).getroot()
    assert [case.get("name") for case in suite] == ["ab<&"]


def test_models_of_the_program_need_no_entry_in_couplings(tmp_path: Path) -> None:
    tree = yaml.safe_load(rule_text("national"))
    del tree["couplings"]
    file = tmp_path / "bare.yaml"
    file.write_text(yaml.safe_dump(tree), "utf-8")
    for expect in (
        "finding: {model: any.no_corroboration}",
        "alarm: {rule: flood.rain_level_pump}",
    ):
        assert error_of(f"{{{expect}, none: true}}", f"rules: {file}\n{ONE}") == ""
