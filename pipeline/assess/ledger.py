"""What the network model left unexplained, block by block: the memory for leaks that grow."""

from dataclasses import dataclass, field

import numpy as np

from pipeline.assess.evidence import Evidence, conditions_at, is_operation_heard
from pipeline.assess.history import History
from pipeline.assess.layout import Layout
from pipeline.assess.policy import MINUTE_MS, AssessPolicy
from pipeline.ports import NetworkModel
from sensors.readings import Floats

BLOCK_MS = 30 * MINUTE_MS
"""Length of a block (proposed: as `mean_s` of the rule water.dma_drift)."""
LAG_MS = 65 * MINUTE_MS
"""A block is closed so long after its end: flow meters send once an hour."""
ASK_MS = 5 * MINUTE_MS
"""The model is asked so often, and at once when pumps switch."""
BLOCKS = 96
"""Blocks kept: two days."""
LEAST_USUAL = 4
"""Blocks that must be known before those of a leak (proposed: two hours)."""
_ANSWERS, _SAMPLES = 40, 12
_MAD = 1.4826
_MODEL_SHARE = 0.03
"""Least spread of a meter's blocks, as a share of what it shows: as in the rule (proposed)."""


@dataclass(slots=True)
class Ledger:
    """Mean residuals of all `Layout.measuring` devices.

    Attributes:
        asked_ms: When the model was asked, ascending.
        answers: What it said then, one array (measuring,) each.
        pattern: Pumps that ran when it was asked last.
        ended_ms: Ends of the blocks, ascending.
        blocks: Mean residuals of the blocks, (measuring,) each; NaN where too little is known.
    """

    asked_ms: list[int] = field(default_factory=list)
    answers: list[Floats] = field(default_factory=list)
    pattern: str | None = None
    ended_ms: list[int] = field(default_factory=list)
    blocks: list[Floats] = field(default_factory=list)

    def note(self, history: History, layout: Layout, model: NetworkModel, now_ms: int) -> None:
        """Ask the model when it is time, and close the block whose samples must all be there.

        While most pumps and tanks are silent nobody knows how the network is run: the model is
        not asked, and what was measured meanwhile is in no block.
        """
        if not is_operation_heard(history, layout, now_ms):
            return
        conditions = conditions_at(history, layout, now_ms, is_after=True)
        pattern = ",".join(sorted(name for name, is_on in conditions.pump_on.items() if is_on))
        if pattern == self.pattern and now_ms < self.asked_ms[-1] + ASK_MS:
            return
        self.pattern = pattern
        answer: Floats = model.expect(now_ms, conditions)[layout.measuring]
        self.asked_ms, self.answers = (
            [*self.asked_ms[1 - _ANSWERS :], now_ms],
            [*self.answers[1 - _ANSWERS :], answer],
        )
        end_ms = (now_ms - LAG_MS) // BLOCK_MS * BLOCK_MS
        is_new = not self.ended_ms or end_ms > self.ended_ms[-1]
        if is_new and end_ms - BLOCK_MS >= self.asked_ms[0] - ASK_MS:
            self.ended_ms = [*self.ended_ms[1 - BLOCKS :], end_ms]
            self.blocks = [*self.blocks[1 - BLOCKS :], self._block(history, layout, end_ms)]

    def _block(self, history: History, layout: Layout, end_ms: int) -> Floats:
        """Return the mean of how far the samples of a block are outside the answers around them."""
        time_ms, value = history.recent(layout.measuring, _SAMPLES, end_ms - BLOCK_MS, end_ms)
        asked_ms, answers = np.array(self.asked_ms), np.stack(self.answers)
        after = np.searchsorted(asked_ms, time_ms)
        row = np.arange(len(time_ms))[:, None]
        one = answers[np.clip(after - 1, 0, len(answers) - 1), row].astype(np.float64)
        two = answers[np.clip(after, 0, len(answers) - 1), row].astype(np.float64)
        is_asked = asked_ms[np.clip(after, 0, len(answers) - 1)] <= time_ms + 2 * ASK_MS
        is_asked &= asked_ms[np.clip(after - 1, 0, len(answers) - 1)] >= time_ms - 2 * ASK_MS
        residual = value - np.clip(value, np.minimum(one, two), np.maximum(one, two))
        known = np.isfinite(residual) & (time_ms > 0) & is_asked
        count = known.sum(axis=1)
        mean = np.where(known, residual, 0.0).sum(axis=1) / np.maximum(count, 1)
        block: Floats = np.where(count >= 2, mean, np.nan).astype(np.float32)
        return block

    def evidence(
        self,
        history: History,
        layout: Layout,
        onset_ms: int,
        now_ms: int,
        doubtful: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
        policy: AssessPolicy,
    ) -> Evidence | None:
        """Return how far the newest hour is off the blocks before a slow change, as evidence.

        The usual is the median of the blocks that ended `slow_margin_ms` before the first
        violating sample, or of the older half of all where those are too few.

        Args:
            history: What the devices said.
            layout: Where they are.
            onset_ms: First sample that violated a limit.
            now_ms: Event time.
            doubtful: Devices that are out, by number.
            policy: Limits of the assessment.

        Returns:
            The evidence; None while too little is known.
        """
        earlier = sum(end_ms <= onset_ms - policy.slow_margin_ms for end_ms in self.ended_ms)
        earlier = max(earlier, len(self.blocks) // 2)
        if earlier < LEAST_USUAL or len(self.blocks) < earlier + 2:
            return None
        if self.ended_ms[-1] < now_ms - LAG_MS - 3 * BLOCK_MS:
            return None
        before, newest = np.stack(self.blocks[:earlier]), np.stack(self.blocks[-2:])
        is_known = (np.isfinite(before).sum(axis=0) >= LEAST_USUAL) & np.isfinite(newest).all(0)
        is_known &= ~doubtful[layout.measuring]
        device = layout.measuring[is_known]
        before, newest = before[:, is_known].astype(np.float64), newest[:, is_known]
        usual = np.nanmedian(before, axis=0)
        spread = _MAD * np.nanmedian(np.abs(before - usual), axis=0)
        shown = history.last_before(device, now_ms)
        is_pressure = np.isin(device, layout.pressure)
        share = np.where(is_pressure, 0.0, _MODEL_SHARE) * shown
        sigma = np.maximum(spread, np.hypot(layout.accuracy[device], share))
        moved = newest.mean(axis=0).astype(np.float64) - usual
        conditions = conditions_at(history, layout, now_ms, is_after=True)
        levels = conditions.tank_level_m.values()
        return Evidence(
            device=device,
            is_pressure=is_pressure,
            measured=moved,
            modelled=np.zeros(len(device)),
            noise=sigma,
            sigma=sigma,
            before=shown - moved,
            after=shown,
            after_ms=np.full(len(device), now_ms, np.int64),
            standing=tuple(name for name, is_on in conditions.pump_on.items() if not is_on),
            has_running=any(conditions.pump_on.values()),
            has_empty_tank=any(level < policy.empty_tank_m for level in levels),
        )
