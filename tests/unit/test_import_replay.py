"""Imported series run through the platform, in a city that has no networks."""

from pathlib import Path

from api.importing.writing import import_series
from api.replaying.session import ReplaySession
from api.replaying.source import Recording, replay_detection
from pipeline.rules import default_rules

EXAMPLE = Path(__file__).parents[2] / "examples" / "import"


def test_an_import_runs_through_every_stage_without_networks(tmp_path: Path) -> None:
    import_series(EXAMPLE / "pressure.yaml", [EXAMPLE / "pressure.csv"], tmp_path / "rec")
    recording = Recording.open(tmp_path / "rec")
    assert recording.is_imported
    found = replay_detection(recording)
    assert {alarm.device for alarm in found.raised} >= {"PT-101", "PT-102"}
    assert found.evaluation is not None
    assert (found.evaluation.found, found.evaluation.missed) == (1, 0)
    assert found.rejected == {"bad_value": 2}  # the two marked BAD are refused, not lost
    assert found.counts.duplicate == 1
    assert found.counts.flagged["range"] == 1
    with ReplaySession(recording, default_rules(), tmp_path / "out") as session:
        while not session.is_over:
            session.step()
        result = session.finish()
    assert result.summary["complete"]
    assert result.summary["incidents"]["found"] == 1
    assert result.summary["recorded"] is None
    assert result.report is not None
