"""All runs: those this server drives and those found in the runs folder."""

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from api.archive import ArchivedRun, is_run
from api.controller import RunController, RunSetup
from api.plan import RunPlan
from api.problems import ProblemError
from api.run_status import Run
from pipeline.rules import RuleSet

MOST_LIVE = 4
"""Runs that may be live at once: each has a thread, two hydraulic engines and a database."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
"""What a run or a city folder may be called; nothing that leads out of its folder."""


@dataclass
class RunDesk:
    """Makes, finds and ends runs; safe to use from any thread.

    Attributes:
        runs: Folder of recordings, one folder a run.
        cities: Folder of cities, one folder a city.
        broker: Broker for runs over `mqtt`; None starts the embedded one for each run.
        rules: Rule set of the runs it makes; None for the default.
    """

    runs: Path
    cities: Path = Path("cities")
    broker: str | None = None
    nats_server: Path | None = None
    rules: RuleSet | None = None
    most_live: int = MOST_LIVE
    _driven: dict[str, RunController] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_closed: bool = False

    def create(self, plan: RunPlan, setup: RunSetup) -> RunController:
        """Make a run in a new folder named by scenario and wall time.

        Raises:
            ProblemError: 409 when too many are live, or another uses the same city on the broker.
        """
        with self._lock:
            if self._is_closed:
                raise ProblemError(503, "shutting-down", "the server is shutting down")
            self._refuse(plan, setup)
            folder = self._new_folder(plan.scenario.name)
            run = RunController(folder.name, plan, folder, setup)
            self._driven[run.id] = run
        return run

    def driven(self) -> Sequence[RunController]:
        """Return the runs this server drives or drove, oldest first."""
        with self._lock:
            return list(self._driven.values())

    def all(self) -> Sequence[Run]:
        """Return every run, the newest first."""
        driven: list[Run] = list(reversed(self.driven()))
        known = {run.id for run in driven}
        folders = [item for item in self._folders() if item.name not in known]
        folders.sort(key=lambda item: (item.stat().st_mtime, item.name), reverse=True)
        return [*driven, *(ArchivedRun(folder) for folder in folders)]

    def find(self, run_id: str) -> Run:
        """Return a run by its id; ProblemError (404) when there is none."""
        with self._lock:
            driven = self._driven.get(run_id)
        if driven is not None:
            return driven
        folder = self.runs / run_id
        if NAME.fullmatch(run_id) and is_run(folder):
            return ArchivedRun(folder)
        raise ProblemError(
            404, "unknown-run", f"there is no run {run_id!r}; GET /runs lists them", run=run_id
        )

    def find_driven(self, run_id: str) -> RunController:
        """Return a run that takes commands; ProblemError: 404 none, 409 only recorded."""
        run = self.find(run_id)
        if isinstance(run, RunController):
            return run
        raise ProblemError(
            409,
            "recording-only",
            f"run {run_id} is a recording and takes no commands; POST /runs makes a run",
            run=run_id,
        )

    def city_folder(self, name: str) -> Path:
        """Return the folder of a city by its name; ProblemError (422) when there is none."""
        folder = self.cities / name
        if NAME.fullmatch(name) and (folder / "city.json").is_file():
            return folder
        known = sorted(item.parent.name for item in self.cities.glob("*/city.json"))
        there_is = f"there are {', '.join(known)}" if known else "`tocsin city import` makes one"
        raise ProblemError(
            422,
            "unknown-city",
            f"no city {name!r} in {self.cities}/: {there_is}",
            city=name,
            cities=known,
        )

    def close(self) -> None:
        """Stop every run, keep what it recorded, and take no new ones."""
        with self._lock:
            self._is_closed = True
        for run in self.driven():
            run.close()

    def _refuse(self, plan: RunPlan, setup: RunSetup) -> None:
        live = [run for run in self._driven.values() if not run.status().state.is_over]
        names = ", ".join(run.id for run in live)
        if len(live) >= self.most_live:
            raise ProblemError(
                409,
                "too-many-runs",
                f"{len(live)} runs are live ({names}) and {self.most_live} may be; "
                "stop one: POST /runs/ID/stop",
                live=[run.id for run in live],
            )
        if setup.transport != "mqtt" or setup.broker is None:
            return
        for run in live:
            if run.about.transport == "mqtt" and run.about.city == plan.city.id:
                raise ProblemError(
                    409,
                    "city-in-use",
                    f"run {run.id} uses city {plan.city.id} on the same broker and would hear "
                    "this one's readings; stop it, or use the transport memory",
                    run=run.id,
                )

    def _new_folder(self, name: str) -> Path:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        number = 1
        while True:
            folder = self.runs / (f"{name}-{stamp}" + (f"-{number}" if number > 1 else ""))
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                number += 1
            else:
                return folder

    def _folders(self) -> list[Path]:
        if not self.runs.is_dir():
            return []
        return [item for item in self.runs.iterdir() if NAME.fullmatch(item.name) and is_run(item)]
