from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sensors.readings import Floats
from simulator import randomness
from simulator.randomness import keys, normal, stream, uniform

IDS = [f"WP-D{number // 100:02d}-{number % 100:04d}-0" for number in range(2_000)]
COUNTERS = 1_750_000_000_000 + 60_000 * np.arange(50)


@pytest.fixture(scope="module")
def grid() -> Floats:
    """Uniform numbers, one row a device, one column a sampling time 60 s after the last."""
    made = keys(11, "noise", IDS)
    return uniform(np.repeat(made, 50), np.tile(COUNTERS, 2_000)).reshape(2_000, 50)


def test_streams_and_keys_give_the_same_numbers_on_every_platform() -> None:
    drawn = stream(7, "crews", "T03").integers(0, 2**32, 3).tolist()
    assert drawn == [3763733302, 3102527049, 2585926169]
    assert keys(7, "noise", ["WP-1"]).tolist() == [8940930278235197789]


def test_the_mixer_is_splitmix64() -> None:
    # First outputs of the published generator for the seed 1234567.
    seed = np.array([1234567], dtype=np.uint64)
    outputs = [int(randomness._bits(seed, step)[0]) for step in (1, 2)]
    assert outputs == [6457827717110365317, 3203168211198807973]


@pytest.mark.parametrize(
    ("seed", "names"), [(8, ("ab", "c")), (7, ("a", "bc")), (7, ("abc",)), (7, ("ab", "c", ""))]
)
def test_another_seed_or_name_is_another_stream(seed: int, names: tuple[str, ...]) -> None:
    same, other = stream(7, "ab", "c").random(4), stream(seed, *names).random(4)
    assert not np.any(same == other)


@given(st.lists(st.text(min_size=1), min_size=1, unique=True), st.randoms(use_true_random=False))
def test_a_key_does_not_depend_on_the_other_ids(ids: list[str], shuffler: Random) -> None:
    alone = {item: keys(3, "noise", [item])[0] for item in ids}
    shuffler.shuffle(ids)
    assert keys(3, "noise", ids).tolist() == [alone[item] for item in ids]


def test_keys_differ_by_seed_purpose_and_id() -> None:
    made = [keys(seed, purpose, IDS) for seed in (1, 2) for purpose in ("noise", "device")]
    assert len(np.unique(np.concatenate(made))) == 4 * len(IDS)


@given(st.lists(st.integers(-(2**62), 2**62), min_size=2, max_size=40), st.data())
def test_batching_does_not_change_a_number(counters: list[int], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(counters) - 1))
    made = keys(1, "noise", IDS[: len(counters)])
    column = np.array(counters, dtype=np.int64)
    parts = [normal(made[:cut], column[:cut]), normal(made[cut:], column[cut:])]
    assert np.array_equal(normal(made, column), np.concatenate(parts))


def test_one_counter_serves_all_keys() -> None:
    made = keys(1, "noise", IDS)
    assert np.array_equal(uniform(made, 5), uniform(made, np.full(len(IDS), 5)))


def test_uniform_numbers_are_uniform(grid: Floats) -> None:
    flat = grid.ravel()
    assert abs(flat.mean() - 0.5) < 5 * np.sqrt(1 / 12 / flat.size)
    assert abs(flat.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / flat.size)
    assert stats.kstest(flat, "uniform").pvalue > 1e-3


def test_normal_numbers_are_normal() -> None:
    numbers = normal(keys(11, "noise", IDS), 1)
    assert abs(numbers.mean()) < 5 / np.sqrt(numbers.size)
    assert abs(numbers.var() - 1) < 5 * np.sqrt(2 / numbers.size)
    assert stats.kstest(numbers, "norm").pvalue > 1e-3


@pytest.mark.parametrize("axis", [0, 1], ids=["neighbouring keys", "neighbouring counters"])
def test_neighbours_are_not_correlated(grid: Floats, axis: int) -> None:
    one, other = (np.delete(grid, place, axis=axis).ravel() for place in (0, -1))
    assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(one.size)


def test_each_device_has_its_own_mean_within_chance(grid: Floats) -> None:
    deviations = (grid.mean(axis=1) - 0.5) / np.sqrt(1 / 12 / grid.shape[1])
    assert stats.kstest(deviations, "norm").pvalue > 1e-3


@pytest.mark.parametrize("bits", [0, 2**64 - 1])
def test_the_ends_of_the_interval_never_come_out(
    monkeypatch: pytest.MonkeyPatch, bits: int
) -> None:
    monkeypatch.setattr(
        randomness, "_bits", lambda keys, counter: np.full(1, bits, dtype=np.uint64)
    )
    made = np.zeros(1, dtype=np.uint64)
    assert 0.0 < uniform(made, 0)[0] < 1.0
    assert np.isfinite(normal(made, 0)[0])
