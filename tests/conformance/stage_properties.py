"""Three properties every stage has: batching, restarts and partitions do not change its outputs.

A script is a list of ticks `(now_ms, messages)`. `play` gives each tick to a stage as a runner
does: the messages, then `on_time`. Each `same_…` function asserts one property and returns what
the stage said, tick by tick, so that a test can check that the script was worth playing; a
script on which the stage says nothing at all proves nothing and is refused.
"""

import zlib
from collections.abc import Callable, Sequence

from pipeline.messages import (
    DeviceHealth,
    HotlineReport,
    Incident,
    Message,
    OperatorAct,
    RuleText,
    Samples,
)
from pipeline.stage import Stage, pack
from sensors.field import DeviceStatus
from sensors.readings import Frame, ReadingBatch
from sensors.registry import Registry, partition_of

Script = Sequence[tuple[int, Sequence[Message]]]
MakeStage = Callable[[], Stage]
Outputs = list[list[Message]]
MakePart = Callable[[int, int], Stage]
Split = Callable[[Message, int], Sequence[tuple[int, Message]]]
"""Message and number of partitions → the part of it that each partition is given."""


def play(stage: Stage, script: Script, batch_size: int | None = None) -> Outputs:
    """Return what a stage says to each tick; `batch_size` messages at a time, None for all."""
    return [_tick(stage, now_ms, messages, batch_size) for now_ms, messages in script]


def same_in_any_batching(
    make_stage: MakeStage, script: Script, sizes: Sequence[int] = (1, 2, 3, 7)
) -> Outputs:
    """Assert that the messages of a tick may come one by one, or in batches of any size."""
    expected = play(make_stage(), script)
    _is_worth_playing(expected)
    for size in sizes:
        again = play(make_stage(), script, size)
        assert _said(again) == _said(expected), f"outputs differ in batches of {size}"
    return expected


def same_after_restart(make_stage: MakeStage, script: Script, every: int = 1) -> Outputs:
    """Assert that a new stage with a snapshot goes on as the old one would have.

    Two runs: one restarts after each `every`-th tick, one in the middle of it, between two
    batches, when messages may wait inside the stage.
    """
    expected = play(make_stage(), script)
    _is_worth_playing(expected)
    for in_the_middle in (False, True):
        stage, again = make_stage(), []
        for number, (now_ms, messages) in enumerate(script):
            is_due = number % every == every - 1
            if is_due and in_the_middle:
                half = len(messages) // 2
                said = list(stage.on_batch(messages[:half], now_ms)) if half else []
                stage = _restarted(make_stage, stage)
                again.append(said + _tick(stage, now_ms, messages[half:], None))
                continue
            again.append(_tick(stage, now_ms, messages, None))
            if is_due:
                stage = _restarted(make_stage, stage)
        place = "in the middle of" if in_the_middle else "after"
        assert _said(again) == _said(expected), f"outputs differ with restarts {place} ticks"
    return expected


def same_in_partitions(
    make_part: MakePart,
    script: Script,
    split: Split,
    partitions: Sequence[int] = (2, 3, 7),
) -> Outputs:
    """Assert that several stages, each with its part of the messages, say the same together.

    `make_part(partition, count)` makes the stage of one partition; `make_part(0, 1)` the stage
    that has everything. Outputs are compared tick by tick without order, bulk samples reading
    by reading.
    """
    expected = play(make_part(0, 1), script)
    _is_worth_playing(expected)
    for count in partitions:
        together: Outputs = [[] for _ in script]
        for partition in range(count):
            part = [
                (now_ms, _part(messages, split, partition, count)) for now_ms, messages in script
            ]
            for tick, said in enumerate(play(make_part(partition, count), part)):
                together[tick] += said
        for tick, (one, many) in enumerate(zip(expected, together, strict=True)):
            assert _unordered(many) == _unordered(one), f"tick {tick} differs in {count} partitions"
    return expected


def split_by_area(registry: Registry) -> Split:
    """Return the split of a stage keyed by area: frames, statuses, samples and device health."""
    areas = registry.texts("area")

    def split(message: Message, count: int) -> Sequence[tuple[int, Message]]:
        if isinstance(message, Frame):
            device = int(message.batch.device[0]) if len(message.batch) else -1
            if 0 <= device < len(areas):
                return [(partition_of(areas[device], count), message)]
            return [(zlib.crc32(message.id.gateway.encode()) % count, message)]
        if isinstance(message, DeviceStatus):
            number = registry.number.get(message.device)
            return [(partition_of(areas[number], count) if number is not None else 0, message)]
        if isinstance(message, DeviceHealth | HotlineReport):
            return [(partition_of(message.area, count), message)]
        if isinstance(message, Incident | OperatorAct | RuleText):  # alarms of other areas too
            return [(partition, message) for partition in range(count)]
        if isinstance(message, Samples):
            return _split_samples(message, count, areas)
        raise TypeError(f"{type(message).__name__} is not keyed by area")

    return split


def canonical(message: Message) -> bytes:
    """Return a message as bytes: equal for equal messages, NaN and arrays included."""
    return pack(type(message).__name__, 0, message)


def _tick(
    stage: Stage, now_ms: int, messages: Sequence[Message], batch_size: int | None
) -> list[Message]:
    size = batch_size or max(1, len(messages))
    said: list[Message] = []
    for first in range(0, len(messages), size):
        said += stage.on_batch(messages[first : first + size], now_ms)
    return said + list(stage.on_time(now_ms))


def _part(messages: Sequence[Message], split: Split, partition: int, count: int) -> list[Message]:
    return [mine for one in messages for to, mine in split(one, count) if to == partition]


def _restarted(make_stage: MakeStage, stage: Stage) -> Stage:
    snapshot, due = stage.snapshot(), stage.next_due()
    fresh = make_stage()
    fresh.restore(snapshot)
    assert fresh.snapshot() == snapshot, "a restored stage makes another snapshot"
    assert fresh.next_due() == due, "a restored stage has another next timer"
    return fresh


def _is_worth_playing(outputs: Outputs) -> None:
    assert any(outputs), "the stage says nothing to this script, so it proves nothing"


def _said(outputs: Outputs) -> list[list[bytes]]:
    return [[canonical(message) for message in tick] for tick in outputs]


def _unordered(tick: Sequence[Message]) -> list[bytes]:
    said: list[bytes] = []
    for message in tick:
        if isinstance(message, Samples):
            rows = range(len(message.batch))
            said += [
                canonical(Samples(message.batch.take(slice(row, row + 1)), message.received_ms))
                for row in rows
            ]
        else:
            said.append(canonical(message))
    return sorted(said)


def _split_samples(
    message: Samples, count: int, areas: Sequence[str]
) -> Sequence[tuple[int, Message]]:
    parts: dict[int, list[int]] = {}
    for row, device in enumerate(message.batch.device.tolist()):
        parts.setdefault(partition_of(areas[device], count), []).append(row)
    return [
        (partition, Samples(_rows(message.batch, rows), message.received_ms))
        for partition, rows in sorted(parts.items())
    ]


def _rows(batch: ReadingBatch, rows: list[int]) -> ReadingBatch:
    return ReadingBatch.of(
        batch.device[rows], batch.time_ms[rows], batch.value[rows], batch.quality[rows]
    )
