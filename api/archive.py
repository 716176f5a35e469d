"""Runs of earlier servers and of the command line, read from their folders."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from api.plan import read_city
from api.problems import ProblemError
from api.run_status import RunAbout, RunState, RunStatus
from api.tail import recorded_readings
from pipeline.adapters.sql_store import SqlStore, sqlite_url
from pipeline.errors import StoreError
from pipeline.ports import LogEntry
from pipeline.runners.embedded import ReadingCounts
from sensors.city import City
from sensors.readings import ReadingBatch
from sensors.registry import Registry
from simulator.errors import ScenarioError
from simulator.scenario import Scenario, load_scenario

_SIGNS = ("manifest.json", "events.jsonl", "loop.sqlite")
_NO_MANIFEST = "no manifest.json: it was killed, or another process is still running it"


def is_run(folder: Path) -> bool:
    """Return whether a folder holds a run."""
    return any((folder / name).is_file() for name in _SIGNS)


class ArchivedRun:
    """A run in a folder that this server does not drive; it can only be looked at."""

    def __init__(self, folder: Path) -> None:
        self.id, self.folder = folder.name, folder
        self._manifest: Mapping[str, Any] | None = None
        self._scenario: Scenario | None = None
        self._damage = ""
        try:
            self._manifest = _manifest(folder / "manifest.json")
            self._scenario = _scenario(folder / "scenario.json")
        except (StoreError, ScenarioError) as error:
            self._damage = str(error)

    @property
    def about(self) -> RunAbout:
        """What does not change."""
        manifest, scenario = self._manifest or {}, self._scenario
        start_ms = scenario.start_ms if scenario else 0
        return RunAbout(
            scenario=str(manifest.get("scenario", scenario.name if scenario else "unknown")),
            title=scenario.title if scenario else "",
            city=str(manifest.get("city", "")),
            seed=int(manifest.get("seed", scenario.seed if scenario else 0)),
            transport=str(manifest.get("transport", "")),
            start_ms=start_ms,
            end_ms=start_ms + (scenario.duration * 1000 if scenario else 0),
            utc_offset_ms=scenario.utc_offset_ms if scenario else 0,
        )

    def status(self) -> RunStatus:
        """Return how the run ended."""
        manifest, entries, damage = self._manifest or {}, list[LogEntry](), self._damage
        try:
            entries += self.entries()
        except StoreError as error:
            damage = damage or str(error)
        readings, pace = manifest.get("readings", {}), manifest.get("pace", {})
        last_ms = entries[-1].time_ms if entries else self.about.start_ms
        failure = str(manifest.get("failure", "")) if self._manifest else _NO_MANIFEST
        is_complete = bool(manifest.get("complete")) and self._scenario is not None
        now_ms = self.about.end_ms if is_complete else last_ms
        return RunStatus(
            state=RunState.FAILED if damage else _state(manifest),
            now_ms=now_ms,
            ticks=int(manifest.get("ticks", self._ticks(now_ms))),
            pace_asked=str(pace.get("asked", "")),
            pace_actual=pace.get("actual"),
            lag_s=0.0,
            worst_lag_s=float(pace.get("worst_lag_s", 0.0)),
            readings=ReadingCounts(
                int(readings.get("received", 0)),
                int(readings.get("duplicate", 0)),
                int(readings.get("rejected", 0)),
                {},
            ),
            events=len(entries),
            message=damage or failure,
            summary=self._manifest,
        )

    def entries(self, after: int = -1, limit: int | None = None) -> Sequence[LogEntry]:
        """Return the entries after `after`: from `events.jsonl`, else from the store."""
        file = self.folder / "events.jsonl"
        if file.is_file():
            entries = _lines(file)
            end = None if limit is None else after + 1 + limit
            return entries[after + 1 : end]
        if not (self.folder / "loop.sqlite").is_file():
            return []
        store = SqlStore(sqlite_url(self.folder / "loop.sqlite"))
        try:
            return store.entries(after, limit)
        finally:
            store.close()

    def city(self) -> City:
        """Return the city the recording carries."""
        return self._tables()[0]

    def registry(self) -> Registry:
        """Return the devices the recording carries."""
        return self._tables()[1]

    def readings(self, device: int, from_ms: int, to_ms: int, limit: int) -> ReadingBatch:
        """Return the newest `limit` recorded readings of a device in a window."""
        return recorded_readings(self.folder, device, from_ms, to_ms, limit)

    def _ticks(self, now_ms: int) -> int:
        if self._scenario is None:
            return 0
        return (now_ms - self._scenario.start_ms) // (self._scenario.tick * 1000)

    def _tables(self) -> tuple[City, Registry]:
        folder = self.folder / "city"
        if not folder.is_dir():
            raise ProblemError(
                404, "no-city", f"the recording of run {self.id} has no folder `city`", run=self.id
            )
        return read_city(folder)


def _manifest(file: Path) -> Mapping[str, Any] | None:
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{file}: not JSON ({error}); delete it or the run") from error
    return content if isinstance(content, dict) else None


def _scenario(file: Path) -> Scenario | None:
    return load_scenario(file) if file.is_file() else None


def _state(manifest: Mapping[str, Any]) -> RunState:
    if manifest.get("failure"):
        return RunState.FAILED
    return RunState.FINISHED if manifest.get("complete") else RunState.STOPPED


def _lines(file: Path) -> list[LogEntry]:
    try:
        return [msgspec.json.decode(line, type=LogEntry) for line in file.read_bytes().splitlines()]
    except msgspec.MsgspecError as error:
        raise StoreError(f"{file}: damaged: {error}") from error
