"""A run in one process: world and platform take turns over a transport, tick by tick."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from api.bootstrap import build_platform, build_world, client_id
from api.plan import RunPlan, write_plan
from api.results import RunFacts, RunResult, result_of
from api.rule_choice import RuleWatch, keep_rules, note_rules
from pipeline.adapters.sql_store import SqlStore, sqlite_url
from pipeline.ports import LogEntry
from pipeline.rules import RuleSet, default_rules
from sensors.errors import TransportError
from sensors.field import ClockTick
from sensors.readings import Frame
from sensors.transports import Transport
from sensors.transports.broker import EmbeddedBroker
from sensors.transports.memory import MemoryBus
from sensors.transports.mqtt import MqttTransport
from simulator.clock import MaxPace, RatePace, hold
from simulator.incidents.plan import IncidentPlan

_ACK_PATIENCE_S = 120.0
_SIGNS = ("manifest.json", "loop.sqlite")
"""Files by which a folder is known to hold a run."""


@dataclass(frozen=True)
class Wires:
    """The two ends of the wire and its name for people, which has no password in it."""

    world: Transport
    platform: Transport
    name: str


def open_wires(
    stack: ExitStack,
    plan: RunPlan,
    out: Path,
    transport: str,
    broker: str | None,
    nats_server: Path | None = None,
) -> Wires:
    """Open both ends of a memory bus or of an MQTT broker (the embedded one when none is given).

    Everything opened is closed by `stack`.
    """
    if transport == "memory":
        bus = MemoryBus()
        return Wires(bus.client("world"), bus.client("platform"), "memory")
    url = broker or stack.enter_context(EmbeddedBroker(binary=nats_server)).url
    world = MqttTransport(url, client_id(plan, "world", out))
    stack.callback(world.close)
    platform = MqttTransport(url, client_id(plan, "platform", out))
    stack.callback(platform.close)
    scheme = "mqtts" if world.address.is_tls else "mqtt"
    return Wires(world, platform, f"{scheme}://{world.address}")


class RunSession:
    """One run, driven from outside: `step` until `is_over`, then `finish`.

    Use it as a context manager; leaving it keeps what was recorded.
    """

    def __init__(
        self,
        plan: RunPlan,
        out: Path,
        *,
        transport: str = "memory",
        broker: str | None = None,
        pace: MaxPace | RatePace | None = None,
        store_url: str | None = None,
        nats_server: Path | None = None,
        listener: Callable[[Sequence[LogEntry]], None] | None = None,
        sleep: Callable[[float], object] = time.sleep,
        rules: RuleSet | None = None,
        watch: RuleWatch | None = None,
    ) -> None:
        """Open the wire, build both halves and let the platform report for duty.

        `rules` None takes those that come with the program; a `watch` is asked once a tick
        whether its file has changed, and then tells the platform.

        Raises:
            FileExistsError: `out` holds a run already, or is no folder.
            InjectionError: an incident of the plan cannot happen in this city.
            TransportError: the broker cannot be reached.
        """
        self.plan, self.out, self.pace = plan, out, pace or MaxPace()
        self._stack, self._sleep = ExitStack(), sleep
        self._store_url = store_url or sqlite_url(out / "loop.sqlite")
        self.rules, self._watch = rules or default_rules(), watch
        refuse_used_folder(out)
        try:
            wires = open_wires(self._stack, plan, out, transport, broker, nats_server)
            self.wire_name, self.transport = wires.name, transport
            write_plan(out, plan)
            keep_rules(out, self.rules)
            parts = build_world(plan, wires.world, out)
            self.world, self._wire, self._recorder = parts.world, parts.wire, parts.recorder
            self._hashes: dict[str, str] | None = None
            self._stack.callback(self._close_recording)
            self._stack.callback(self.world.close)
            self.platform = build_platform(
                plan,
                wires.platform,
                out,
                rules=self.rules,
                store_url=store_url,
                listener=listener,
            )
            self._stack.callback(self.platform.close)
            self.platform.start()
            self._wait_for_ack(0)
        except BaseException:
            self._stack.close()
            raise
        self._started_s = time.monotonic()
        self.worst_lag_s = 0.0

    def __enter__(self) -> "RunSession":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_over(self) -> bool:
        """Whether the last tick is done on both sides."""
        return self.world.is_over

    @property
    def now_ms(self) -> int:
        """Event time of the world."""
        return self.world.now_ms

    def step(self) -> ClockTick:
        """Do one tick on both sides; waits first as the pace says."""
        hold(self.pace, self.world.now_ms, time.monotonic, self._sleep)
        self.worst_lag_s = max(self.worst_lag_s, self.pace.lag_s())
        if self._watch is not None:
            self._watch.look(self.world.now_ms, self.platform)
        self.world.take_orders(self._wire.take_orders())
        tick = self.world.advance()
        self._wait_for_ack(tick.tick)
        return tick

    def inject(self, plan: IncidentPlan) -> None:
        """Let an incident happen in the running world; InjectionError when it cannot."""
        self.world.inject(plan)

    def watch_frames(self, listener: Callable[[Sequence[Frame]], None]) -> None:
        """Call `listener` with the frames the world publishes, tick by tick."""
        self._recorder.listener = listener

    def finish(self, failure: str = "") -> RunResult:
        """Close the recording and return the run's result; the run may be unfinished.

        Args:
            failure: Why it broke off, for the manifest; empty when nothing failed.
        """
        wall_s = time.monotonic() - self._started_s
        self.close()
        assert self._hashes is not None
        facts = RunFacts(
            plan=self.plan,
            world=self.world,
            counts=self.platform.reading_counts(),
            frames=self.platform.frame_counts(),
            hashes=self._hashes,
            asked_pace=self.pace.name,
            worst_lag_s=self.worst_lag_s,
            wall_s=wall_s,
            transport=self.wire_name,
            out=self.out,
            failure=failure,
        )
        store = SqlStore(self._store_url)
        try:
            result = result_of(facts, store.entries())
        finally:
            store.close()
        return replace(result, summary=note_rules(self.out, result.summary, self.rules))

    def close(self) -> None:
        """Close everything; what was recorded is kept. Closing twice is fine."""
        self._stack.close()

    def _close_recording(self) -> None:
        if self._hashes is None:
            self._hashes = self._recorder.close()

    def _wait_for_ack(self, tick: int) -> None:
        give_up_s = time.monotonic() + _ACK_PATIENCE_S
        while True:
            self.platform.pump(0.0 if self.transport == "memory" else 0.002)
            self._wire.collect(0.0 if self.transport == "memory" else 0.002)
            if self._wire.is_acknowledged(tick):
                return
            if time.monotonic() > give_up_s:
                raise TransportError(
                    f"tick {tick}: no acknowledgement in {_ACK_PATIENCE_S:.0f} s over "
                    f"{self.wire_name}; the platform waits for {self.platform.missing()}",
                    retryable=True,
                )


def refuse_used_folder(out: Path) -> None:
    """Raise FileExistsError when a run's folder is a file, lies in one or holds a run already."""
    nearest = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise FileExistsError(f"{nearest} is a file; name a folder with --out")
    if any((out / sign).exists() for sign in _SIGNS):
        raise FileExistsError(
            f"{out} already holds a run; choose another --out, or delete it "
            "(an interrupted `tocsin pipeline` resumes with its own --out)"
        )
