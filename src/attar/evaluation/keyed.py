"""Random numbers that go with an example, wherever it stands: the same in any batch and any order."""

import math
from collections.abc import Mapping

import numpy as np
from scipy.special import ndtri
from torch import Tensor

_STEP = np.uint64(0x9E3779B97F4A7C15)


def contents(
    parts: Mapping[str, Tensor],
    owners: Mapping[str, Tensor],
    count: int,
    *,
    apart_by: np.ndarray | None = None,
) -> np.ndarray:
    """A number for each example, `UInt64[ndarray, "examples"]`, that is made of what it holds alone.

    Examples that hold the same are numbered, in the order of `apart_by` and then as they stand, so that each has
    numbers of its own, and all of them between them the same ones in any order.
    """
    keys = np.zeros(count, dtype=np.uint64)
    for place, name in enumerate(parts):
        owner = owners[name].cpu().numpy()
        rows = parts[name].detach().cpu().double().numpy()
        flat = rows.reshape(len(rows), math.prod(rows.shape[1:])) + 0.0  # there is one zero, not two
        bits = np.ascontiguousarray(flat).view(np.uint64)
        entry = np.arange(1, bits.shape[1] + 1, dtype=np.uint64) * _STEP
        row = _mixed(bits + entry).sum(1, dtype=np.uint64)
        keys += _summed(_mixed(row + _places(owner, count) * _STEP), owner, count) * np.uint64(2 * place + 1)
    return _mixed(keys + _occurrences(keys, keys if apart_by is None else apart_by) * _STEP)


def uniform(keys: np.ndarray, owner: np.ndarray, *, draws: int, seed: int) -> np.ndarray:
    """Numbers between 0 and 1, `Float[ndarray, "draws rows"]`: the k-th row of an example has the k-th of its own."""
    row = _mixed(keys[owner] + _places(owner, len(keys)) * _STEP)
    stream = _mixed(np.arange(1, draws + 1, dtype=np.uint64) * _STEP + _mixed(np.array([seed]).view(np.uint64)))
    return ((_mixed(row + stream[:, None]) >> np.uint64(11)).astype(float) + 0.5) * 2.0**-53


def normal(keys: np.ndarray, owner: np.ndarray, *, draws: int, seed: int) -> np.ndarray:
    """Standard normal numbers, laid out as those of `uniform`."""
    return ndtri(uniform(keys, owner, draws=draws, seed=seed))


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Every bit of a number depends on every bit of what it was.

    Source: Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators", the finaliser of SplitMix64.
    """
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _places(owner: np.ndarray, count: int) -> np.ndarray:
    """The place of each row in its example, from 1."""
    lengths = np.bincount(owner, minlength=count)
    return (np.arange(len(owner)) - (lengths.cumsum() - lengths)[owner] + 1).astype(np.uint64)


def _summed(rows: np.ndarray, owner: np.ndarray, count: int) -> np.ndarray:
    total = np.concatenate([np.zeros(1, dtype=np.uint64), rows.cumsum(dtype=np.uint64)])  # wraps round, and back again
    last = np.bincount(owner, minlength=count).cumsum()
    return np.diff(total[np.concatenate([[0], last])])


def _occurrences(keys: np.ndarray, apart_by: np.ndarray) -> np.ndarray:
    """How many equal keys come before each."""
    order = np.lexsort([apart_by, keys])
    ordered = keys[order]
    place = np.arange(len(keys))
    first = np.maximum.accumulate(np.where(np.concatenate([[True], ordered[1:] != ordered[:-1]]), place, 0))
    found = np.empty(len(keys), dtype=np.uint64)
    found[order] = place - first
    return found
