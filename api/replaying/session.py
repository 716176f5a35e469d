"""A replay in one process: a recording and the platform take turns over a transport."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from api.bootstrap import build_platform
from api.plan import write_plan
from api.replaying.outcome import ReplayFacts, replay_result
from api.replaying.playback import Playback
from api.replaying.recording import Recording
from api.results import RunResult
from api.rule_choice import keep_rules
from api.session import open_wires, refuse_used_folder
from pipeline.adapters.sql_store import SqlStore, sqlite_url
from pipeline.ports import LogEntry
from pipeline.rules import RuleSet
from sensors.errors import TransportError
from simulator.clock import MaxPace, RatePace, hold

_ACK_PATIENCE_S = 120.0


class ReplaySession:
    """One replay: `step` until `is_over`, then `finish`.

    Use it as a context manager; leaving it keeps what was done.
    """

    def __init__(
        self,
        recording: Recording,
        rules: RuleSet,
        out: Path,
        *,
        transport: str = "memory",
        broker: str | None = None,
        pace: MaxPace | RatePace | None = None,
        store_url: str | None = None,
        nats_server: Path | None = None,
        listener: Callable[[Sequence[LogEntry]], None] | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Open the wire, build the platform and let it report for duty.

        Raises:
            FileExistsError: `out` holds a run already, or is no folder.
            TransportError: the broker cannot be reached.
        """
        self.recording, self.rules, self.out = recording, rules, out
        self.pace = pace or MaxPace()
        self._stack, self._sleep = ExitStack(), sleep
        self._store_url = store_url or sqlite_url(out / "loop.sqlite")
        refuse_used_folder(out)
        plan = recording.plan
        try:
            wires = open_wires(self._stack, plan, out, transport, broker, nats_server)
            self.wire_name, self._wait_s = wires.name, 0.0 if transport == "memory" else 0.002
            write_plan(out, plan)
            keep_rules(out, rules)
            self.playback = Playback(recording, wires.world)
            self.platform = build_platform(
                plan, wires.platform, out, rules=rules, store_url=store_url, listener=listener
            )
            self._stack.callback(self.platform.close)
            self.platform.start()
            self._wait_for_ack(0)
        except BaseException:
            self._stack.close()
            raise
        self._started_s = time.monotonic()

    def __enter__(self) -> "ReplaySession":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def is_over(self) -> bool:
        """Whether the last tick is done."""
        return self.playback.is_over

    @property
    def now_ms(self) -> int:
        """Event time of the last tick."""
        return self.playback.now_ms

    def step(self) -> None:
        """Do one tick; waits first as the pace says."""
        hold(self.pace, self.now_ms, time.monotonic, self._sleep)
        self._wait_for_ack(self.playback.advance())

    def finish(self, failure: str = "") -> RunResult:
        """Close everything, write the result into the folder and return it.

        Args:
            failure: Why it broke off, empty when nothing failed.
        """
        wall_s = time.monotonic() - self._started_s
        self._stack.close()
        store = SqlStore(self._store_url)
        try:
            entries = store.entries()
        finally:
            store.close()
        facts = ReplayFacts(
            recording=self.recording,
            rules=self.rules,
            playback=self.playback,
            counts=self.platform.reading_counts(),
            frames=self.platform.frame_counts(),
            asked_pace=self.pace.name,
            wall_s=wall_s,
            transport=self.wire_name,
            out=self.out,
            failure=failure,
        )
        return replay_result(facts, entries)

    def _wait_for_ack(self, tick: int) -> None:
        wire, give_up_s = self.playback.wire, time.monotonic() + _ACK_PATIENCE_S
        while True:
            self.platform.pump(self._wait_s)
            wire.collect(self._wait_s)
            if wire.is_acknowledged(tick):
                return
            if time.monotonic() > give_up_s:
                raise TransportError(
                    f"tick {tick}: no acknowledgement in {_ACK_PATIENCE_S:.0f} s over "
                    f"{self.wire_name}; the platform waits for {self.platform.missing()}",
                    retryable=True,
                )
