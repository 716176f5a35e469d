"""The notation, the harness and the reports of `tocsin rules test`."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from api.commands.rules import app
from api.rule_tests.document import read_tests
from api.rule_tests.fleet import fleet_of
from api.rule_tests.fuzz import fuzz_case
from api.rule_tests.notation import NotationError, read_series
from api.rule_tests.suite import Case, Outcome, cases_of, run_case
from pipeline.errors import RuleError
from simulator.randomness import keys

MINUTE_MS = 60_000
LOW = "water.pressure_head"


def values(text: str) -> list[float]:
    series = read_series(text, MINUTE_MS)
    key = keys(1, "test", ["a"])
    return [float(series.value(sample, key)[0]) for sample in range(len(series))]


def arrivals(text: str) -> list[int]:
    return (read_series(text, MINUTE_MS).arrivals_ms(MINUTE_MS) // MINUTE_MS).tolist()


def cases(text: str, file: Path = Path("x.yaml")) -> list[Case]:
    return cases_of(file, read_tests(text, str(file)))


def one_test(series: str, expect: str, kind: str = "network_pressure", extra: str = "") -> Case:
    return cases(
        f"tests:\n  - name: t\n    interval: 5m\n    only: [{LOW}]\n{extra}"
        f"    devices: [{{id: P1, kind: {kind}, input: '{series}'}}]\n    expect: {expect}\n"
    )[0]


def outcome(series: str, expect: str, **more: str) -> Outcome:
    return run_case(one_test(series, expect, **more))


def call(*args: str) -> int:
    code = app(list(args), standalone_mode=False)
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.3 -1 .5 1e-3", [0.3, -1.0, 0.5, 0.001]),
        ("0.3x3", [0.3] * 3),
        ("1+0.5x3 1-0.5x3", [1, 1.5, 2, 1, 0.5, 0]),
        ("(1 2)x2", [1, 2, 1, 2]),
        ("((1 2)x2 3)x2", [1, 2, 1, 2, 3, 1, 2, 1, 2, 3]),
        ("5 stuckx2 6", [5, 5, 5, 6]),
        ("sin(10,2,4m)x4", [10, 12, 10, 8]),
    ],
)
def test_items_become_values(text: str, expected: list[float]) -> None:
    assert values(text) == pytest.approx(expected)


def test_missing_samples_are_missing_and_stuck_ones_reach_back_over_them() -> None:
    assert np.isnan(values("1 _x2 offline stalex2")[1:]).all()
    assert values("4 _ stuck")[2] == 4


def test_noise_is_seeded_by_device_and_has_its_spread() -> None:
    series = read_series("5~0.5x400", MINUTE_MS)
    both = np.array([series.value(n, keys(1, "t", ["a", "b"])) for n in range(400)])
    again = np.array([series.value(n, keys(1, "t", ["b"]))[0] for n in range(400)])
    assert (both[:, 1] == again).all()
    assert (both[:, 0] != both[:, 1]).all()
    assert both.std(axis=0) == pytest.approx([0.5, 0.5], rel=0.15)
    repeated = read_series("5~0.5 stuckx3", MINUTE_MS)
    assert len({float(repeated.value(n, keys(1, "t", ["a"]))[0]) for n in range(4)}) == 1


def test_markers_say_when_samples_arrive() -> None:
    assert arrivals("1x2@late(10m) 1") == [10, 11, 2]
    assert arrivals("(1 2 3)@together 4") == [2, 2, 2, 3]
    assert arrivals("1x3@reversed") == [4, 3, 2]
    assert read_series("1 2@twice", MINUTE_MS).is_twice.tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty series"),
        ("0.3 abc", "▸abc"),
        ("(1 2", "close it"),
        ("1 )", "closing bracket"),
        ("1x0", "no sample"),
        ("stuck", "without a sample before"),
        ("sin(1,2,0m)", "without a period"),
        ("1@late(soon)", "no span of time"),
        ("1x3y", "more than an item"),
        ("1x999999999999", "longer than"),
        ("(((((((((((((((((((((1", "deeper than"),
    ],
)
def test_what_is_not_in_the_notation_is_shown_with_its_place(text: str, says: str) -> None:
    with pytest.raises(NotationError, match=says.replace("(", r"\(")):
        read_series(text, MINUTE_MS)


def test_a_whole_timeline_is_compared_line_by_line() -> None:
    series = "0.30x6 0.13x4 0.30x12"
    right = "[{alarm: {}, are: [40m raised yellow, 1h10m changed blue, 1h35m cleared]}]"
    assert outcome(series, right).is_passed
    wrong = "[{alarm: {}, are: [40m raised orange, 1h10m changed blue, 1h35m cleared]}]"
    [failure] = outcome(series, wrong).failures
    assert "- 40m raised orange" in failure.got
    assert f"+ 40m P1 {LOW} raised yellow held_beyond_limit" in failure.got
    assert "  1h10m changed blue" in failure.got


@pytest.mark.parametrize(
    ("expect", "is_met"),
    [
        ("{alarm: {level: yellow, value: '<0.14'}, at: 40m}", True),
        ("{alarm: {level: yellow}, at: 45m}", False),
        ("{alarm: {level: yellow}, at: 45m, tolerance: 5m}", True),
        ("{alarm: {level: [red, yellow], sample: 40m}}", True),
        ("{alarm: {}, count: 2}", False),
        ("{alarm: {}, at_most: 3}", True),
        ("{alarm: {device: 'P*', level: red}, none: true}", True),
        ("{alarm: {state: raised}, from: 41m, none: true}", True),
        ("{standing: {level: yellow}, at: 1h}", True),
        ("{standing: {}, at: 39m, none: true}", True),
        ("{standing: {}, at: 2h, none: true}", True),
        ("{warning: {status: draft}, at: 40m}", True),
    ],
)
def test_expectations(expect: str, is_met: bool) -> None:
    assert outcome("0.30x6 0.13x4 0.30x16", f"[{expect}]").is_passed is is_met


def test_operators_acts_reach_the_desk() -> None:
    act = "    acts: [{at: 10m, act: out_of_service, matchers: {device: P1}}]\n"
    [failure] = outcome("0.30x6 0.13x4", "[{alarm: {state: raised, held: ''}}]", extra=act).failures
    assert "out_of_service" in failure.got


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tests: []", "tests"),
        ("tests:\n  - name: t\n    devices: []\n", "x:3: tests[0].devices"),
        ("tests:\n  - name: t\n    wrong: 1\n", "x:3: tests[0].wrong: unknown key; remove"),
        ("tests:\n  - name: t\n    interval: soon\n", "no span of time"),
        ("tests:\n\t- name: t\n", "x:2: the file: "),
        ("a: &b 1\ntests: [*b]\n", "anchor"),
    ],
)
def test_a_wrong_file_is_refused_with_line_key_and_fix(text: str, says: str) -> None:
    with pytest.raises(RuleError) as refused:
        read_tests(text, "x")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("series", "expect", "says"),
    [
        ("nonsense", "[{alarm: {}}]", "device P1: input"),
        ("1", "[{alarm: {colour: red}}]", "no such field; it has"),
        ("1", "[{alarm: {}, are: [soon raised]}]", "begin the line"),
    ],
)
def test_a_wrong_test_is_an_error_not_a_failure(series: str, expect: str, says: str) -> None:
    assert says in outcome(series, expect).error


def test_many_devices_stay_columns() -> None:
    case = cases(
        "tests:\n  - name: t\n    interval: 1m\n"
        "    expect: [{alarm: {state: raised}, count: 3000}]\n"
        f"    only: [{LOW}]\n    devices:\n      - {{id: P, kind: network_pressure, count: 3000,"
        " areas: 7, spacing_m: 1000, input: '0.30~0.002x20 0.12x4'}\n"
    )[0]
    fleet = fleet_of(case.test, case.where)
    assert len(fleet.groups) == 1
    assert len(set(fleet.registry.texts("area"))) == 7
    done = run_case(case)
    assert done.is_passed
    assert done.readings == 72_000


def test_inline_rules_take_the_place_of_a_set() -> None:
    rules = (
        "    rules: {format: 1, extends: national, version: t, rules: "
        f"{{{LOW}: {{thresholds: {{blue: 0.25}}}}}}}}\n"
    )
    done = outcome("0.30x4 0.24x4", "[{alarm: {level: blue, limit: 0.25}}]", extra=rules)
    assert done.is_passed, done


def test_fuzz_is_the_same_for_a_seed_and_finds_nothing_in_the_national_set() -> None:
    case = one_test("0.3x4", "[{alarm: {}, none: true}]")
    assert fuzz_case(case, 3, 3) is None


def test_fuzz_prints_the_smallest_failing_input_as_a_test_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import api.rule_tests.invariants as invariants

    monkeypatch.setitem(invariants._AFTER, None, frozenset())
    found = fuzz_case(one_test("0.3x4", "[{alarm: {}, none: true}]"), 30, 1)
    assert found is not None
    assert "may not follow nothing" in found.broken
    [again] = cases(found.text)
    assert len(again.test.devices[0].input.split()) <= 3
    assert not run_case(again).is_passed


def test_command_exit_codes_junit_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        "tests:\n"
        "  - {name: good, devices: [{id: P1, kind: network_pressure, input: 0.3x3}],"
        " expect: [{alarm: {}, none: true}]}\n"
        "  - {name: bad, devices: [{id: P1, kind: network_pressure, input: 0.3x3}],"
        " expect: [{alarm: {}}]}\n"
    )
    junit = tmp_path / "out" / "junit.xml"
    assert call("test", str(file), "--junit", str(junit)) == 1
    said = capsys.readouterr().out
    assert "FAIL" in said
    assert "1 of 2 tests passed" in said
    suite = ElementTree.parse(junit).getroot()[0]
    assert suite.get("failures") == "1"
    assert [case.get("name") for case in suite] == ["good", "bad"]
    assert call("test", str(file), "-k", "good", "--json") == 0
    assert json.loads(capsys.readouterr().out)["tests"] == 1


def test_check_tells_every_mistake_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "format: 1\nversion: t\nextends: national\nrules:\n"
        f"  {LOW}:\n    deadband: -1\n    thresholds:\n      blue: high\n"
    )
    assert call("check", str(file)) == 2
    said = capsys.readouterr().err
    assert f"{file}:6" in said
    assert f"{file}:8" in said
    assert call("check", "national", "--json") == 0
    [seen] = json.loads(capsys.readouterr().out)
    assert seen["thresholds"]["quoted"] >= 14


def test_show_tells_a_rule_with_its_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("show", "gas.ch4_space") == 0
    said = capsys.readouterr().out
    for words in ("2.5 %VOL", "[quoted]", "GB/T 50493", "action", "5 samples in a row"):
        assert words in said
    assert call("models") == 0
    assert "never claims" in capsys.readouterr().out
