"""The shape of a window function: columns of samples in, the rule's signal out."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.warn.verdicts import Bools, Rows
from sensors.readings import Floats, Int64s

Arrays = dict[str, NDArray[np.generic]]
"""A function's state as named arrays whose last axis is the rows of its rule."""


class WindowFunction(Protocol):
    """One function over all devices a rule watches; it never loops over samples in Python."""

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
        ...

    def arrays(self) -> Arrays:
        """Return the state, for a snapshot or for carrying rows over to reloaded rules."""
        ...

    def load(self, arrays: Mapping[str, NDArray[np.generic]], rows: Rows, at: Rows) -> None:
        """Take the state of `rows` of `arrays` into the rows `at` of this function."""
        ...
