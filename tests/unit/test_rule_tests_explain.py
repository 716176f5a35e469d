"""`tocsin rules explain` tells which samples, rule, numbers and sources made an alarm."""

import json
from pathlib import Path

import numpy as np
import pytest

from api.library import find_scenario
from api.plan import plan_run
from api.replaying.recording import Recording
from api.rule_tests.explain import explained
from api.rule_tests.explain_text import explained_lines
from api.rule_tests.weighing import weighed
from api.session import RunSession
from pipeline.errors import RuleError
from pipeline.ports import LogEntry
from pipeline.rules import default_rules
from sensors.levels import Level
from sensors.readings import ReadingBatch

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a recorded short burst."""
    folder = tmp_path_factory.mktemp("burst") / "run"
    file = find_scenario(str(DATA / "short-burst.yaml"))
    with RunSession(plan_run(file.scenario, file.path), folder) as session:
        while not session.is_over:
            session.step()
        session.finish()
    return folder


def test_an_alarm_is_explained_by_its_samples_rule_and_consequences(run: Path) -> None:
    entries = Recording.open(run).entries()
    raised = next(entry for entry in entries if entry.data.get("state") == "raised")
    told = explained(raised.subject, run)
    assert told.rule is not None
    decided = {one.time_ms: one for one in told.samples}[raised.data["sample_ms"]]
    assert decided.beyond
    assert decided.signal == pytest.approx(raised.data["value"])
    assert decided.held in ("2 of 3", "3 of 3")
    assert {one.kind for one in told.followed} >= {"Incident", "WarningNotice"}
    text = "\n".join(explained_lines(told))
    for words in ("sigma against", "◀ raised", "source", "[proposed]", "what followed"):
        assert words in text
    assert not told.assumption
    json.dumps(told.plain(), allow_nan=False)


def test_a_part_that_is_not_its_own_lists_the_alarms(run: Path) -> None:
    with pytest.raises(RuleError, match="give more of it:\n"):
        explained("/", run)
    with pytest.raises(RuleError, match="choose one:\n"):
        explained("nothing like it", run)


def step(place: int, state: str, **more: object) -> LogEntry:
    data = {"sample_ms": place * 300_000, "level": int(Level.YELLOW), "state": state, **more}
    return LogEntry(0, 0, "warn", "Alarm", "warn", "a", "because", data, "", "")


def test_the_signal_of_a_drop_is_the_fall_not_the_pressure() -> None:
    rule = default_rules().rules["water.pressure_drop"]
    times = np.arange(8) * 300_000
    values = np.array([0.42, 0.41, 0.42, 0.36, 0.36, 0.41, 0.41, 0.41])
    batch = ReadingBatch.of(np.zeros(8, np.int32), times, values)
    raw = {int(one): np.array([value]) for one, value in zip(times, values, strict=True)}
    story = [step(3, "provisional", before=0.42), step(4, "raised", before=0.42)]
    rows = weighed(rule, batch, raw, story)
    assert np.isnan(rows[0].signal)
    falls = [0.01, -0.01, 0.06, 0.06, 0.01, 0.01, 0.01]
    assert [one.signal for one in rows[1:]] == pytest.approx(falls)
    assert [one.beyond for one in rows] == ["", "", "", "yellow", "yellow", "", "", ""]
    assert [one.held for one in rows] == ["", *["0 of 1"] * 2, *["1 of 1"] * 2, *["0 of 1"] * 3]
    assert [one.inside for one in rows] == [0, 0, 0, 0, 0, 1, 2, 3]


def test_a_sample_without_a_signal_changes_no_count() -> None:
    rule = default_rules().rules["water.dma_drift"]
    times = np.arange(9) * 300_000
    batch = ReadingBatch.of(np.zeros(9, np.int32), times, np.ones(9))
    signals = {int(times[place]): np.array([8.0]) for place in (2, 5, 8)}
    story = [step(8, "raised")]
    held = [one.held for one in weighed(rule, batch, signals, story)]
    assert held == ["", "", "1 of 3", "", "", "2 of 3", "", "", "3 of 3"]
    inside = {int(times[place]): np.array([1.0]) for place in (2, 5, 8)}
    assert [one.inside for one in weighed(rule, batch, inside, story)][2:] == [1, 1, 1, 2, 2, 2, 3]
