"""Replays: the same rules give the same log, the loop is open, and what is recorded comes back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from api.library import find_scenario
from api.plan import plan_run
from api.replaying.detection import OpenLoop
from api.replaying.session import ReplaySession
from api.replaying.source import Recording, replay_detection
from api.results import RunResult
from api.rule_choice import RuleWatch, chosen_rules, keep_rules
from api.session import RunSession
from pipeline.messages import RuleText
from pipeline.rules import RuleSet, default_rules
from sensors.errors import TransportError
from sensors.field import DeviceStatus, Feedback, FeedbackKind
from sensors.transports.recorded_columns import StatusWriter, read_statuses

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def burst(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recording, RunResult]:
    """Return a recorded run of the short burst, and what it came to."""
    folder = tmp_path_factory.mktemp("burst") / "run"
    file = find_scenario(str(DATA / "short-burst.yaml"))
    with RunSession(plan_run(file.scenario, file.path), folder) as session:
        while not session.is_over:
            session.step()
        result = session.finish()
    return Recording.open(folder), result


def replayed(
    recording: Recording, out: Path, rules: RuleSet | None = None, ticks: int = 10**9
) -> RunResult:
    """Replay a recording, at most so many ticks of it."""
    with ReplaySession(recording, rules or default_rules(), out) as session:
        while not session.is_over and session.playback.tick < ticks:
            session.step()
        return session.finish()


def test_the_same_rules_give_the_same_event_log(
    burst: tuple[Recording, RunResult], tmp_path: Path
) -> None:
    recording, original = burst
    again = replayed(recording, tmp_path / "again").summary
    assert again["events_hash"] == recording.events_hash
    assert again["recorded"]["is_same"]
    assert again["evaluation"] == {
        key: original.summary["evaluation"][key] for key in again["evaluation"]
    }
    assert again["loop"]["unanswered"] == 0 < again["loop"]["feedback_given"]
    assert again["readings"]["received"] == original.summary["readings"]["received"]


def test_other_rules_change_what_is_found_and_orders_then_stay_unanswered(
    burst: tuple[Recording, RunResult], tmp_path: Path
) -> None:
    recording, _ = burst
    result = replayed(recording, tmp_path / "deaf", _deaf(default_rules())).summary
    assert result["recorded"]["is_same"] is False
    assert result["recorded"]["alarms"]["only_recorded"]
    assert result["incidents"]["missed"] == 1
    assert result["loop"]["feedback_withheld"] > 0 == result["loop"]["feedback_given"]


def test_detection_in_process_says_what_the_whole_run_said(
    burst: tuple[Recording, RunResult],
) -> None:
    recording, original = burst
    found = replay_detection(recording)
    recorded = [one for one in recording.entries() if one.kind == "Alarm"]
    assert [one.id for one in found.alarms] == [one.subject for one in recorded]
    assert [int(one.level) for one in found.alarms] == [one.data["level"] for one in recorded]
    assert found.evaluation is not None
    scores = original.summary["evaluation"]
    assert (found.evaluation.pod, found.evaluation.far_ratio) == (
        scores["pod"],
        scores["far_ratio"],
    )
    assert found.counts.received == original.summary["readings"]["received"]
    assert not found.unanswered


def test_a_replay_that_is_broken_off_keeps_what_is_there(
    burst: tuple[Recording, RunResult], tmp_path: Path
) -> None:
    result = replayed(burst[0], tmp_path / "half", ticks=20)
    assert result.summary["complete"] is False
    assert result.summary["incidents"]["found"] is None
    assert (tmp_path / "half" / "events.jsonl").is_file()


def test_ticks_can_be_cut_by_time(burst: tuple[Recording, RunResult]) -> None:
    recording, _ = burst
    whole = list(recording.ticks())
    assert len(whole) == (recording.end_ms - recording.start_ms) // recording.tick_ms
    low_ms, high_ms = whole[10].now_ms, whole[20].now_ms
    cut = list(recording.ticks(low_ms, high_ms))
    assert [(tick.now_ms, len(tick.frames)) for tick in cut] == [
        (tick.now_ms, len(tick.frames)) for tick in whole[10:21]
    ]
    batch = recording.reader.readings(devices=[3], from_ms=low_ms, to_ms=high_ms)
    assert set(batch.device.tolist()) == {3}
    assert low_ms <= batch.time_ms.min() <= batch.time_ms.max() <= high_ms


def test_a_folder_without_readings_is_named(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match=r"no recording.*tocsin run"):
        Recording.open(tmp_path)


def test_feedback_is_given_for_orders_issued_again_only() -> None:
    loop = OpenLoop()
    loop.note("O-1")
    loop.note("O-3")
    said = [
        Feedback(f"F-{order}", order, "I", "T", FeedbackKind.ARRIVED, 5) for order in ("O-1", "O-2")
    ]
    assert [one.id for one in loop.admit(said) if isinstance(one, Feedback)] == ["F-O-1"]
    assert (loop.given, loop.withheld, loop.unanswered) == (1, 1, ("O-3",))


def test_heartbeats_come_back(tmp_path: Path) -> None:
    writer = StatusWriter(tmp_path, rows_per_group=2)
    beats = [DeviceStatus(f"D{number}", 1000 * number, 0.5) for number in range(5)]
    writer.write(10, beats[:3])
    writer.write(20, beats[3:])
    assert read_statuses(tmp_path) == []  # not complete yet
    writer.close()
    assert read_statuses(tmp_path) == [(10, beat) for beat in beats[:3]] + [
        (20, beat) for beat in beats[3:]
    ]


def test_a_run_keeps_its_rules_and_a_replay_takes_them(
    burst: tuple[Recording, RunResult], tmp_path: Path
) -> None:
    recording, original = burst
    assert recording.rules() == default_rules() or recording.rules() is not None
    kept = recording.rules()
    assert kept is not None
    assert kept.version == original.summary["rules"]["version"]
    beijing = chosen_rules("beijing")
    keep_rules(tmp_path, beijing)
    assert (tmp_path / "rules.yaml").read_text(encoding="utf-8") == beijing.text


def test_a_changed_rule_file_is_told_once(tmp_path: Path) -> None:
    file, told, notes = tmp_path / "rules.yaml", list[RuleText](), list[str]()

    class Platform:
        tell: Callable[[RuleText], object] = staticmethod(told.append)

    file.write_text("extends: national\n", encoding="utf-8")
    watch = RuleWatch(file, notes.append)
    assert not watch.look(1, Platform())
    file.write_text("extends: beijing\n", encoding="utf-8")
    watch.seen_ns -= 1  # as if written a moment later, whatever the clock of the disk
    assert watch.look(2, Platform())
    assert not watch.look(3, Platform())
    assert [one.text for one in told] == ["extends: beijing\n"]
    file.unlink()
    assert not watch.look(4, Platform())
    assert not notes


def _deaf(rules: RuleSet) -> RuleSet:
    """Return rules without any rule."""
    from dataclasses import replace

    return replace(rules, rules={})
