"""Several devices at one pump: the nearest samples count, one that lies is outvoted."""

import numpy as np

from pipeline.assess.history import History
from pipeline.ports import agreed
from sensors.readings import ReadingBatch

NAN = float("nan")


def told(elements: str, distance_ms: list[int], value: list[float]) -> dict[str, float]:
    return agreed(list(elements), np.array(distance_ms), np.array(value))


def test_the_nearest_sample_counts_whatever_its_number() -> None:
    assert told("AAB", [5, 9, 1], [1.0, 0.0, 7.0]) == {"A": 1.0, "B": 7.0}
    assert told("AA", [9, 5], [1.0, 0.0]) == {"A": 0.0}


def test_of_three_the_middle_value_counts() -> None:
    assert told("AAAA", [1, 2, 3, 4], [0.0, 1.0, 1.0, 0.0]) == {"A": 1.0}


def test_a_device_that_said_nothing_is_not_asked() -> None:
    assert told("AAB", [1, 2, 3], [NAN, 1.0, NAN]) == {"A": 1.0}


def test_a_sample_on_the_right_side_of_a_moment_is_nearer_than_any_on_the_wrong() -> None:
    history = History.of(3)
    device, time_ms = np.array([0, 0, 1, 2]), np.array([10_000, 90_000, 40_000, 55_000])
    history.add(ReadingBatch.of(device, time_ms, np.array([1.0, 2.0, 3.0, 4.0])))
    devices = np.arange(3)
    after_ms, after = history.around(devices, 50_000, is_after=True)
    before_ms, before = history.around(devices, 50_000, is_after=False)
    assert after.tolist() == [2.0, 3.0, 4.0]
    assert np.argsort(after_ms).tolist() == [2, 0, 1]
    assert before.tolist() == [1.0, 3.0, 4.0]
    assert np.argsort(before_ms).tolist() == [1, 0, 2]
