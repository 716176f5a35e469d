"""The shape of a window function: columns of samples in, the rule's signal out."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.warn.verdicts import Bools, Rows
from sensors.readings import Floats, Int64s

Arrays = dict[str, NDArray[Any]]
"""A function's state as named arrays whose last axis is the rows of its rule."""
NEVER_MS = -(2**62)
"""Sample time of a device that has shown nothing yet."""


class WindowFunction(Protocol):
    """One function over all devices a rule watches; it never loops over samples in Python.

    A new one says `apply` and names its state in `remembered`: dataclasses of arrays whose last
    axis is the rows. What is below follows from them.
    """

    @property
    def remembered(self) -> Sequence[Any]:
        """The dataclasses of arrays that are the whole state; none for functions of one sample."""
        return ()

    def apply(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Take one sample of each of several *different* devices and return the signal of each.

        Args:
            row: Rows of the devices, distinct.
            time_ms: Sample times, later than any before of the same row.
            value: Samples, in the quantity's unit.
            is_spike: Samples flagged as spikes: they may be shown a signal but teach nothing.

        Returns:
            (n,) signal in the rule's unit, or (4, n) when each level has a window of its own,
            blue first; NaN where the function says nothing yet. The judge skips NaN.
        """
        ...

    def forget(self, row: Rows) -> None:
        """Start these devices' short windows again (after an outage); what was learned stays."""
        return

    def cleared(self, row: Rows) -> None:
        """Take note that the alarms of these devices have cleared."""
        return

    def confidence(self, row: int) -> float | None:
        """Return how sure the newest signal of a row is, 0 to 1; None for what is measured."""
        return None

    def arrays(self) -> Arrays:
        """Return the state, for a snapshot or for carrying rows over to reloaded rules."""
        return arrays_of(self.remembered)

    def load(self, arrays: Mapping[str, NDArray[Any]], rows: Rows, at: Rows) -> None:
        """Take the state of `rows` of `arrays` into the rows `at` of this function."""
        carry(self.arrays(), arrays, rows, at)


def arrays_of(remembered: Sequence[Any]) -> Arrays:
    """Return the arrays of several dataclasses as `Class.field` → array; they are not copied."""
    return {
        f"{number}.{type(one).__name__}.{field.name}": getattr(one, field.name)
        for number, one in enumerate(remembered)
        for field in fields(one)
    }


def carry(into: Arrays, arrays: Mapping[str, NDArray[Any]], rows: Rows, at: Rows) -> None:
    """Copy the columns `rows` of `arrays` to the columns `at` of `into`.

    Raises:
        KeyError: `arrays` lacks one of them.
        ValueError: it has one of another shape.
    """
    for name, array in into.items():
        if arrays[name].shape[:-1] != array.shape[:-1]:
            raise ValueError(f"{name}: {arrays[name].shape} is not {array.shape}")
        array[..., at] = arrays[name][..., rows]


class PerLevel(WindowFunction):
    """A window of its own for each level: the same function at several lengths, stacked (4, n)."""

    def __init__(self, parts: Sequence[WindowFunction], part_of_level: Sequence[int]) -> None:
        """Take the function at each distinct length, and which of them each level uses."""
        self._parts, self._part_of_level = tuple(parts), tuple(part_of_level)

    @property
    def remembered(self) -> Sequence[Any]:
        """What all parts remember, in their order."""
        return [one for part in self._parts for one in part.remembered]

    def apply(self, row: Rows, time_ms: Int64s, value: Floats, is_spike: Bools) -> Floats:
        """Return the signals of all levels, (4, n)."""
        found = [part.apply(row, time_ms, value, is_spike) for part in self._parts]
        stacked: Floats = np.stack([found[part] for part in self._part_of_level])
        return stacked

    def forget(self, row: Rows) -> None:
        """Start the windows of all lengths again."""
        for part in self._parts:
            part.forget(row)
