"""Reads Arrow frames faster by remembering the messages that frames have in common.

The schema message of two frames of a gateway differs in the values of its metadata only, and the
batch messages of frames of one length are the same bytes. What was checked once is compared.
"""

import struct
from dataclasses import dataclass
from itertools import pairwise

from sensors.codecs.arrow_layout import (
    ArrowColumns,
    BatchLayout,
    batch_layout,
    columns_of,
    message_head,
    schema_metadata,
)
from sensors.errors import FrameError, RejectReason

MOST_BATCHES = 4_096
"""Batch messages remembered; frames of so many different lengths."""
MOST_SCHEMAS = 64
"""Schema messages remembered of a size, and sizes: names and counters of other lengths."""
LONGEST = 4_096
"""Longest message remembered, bytes; usual ones have 300 and 700."""


@dataclass(frozen=True, slots=True)
class _Template:
    """A schema message that was checked: the values of its metadata, and all the other bytes."""

    values: tuple[tuple[bytes, int, int], ...]
    fixed: tuple[tuple[int, int, bytes], ...]

    @classmethod
    def of(cls, head: bytes, values: list[tuple[bytes, int, int]]) -> "_Template | None":
        """Return a template; None when a value overlaps another one, or the structure."""
        spans = sorted((begin, end) for _, begin, end in values)
        if any(end > begin for (_, end), (begin, _) in pairwise(spans)):
            return None
        for filler in (b"\x00", b"\xff"):
            filled = bytearray(head)
            for begin, end in spans:
                filled[begin:end] = filler * (end - begin)
            try:
                if schema_metadata(bytes(filled)) != values:
                    return None
            except (FrameError, struct.error, IndexError, ValueError):
                return None
        edges = [0, *(edge for span in spans for edge in span), len(head)]
        pieces = zip(edges[0::2], edges[1::2], strict=True)
        return cls(tuple(values), tuple((one, two, head[one:two]) for one, two in pieces))

    def read(self, head: bytes) -> dict[bytes, bytes] | None:
        """Return the metadata of a schema message of this shape, None when it has another."""
        for begin, end, piece in self.fixed:
            if head[begin:end] != piece:
                return None
        return {key: head[begin:end] for key, begin, end in self.values}


class ColumnReader:
    """Does what `read_columns` does, with a memory."""

    def __init__(self) -> None:
        self._schemas: dict[int, list[_Template]] = {}
        self._batches: dict[bytes, BatchLayout] = {}

    def read(self, payload: bytes) -> ArrowColumns:
        """Return the metadata and columns of a stream of one uncompressed batch without nulls.

        Raises:
            FrameError: malformed; any other layout, or damage.
        """
        try:
            head, at = message_head(payload, 0)
            metadata = self._metadata(head)
            return columns_of(payload, metadata, at, self._layout(message_head(payload, at)[0]))
        except (struct.error, IndexError, ValueError) as error:
            raise FrameError(RejectReason.MALFORMED, f"Arrow stream: {error}") from error

    def _metadata(self, head: bytes) -> dict[bytes, bytes]:
        for template in self._schemas.get(len(head), ()):
            found = template.read(head)
            if found is not None:
                return found
        values = schema_metadata(head)
        self._remember(head, values)
        return {key: head[begin:end] for key, begin, end in values}

    def _remember(self, head: bytes, values: list[tuple[bytes, int, int]]) -> None:
        template = _Template.of(head, values) if len(head) <= LONGEST else None
        if template is None:
            return
        if len(self._schemas) >= MOST_SCHEMAS:
            self._schemas.clear()
        known = self._schemas.setdefault(len(head), [])
        known.insert(0, template)
        del known[MOST_SCHEMAS:]

    def _layout(self, head: bytes) -> BatchLayout:
        layout = self._batches.get(head)
        if layout is None:
            layout = batch_layout(head)
            if len(self._batches) >= MOST_BATCHES:
                self._batches.clear()
            if len(head) <= LONGEST:
                self._batches[head] = layout
        return layout
