"""Drives a session tick by tick and carries out commands between ticks; belongs to one thread."""

import time
from collections.abc import Callable
from dataclasses import replace

from api.plan import plan_incident
from api.run_status import RunState, RunStatus, state_after
from api.session import RunSession
from simulator.clock import MaxPace, RatePace
from simulator.errors import InjectionError
from simulator.incidents.plan import IncidentPlan
from simulator.scenario import IncidentSpec

MakeIncident = Callable[[int, str], IncidentSpec]
"""Makes an incident, given the seconds since the start of the run and a free id."""


class RunDriver:
    """A session and its state; `publish` is called with a new status after each change.

    The wait for the next tick is done by whoever hands over commands, so that a command never
    has to wait for a slow pace.
    """

    def __init__(
        self,
        run_id: str,
        session: RunSession,
        first: RunStatus,
        publish: Callable[[RunStatus], None],
    ) -> None:
        self._id, self._session, self._publish = run_id, session, publish
        self._status, self._injected = first, 0
        self._mark = (session.now_ms, time.monotonic())
        self.is_leaving = False
        """Set from outside to cut a long step short."""

    @property
    def is_over(self) -> bool:
        """Whether no tick is to come."""
        return self._session.is_over or self._status.state is RunState.STOPPED

    def wait_s(self) -> float | None:
        """Return how long to wait for a command before the next tick; None: until one comes."""
        if self._status.state is not RunState.RUNNING:
            return None
        return self._session.pace.wait_s(self._session.now_ms, time.monotonic())

    def tick(self) -> None:
        """Do the next tick, if the run is running."""
        if self._status.state is RunState.RUNNING:
            self._session.step()
            self._tell()

    def go(self, command: str) -> None:
        """Change the state by a command; ProblemError (409) when it makes no sense now."""
        before = self._status.state
        self._status = replace(self._status, state=state_after(command, before, self._id))
        if self._status.state is RunState.RUNNING and before is not RunState.RUNNING:
            self._start_afresh()
        self._tell()

    def step(self, ticks: int) -> None:
        """Do some ticks regardless of the pace and stay paused; ends early with the run."""
        state = state_after("step", self._status.state, self._id)
        pace, self._session.pace = self._session.pace, MaxPace()
        try:
            for _ in range(ticks):
                if self._session.is_over or self.is_leaving:
                    break
                self._session.step()
        finally:
            self._session.pace = pace
        self._status = replace(self._status, state=state)
        self._tell()

    def set_pace(self, pace: MaxPace | RatePace) -> None:
        """Go on at another pace."""
        self._session.pace = pace
        self._start_afresh()
        self._tell()

    def inject(self, make: MakeIncident) -> IncidentPlan:
        """Let an incident happen; InjectionError or ScenarioError when it cannot."""
        session = self._session
        scenario = session.plan.scenario
        since_start_s = (session.now_ms - scenario.start_ms) // 1000
        spec = make(since_start_s, f"API{self._injected + 1}")
        plan = plan_incident(spec, scenario, session.plan.city)
        if spec.at >= scenario.duration:
            raise InjectionError(f"incident {plan.id}: it would begin after the end of the run")
        session.inject(plan)
        self._injected += 1
        return plan

    def finish(self) -> None:
        """Close the recording and publish the outcome."""
        self._tell()
        result = self._session.finish()
        state = RunState.FINISHED if self._session.is_over else RunState.STOPPED
        self._status = replace(self._status, state=state, summary=result.summary)
        self._publish(self._status)

    def _start_afresh(self) -> None:
        if isinstance(self._session.pace, RatePace):
            self._session.pace.rebase()
        self._mark = (self._session.now_ms, time.monotonic())

    def _tell(self) -> None:
        session = self._session
        actual = self._status.pace_actual
        if self._status.state is RunState.RUNNING:
            event_s = (session.now_ms - self._mark[0]) / 1000.0
            wall_s = time.monotonic() - self._mark[1]
            actual = round(event_s / wall_s, 1) if event_s > 0 and wall_s > 0 else None
        self._status = replace(
            self._status,
            now_ms=session.now_ms,
            ticks=session.world.tick_number,
            pace_asked=session.pace.name,
            pace_actual=actual,
            lag_s=round(session.pace.lag_s(), 3),
            worst_lag_s=round(session.worst_lag_s, 3),
            readings=session.platform.reading_counts(),
        )
        self._publish(self._status)
