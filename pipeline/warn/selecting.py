"""Which devices a rule watches: the globs of its `select`, worked out over a whole registry."""

import re
from collections.abc import Sequence
from fnmatch import translate
from functools import cached_property

import numpy as np

from pipeline.errors import RuleError
from pipeline.rules import Rule
from pipeline.warn.verdicts import Bools, Rows
from sensors.registry import Registry

_WILD = frozenset("*?[")


class Selector:
    """Works out selections over one registry; columns are read once.

    A pattern is a shell glob (`*`, `?`, `[…]`), upper and lower case told apart.
    """

    def __init__(self, registry: Registry) -> None:
        """Take the devices."""
        self._registry = registry
        self._columns: dict[str, tuple[list[str], Rows]] = {}

    def devices(self, rule: Rule, source: str) -> Rows:
        """Return the numbers of the devices a rule watches, ascending.

        Raises:
            RuleError: it names no quantity and its devices measure several.
        """
        select = rule.select
        chosen = np.ones(len(self._registry), np.bool_)
        for column, patterns in (
            ("kind", select.kinds),
            ("quantity", (select.quantity,) if select.quantity else ()),
            ("domain", select.domains),
            ("area", select.areas),
            ("element", select.elements),
            ("profile", select.profiles),
            ("id", select.devices),
        ):
            if patterns:
                chosen &= self._matches(column, patterns)
        if select.but:
            chosen &= ~self._matches("id", select.but)
        devices = np.flatnonzero(chosen).astype(np.intp)
        if not select.quantity and len(devices):
            self._check_quantity(rule, devices, source)
        return devices

    @cached_property
    def quantities(self) -> Sequence[str]:
        """Quantity of each device."""
        return self._registry.texts("quantity")

    def _matches(self, column: str, patterns: Sequence[str]) -> Bools:
        words, code = self._column(column)
        plain = {one for one in patterns if not _WILD & set(one)}
        globs = [re.compile(translate(one)) for one in patterns if _WILD & set(one)]
        is_match = np.fromiter(
            (word in plain or any(glob.match(word) for glob in globs) for word in words),
            np.bool_,
            len(words),
        )
        found: Bools = is_match[code]
        return found

    def _column(self, column: str) -> tuple[list[str], Rows]:
        """Return the distinct words of a column and, for each device, which one it has."""
        if column not in self._columns:
            place: dict[str, int] = {}
            texts = self._registry.ids if column == "id" else self._registry.texts(column)
            code = np.fromiter(
                (place.setdefault(text, len(place)) for text in texts), np.intp, len(texts)
            )
            self._columns[column] = (list(place), code)
        return self._columns[column]

    def _check_quantity(self, rule: Rule, devices: Rows, source: str) -> None:
        words, code = self._column("quantity")
        measured = sorted({words[one] for one in np.unique(code[devices]).tolist()})
        if len(measured) > 1:
            raise RuleError(
                f"{source}: {rule.id}.select: its devices measure {', '.join(measured)}; "
                f"give one quantity"
            )
