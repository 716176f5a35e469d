"""The level rule: m of the last n samples beyond a threshold, with deadband and clear count."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import AlarmState
from pipeline.warn.compile import CompiledRule
from pipeline.warn.neighbours import Neighbours
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


@dataclass(slots=True)
class RunState:
    """When the violation at hand of each level began, for rules with a duration (4, rows)."""

    since_ms: Int64s

    @classmethod
    def of(cls, rows: int) -> Self:
        """Return the state before the first sample."""
        return cls(np.zeros((4, rows), np.int64))


class LevelRule:
    """One level rule over all devices it watches.

    Up: at once to the worst level whose hold is met: `m` of `n` samples, and beyond the limit
    for as long as `holds_s` says. Down: one level at a time, after `clear_consecutive` samples
    inside the limit by more than the deadband. Orange and red with a hold of one sample are
    provisional on it, and raised or withdrawn by the next, or raised by a second device at the
    same element that agrees.
    """

    def __init__(self, columns: CompiledRule, neighbours: Neighbours | None = None) -> None:
        """Take the rule as columns, and which of its devices share an element."""
        self.columns = columns
        self.neighbours = neighbours
        self.state = LevelState.of(len(columns.devices))
        self._limits = columns.limits
        self._mildest = mildest_of(columns)
        self._least = float(self._mildest.min(initial=np.inf))
        self._holds_ms = columns.holds_ms[:, None]
        self._runs = RunState.of(len(columns.devices)) if columns.holds_ms.any() else None
        needs_second = needs_second_sample(columns)
        self._needs_second = needs_second[:, None]
        self._m = np.where(needs_second, 2, columns.holds_m)[:, None]
        n = np.where(needs_second, 2, columns.holds_n)
        self._mask = ((1 << n) - 1).astype(np.uint8)[:, None]
        is_same = columns.limits.strides[1] == 0
        limits = columns.limits[:, :1] if is_same else columns.limits
        milder = _next_milder(np.isfinite(limits))
        self._milder: Ranks = np.broadcast_to(milder, (5, len(columns.devices)))
        self._is_active = np.zeros(len(columns.devices), np.bool_)

    @property
    def remembered(self) -> tuple[Any, ...]:
        """What is known of each device, and what only some rules need."""
        runs = () if self._runs is None else (self._runs,)
        return (self.state, *runs, *(() if self.neighbours is None else (self.neighbours.state,)))

    def step(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> list[Verdict]:
        """Judge one sample of each of several different devices.

        `value` is the rule's signal: (n,), or (4, n) when each level has one of its own.
        """
        signal = value if self.columns.sign > 0 else -value
        worst = signal if signal.ndim == 1 else np.fmax.reduce(signal, axis=0)
        is_calm = not self._is_active.any()
        if is_calm and not np.fmax.reduce(worst, initial=-np.inf) >= self._least:
            return []
        suspects = worst >= self._mildest[row]
        if not is_calm:
            suspects |= self._is_active[row]
        chosen = np.flatnonzero(suspects)
        if not len(chosen):
            return []
        return self._judge(row[chosen], time_ms[chosen], signal[..., chosen], is_spike[chosen])

    def forget(self, row: Rows) -> None:
        """Start the counts of these devices again; standing alarms stay as they are."""
        self.state.history[:, row] = 0
        self.state.clear[row] = 0

    def resume(self) -> None:
        """Work out what follows from the state, after it was replaced."""
        state = self.state
        self._is_active = (state.rank > 0) | (state.provisional > 0) | state.history.any(axis=0)

    def provisional(self) -> Rows:
        """Return the rows whose alarm waits for a second sample."""
        return np.flatnonzero(self.state.provisional)

    def end(self, row: Rows, now_ms: int) -> list[Verdict]:
        """End what stands at these rows, because nothing judges them any more."""
        state = self.state
        return [
            Verdict(
                row=one,
                state=AlarmState.CLEARED if state.rank[one] else AlarmState.WITHDRAWN,
                rank=int(max(state.rank[one], state.provisional[one])),
                value=float("nan"),
                before=float("nan"),
                raised_ms=int(state.raised_ms[one]),
                sample_ms=now_ms,
                reason=AlarmReason.RULE_REMOVED,
            )
            for one in row[(state.rank[row] > 0) | (state.provisional[row] > 0)].tolist()
        ]

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
        if self._runs is not None:
            held &= self._lasted(self._runs, row, time_ms, beyond, before)
        held_rank: Ranks = (held * _RANKS).max(axis=0)
        single: Ranks = ((beyond & self._needs_second) * _RANKS).max(axis=0)
        verdicts: list[Verdict] = []
        agreed = self._agreed(row, time_ms, single, is_spike, verdicts)
        if agreed is not None:
            held_rank = np.maximum(held_rank, agreed)

        goes_up = held_rank > rank
        is_seen = (single > 0) & (rank == 0) & (provisional == 0) & ~goes_up
        is_withdrawn = (provisional > 0) & ~goes_up & (single == 0) & ~is_spike
        goes_down = self._count_clear(row, signal, rank, is_spike)

        after = np.where(goes_up, held_rank, np.where(goes_down, self._milder[rank, row], rank))
        state.rank[row] = after
        waits = np.where(is_seen, single, np.where(goes_up | is_withdrawn, 0, provisional))
        state.provisional[row] = waits
        ended = np.flatnonzero(goes_down)
        state.history[:, row[ended]] = np.where(after[ended] < _RANKS, 0, history[:, ended])
        self._is_active[row] = (after > 0) | (waits > 0) | state.history[:, row].any(axis=0)
        for i in np.flatnonzero(goes_up | goes_down | is_seen | is_withdrawn).tolist():
            verdict = self._verdict(
                int(row[i]),
                int(rank[i]),
                int(after[i]),
                int(single[i] if is_seen[i] else provisional[i]),
                int(time_ms[i]),
                is_seen=bool(is_seen[i]),
                is_agreed=agreed is not None and agreed[i] == after[i] > rank[i],
            )
            shown = signal[i] if signal.ndim == 1 else signal[verdict.rank - 1, i]
            verdicts.append(verdict._replace(value=self.columns.sign * float(shown)))
            if is_seen[i] and self.neighbours is not None:
                self.neighbours.state.value[row[i]] = verdicts[-1].value
        state.raised_ms[row[is_withdrawn]] = time_ms[is_withdrawn]
        return verdicts

    def _lasted(
        self, runs: RunState, row: Rows, time_ms: Int64s, beyond: Bools, before: NDArray[np.uint8]
    ) -> Bools:
        """Return which levels have been violated without a break for as long as they must."""
        begins = beyond & ((before & 1) == 0)
        since_ms = np.where(begins, time_ms, runs.since_ms[:, row])
        runs.since_ms[:, row] = since_ms
        lasted: Bools = (self._holds_ms == 0) | (beyond & (time_ms - since_ms >= self._holds_ms))
        return lasted

    def _agreed(
        self,
        row: Rows,
        time_ms: Int64s,
        single: Ranks,
        is_spike: Bools,
        verdicts: list[Verdict],
    ) -> Ranks | None:
        """Return what second devices at the same element agree on, 0 for nothing.

        Neighbours that waited are raised with it: their verdicts are added to `verdicts`.
        """
        if self.neighbours is None or not single.any():
            return None
        state = self.state
        standing = np.maximum(state.rank, state.provisional)
        single = np.where(is_spike, 0, single).astype(np.int8)
        agreed = self.neighbours.agreed(row, single, standing, ORANGE_RANK)
        for place in np.flatnonzero(agreed).tolist():
            for other in self.neighbours.others(int(row[place])).tolist():
                if not state.provisional[other]:
                    continue
                rank = int(min(state.provisional[other], single[place]))
                state.rank[other], state.provisional[other] = rank, 0
                verdicts.append(
                    Verdict(
                        row=other,
                        state=AlarmState.RAISED,
                        rank=rank,
                        value=float(self.neighbours.state.value[other]),
                        before=float("nan"),
                        raised_ms=int(state.raised_ms[other]),
                        sample_ms=int(time_ms[place]),
                        reason=AlarmReason.SECOND_DEVICE_AGREES,
                    )
                )
        return agreed

    def _count_clear(self, row: Rows, signal: Floats, rank: Ranks, is_spike: Bools) -> Bools:
        """Count samples well inside the standing level's limit; return who goes down."""
        state, rule = self.state, self.columns.rule
        place = np.maximum(rank, 1) - 1
        own = signal if signal.ndim == 1 else signal[place, np.arange(len(row))]
        is_inside = (rank > 0) & (own <= self._limits[place, row] - rule.deadband)
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
        sample_ms: int,
        *,
        is_seen: bool,
        is_agreed: bool,
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
            reason = AlarmReason.SECOND_DEVICE_AGREES if is_agreed else reason
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
            value=float("nan"),
            before=float("nan"),
            raised_ms=int(self.state.raised_ms[row]),
            sample_ms=sample_ms,
            reason=reason,
        )


def mildest_of(columns: CompiledRule) -> Floats:
    """Return the least signed limit of each row, inf where no level is in use (rows,)."""
    if columns.limits.strides[1] == 0:
        least = columns.limits[:, :1].min(initial=np.inf)
        return np.broadcast_to(least, len(columns.devices))
    mildest: Floats = columns.limits.min(axis=0)
    return mildest


def needs_second_sample(columns: CompiledRule) -> Bools:
    """Return which levels are provisional on their first sample: severe ones held by one (4,)."""
    is_single = (columns.holds_n == 1) & (columns.holds_ms == 0)
    needs: Bools = is_single & (np.arange(1, 5) >= ORANGE_RANK)
    return needs


def _next_milder(in_use: Bools) -> Ranks:
    """Return, for each rank and row, the next milder rank in use; (5, rows), 0 for none."""
    milder = np.zeros((5, in_use.shape[1]), np.int8)
    for rank in range(2, 5):
        milder[rank] = np.where(in_use[rank - 2], rank - 1, milder[rank - 1])
    return milder
