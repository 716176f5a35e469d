"""The worker process: runs one SWMM model in steps as it is told, columns in shared memory."""

import mmap
import os
import signal
import sys
from multiprocessing.connection import Connection

import numpy as np

from simulator.errors import PhysicsError
from simulator.physics.flood.engine import SwmmEngine
from simulator.physics.flood.inp import PumpRule
from simulator.physics.flood.orders import (
    AUTOMATIC,
    LEAST_M,
    OFF,
    RUN,
    Advance,
    Done,
    Failed,
    Orders,
    Save,
    Start,
)

COMMANDS_FD, ANSWERS_FD, COLUMNS_FD = 3, 4, 5
"""File descriptors the parent hands over: orders in, answers out, the shared columns."""

_DRAWN_SHARE = 0.5
"""Most of the water at a node that a mobile pump takes in one routing step."""


class SwmmWorker:
    """An engine and the orders it stands under."""

    def __init__(self, start: Start) -> None:
        self.engine = SwmmEngine(start.text, start.hotstart)
        if self.engine.node_ids != start.node_ids or self.engine.link_ids != start.link_ids:
            self.engine.close()
            raise PhysicsError("SWMM orders the elements otherwise than the file; is it whole?")
        self._rules = start.pumps
        self._step_s = start.step_s
        self._orders = Orders()
        self._rain = np.full(len(self.engine.gauge_ids), np.nan)

    def advance(self, order: Advance) -> None:
        """Compute the stretches of an order."""
        if order.orders is not None:
            self._obey(order.orders)
        for row, steps in zip(order.rain_mm_h, order.steps, strict=True):
            for gauge in np.flatnonzero(row != self._rain).tolist():
                self.engine.set_rain(gauge, float(row[gauge]))
            self._rain = row
            for _ in range(steps):
                self._control_pumps()
                self._draw()
                if not self.engine.step():
                    raise PhysicsError("the SWMM run has ended; its END_DATE is reached")

    def _obey(self, orders: Orders) -> None:
        engine, before = self.engine, self._orders
        for link in sorted(before.setting.keys() | orders.setting.keys()):
            engine.set_setting(link, orders.setting.get(link, 1.0))
        for link, loss in sorted(orders.entry_loss.items()):
            engine.set_entry_loss(link, loss)
        for node in sorted(before.inflow_m3_s.keys() | orders.inflow_m3_s.keys()):
            engine.set_inflow(node, orders.inflow_m3_s.get(node, 0.0))
        for node in sorted(before.mobile_m3_s.keys() - orders.mobile_m3_s.keys()):
            engine.set_inflow(node, orders.inflow_m3_s.get(node, 0.0))
        for node, level in sorted(orders.stage_m.items()):
            engine.set_stage(node, level)
        for rule in self._rules:
            was, now = before.pump_mode.get(rule.link), orders.pump_mode.get(rule.link)
            if was != now and now in (None, AUTOMATIC) and rule.start_m <= 0:
                engine.set_setting(rule.link, 1.0)
        self._orders = orders

    def _control_pumps(self) -> None:
        """Start and stop pumps by the depth in their wells, unless they are held on or off."""
        for rule in self._rules:
            wanted = self._wanted(rule)
            if wanted is not None and wanted != self.engine.setting(rule.link):
                self.engine.set_setting(rule.link, wanted)

    def _wanted(self, rule: PumpRule) -> float | None:
        mode = self._orders.pump_mode.get(rule.link, AUTOMATIC)
        if mode in (OFF, RUN):
            return float(mode == RUN)
        if rule.start_m <= 0:
            return None
        depth = self.engine.node_depth_m(rule.node)
        if depth >= rule.start_m:
            return 1.0
        return 0.0 if depth <= rule.stop_m else None

    def _draw(self) -> None:
        """Let the mobile pumps take what there is."""
        for node, flow in self._orders.mobile_m3_s.items():
            there = self.engine.volume_m3(node) * _DRAWN_SHARE / self._step_s
            taken = min(flow, there) if self.engine.node_depth_m(node) > LEAST_M else 0.0
            self.engine.set_inflow(node, self._orders.inflow_m3_s.get(node, 0.0) - taken)


def main() -> None:
    """Serve the parent until it closes its end or dies."""
    os.chdir("/")  # hold no folder that someone may want to remove
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    commands, answers = (
        Connection(COMMANDS_FD, writable=False),
        Connection(ANSWERS_FD, readable=False),
    )
    try:
        _serve(commands, answers)
    except (EOFError, BrokenPipeError):
        sys.exit(0)


def _serve(commands: "Connection[object, object]", answers: "Connection[object, object]") -> None:
    start = commands.recv()
    try:
        assert isinstance(start, Start)
        worker = SwmmWorker(start)
    except PhysicsError as error:
        answers.send(Failed(str(error)))
        return
    nodes, links = len(start.node_ids), len(start.link_ids)
    with mmap.mmap(COLUMNS_FD, (nodes + 2 * links) * 8) as memory:
        columns = np.frombuffer(memory, dtype=np.float64)
        try:
            answers.send(Done(worker.engine.totals()))
            while True:
                _answer(worker, commands.recv(), answers, columns, nodes, links)
        except PhysicsError as error:
            answers.send(Failed(str(error)))
        finally:
            del columns
            worker.engine.close()


def _answer(
    worker: SwmmWorker,
    order: object,
    answers: "Connection[object, object]",
    columns: np.ndarray[tuple[int], np.dtype[np.float64]],
    nodes: int,
    links: int,
) -> None:
    engine = worker.engine
    if isinstance(order, Save):
        answers.send(Done(engine.totals(), engine.hotstart()))
        return
    assert isinstance(order, Advance)
    worker.advance(order)
    columns[:nodes] = engine.depth_m()
    columns[nodes : nodes + links] = engine.flow_m3_s()
    columns[nodes + links :] = [engine.setting(link) for link in range(links)]
    answers.send(Done(engine.totals()))
