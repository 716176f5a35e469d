"""Devices of one rule at one element: a second one that agrees confirms a single sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from pipeline.warn.verdicts import Ranks, Rows
from sensors.readings import Floats, Int32s


@dataclass(slots=True)
class SeenState:
    """The value of each row's provisional alarm, for the day a neighbour confirms it (rows,)."""

    value: Floats

    @classmethod
    def of(cls, rows: int) -> Self:
        """Return the state before the first sample."""
        return cls(np.full(rows, np.nan))


class Neighbours:
    """Who stands at the same element and in the same area, among the devices of one rule.

    Attributes:
        site: Number of the shared element of each row, -1 for rows that are alone.
        state: What was seen by those that wait.
    """

    def __init__(self, site: Int32s) -> None:
        """Take the shared element of each row."""
        self.site = site
        order = np.argsort(site, kind="stable")
        order = order[site[order] >= 0]
        self._rows = order
        self._first = np.searchsorted(site[order], np.arange(site.max(initial=-1) + 2))
        self.state = SeenState.of(len(site))

    @classmethod
    def among(cls, elements: Sequence[str], areas: Sequence[str], devices: Rows) -> Self | None:
        """Return the neighbours among these devices; None when no two share an element.

        Args:
            elements: Element of every registered device, empty for none.
            areas: Its area.
            devices: Numbers of the devices of the rule.
        """
        rows_at: dict[tuple[str, str], list[int]] = {}
        for row, device in enumerate(devices.tolist()):
            if elements[device]:
                rows_at.setdefault((areas[device], elements[device]), []).append(row)
        shared = [rows for rows in rows_at.values() if len(rows) > 1]
        if not shared:
            return None
        site = np.full(len(devices), -1, np.int32)
        for number, rows in enumerate(shared):
            site[rows] = number
        return cls(site)

    def others(self, row: int) -> Rows:
        """Return the rows at the same element as `row`, without it; none when it is alone."""
        site = int(self.site[row])
        if site < 0:
            return np.zeros(0, np.intp)
        rows: Rows = self._rows[self._first[site] : self._first[site + 1]]
        others: Rows = rows[rows != row]
        return others

    def agreed(self, row: Rows, single: Ranks, standing: Ranks, least: int) -> Ranks:
        """Return the rank that each row and a neighbour agree on, 0 for none.

        Args:
            row: Rows that have just been sampled.
            single: Worst level of each that one sample makes provisional, 0 for none.
            standing: Rank that stands or waits at every row of the rule.
            least: Mildest rank that needs agreement.
        """
        agreed = np.zeros(len(row), np.int8)
        for place in np.flatnonzero((single > 0) & (self.site[row] >= 0)).tolist():
            worst = standing[self.others(int(row[place]))].max(initial=0)
            if worst >= least:
                agreed[place] = min(int(worst), int(single[place]))
        return agreed
