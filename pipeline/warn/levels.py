"""The level rule: m of the last n samples beyond a threshold, with deadband and clear count."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import AlarmState
from pipeline.warn.compile import CompiledRule
from pipeline.warn.verdicts import (
    ORANGE_RANK,
    AlarmReason,
    Bools,
    Ranks,
    Rows,
    Verdict,
)
from sensors.readings import Floats, Int64s

_RANKS = np.arange(1, 5, dtype=np.int8)[:, None]


@dataclass(slots=True)
class LevelState:
    """What is remembered of each device.

    Attributes:
        history: One bit a sample and level, newest lowest: beyond the threshold? (4, rows)
        rank: Level of the standing alarm, 0 for none.
        provisional: Level of an alarm that waits for its second sample, 0 for none.
        clear: Samples in a row inside the limit of `rank` by more than the deadband.
        raised_ms: First sample of the alarm, or of the current violation.
    """

    history: NDArray[np.uint8]
    rank: Ranks
    provisional: Ranks
    clear: NDArray[np.int32]
    raised_ms: Int64s

    @classmethod
    def of(cls, rows: int) -> Self:
        """Return the state before the first sample."""
        return cls(
            np.zeros((4, rows), np.uint8),
            np.zeros(rows, np.int8),
            np.zeros(rows, np.int8),
            np.zeros(rows, np.int32),
            np.zeros(rows, np.int64),
        )


class LevelRule:
    """One level rule over all devices it watches.

    Up: at once to the worst level whose hold is met. Down: one level at a time, after
    `clear_consecutive` samples inside the limit by more than the deadband. Orange and red with
    a hold of one sample are provisional on it, and raised or withdrawn by the next.
    """

    def __init__(self, columns: CompiledRule) -> None:
        self.columns = columns
        self.state = LevelState.of(len(columns.devices))
        self._limits = columns.limits
        self._mildest: Floats = columns.limits.min(axis=0)
        in_use = np.isfinite(columns.limits)
        needs_second = (columns.holds_n == 1) & (np.arange(1, 5) >= ORANGE_RANK)
        self._needs_second = needs_second[:, None]
        self._m = np.where(needs_second, 2, columns.holds_m)[:, None]
        n = np.where(needs_second, 2, columns.holds_n)
        self._mask = ((1 << n) - 1).astype(np.uint8)[:, None]
        self._milder = _next_milder(in_use)
        self._is_active = np.zeros(len(columns.devices), np.bool_)

    def step(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> list[Verdict]:
        """Judge one sample of each of several different devices."""
        signal = value if self.columns.sign > 0 else -value
        suspects = (signal >= self._mildest[row]) | self._is_active[row]
        if not suspects.any():
            return []
        chosen = np.flatnonzero(suspects)
        return self._judge(row[chosen], time_ms[chosen], signal[chosen], is_spike[chosen])

    def forget(self, row: Rows) -> None:
        """Start the counts of these devices again; standing alarms stay as they are."""
        self.state.history[:, row] = 0
        self.state.clear[row] = 0

    def resume(self) -> None:
        """Work out what follows from the state, after it was replaced."""
        state = self.state
        self._is_active = (state.rank > 0) | (state.provisional > 0) | state.history.any(axis=0)

    def _judge(self, row: Rows, time_ms: Int64s, signal: Floats, is_spike: Bools) -> list[Verdict]:
        state = self.state
        before = state.history[:, row]
        beyond = signal >= self._limits[:, row]
        history = ((before << 1) | beyond) & self._mask
        if is_spike.any():
            history = np.where(is_spike & ~self._needs_second, before, history)
        state.history[:, row] = history
        rank, provisional = state.rank[row], state.provisional[row]
        is_first = ~before.any(axis=0) & (rank == 0) & (provisional == 0)
        state.raised_ms[row[is_first]] = time_ms[is_first]
        held = (np.bitwise_count(history) >= self._m) & ~is_spike
        held_rank: Ranks = (held * _RANKS).max(axis=0)
        single: Ranks = ((beyond & self._needs_second) * _RANKS).max(axis=0)

        goes_up = held_rank > rank
        is_seen = (single > 0) & (rank == 0) & (provisional == 0) & ~goes_up
        is_withdrawn = (provisional > 0) & ~goes_up & (single == 0) & ~is_spike
        goes_down = self._count_clear(row, signal, rank, is_spike)

        after = np.where(goes_up, held_rank, np.where(goes_down, self._milder[rank, row], rank))
        state.rank[row] = after
        state.provisional[row] = np.where(
            is_seen, single, np.where(goes_up | is_withdrawn, 0, provisional)
        )
        ended = np.flatnonzero(goes_down)
        state.history[:, row[ended]] = np.where(after[ended] < _RANKS, 0, history[:, ended])
        self._is_active[row] = (
            (after > 0) | (state.provisional[row] > 0) | state.history[:, row].any(axis=0)
        )
        changed = np.flatnonzero(goes_up | goes_down | is_seen | is_withdrawn)
        verdicts = [
            self._verdict(
                int(row[i]),
                int(rank[i]),
                int(after[i]),
                int(single[i] if is_seen[i] else provisional[i]),
                float(signal[i]),
                int(time_ms[i]),
                is_seen=bool(is_seen[i]),
            )
            for i in changed.tolist()
        ]
        state.raised_ms[row[is_withdrawn]] = time_ms[is_withdrawn]
        return verdicts

    def _count_clear(self, row: Rows, signal: Floats, rank: Ranks, is_spike: Bools) -> Bools:
        """Count samples well inside the standing level's limit; return who goes down."""
        state, rule = self.state, self.columns.rule
        limit = self._limits[np.maximum(rank, 1) - 1, row]
        is_inside = (rank > 0) & (signal <= limit - rule.deadband)
        clear = np.where(is_inside, state.clear[row] + 1, 0)
        clear = np.where(is_spike, state.clear[row], clear)
        goes_down: Bools = (clear >= rule.clear_consecutive) & (rank > 0) & ~is_spike
        state.clear[row] = np.where(goes_down, 0, clear)
        return goes_down

    def _verdict(
        self,
        row: int,
        rank: int,
        after: int,
        provisional: int,
        signal: float,
        sample_ms: int,
        *,
        is_seen: bool,
    ) -> Verdict:
        if is_seen:
            state, reason = AlarmState.PROVISIONAL, AlarmReason.SINGLE_SAMPLE_BEYOND_LIMIT
            shown = provisional
        elif after > rank:
            is_new = rank == 0
            state = AlarmState.RAISED if is_new else AlarmState.CHANGED
            reason = (
                AlarmReason.HELD_BEYOND_LIMIT if is_new else AlarmReason.HELD_BEYOND_WORSE_LIMIT
            )
            shown = after
        elif rank == 0:
            state, reason = AlarmState.WITHDRAWN, AlarmReason.NEXT_SAMPLE_DISAGREES
            shown = provisional
        elif after > 0:
            state, reason = AlarmState.CHANGED, AlarmReason.BACK_BY_ONE_LEVEL
            shown = after
        else:
            state, reason = AlarmState.CLEARED, AlarmReason.BACK_INSIDE_LIMIT
            shown = rank
        return Verdict(
            row=row,
            state=state,
            rank=shown,
            value=self.columns.sign * signal,
            before=float("nan"),
            raised_ms=int(self.state.raised_ms[row]),
            sample_ms=sample_ms,
            reason=reason,
        )


def _next_milder(in_use: Bools) -> Ranks:
    """Return, for each rank and row, the next milder rank in use; (5, rows), 0 for none."""
    milder = np.zeros((5, in_use.shape[1]), np.int8)
    for rank in range(2, 5):
        milder[rank] = np.where(in_use[rank - 2], rank - 1, milder[rank - 1])
    return milder
