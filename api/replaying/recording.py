"""A recording as its folder holds it: city, devices, clock, and what came in, tick by tick."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from api.cities import read_city
from api.plan import RunPlan
from api.rule_choice import RULES_FILE
from pipeline.event_log import FIRST_HASH
from pipeline.ports import LogEntry
from pipeline.rules import RuleSet, load_rules
from sensors.city import City
from sensors.errors import TransportError
from sensors.field import DeviceStatus, Feedback, HotlineReport
from sensors.ground_truth import TrueIncident
from sensors.readings import Frame
from sensors.registry import Registry
from sensors.transports.recorded_columns import read_statuses
from sensors.transports.recording import FOLDER, SCHEMA, RecordingReader
from simulator.scenario import Scenario, load_scenario

Body = Feedback | HotlineReport | DeviceStatus | TrueIncident
T = TypeVar("T")


class RecordedTick(NamedTuple):
    """What one tick of the clock brought: `now_ms` is its end, event time.

    `frames` stand in the order recorded; `bodies` by kind, as a platform takes them: feedback,
    calls to the hotline, heartbeats, truth.
    """

    now_ms: int
    frames: Sequence[Frame]
    bodies: Sequence[Body]


class _TruthLine(msgspec.Struct):
    time_ms: int
    truth: TrueIncident


@dataclass(frozen=True)
class Recording:
    """A folder written by `tocsin run`, `tocsin simulate` or `tocsin import`.

    Attributes:
        folder: Where it lies.
        scenario: What was run; of an import, what there is to say about it.
        manifest: What was written at the end; empty when the run was killed.
        city: The city.
        registry: Its devices.
    """

    folder: Path
    scenario: Scenario
    manifest: Mapping[str, Any]
    city: City
    registry: Registry

    @classmethod
    def open(cls, folder: Path) -> "Recording":
        """Open a folder; its readings are only read when asked for.

        Raises:
            TransportError: it holds no readings, not those its manifest tells of or some of
                devices the city has not, or its manifest is damaged.
            ScenarioError: `scenario.json` is missing or wrong.
            RegistryError: the folder `city` is missing or damaged.
        """
        if not any((folder / FOLDER).glob("part-*.parquet")):
            raise TransportError(
                f"{folder}: no recording ({FOLDER}/part-*.parquet); give a folder written by "
                "`tocsin run` or `tocsin import`",
                retryable=False,
            )
        scenario = load_scenario(folder / "scenario.json")
        city, registry = read_city(folder / "city")
        manifest = _manifest(folder / "manifest.json")
        _check_readings(folder, manifest, len(registry))
        return cls(folder, scenario, manifest, city, registry)

    @property
    def start_ms(self) -> int:
        """Event time at which the first tick begins."""
        return self.scenario.start_ms

    @property
    def tick_ms(self) -> int:
        """Length of a tick."""
        return self.scenario.tick * 1000

    @cached_property
    def end_ms(self) -> int:
        """End of the last tick: the planned one, or the last that left readings when cut short."""
        if self.manifest.get("complete"):
            return self.scenario.end_ms
        last_ms = self.start_ms
        for part in reversed(self.reader.parts):
            sent_ms = [frame.sent_ms for frame in RecordingReader.of_part(part)]
            if sent_ms:
                last_ms = max(sent_ms)
                break
        return min(self._tick_end(last_ms), self.scenario.end_ms)

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.manifest.get("seed", self.scenario.seed))

    @property
    def plan(self) -> RunPlan:
        """What the platform is built from; incidents and faults are not known to it."""
        return RunPlan(
            scenario=self.scenario,
            source=str(self.folder / "scenario.json"),
            seed=self.seed,
            city=self.city,
            registry=self.registry,
            incidents=(),
            faults=(),
        )

    @property
    def is_imported(self) -> bool:
        """Whether it holds series of real devices instead of a simulated world's."""
        return bool(self.manifest.get("imported"))

    @property
    def reader(self) -> RecordingReader:
        """Its readings, by frame or by device."""
        return RecordingReader(self.folder)

    def rules(self) -> RuleSet | None:
        """Return the rule set the run was made with; None when the folder does not tell.

        Raises:
            RuleError: the file is damaged.
        """
        file = self.folder / RULES_FILE
        return load_rules(file.read_text(encoding="utf-8"), str(file)) if file.is_file() else None

    def truths(self) -> list[TrueIncident]:
        """Return the newest version of everything that really happened, by id."""
        newest = {line.truth.id: line.truth for line in self._lines("truth", _TruthLine)}
        return [newest[name] for name in sorted(newest)]

    def entries(self) -> list[LogEntry]:
        """Return the event log of the recorded run; empty when there is none."""
        return self._lines("events", LogEntry)

    @property
    def events_hash(self) -> str:
        """Hash of the recorded event log; that of an empty one when there is none."""
        entries = self.entries()
        return entries[-1].hash if entries else FIRST_HASH

    def ticks(self, from_ms: int | None = None, to_ms: int | None = None) -> Iterator[RecordedTick]:
        """Yield every tick in order, those without readings too.

        Args:
            from_ms: Leave out ticks that end before it; None for none.
            to_ms: Leave out ticks that end after it.
        """
        bodies = self._bodies()
        frames = self.reader.frames(from_ms=from_ms, to_ms=to_ms)
        ahead = next(frames, None)
        last_ms = self.end_ms if to_ms is None else min(to_ms, self.end_ms)
        now_ms = self.start_ms + self.tick_ms
        if from_ms is not None and from_ms > now_ms:
            now_ms = self._tick_end(from_ms)
        for end_ms in range(now_ms, last_ms + 1, self.tick_ms):
            found: list[Frame] = []
            while ahead is not None and ahead.sent_ms <= end_ms:
                found.append(ahead)
                ahead = next(frames, None)
            yield RecordedTick(end_ms, found, bodies.get(end_ms, ()))

    def _tick_end(self, time_ms: int) -> int:
        """Return the end of the tick in which something happened."""
        ticks = -(-(time_ms - self.start_ms) // self.tick_ms)
        return self.start_ms + max(1, ticks) * self.tick_ms

    def _bodies(self) -> dict[int, list[Body]]:
        """Return tick end → what came beside readings, in the order of `RecordedTick`."""
        found: dict[int, list[Body]] = {}

        def note(time_ms: int, body: Body) -> None:
            found.setdefault(self._tick_end(time_ms), []).append(body)

        for feedback in self._lines("feedback", Feedback):
            note(feedback.time_ms + 1, feedback)  # crews act at a tick's very end after it
        for call in self._lines("hotline", HotlineReport):
            note(call.time_ms, call)
        for sent_ms, status in read_statuses(self.folder):
            note(sent_ms, status)
        for line in self._lines("truth", _TruthLine):
            note(line.time_ms, line.truth)
        return found

    def _lines(self, name: str, kind: type[T]) -> list[T]:
        file = self.folder / f"{name}.jsonl"
        if not file.is_file():
            return []
        decode: Callable[[bytes], T] = msgspec.json.Decoder(kind).decode
        found = []
        for number, line in enumerate(file.read_bytes().splitlines(), start=1):
            try:
                found.append(decode(line))
            except msgspec.MsgspecError as error:
                raise TransportError(
                    f"{file}: line {number} is damaged: {error}; delete it, or record anew",
                    retryable=False,
                ) from error
        return found


def _manifest(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TransportError(
            f"{file}: not JSON ({error}); delete it: the readings can be replayed without",
            retryable=False,
        ) from error
    manifest = content if isinstance(content, dict) else {}
    seed = manifest.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TransportError(
            f"{file}: seed = {seed!r}: no whole number; write the seed of the run, or remove the "
            "line to take that of scenario.json",
            retryable=False,
        )
    return manifest


def _check_readings(folder: Path, manifest: Mapping[str, Any], devices: int) -> None:
    """Refuse readings that are missing, too many, or of devices that are not in the registry.

    Only the ends of the Parquet files are read. A run that was killed left no count to hold
    them against.
    """
    rows = 0
    for part in RecordingReader(folder).parts:
        try:
            footer = pq.read_metadata(part)
        except (pa.ArrowException, OSError) as error:
            raise TransportError(f"{part} is damaged: {error}", retryable=False) from error
        rows += footer.num_rows
        last = _last_device(footer)
        if last is not None and last >= devices:
            raise TransportError(
                f"{part}: device {last}: the registry (city/devices.parquet) has {devices}; the "
                "readings are of another city: put back the files that were recorded together",
                retryable=False,
            )
    kept = _kept(manifest)
    if kept is None or kept == rows or (rows > kept and _may_repeat(manifest)):
        return
    raise TransportError(
        f"{folder / FOLDER}: {rows:,} readings, but manifest.json (readings.published, less those "
        f"lost) tells of {kept:,}; put back the parts that are missing or remove foreign ones, or "
        "delete manifest.json to replay what is there",
        retryable=False,
    )


def _last_device(footer: pq.FileMetaData) -> int | None:
    """Return the highest device number of a part by its statistics; None when it has none."""
    column = SCHEMA.get_field_index("device")
    if footer.num_columns <= column:
        return None
    found = [
        footer.row_group(group).column(column).statistics for group in range(footer.num_row_groups)
    ]
    return max((int(one.max) for one in found if one is not None and one.has_min_max), default=None)


def _kept(manifest: Mapping[str, Any]) -> int | None:
    """Return how many readings reached the wire, each once; None when the run was cut short."""
    readings = manifest.get("readings")
    if manifest.get("complete") is not True or not isinstance(readings, dict):
        return None
    published, lost = readings.get("published"), readings.get("lost", 0)
    return published - lost if isinstance(published, int) and isinstance(lost, int) else None


def _may_repeat(manifest: Mapping[str, Any]) -> bool:
    """Return whether frames may be recorded twice: gateways sent some again, or nobody counted."""
    frames = manifest.get("frames")
    counted = frames.get("duplicate") if isinstance(frames, dict) else None
    return not manifest.get("imported") and counted != 0
