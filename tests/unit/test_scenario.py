"""Scenario files: what is accepted, and what the messages say about each mistake."""

from pathlib import Path

import pytest

from simulator.errors import ScenarioError
from simulator.scenario import PickSpec, Scenario, load_scenario, parse_duration_s, parse_scenario

GOOD = {
    "format": "1",
    "name": "small",
    "city": "{generate: {junctions: 40}}",
    "start": "2026-06-01T00:00:00+08:00",
    "duration": "1h",
}
ROOT = Path(__file__).resolve().parents[2]


def parsed(**changes: str | None) -> Scenario:
    """Parse the good scenario with keys changed, added or (None) left out."""
    keys = {**GOOD, **changes}
    text = "".join(f"{key}: {value}\n" for key, value in keys.items() if value is not None)
    return parse_scenario(text, "small.yaml")


def complaint(**changes: str | None) -> str:
    with pytest.raises(ScenarioError) as caught:
        parsed(**changes)
    return str(caught.value)


def incident(text: str) -> str:
    """Return the complaint about one incident, `text` after its id."""
    return complaint(incidents=f"[{{id: B1, {text}}}]")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (90, 90),
        ("45s", 45),
        ("30m", 1800),
        ("30min", 1800),
        ("6h10m", 22_200),
        ("1d12h", 129_600),
        ("1h 5m", 3900),
        ("0s", 0),
    ],
)
def test_durations_are_read(text: object, seconds: int) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 minutes", "10m6h", "1.5h", True])
def test_other_durations_are_refused(text: object) -> None:
    with pytest.raises(ValueError, match="use a duration such as 45s, 30m, 6h10m or 1d12h"):
        parse_duration_s(text)


def test_a_scenario_has_defaults_that_work() -> None:
    scenario = parsed()
    assert (scenario.tick, scenario.seed, scenario.codec, scenario.pace) == (
        60,
        1,
        "senml_json",
        "max",
    )
    assert (scenario.incidents, scenario.faults) == ((), ())
    assert (scenario.crews.repair_min, scenario.demand.model) == (120.0, "pda")


def test_start_is_read_with_its_zone() -> None:
    scenario = parsed()
    assert scenario.start_ms == 1_780_243_200_000  # 2026-05-31T16:00:00Z
    assert scenario.utc_offset_ms == 8 * 3_600_000


def test_an_element_is_named_or_picked() -> None:
    scenario = parsed(
        incidents="[{id: A, kind: burst, element: P1, at: 5m, share_of_demand: 1},"
        "{id: B, kind: burst, element: {pick: main, seed: 3}, at: 5m, outflow_m3_h: 9}]"
    )
    assert scenario.incidents[0].element == "P1"
    assert scenario.incidents[1].element == PickSpec(pick="main", seed=3)


def test_a_pace_may_be_a_number() -> None:
    assert parsed(pace="60").pace == "60"


LEAK = "element: P1, at: 5m"
TOP_LEVEL = [
    ({"format": "2"}, ["format", "(got 2)"]),
    ({"name": None}, ["name", "missing; add it"]),
    ({"name": "Two Words"}, ["name", "pattern", "'Two Words'"]),
    ({"duratoin": "1h"}, ["duratoin", "did you mean 'duration'?"]),
    ({"zzz": "1h"}, ["zzz", "key is unknown; known: format, name"]),
    ({"city": "{}"}, ["city", "exactly one of generate, inp or folder"]),
    ({"city": "{inp: a.inp, folder: b}"}, ["city", "exactly one of generate, inp or folder"]),
    ({"city": "{generate: {junctions: 5}}"}, ["city.generate.junctions", "20", "(got 5)"]),
    ({"start": "2026-06-01T00:00:00"}, ["start", "needs a time zone, such as 2026", "2026-06"]),
    ({"start": "2026-06-01"}, ["start", "needs a time zone"]),
    ({"start": "20260601"}, ["start", "use a moment such as 2026", "(got 20260601)"]),
    ({"start": "2026-13-01T00:00:00+08:00"}, ["start", "month", "'2026-13-01T00:00:00+08:00'"]),
    ({"duration": "an hour"}, ["duration", "use a duration such as", "'an hour'"]),
    ({"duration": "1:30"}, ["duration", "use a duration such as", "'1:30'"]),
    ({"duration": "0"}, ["duration", "greater than 0", "(got 0)"]),
    ({"duration": "100s"}, ["tick", "must divide the duration of 100 s", "(got 60)"]),
    ({"tick": "7s"}, ["tick", "must divide the duration of 3600 s", "(got '7s')"]),
    ({"seed": "one"}, ["seed", "valid integer", "'one'"]),
    ({"seed": "-1"}, ["seed", "greater than or equal to 0", "(got -1)"]),
    ({"codec": "senml_jsn"}, ["codec", "did you mean 'senml_json'?", "'senml_jsn'"]),
    ({"pace": "fast"}, ["pace", "use max, or a number", "'fast'"]),
    ({"pace": "0"}, ["pace", "use max, or a number above 0", "(got 0)"]),
    ({"demand": "{noise: .nan}"}, ["demand.noise", "nan"]),
    ({"demand": "{modle: pda}"}, ["demand.modle", "did you mean 'model'?"]),
    ({"crews": "{repair_mn: 5}"}, ["crews.repair_mn", "did you mean 'repair_min'?"]),
    ({"crews": "{repair_min: .inf}"}, ["crews.repair_min", "finite", "inf"]),
    ({"incidents": "B1"}, ["incidents", "valid tuple", "'B1'"]),
    ({"incidents": "[B1]"}, ["incidents.0", "'B1'"]),
]


@pytest.mark.parametrize(("changes", "parts"), TOP_LEVEL, ids=lambda value: str(value)[:40])
def test_a_mistake_is_named_with_file_key_value_and_fix(
    changes: dict[str, str | None], parts: list[str]
) -> None:
    key, *rest = parts
    text = complaint(**changes)
    assert text.startswith(f"small.yaml: {key}: ")
    assert "\n" not in text
    assert [part for part in rest if part not in text] == []


INCIDENTS = [
    (f"kind: brst, {LEAK}", [".kind", "'burst'", "(got 'brst')"]),
    (f"kind: burst, {LEAK}", ["", "B1: a burst needs one of outflow_m3_h", "got neither"]),
    (f"kind: slow_leak, {LEAK}", ["", "B1: a slow_leak needs one of", "got neither"]),
    (f"kind: burst, {LEAK}, outflow_m3_h: 9, share_of_demand: 1", ["", "got both"]),
    (f"kind: pump_trip, {LEAK}, outflow_m3_h: 9", ["", "a pump_trip has no outflow; remove"]),
    (f"kind: burst, {LEAK}, outflow_m3_h: 9, growth: 1h", ["", "only a slow_leak grows"]),
    (f"kind: device_fault, {LEAK}", ["", "list device faults under faults:"]),
    (f"kind: burst, {LEAK}, outflow_m3_h: 0", [".outflow_m3_h", "greater than 0", "(got 0)"]),
    (f"kind: burst, {LEAK}, outflow_m3_h: .inf", [".outflow_m3_h", "finite", "inf"]),
    (f"kind: burst, {LEAK}, shre_of_demand: 1", [".shre_of_demand", "did you mean 'share_of_de"]),
    ("kind: pump_trip, element: P1", [".at", "missing; add it"]),
    ("kind: pump_trip, at: 5m, element: 5", [".element", "PickSpec", "(got 5)"]),
    ("kind: pump_trip, at: 5m, element: {pick: man}", [".element.pick", "'main'", "'man'"]),
    (
        "kind: pump_trip, at: 5m, element: {pick: main, sed: 1}",
        [".element.sed", "did you mean 'seed'?"],
    ),
    ("kind: pump_trip, element: P1, at: 6:10", [".at", "use a duration such as", "'6:10'"]),
    ("kind: pump_trip, element: P1, at: yes", [".at", "use a duration such as", "True"]),
    ("kind: pump_trip, element: P1, at: -5", [".at", "greater than or equal to 0", "-5"]),
    ("kind: pump_trip, element: P1, at: 5m, duration: 0", [".duration", "greater than 0", "0"]),
]


@pytest.mark.parametrize(("text", "parts"), INCIDENTS, ids=lambda value: str(value)[:60])
def test_a_wrong_incident_is_named_by_its_place(text: str, parts: list[str]) -> None:
    key, *rest = parts
    found = incident(text)
    first = found.splitlines()[0]
    assert first.startswith(f"small.yaml: incidents.0{key}: ")
    assert [part for part in rest if part not in first] == []


def test_two_incidents_cannot_share_an_id() -> None:
    one = "{id: B1, kind: pump_trip, element: PU, at: 5m}"
    assert complaint(incidents=f"[{one}, {one}]") == (
        "small.yaml: incidents: two incidents have the id 'B1'; rename one"
    )


@pytest.mark.parametrize("at", ["1h", "61m"])
def test_an_incident_cannot_begin_at_or_after_the_end(at: str) -> None:
    text = complaint(incidents=f"[{{id: B1, kind: pump_trip, element: PU, at: {at}}}]")
    assert text.startswith("small.yaml: incidents: B1 begins after 36")
    assert "ends after 3600 s; let it begin earlier" in text


@pytest.mark.parametrize(
    ("fault", "parts"),
    [
        ("{device: {kind: a}, kind: stuck}", [".device: give one of nth and share"]),
        ("{device: {kind: a, nth: 1, share: 1}, kind: stuck}", [".device: give one of nth and"]),
        ("{device: {knd: a, nth: 1}, kind: stuck}", [".device.kind: missing", "mean 'kind'?"]),
        ("{device: D1, kind: stukc}", [".kind: unknown; did you mean 'stuck'?", "gateway_outage"]),
        ("{device: D1, kind: stuck, duration: x}", [".duration: use a duration", "'x'"]),
    ],
)
def test_a_wrong_fault_is_named_by_its_place(fault: str, parts: list[str]) -> None:
    text = complaint(faults=f"[{fault}]")
    assert text.startswith(f"small.yaml: faults.0{parts[0]}")
    assert parts[-1] in text


def test_every_mistake_of_a_file_is_told_at_once() -> None:
    lines = complaint(seed="x", tick="x", name=None).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["name", "tick", "seed"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "must be a mapping with name, city, start and duration"),
        ("", "must be a mapping"),
        ("name: [", "not valid YAML"),
        ("seed: 1\nname: x\nseed: 2\n", "key 'seed' is given twice; remove one"),
        ("a: !!python/object:os.system {}", "not valid YAML"),
    ],
)
def test_text_that_is_no_scenario_is_refused(text: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=r"^small\.yaml: ") as caught:
        parse_scenario(text, "small.yaml")
    assert said in str(caught.value)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "noise.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("none.yaml", "noise.yaml"):
        with pytest.raises(ScenarioError, match=f"{name}: cannot be read"):
            load_scenario(tmp_path / name)


def test_shipped_scenarios_are_valid() -> None:
    files = sorted((ROOT / "scenarios").glob("*.yaml"))
    assert len(files) >= 2
    assert [load_scenario(file).name for file in files] == [file.stem for file in files]


def test_a_written_scenario_is_read_back_as_it_was(tmp_path: Path) -> None:
    scenario = load_scenario(ROOT / "scenarios" / "fault-day.yaml")
    (tmp_path / "scenario.json").write_text(scenario.model_dump_json(indent=1), encoding="utf-8")
    assert load_scenario(tmp_path / "scenario.json") == scenario


def test_digest_follows_the_content_but_not_pace_and_seed() -> None:
    digest = parsed().digest
    assert parsed(seed="9", pace="60").digest == digest
    assert parsed(duration="2h").digest != digest
