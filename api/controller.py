"""One run in a thread of its own; commands are handed over and take effect between ticks."""

import json
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from api.driver import MakeIncident, RunDriver
from api.handover import Handover
from api.plan import RunPlan
from api.problems import ProblemError
from api.run_status import RunAbout, RunState, RunStatus
from api.session import RunSession
from api.tail import ReadingTail, recorded_readings
from pipeline.ports import LogEntry
from pipeline.rules import RuleSet, default_rules
from pipeline.runners.embedded import EmbeddedRunner, ReadingCounts
from pipeline.runners.told import FromOperator
from sensors.city import City
from sensors.readings import ReadingBatch
from sensors.registry import Registry
from simulator.clock import pace_of
from simulator.incidents.plan import IncidentPlan

_LOG = logging.getLogger(__name__)
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class RunSetup:
    """How a run is to be driven.

    Attributes:
        pace: `max` or a factor, as `pace_of` takes it.
        broker: Broker URL for the transport `mqtt`; None for the embedded one.
        is_started: Whether it starts by itself, or waits for the command.
        rules: Rule set; None for the one that is used when none is named.
    """

    pace: str = "max"
    transport: str = "memory"
    broker: str | None = None
    nats_server: Path | None = None
    is_started: bool = True
    rules: RuleSet | None = None


class RunController:
    """A run this server drives: its thread owns the session, any thread may ask and command.

    A failure in the thread becomes the state `failed` with a message.
    """

    def __init__(self, run_id: str, plan: RunPlan, folder: Path, setup: RunSetup) -> None:
        self.id, self.folder, self._plan, self._setup = run_id, folder, plan, setup
        self.about = _about(plan, setup)
        self._status = RunStatus(
            state=RunState.CREATED,
            now_ms=self.about.start_ms,
            ticks=0,
            pace_asked=pace_of(setup.pace).name,
            pace_actual=None,
            lag_s=0.0,
            worst_lag_s=0.0,
            readings=ReadingCounts(0, 0, 0, {}),
            events=0,
        )
        self._entries: list[LogEntry] = []
        self._tail = ReadingTail()
        self._lock = threading.Lock()
        self._handover: Handover[RunDriver] = Handover(self._over)
        self._driver: RunDriver | None = None
        self._platform: EmbeddedRunner
        self._thread = threading.Thread(target=self._main, name=f"run-{run_id}", daemon=True)
        self._thread.start()

    @property
    def rules(self) -> RuleSet:
        """The rules the run begins with; it may have been given others since."""
        return self._setup.rules or default_rules()

    def status(self) -> RunStatus:
        """Return how the run stands, as of its last tick or command."""
        return self._status

    def entries(self, after: int = -1, limit: int | None = None) -> Sequence[LogEntry]:
        """Return the entries of the event log after `after`."""
        end = None if limit is None else after + 1 + limit
        with self._lock:
            return self._entries[after + 1 : end]

    def city(self) -> City:
        """Return the city."""
        return self._plan.city

    def registry(self) -> Registry:
        """Return the devices."""
        return self._plan.registry

    def readings(self, device: int, from_ms: int, to_ms: int, limit: int) -> ReadingBatch:
        """Return the newest `limit` readings of a device in a window, oldest first."""
        if self._status.state.is_over:
            return recorded_readings(self.folder, device, from_ms, to_ms, limit)
        return self._tail.of_device(device, from_ms, to_ms, limit)

    def command(self, name: str) -> RunStatus:
        """Give the command `start` or `pause`; ProblemError (409) when it makes no sense now."""
        self._handover.do(lambda driver: driver.go(name))
        return self._status

    def step(self, ticks: int) -> RunStatus:
        """Do some ticks at once, regardless of the pace, and stay paused."""
        self._handover.do(lambda driver: driver.step(ticks))
        return self._status

    def stop(self) -> RunStatus:
        """End the run before its time, keep what was recorded, and wait until that is done."""
        if self._driver is not None:
            self._driver.is_leaving = True
        self._handover.do(lambda driver: driver.go("stop"))
        self._thread.join(_PATIENCE_S)
        return self._status

    def set_pace(self, pace: str) -> RunStatus:
        """Change the pace; ValueError when `pace` is none."""
        self._handover.do(lambda driver: driver.set_pace(pace_of(pace)))
        return self._status

    def inject(self, make: MakeIncident) -> IncidentPlan:
        """Let an incident happen in the running world.

        Raises:
            InjectionError: the element, kind or id cannot be used.
            ProblemError: 409, the run is over.
        """
        return self._handover.do(lambda driver: driver.inject(make))

    def tell(self, message: FromOperator) -> None:
        """Tell the platform what an operator does; its next tick works on it.

        Raises:
            ProblemError: 409, the run is over.
        """
        self._handover.do(lambda _: self._platform.tell(message))

    def close(self) -> None:
        """End the run if it is not over, and wait for its thread."""
        try:
            self.stop()
        except ProblemError:
            self._thread.join(_PATIENCE_S)

    def _over(self) -> ProblemError:
        status = self._status
        why = f" ({status.message})" if status.message else ""
        return ProblemError(
            409,
            "run-is-over",
            f"run {self.id} is {status.state.value}{why} and takes no commands; "
            "POST /runs makes a new one",
            run=self.id,
            state=status.state.value,
        )

    # In the run's own thread.

    def _main(self) -> None:
        try:
            with self._open() as session:
                session.watch_frames(self._tail.add)
                self._platform = session.platform
                self._drive(RunDriver(self.id, session, self._status, self._publish))
        except Exception as error:  # a run that fails must not take the server along
            _LOG.exception("run %s failed", self.id)
            self._fail(f"{type(error).__name__}: {error}")
        finally:
            self._handover.close()
            self._tail.clear()

    def _open(self) -> RunSession:
        return RunSession(
            self._plan,
            self.folder,
            transport=self._setup.transport,
            broker=self._setup.broker,
            pace=pace_of(self._setup.pace),
            nats_server=self._setup.nats_server,
            listener=self._note,
            rules=self._setup.rules,
        )

    def _drive(self, driver: RunDriver) -> None:
        self._driver = driver
        if self._setup.is_started:
            driver.go("start")
        while not driver.is_over:
            if not self._handover.serve(driver, driver.wait_s()):
                driver.tick()
        driver.finish()

    def _note(self, entries: Sequence[LogEntry]) -> None:
        plain = [replace(item, data=_plain(item.data), reason=str(item.reason)) for item in entries]
        with self._lock:
            self._entries += plain

    def _publish(self, status: RunStatus) -> None:
        self._status = replace(status, events=len(self._entries))

    def _fail(self, message: str) -> None:
        file = self.folder / "manifest.json"
        if self.folder.is_dir() and not file.exists():
            facts = {"scenario": self.about.scenario, "city": self.about.city}
            content = {**facts, "seed": self.about.seed, "complete": False, "failure": message}
            file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        self._status = replace(self._status, state=RunState.FAILED, message=message)


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    """Return data as it reads back from disk: plain words, null for NaN."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(data))
    return plain


def _about(plan: RunPlan, setup: RunSetup) -> RunAbout:
    scenario = plan.scenario
    return RunAbout(
        scenario=scenario.name,
        title=scenario.title,
        city=plan.city.id,
        seed=plan.seed,
        transport=setup.transport,
        start_ms=scenario.start_ms,
        end_ms=scenario.start_ms + scenario.duration * 1000,
        utc_offset_ms=scenario.utc_offset_ms,
    )
