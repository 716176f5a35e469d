"""Named random streams and per-id random columns: no draw depends on who else is drawing."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from sensors.readings import Floats, Int64s

Keys = NDArray[np.uint64]

# Constants of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
# generators, OOPSLA 2014; finaliser "variant 13" by Stafford).
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def stream(seed: int, *names: str) -> np.random.Generator:
    """Return the random stream of one component, the same on every platform.

    Streams with other names are independent, so a component may draw as often as it likes
    without changing what another one sees: `stream(7, "crews", "T03")`.
    """
    key = int.from_bytes(_digest(seed, *names)[:16], "little")
    return np.random.Generator(np.random.Philox(key=key))


def keys(seed: int, purpose: str, ids: Sequence[str]) -> Keys:
    """Return one 64-bit key an id, to be drawn from with `uniform` and `normal`.

    A key follows from seed, purpose and its own id alone: not from its place in `ids`, nor
    from the other ids. About 1 µs an id; compute once and keep.
    """
    root = hashlib.blake2b(digest_size=8, key=_digest(seed, purpose))
    parts = []
    for item in ids:
        hasher = root.copy()
        hasher.update(item.encode())
        parts.append(hasher.digest())
    return np.frombuffer(b"".join(parts), dtype="<u8").astype(np.uint64)


def uniform(keys: Keys, counter: Int64s | int) -> Floats:
    """Return numbers evenly spread over the open interval (0, 1).

    Args:
        keys: One key a number (`keys`).
        counter: Which number of each key's sequence: a column as long as `keys`, or one for
            all. Any order, any gaps, any batching: (key, counter) decides the number.
    """
    bits = _bits(keys, counter)
    bits >>= np.uint64(12)
    numbers = bits.astype(np.float64)
    numbers += 0.5  # so that neither 0 nor 1 can come out, and `normal` stays finite
    numbers *= 2.0**-52
    return numbers


def normal(keys: Keys, counter: Int64s | int) -> Floats:
    """Return standard normal numbers; arguments as in `uniform`, by the inverse distribution."""
    numbers = uniform(keys, counter)
    ndtri(numbers, out=numbers)
    return numbers


def _digest(seed: int, *names: str) -> bytes:
    # The length before each part keeps ("ab", "c") and ("a", "bc") apart.
    parts = (str(seed), *names)
    return hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).digest()


def _bits(keys: Keys, counter: Int64s | int) -> Keys:
    """Return splitmix64 of each key after `counter` steps."""
    state: Keys = np.atleast_1d(np.asarray(counter, dtype=np.int64)).astype(np.uint64)
    state *= _GAMMA
    state = state + keys
    shifted = np.empty_like(state)
    for shift, factor in ((np.uint64(30), _MIX_1), (np.uint64(27), _MIX_2)):
        np.right_shift(state, shift, out=shifted)
        state ^= shifted
        state *= factor
    np.right_shift(state, np.uint64(31), out=shifted)
    state ^= shifted
    return state
