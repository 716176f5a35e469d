"""Detection over many runs: intervals, lean runs, records, campaigns, tables."""

import csv
import io
import json
from pathlib import Path

import msgspec
import pytest

from api.detection.campaign import do_task, read_records, run_campaign, tasks_of
from api.detection.hazards import hazard_of_claim, hazard_of_kind, hazards
from api.detection.intervals import bootstrap, mean, wilson
from api.detection.lean import run_lean
from api.detection.places import placed
from api.detection.record import FalseRecord, Said, lost_at
from api.detection.table import tables_of
from api.detection.writing import as_csv, as_json, markdown
from api.library import find_scenario
from pipeline.messages import Cause
from pipeline.rules import default_rules
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from simulator.incidents.plan import HAZARDS
from tests.unit.detection_runs import SHORT, event, recorded, run_of, short_plan

FALSE = FalseRecord("I9", "water leak", "burst", 2, 5.0, ("water.pressure_z",), "pump_switch S1", 9)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    # Computed from the roots of |p - share| = z sqrt(p (1 - p) / n), Wilson 1927.
    [(0, 30, 0.0, 0.11351), (30, 30, 0.88649, 1.0), (27, 30, 0.74379, 0.96543)],
)
def test_shares_have_the_score_interval(part: int, whole: int, low: float, high: float) -> None:
    found = wilson(part, whole)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_bootstrap_resamples_clusters_not_values() -> None:
    within = mean({1: [0.0, 10.0], 2: [0.0, 10.0], 3: [10.0, 0.0]})
    between = mean({1: [0.0, 0.0], 2: [5.0, 5.0], 3: [10.0, 10.0]})
    assert (within.value, within.low, within.high) == (5.0, 5.0, 5.0)
    assert between.value == 5.0
    assert between.low == 0.0
    assert between.high == 10.0


def test_a_figure_without_a_denominator_is_none_and_one_cluster_has_no_interval() -> None:
    assert mean({}).value is None
    assert bootstrap({1: (0.0, 0.0)}, lambda sums: sums[:, 0] / sums[:, 1]).value is None
    assert mean({1: [2.0, 4.0]}).low is None


def test_every_hazard_kind_and_cause_belongs_to_a_hazard() -> None:
    assert {kind for one in hazards() for kind in one.kinds} == HAZARDS
    causes = {cause for one in hazards() for cause in one.causes}
    assert causes <= {cause.value for cause in Cause} | {"digging"}
    assert hazard_of_kind("gas_strike") == hazard_of_claim("gas", "gas_leak") == "gas leak"


def test_a_lean_run_says_the_same_to_the_last_hash(tmp_path: Path) -> None:
    lean = run_lean(short_plan(), default_rules())
    assert lean.entries[-1].hash == recorded(tmp_path / "run")
    assert set(lean.truths) == {"B1"}


def test_moved_places_follow_the_seed_and_filed_ones_stay() -> None:
    file = find_scenario(SHORT)
    picks = [placed(file, seed).incidents[0].element for seed in (1, 1, 2)]
    assert picks[0] == picks[1] != picks[2]
    assert placed(file, 7, "filed").incidents == file.scenario.incidents


def test_a_campaign_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    results = tmp_path / "detect.jsonl"
    tasks = tasks_of([SHORT], [1, 2])
    first = msgspec.json.encode(do_task(tasks[0]))
    results.write_bytes(first + b"\n" + first[:40])
    told: list[int] = []
    records = run_campaign(tasks, results, told=lambda progress: told.append(progress.done))
    assert told == [2]
    assert [record.seed for record in records] == [1, 2]
    assert [record.seed for record in read_records(results)] == [1, 2]
    assert all(record.events and not record.error for record in records)


def test_workers_find_what_one_process_finds(tmp_path: Path) -> None:
    tasks = tasks_of([SHORT], [1, 2])
    one = run_campaign(tasks, tmp_path / "one.jsonl")
    two = run_campaign(tasks, tmp_path / "two.jsonl", jobs=2)
    assert [(run.key, run.events_hash) for run in one] == [
        (run.key, run.events_hash) for run in two
    ]


def test_a_run_that_cannot_happen_is_told_and_does_not_stop_the_others(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    text = Path(SHORT).read_text("utf-8")
    file.write_text(text.replace("{pick: main, seed: 4}", "NO-SUCH-PIPE"), "utf-8")
    (record,) = run_campaign(tasks_of([str(file)], [1]), tmp_path / "out.jsonl")
    assert "NO-SUCH-PIPE" in record.error
    assert tables_of([record]).errors


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "detect.jsonl"
    file.write_text("{}\n")
    with pytest.raises(ValueError, match="line 1"):
        read_records(file)


def test_rows_count_hits_misses_and_false_by_size() -> None:
    runs = [
        run_of(1, event("B1", is_hit=True), event("B2", is_hit=False, level=2)),
        run_of(2, event("B1", is_hit=True), event("B3", is_hit=False, devices=0), false=(FALSE,)),
    ]
    tables = tables_of(runs)
    rows = {(row.group, row.size): row for row in tables.hazards}
    every = rows["water leak", "all"]
    assert (every.events, every.seen, every.hits, every.false) == (4, 3, 2, 1)
    assert every.pod.value == pytest.approx(2 / 3)
    assert every.pod_all.value == 0.5
    assert every.far.value == pytest.approx(1 / 3)
    assert every.csi.value == pytest.approx(2 / 5)
    assert every.lead_min.value == 40.0
    assert every.lead_all_min.value == 20.0
    assert rows["water leak", "orange"].false == 1
    assert tables.load == {"town": (0.5, 0.25, None)}
    counted = [msgspec.structs.replace(run, patrols=number) for number, run in enumerate(runs)]
    assert tables_of(counted).load["town"][2] == pytest.approx(24 / sum(r.hours for r in runs))
    assert tables_of(reversed(runs)) == tables


def test_tables_are_written_for_people_and_programs() -> None:
    tables = tables_of([run_of(1, event("B1", is_hit=True), false=(FALSE,))])
    assert "| water leak | all | 1 | 1 | 1 | 1 | 1.00 [0.21–1.00] |" in markdown(tables, "t")
    assert json.loads(as_json(tables))["hazards"][0]["pod"]["value"] == 1.0
    rows = list(csv.DictReader(io.StringIO(as_csv(tables))))
    assert {row["table"] for row in rows} == {"hazards", "kinds", "scenarios"}
    assert float(rows[0]["pod_low"]) == pytest.approx(0.2065, abs=1e-3)


ALARM = {"id": "a", "device": "D1", "rule": "r", "time_ms": 10, "held": ""}
CASE = {"id": "I1", "alarms": ["a"], "level": 3, "time_ms": 12, "cause": "burst"}


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ([], "warn: no alarm at a moved device"),
        ([("Alarm", {**ALARM, "device": "D2", "state": "raised"})], "warn: no alarm"),
        ([("Alarm", {**ALARM, "state": "provisional"})], "warn: provisional alarms only"),
        ([("Alarm", {**ALARM, "state": "raised"})], "assess: alarms in no incident"),
        (
            [
                ("Alarm", {**ALARM, "state": "raised"}),
                ("Incident", {**CASE, "status": "dismissed", "reason": "too_little"}),
            ],
            "assess: dismissed, too_little",
        ),
    ],
)
def test_a_miss_is_lost_somewhere(said: list[tuple[str, dict[str, object]]], place: str) -> None:
    truth = TrueIncident(
        "B1", TrueKind.BURST, True, "water", "D01", "P1", 0.0, 0.0, Level.YELLOW, 0, {"D1": 5}
    )
    assert lost_at(truth, Said(said), 100).startswith(place)


def test_what_no_device_could_show_is_lost_to_physics() -> None:
    truth = TrueIncident(
        "B1", TrueKind.BURST, True, "water", "D01", "P1", 0.0, 0.0, Level.YELLOW, 0, {}
    )
    assert lost_at(truth, Said([]), 100).startswith("physics")
