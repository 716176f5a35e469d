"""The change rule: a fall within one window that does not recover."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import AlarmState
from pipeline.rules import Change
from pipeline.warn.compile import CompiledRule
from pipeline.warn.recent import OLDEST, Recent
from pipeline.warn.verdicts import (
    MILDEST_FIRST,
    ORANGE_RANK,
    AlarmReason,
    Bools,
    Ranks,
    Rows,
    Verdict,
)
from sensors.readings import Floats, Int64s

IDLE, SEEN, STANDING = 0, 1, 2
_SLACK = 0.9
"""Times to wait are cut by this share: devices do not sample on the dot."""


@dataclass(slots=True)
class ChangeState:
    """What is remembered of each device.

    Attributes:
        phase: `IDLE`, `SEEN` (provisional) or `STANDING` (raised).
        rank: Level of the alarm.
        before: Value before the fall.
        deepest: Largest fall seen (provisional), or confirmed (raised).
        raised_ms: First sample of the fall.
        later: Samples since the fall was seen.
        last_rank: Level of the sample before; a worse level needs two samples.
        recovered: Samples in a row that have recovered.
        milder: Samples in a row inside the level by more than the deadband.
    """

    phase: NDArray[np.int8]
    rank: Ranks
    before: Floats
    deepest: Floats
    raised_ms: Int64s
    later: NDArray[np.int32]
    last_rank: Ranks
    recovered: NDArray[np.int32]
    milder: NDArray[np.int32]

    @classmethod
    def of(cls, rows: int) -> Self:
        """Return the state before the first sample."""
        return cls(
            phase=np.zeros(rows, np.int8),
            rank=np.zeros(rows, np.int8),
            before=np.full(rows, np.nan),
            deepest=np.zeros(rows),
            raised_ms=np.zeros(rows, np.int64),
            later=np.zeros(rows, np.int32),
            last_rank=np.zeros(rows, np.int8),
            recovered=np.zeros(rows, np.int32),
            milder=np.zeros(rows, np.int32),
        )


class ChangeRule:
    """One rule about a fall, over all devices it watches.

    A fall beyond the mildest threshold against the value about one window before is
    *provisional*. It is *raised* by a later sample that has not recovered: after `confirm_s`, or
    from orange on after `resample_count` samples that span `resample_s` (a device in alarm
    samples faster, and a large burst must not wait). It is *withdrawn* by the first sample that
    has recovered, or when the next sample comes too late to compare. A raised one follows the
    depth of the fall: up after two samples, down one level at a time; it is cleared after
    `clear_consecutive` recovered samples, or when it has stood so long that it is the new
    normal. *Recovered* means back by `recovered_share`, or to within the deadband of the value
    before.
    """

    def __init__(self, columns: CompiledRule) -> None:
        rule = columns.rule
        self.columns = columns
        self.state = ChangeState.of(len(columns.devices))
        self.recent = Recent.of(len(columns.devices))
        self._limits = columns.limits
        self._mildest: Floats = columns.limits.min(axis=0)
        self._change = rule.change or Change()
        mildest = next(level for level in MILDEST_FIRST if level in rule.thresholds)
        self._mildest_rank = MILDEST_FIRST.index(mildest) + 1
        self._window_ms = rule.windows_s.get(mildest, rule.sample_s) * 1000.0

    @property
    def remembered(self) -> tuple[Any, ...]:
        """What is known of each device, and its recent values."""
        return (self.state, self.recent)

    def step(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> list[Verdict]:
        """Judge one sample of each of several different devices."""
        state = self.state
        suspects = self.recent.highest[row] - value >= self._mildest[row]
        suspects |= state.phase[row] != IDLE
        verdicts: list[Verdict] = []
        if suspects.any():
            chosen = np.flatnonzero(suspects)
            verdicts = self._judge(row[chosen], time_ms[chosen], value[chosen], is_spike[chosen])
        if is_spike.any():
            kept = ~is_spike
            row, time_ms, value = row[kept], time_ms[kept], value[kept]
        self.recent.keep(row, time_ms, value, self._window_ms)
        return verdicts

    def forget(self, row: Rows) -> None:
        """Start the counts of these devices again; standing alarms stay as they are."""
        self.state.recovered[row] = 0
        self.state.milder[row] = 0
        self.state.last_rank[row] = 0

    def resume(self) -> None:
        """Nothing follows from the state but the state."""

    def provisional(self) -> Rows:
        """Return the rows whose fall waits to be confirmed."""
        return np.flatnonzero(self.state.phase == SEEN)

    def end(self, row: Rows, now_ms: int) -> list[Verdict]:
        """End what stands at these rows, because nothing judges them any more."""
        verdicts: list[Verdict] = []
        time_ms, value = np.full(len(row), now_ms), np.full(len(row), np.nan)
        for phase, state in ((SEEN, AlarmState.WITHDRAWN), (STANDING, AlarmState.CLEARED)):
            of_phase = self.state.phase[row] == phase
            verdicts += self._verdicts(
                row[of_phase], time_ms[of_phase], value[of_phase], state, AlarmReason.RULE_REMOVED
            )
        return verdicts

    def _judge(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> list[Verdict]:
        phase = self.state.phase[row]
        verdicts: list[Verdict] = []
        for of_phase, judge in (
            (phase == IDLE, self._judge_idle),
            ((phase == SEEN) & ~is_spike, self._judge_seen),
            ((phase == STANDING) & ~is_spike, self._judge_standing),
        ):
            if of_phase.any():
                chosen = np.flatnonzero(of_phase)
                verdicts += judge(row[chosen], time_ms[chosen], value[chosen])
        return verdicts

    def _judge_idle(self, row: Rows, time_ms: Int64s, value: Floats) -> list[Verdict]:
        before = self.recent.reference(row, time_ms, self._window_ms)
        fall = before - value
        seen = np.flatnonzero(fall >= self._mildest[row])
        row, time_ms, value, fall = row[seen], time_ms[seen], value[seen], fall[seen]
        state = self.state
        state.phase[row] = SEEN
        state.rank[row] = self._rank(row, fall)
        state.before[row] = before[seen]
        state.deepest[row] = fall
        state.raised_ms[row] = time_ms
        state.later[row] = 0
        return self._verdicts(row, time_ms, value, AlarmState.PROVISIONAL, AlarmReason.DROP_SEEN)

    def _judge_seen(self, row: Rows, time_ms: Int64s, value: Floats) -> list[Verdict]:
        state, change = self.state, self._change
        fall = state.before[row] - value
        deepest = np.maximum(state.deepest[row], fall)
        later = state.later[row] + 1
        state.deepest[row], state.later[row] = deepest, later
        since_ms = time_ms - state.raised_ms[row]
        is_quick = (
            (self._rank(row, fall) >= ORANGE_RANK)
            & (later >= change.resample_count)
            & (since_ms >= _SLACK * change.resample_s * 1000)
        )
        is_ripe = is_quick | (since_ms >= _SLACK * change.confirm_s * 1000)
        is_recovered = fall <= (1.0 - change.recovered_share) * deepest
        is_enough = fall >= self._mildest[row] - self.columns.rule.deadband
        is_blind = (later == 1) & (since_ms > OLDEST * self._window_ms)
        stands = is_ripe & ~is_recovered & ~is_blind
        is_raised, is_small = stands & is_enough, stands & ~is_enough
        is_blind &= ~is_recovered

        rank = np.maximum(self._rank(row, fall), self._mildest_rank).astype(np.int8)
        state.rank[row] = np.where(is_raised, rank, state.rank[row])
        raised = row[is_raised]
        state.deepest[raised] = fall[is_raised]
        state.last_rank[raised] = rank[is_raised]
        state.recovered[raised] = state.milder[raised] = 0
        verdicts: list[Verdict] = []
        for mask, phase, kind, reason in (
            (is_raised, STANDING, AlarmState.RAISED, AlarmReason.DROP_NOT_RECOVERED),
            (is_recovered, IDLE, AlarmState.WITHDRAWN, AlarmReason.DROP_RECOVERED),
            (is_small, IDLE, AlarmState.WITHDRAWN, AlarmReason.DROP_BELOW_LIMIT),
            (is_blind, IDLE, AlarmState.WITHDRAWN, AlarmReason.NO_SAMPLE_IN_TIME),
        ):
            state.phase[row[mask]] = phase
            verdicts += self._verdicts(row[mask], time_ms[mask], value[mask], kind, reason)
        return verdicts

    def _judge_standing(self, row: Rows, time_ms: Int64s, value: Floats) -> list[Verdict]:
        state, change, rule = self.state, self._change, self.columns.rule
        fall = state.before[row] - value
        rank, fall_rank = state.rank[row], self._rank(row, fall)
        twice = np.minimum(fall_rank, state.last_rank[row])
        state.last_rank[row] = fall_rank
        grows = twice > rank
        near = np.maximum(rule.deadband, (1.0 - change.recovered_share) * state.deepest[row])
        recovered = np.where(fall <= near, state.recovered[row] + 1, 0)
        is_inside = fall <= self._limits[rank - 1, row] - rule.deadband
        milder = np.where(is_inside, state.milder[row] + 1, 0)
        is_clear = recovered >= rule.clear_consecutive
        is_normal = ~is_clear & (time_ms - state.raised_ms[row] > change.new_normal_s * 1000)
        ends = is_clear | is_normal
        shrinks = (milder >= rule.clear_consecutive) & (rank > self._mildest_rank) & ~ends

        state.deepest[row[grows]] = np.maximum(state.deepest[row[grows]], fall[grows])
        state.recovered[row] = recovered
        state.milder[row] = np.where(shrinks, 0, milder)
        state.rank[row] = np.where(grows, twice, np.where(shrinks, rank - 1, rank))
        state.phase[row[ends]] = IDLE
        verdicts: list[Verdict] = []
        for mask, kind, reason in (
            (grows & ~ends, AlarmState.CHANGED, AlarmReason.DROP_GREW),
            (shrinks, AlarmState.CHANGED, AlarmReason.DROP_SHRANK),
            (is_clear, AlarmState.CLEARED, AlarmReason.DROP_RECOVERED),
            (is_normal, AlarmState.CLEARED, AlarmReason.NEW_NORMAL),
        ):
            verdicts += self._verdicts(row[mask], time_ms[mask], value[mask], kind, reason)
        return verdicts

    def _rank(self, row: Rows, fall: Floats) -> Ranks:
        """Return the level of a fall; 0 below the mildest threshold."""
        beyond = fall >= self._limits[:, row]
        rank: Ranks = (beyond * np.arange(1, 5, dtype=np.int8)[:, None]).max(axis=0)
        return rank

    def _verdicts(
        self, row: Rows, time_ms: Int64s, value: Floats, kind: AlarmState, reason: AlarmReason
    ) -> list[Verdict]:
        state = self.state
        return [
            Verdict(
                row=one,
                state=kind,
                rank=int(state.rank[one]),
                value=shown,
                before=float(state.before[one]),
                raised_ms=int(state.raised_ms[one]),
                sample_ms=sample_ms,
                reason=reason,
            )
            for one, sample_ms, shown in zip(
                row.tolist(), time_ms.tolist(), value.tolist(), strict=True
            )
        ]
