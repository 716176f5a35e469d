"""Cuts a batch into rounds of one sample a device, and each round into what each rule watches."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.warn.compile import CompiledRule
from pipeline.warn.verdicts import Bools, Rows
from sensors.readings import Floats, Int32s, Int64s, ReadingBatch


@dataclass(frozen=True, slots=True)
class Watch:
    """What a rule watches, as groups of devices that all rules treat alike.

    Attributes:
        number: Rules with the same devices have the same number.
        groups: Whether it watches the devices of each group (groups,).
    """

    number: int
    groups: Bools


class Part(NamedTuple):
    """The samples of a round that one rule is given, as columns of equal length."""

    row: Rows
    device: Rows
    time_ms: Int64s
    value: Floats
    is_spike: Bools


class _Watching(Protocol):
    @property
    def columns(self) -> CompiledRule: ...
    @property
    def watch(self) -> Watch: ...


W = TypeVar("W", bound=_Watching)


class Rounds:
    """The rounds of batches over one registry.

    A device's *group* is the set of rules that watch it, so that one small table says which
    samples of a round a rule gets. Devices at one element, where a second one may confirm the
    first, take turns by sample time; all others go side by side.

    Attributes:
        watches: What each compiled rule watches, in their order.
    """

    def __init__(self, registered: int, compiled: Sequence[CompiledRule]) -> None:
        """Take how many devices there are and the rules over them."""
        numbers: dict[bytes, int] = {}
        watching = [numbers.setdefault(one.devices.tobytes(), len(numbers)) for one in compiled]
        distinct = {number: one for one, number in zip(compiled, watching, strict=True)}
        group = np.zeros(registered, np.int64)
        signatures = np.zeros((1, 0), np.bool_)
        for one in distinct.values():
            both = group * 2 + (one.row >= 0)
            kept, group = np.unique(both, return_inverse=True)
            signatures = np.column_stack([signatures[kept // 2], (kept % 2).astype(np.bool_)])
        self._group = group.astype(np.int32)
        self._groups = len(signatures)
        columns = {number: signatures[:, place] for place, number in enumerate(distinct)}
        self.watches = tuple(Watch(number, columns[number]) for number in watching)
        self._turn: Int32s | None = None

    def take_turns(self, shared: Iterable[tuple[Rows, Int32s]]) -> None:
        """Let devices at one element take turns.

        Args:
            shared: Device numbers of a rule, and the shared element of each, -1 for none.
        """
        turn: NDArray[np.int64] | None = None
        for devices, site in shared:
            if turn is None:
                turn = np.arange(len(self._group), dtype=np.int64)
            at = site >= 0
            order = np.flatnonzero(at)[np.argsort(site[at], kind="stable")]
            first = np.r_[True, np.diff(site[order]) != 0]
            leader = turn[devices[order[first]]][np.cumsum(first) - 1]
            mine = turn[devices[order]]
            mapping = np.arange(len(self._group), dtype=np.int64)
            mapping[mine] = leader
            turn = mapping[turn]
        if turn is not None:
            self._turn = turn.astype(np.int32)

    def of(self, batch: ReadingBatch) -> Iterator[ReadingBatch]:
        """Yield a batch, sorted by device and time, round by round."""
        turns = batch
        if self._turn is not None:
            turn = self._turn[batch.device]
            is_alone = turn == batch.device
            if not is_alone.all():
                order = np.lexsort((batch.device, batch.time_ms, turn))
                batch = batch.take(order)
                turns = ReadingBatch(turn[order], batch.time_ms, batch.value, batch.quality)
        for rows in turns.rounds():
            yield batch if isinstance(rows, slice) else batch.take(rows)

    def split(
        self, rules: Sequence[W], batch: ReadingBatch, spike: Bools
    ) -> Iterator[tuple[W, Part]]:
        """Yield each rule that watches devices of a round, with its samples by device."""
        group = self._group[batch.device]
        here = np.bincount(group, minlength=self._groups) > 0
        parts: dict[int, Part] = {}
        for rule in rules:
            watch = rule.watch
            if not (here & watch.groups).any():
                continue
            if watch.number not in parts:
                parts[watch.number] = self._part(rule, batch, spike, group, here)
            yield rule, parts[watch.number]

    def _part(self, rule: W, batch: ReadingBatch, spike: Bools, group: Int32s, here: Bools) -> Part:
        chosen: Rows | slice = slice(None)
        if not rule.watch.groups[here].all():
            chosen = np.flatnonzero(rule.watch.groups[group])
        device = batch.device[chosen].astype(np.intp)
        row = rule.columns.row[device].astype(np.intp)
        return Part(row, device, batch.time_ms[chosen], batch.value[chosen], spike[chosen])
