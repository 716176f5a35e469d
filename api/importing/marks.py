"""Marks in a column: which rows carry one that the mapping names, and which never occur."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from api.importing.files import as_text
from api.importing.times import Bools, numbers_of

Mark = str | float | bool


def marked(
    column: pa.ChunkedArray, marks: Sequence[Mark], where: str
) -> tuple[Bools, frozenset[int]]:
    """Return which rows carry one of the marks, and the places of the marks that were seen.

    Numbers are compared as numbers (0 is 0.0), text without regard to case and outer spaces;
    true is the text true or the number 1, false the text false or 0. An empty cell carries none.

    Args:
        column: Text, numbers or truth values.
        marks: What to look for.
        where: File and column, for messages.

    Raises:
        MappingError: the column holds neither numbers nor text.
    """
    text = as_text(column, where)
    distinct = pc.unique(text)
    folded = pc.utf8_lower(pc.utf8_trim_whitespace(distinct))
    numbers = numbers_of(folded)
    hits = [_carries(folded, numbers, mark) for mark in marks]
    seen = frozenset(place for place, hit in enumerate(hits) if hit.any())
    is_hit = np.logical_or.reduce([np.zeros(len(distinct), np.bool_), *hits])
    wanted = distinct.filter(pa.array(is_hit))
    found: Bools = pc.fill_null(pc.is_in(text, value_set=wanted), False).to_numpy()
    return found, seen


def _carries(folded: pa.Array, numbers: pa.Array, mark: Mark) -> Bools:
    """Return which of some texts, in lower case, are the mark."""
    if isinstance(mark, str):
        is_mark = pc.equal(folded, mark.strip().lower())
    else:
        is_mark = pc.equal(numbers, float(mark))
        if isinstance(mark, bool):
            is_mark = pc.or_kleene(is_mark, pc.equal(folded, str(mark).lower()))
    hit: Bools = pc.fill_null(is_mark, False).to_numpy(zero_copy_only=False)
    return hit


def mark_text(mark: Mark) -> str:
    """Return a mark as the mapping writes it."""
    if isinstance(mark, bool):
        return str(mark).lower()
    return repr(mark) if isinstance(mark, str) else f"{mark:.15g}"
