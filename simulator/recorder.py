"""Writes what the world produced: readings, truth, feedback and calls, with running hashes."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import msgspec

from sensors.field import Feedback, HotlineReport
from sensors.ground_truth import TrueIncident
from sensors.readings import Frame
from sensors.transports.recording import RecordingWriter

PART_MS = 3_600_000
"""Event time after which a part of the readings is completed; a crash loses the open part."""


class Recorder:
    """Writes a recording folder as the run goes.

    `readings/` holds Parquet parts, `truth.jsonl` and `feedback.jsonl` one message a line, and
    so does `hotline.jsonl` when anybody called. A crash keeps every line and all readings but
    those of the last hour of event time.
    `listener`, when set, is given the frames of each tick.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._readings = RecordingWriter(folder)
        self._part_ms: int | None = None
        self.listener: Callable[[Sequence[Frame]], None] | None = None
        self._files = {name: _Lines(folder / f"{name}.jsonl") for name in ("truth", "feedback")}

    def tick(
        self,
        time_ms: int,
        frames: Sequence[Frame],
        truths: Sequence[TrueIncident],
        feedback: Sequence[Feedback],
        calls: Sequence[HotlineReport] = (),
    ) -> None:
        """Record one tick."""
        if self._part_ms is None:
            self._part_ms = time_ms
        for frame in frames:
            self._readings.write(frame)
        if time_ms - self._part_ms >= PART_MS:
            self._readings.finish_part()
            self._part_ms = time_ms
        if self.listener is not None:
            self.listener(frames)
        for truth in truths:
            self._files["truth"].write({"time_ms": time_ms, "truth": truth})
        for message in feedback:
            self._files["feedback"].write(message)
        if calls and "hotline" not in self._files:
            self._files["hotline"] = _Lines(self._folder / "hotline.jsonl")
        for call in calls:
            self._files["hotline"].write(call)

    def close(self) -> dict[str, str]:
        """Finish the files and return the hash of each part."""
        self._readings.close()
        hashes = {name: lines.close() for name, lines in self._files.items()}
        return {"readings": self._readings.digest, **hashes}


class _Lines:
    def __init__(self, file: Path) -> None:
        self._handle: IO[bytes] = file.open("wb")
        self._hash = hashlib.sha256()

    def write(self, message: object) -> None:
        line = msgspec.json.encode(message, order="sorted") + b"\n"
        self._hash.update(line)
        self._handle.write(line)
        self._handle.flush()

    def close(self) -> str:
        self._handle.close()
        return self._hash.hexdigest()
