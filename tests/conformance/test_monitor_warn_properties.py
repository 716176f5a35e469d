"""Monitor and warn do not care about batching, restarts and partitions; nor do alarms about ticks.

The script is a bad day in five areas: bursts, spikes, stuck and silent devices, late batches,
repeated, missing and shuffled frames, and batteries that run down.
"""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.messages import Alarm, DeviceHealth, HealthKind, Message, WarningNotice
from pipeline.monitor.stage import MonitorStage
from pipeline.rules import default_rules
from pipeline.warn.engine import RuleEngine
from pipeline.warn.stage import WarnStage
from sensors.field import DeviceStatus
from sensors.readings import Frame, FrameId, ReadingBatch
from sensors.registry import Registry, partition_of
from tests.conformance.pressure_devices import START_MS, pressure_device
from tests.conformance.stage_properties import (
    Script,
    canonical,
    play,
    same_after_restart,
    same_in_any_batching,
    same_in_partitions,
    split_by_area,
)

RULES = default_rules()
AREAS = ("D01", "D02", "D03", "D04", "D05")
PER_AREA = 5
TICKS = 40
TICK_MS = 60_000
REGISTRY = Registry.of(
    pressure_device(number, area, upload_s=600 if number == 4 else 0, interval_s=60 * (number + 1))
    for area in AREAS
    for number in range(PER_AREA)
)


def make_monitor() -> MonitorStage:
    return MonitorStage(REGISTRY, RULES.device)


def monitor_of(partition: int, count: int) -> MonitorStage:
    areas = [area for area in AREAS if partition_of(area, count) == partition]
    return MonitorStage(REGISTRY, RULES.device, areas=areas)


def make_warn() -> WarnStage:
    return WarnStage(REGISTRY, RULES, normal_low=np.linspace(0.1, 0.5, len(REGISTRY)))


def make_engine() -> RuleEngine:
    return RuleEngine(REGISTRY, RULES, normal_low=np.linspace(0.1, 0.5, len(REGISTRY)))


def true_values(chance: np.random.Generator) -> np.ndarray:
    """Pressure by device and tick: noise, two bursts with repair, a decline, spikes, a freeze."""
    base = chance.uniform(0.25, 0.6, len(REGISTRY))[:, None]
    value = base + chance.normal(0, 0.004, (len(REGISTRY), TICKS))
    value[0:5, 12:27] -= 0.22
    value[10:14, 18:] -= np.minimum(0.03 * np.arange(TICKS - 18), 0.4)
    spikes = chance.random(value.shape) < 0.02
    value[spikes] -= 0.5
    value[7, 3:38] = 0.333
    return np.round(np.maximum(value, -0.1), 3)


def wire_script(seed: int) -> Script:
    """Frames and statuses as they come over a bad wire, tick by tick."""
    chance = np.random.Generator(np.random.Philox(seed))
    value = true_values(chance)
    interval = REGISTRY.numbers("interval_s").astype(int) // 60
    interval[7] = 1  # in alarm: it samples at its alarm rate
    held: list[tuple[int, int, float]] = []
    script: list[tuple[int, list[Message]]] = []
    ready: list[Frame] = []
    for tick in range(TICKS):
        now_ms = START_MS + (tick + 1) * TICK_MS
        due = np.flatnonzero((tick % interval == 0) & ~((np.arange(25) // 5 == 3) & (tick > 10)))
        held += [(int(d), now_ms - int(d) * 7 - 500, float(value[d, tick])) for d in due]
        sent = [one for one in held if one[0] % PER_AREA != 4 or tick % 10 == 9]
        held = [one for one in held if one not in sent]
        for place, area in enumerate(AREAS):
            mine = [one for one in sent if one[0] // PER_AREA == place]
            if mine:
                columns = [list(column) for column in zip(*mine, strict=True)]
                frame = FrameId(f"g-{area}", 1 + tick // 25, tick % 25)
                ready.append(Frame(frame, now_ms, ReadingBatch.of(*columns)))
        held_back = [frame for frame in ready if frame.sent_ms > _released_ms(frame, now_ms)]
        ready = [frame for frame in ready if frame.sent_ms <= _released_ms(frame, now_ms)]
        luck = chance.random(len(ready))
        arrived = [frame for frame, one in zip(ready, luck, strict=True) if 0.1 < one < 0.9]
        repeated = [frame for frame, one in zip(ready, luck, strict=True) if one > 0.95]
        ready = [frame for frame, one in zip(ready, luck, strict=True) if one >= 0.9]
        ready += held_back
        low = DeviceStatus(REGISTRY.ids[tick % 25], now_ms, float(chance.random()))
        messages: list[Message] = [*arrived, *arrived[:2], *repeated, low]
        order = chance.permutation(len(messages))
        script.append((now_ms, [messages[number] for number in order]))
    return script


def _released_ms(frame: Frame, now_ms: int) -> int:
    """One gateway's line is slow from the twentieth tick on: its frames come 5 min late."""
    is_slow = frame.id.gateway == "g-D05" and now_ms > START_MS + 20 * TICK_MS
    return now_ms - 5 * TICK_MS if is_slow else now_ms


def warn_script(seed: int) -> Script:
    """What the monitor makes of the wire."""
    wire = wire_script(seed)
    outputs = play(make_monitor(), wire)
    return [(now_ms, said) for (now_ms, _), said in zip(wire, outputs, strict=True)]


def said(outputs: Sequence[Sequence[Message]], kind: type) -> list[Message]:
    return [message for tick in outputs for message in tick if isinstance(message, kind)]


@pytest.mark.parametrize("seed", [1, 2])
def test_monitor_says_the_same_in_any_batching(seed: int) -> None:
    outputs = same_in_any_batching(make_monitor, wire_script(seed))
    kinds = {message.kind for message in said(outputs, DeviceHealth)}  # type: ignore[union-attr]
    assert kinds >= set(HealthKind) - {HealthKind.SKEW}


@pytest.mark.parametrize("seed", [1, 2])
def test_monitor_goes_on_after_a_restart(seed: int) -> None:
    same_after_restart(make_monitor, wire_script(seed))


@pytest.mark.parametrize("seed", [1, 2])
def test_monitor_says_the_same_in_partitions(seed: int) -> None:
    same_in_partitions(monitor_of, wire_script(seed), split_by_area(REGISTRY))


@pytest.mark.parametrize("seed", [1, 2])
def test_warn_says_the_same_in_any_batching(seed: int) -> None:
    outputs = same_in_any_batching(make_warn, warn_script(seed))
    alarms = said(outputs, Alarm)
    assert {alarm.state.value for alarm in alarms} == {  # type: ignore[union-attr]
        "provisional",
        "raised",
        "changed",
        "cleared",
        "withdrawn",
    }
    assert said(outputs, WarningNotice)


@pytest.mark.parametrize("seed", [1, 2])
def test_warn_goes_on_after_a_restart(seed: int) -> None:
    same_after_restart(make_warn, warn_script(seed))


@pytest.mark.parametrize("seed", [1, 2])
def test_warn_says_the_same_in_partitions(seed: int) -> None:
    same_in_partitions(lambda *_: make_warn(), warn_script(seed), split_by_area(REGISTRY))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_order_of_arrival_within_a_tick_changes_nothing(seed: int) -> None:
    script = wire_script(3)
    chance = np.random.Generator(np.random.Philox(seed))
    shuffled = [
        (now_ms, [messages[number] for number in chance.permutation(len(messages))])
        for now_ms, messages in script
    ]
    one, other = play(make_monitor(), script), play(make_monitor(), shuffled)
    assert [list(map(canonical, tick)) for tick in one] == [
        list(map(canonical, tick)) for tick in other
    ]


@given(seed=st.integers(0, 2**32 - 1), mean_gap_s=st.sampled_from([30, 90, 300]))
@settings(max_examples=20)
def test_samples_in_one_batch_are_judged_like_sample_by_sample(seed: int, mean_gap_s: int) -> None:
    chance = np.random.Generator(np.random.Philox(seed))
    count = 300
    device = chance.integers(0, len(REGISTRY), count)
    time_ms = START_MS + np.cumsum(chance.integers(1, 2 * mean_gap_s * 1000 // 25, count))
    value = np.abs(chance.normal(0.25, 0.15, count)).round(3)
    quality = chance.choice([0, 0, 0, 2, 16, 32], count)
    all_rows = ReadingBatch.of(device, time_ms, value, quality)
    rows = [all_rows.take(slice(number, number + 1)) for number in range(count)]
    now_ms = int(time_ms[-1])
    together = all_rows.by_device_and_time()
    engine, other = make_engine(), make_engine()
    at_once = engine.judge(together, now_ms)
    one_by_one = [alarm for row in rows for alarm in other.judge(row, now_ms)]
    assert sorted(map(canonical, at_once)) == sorted(map(canonical, one_by_one))
    assert at_once
    keys = [(one.sample_ms, one.device, one.rule) for one in at_once]
    assert keys == sorted(keys)


class Careless:
    """A stage with one fault, to show that the properties can fail."""

    name = "careless"

    def __init__(self, fault: str) -> None:
        self.fault, self.seen = fault, 0

    def on_batch(self, batch: Sequence[Message], now_ms: int) -> Sequence[Message]:
        self.seen += 1 if self.fault == "batching" else len(batch)
        return ()

    def on_time(self, now_ms: int) -> Sequence[Message]:
        health = DeviceHealth("d", "a", HealthKind.OFFLINE, True, now_ms, str(self.seen))
        return [health] if self.seen else []

    def next_due(self) -> int | None:
        return None

    def snapshot(self) -> bytes:
        return b"" if self.fault == "restart" else str(self.seen).encode()

    def restore(self, snapshot: bytes) -> None:
        self.seen = int(snapshot or b"0")


SCRIPT: Script = [
    (tick, [DeviceStatus(device, tick, 0.5) for device in REGISTRY.ids[::3]]) for tick in (1, 2, 3)
]


def test_a_careless_stage_is_found_out() -> None:
    with pytest.raises(AssertionError, match="differ in batches of 1"):
        same_in_any_batching(lambda: Careless("batching"), SCRIPT)
    with pytest.raises(AssertionError, match="differ with restarts after ticks"):
        same_after_restart(lambda: Careless("restart"), SCRIPT)
    with pytest.raises(AssertionError, match="differs in 2 partitions"):
        same_in_partitions(lambda *_: Careless("partition"), SCRIPT, split_by_area(REGISTRY))
    same_in_any_batching(lambda: Careless("none"), SCRIPT)
    same_after_restart(lambda: Careless("none"), SCRIPT)


def test_a_script_that_says_nothing_is_refused() -> None:
    with pytest.raises(AssertionError, match="proves nothing"):
        same_in_any_batching(make_warn, [(START_MS, [])])
