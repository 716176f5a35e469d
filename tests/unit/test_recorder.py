"""What the recorder keeps: everything when closed, nearly everything after a crash."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from sensors.field import Feedback, FeedbackKind, HotlineReport
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from sensors.readings import Frame, FrameId, ReadingBatch
from sensors.transports.recording import RecordingReader
from simulator.recorder import PART_MS, Recorder

MINUTE_MS = 60_000
TRUTH = TrueIncident(
    "A", TrueKind.BURST, True, "water", "D01", "P1", 0.0, 0.0, Level.BLUE, 5, {"a": 7}
)
FEEDBACK = Feedback("W1/1", "W1", "I1", "T1", FeedbackKind.ACCEPTED, 5)


def frame(tick: int, value: float = 0.3) -> Frame:
    time_ms = tick * MINUTE_MS
    batch = ReadingBatch.of([0, 1], [time_ms - 2, time_ms - 1], [value, value + tick])
    return Frame(FrameId("G1", 0, tick), time_ms, batch)


def record(folder: Path, ticks: int, value: float = 0.3) -> Recorder:
    recorder = Recorder(folder)
    for tick in range(1, ticks + 1):
        truths = [replace(TRUTH, end_ms=tick)] if tick % 2 else []
        recorder.tick(tick * MINUTE_MS, [frame(tick, value)], truths, [FEEDBACK])
    return recorder


def lines(folder: Path, name: str) -> list[dict[str, object]]:
    text = (folder / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_closed_recording_holds_everything(tmp_path: Path) -> None:
    hashes = record(tmp_path, 5).close()
    reader = RecordingReader(tmp_path)
    frames = list(reader.frames())
    assert [item.id.seq for item in frames] == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(frames[2].batch.value, frame(3).batch.value)
    assert reader.digest() == hashes["readings"]
    assert [line["time_ms"] for line in lines(tmp_path, "truth")] == [60_000, 180_000, 300_000]
    assert [line["kind"] for line in lines(tmp_path, "feedback")] == ["accepted"] * 5


def test_a_crash_keeps_the_lines_and_all_but_the_last_hour_of_readings(tmp_path: Path) -> None:
    ticks = 3 * PART_MS // MINUTE_MS + 30
    recorder = record(tmp_path, ticks)  # and never closed
    kept = [item.id.seq for item in RecordingReader(tmp_path).frames()]
    assert kept == list(range(1, len(kept) + 1))
    assert len(kept) >= ticks - PART_MS // MINUTE_MS
    assert len(lines(tmp_path, "feedback")) == ticks
    assert len(lines(tmp_path, "truth")) == ticks // 2
    recorder.close()


def test_hashes_are_equal_for_equal_input_only(tmp_path: Path) -> None:
    first = record(tmp_path / "a", 150).close()
    assert record(tmp_path / "b", 150).close() == first
    other = record(tmp_path / "c", 150, value=0.30001).close()
    assert other["readings"] != first["readings"]
    assert (other["truth"], other["feedback"]) == (first["truth"], first["feedback"])
    longer = record(tmp_path / "d", 151).close()
    assert [name for name in first if longer[name] == first[name]] == []


def test_a_recording_of_nothing_has_hashes_too(tmp_path: Path) -> None:
    assert set(Recorder(tmp_path).close()) == {"readings", "truth", "feedback"}


def test_calls_are_kept_once_somebody_calls(tmp_path: Path) -> None:
    recorder = record(tmp_path, 2)
    assert not (tmp_path / "hotline.jsonl").exists()
    call = HotlineReport("H1", 5, 9, "gas_smell", "D01", 1.0, 2.0)
    recorder.tick(3 * MINUTE_MS, [], [], [], [call, replace(call, id="H2")])
    assert set(recorder.close()) == {"readings", "truth", "feedback", "hotline"}
    assert [line["id"] for line in lines(tmp_path, "hotline")] == ["H1", "H2"]


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    recorder = record(tmp_path, 2)
    assert recorder.close() == recorder.close()


def test_the_listener_is_given_the_frames_of_each_tick(tmp_path: Path) -> None:
    recorder, heard = Recorder(tmp_path), []
    recorder.tick(MINUTE_MS, [frame(1)], [], [])
    recorder.listener = lambda frames: heard.append([item.id.seq for item in frames])
    recorder.tick(2 * MINUTE_MS, [frame(2), frame(3)], [], [])
    recorder.tick(3 * MINUTE_MS, [], [], [])
    recorder.close()
    assert heard == [[2, 3], []]
