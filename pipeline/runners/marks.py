"""Marks in the inbox journal: after a restart the runner takes the same steps as before.

A batch of messages ends with a mark; whether it was then worked on with patience or not is part
of it. What follows the last mark was never acknowledged and will come again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sensors.errors import FrameError
from sensors.field import decode, encode

Raw = tuple[str, bytes]
"""Topic and payload as received."""

_TOPIC = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """The end of a batch.

    Attributes:
        batch: Number of the batch, from 1.
        is_forced: Whether an incomplete tick was then worked on all the same.
    """

    batch: int
    is_forced: bool


def marked(messages: list[Raw], mark: Mark) -> list[Raw]:
    """Return a batch as the journal keeps it."""
    return [*messages, (_TOPIC, encode(mark))]


def batches(records: Iterable[Raw]) -> Iterator[tuple[list[Raw], Mark]]:
    """Yield the whole batches of a journal."""
    messages: list[Raw] = []
    for topic, payload in records:
        if topic != _TOPIC:
            messages.append((topic, payload))
            continue
        try:
            mark = decode(payload, Mark)
        except FrameError:
            return
        yield messages, mark
        messages = []
