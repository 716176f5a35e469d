"""`tocsin rules explain` tells which samples, rule, numbers and sources made an alarm."""

import json
from pathlib import Path

import pytest

from api.library import find_scenario
from api.plan import plan_run
from api.replaying.recording import Recording
from api.rule_tests.explain import explained
from api.rule_tests.explain_text import explained_lines
from api.session import RunSession
from pipeline.errors import RuleError

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
