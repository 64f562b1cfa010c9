"""Shuffled sequences that keep how often each letter follows each: what stands for "no signal" in DNA."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.baseline import Rows
from attar.core.errors import InputError
from attar.core.inputs import Inputs

_UNREAD = 4  # the code of a position that is no letter


def shuffled(inputs: Inputs, count: int = 10, seed: int = 0) -> Rows:
    """So many shuffles of one sequence as a background, each with the same number of every pair of neighbours.

    For a batch of one, letters as (1, 4, positions). Positions of zeros (N, and what lies beyond the end) stay where
    they are, and the stretches between them are shuffled each for itself. Drawn uniformly among all such orders, with
    the seed; the first and the last letter of a stretch stay. Raises `InputError` for several sequences.
    Source: Altschul & Erickson 1985, doi:10.1093/oxfordjournals.molbev.a040370; uniform over the trees of last edges by
    Wilson's walk (Wilson 1996, doi:10.1145/237814.237880).
    """
    array = next(iter(inputs.parts.values()))
    if array.ndim != 3 or array.shape[:2] != (1, _UNREAD):
        raise InputError(f"one sequence is shuffled at a time, as (1, 4, positions); here is {tuple(array.shape)}")
    if count < 1:
        raise InputError(f"count is {count}, expected 1 or more shuffles")
    letters = codes(array[0])
    generator = np.random.default_rng(seed)
    rows = torch.stack([of_codes(shuffle(letters, generator)) for _ in range(count)])
    return Rows(rows.to(array))


def codes(array: Float[Tensor, "4 positions"]) -> Int[np.ndarray, " positions"]:
    """The number of the letter at each position; 4 where there is none."""
    there, letter = array.max(0)
    return torch.where(there > 0, letter, _UNREAD).cpu().numpy()


def of_codes(letters: Int[np.ndarray, " positions"]) -> Float[Tensor, "4 positions"]:
    return torch.from_numpy(np.eye(_UNREAD + 1)[letters][:, :_UNREAD].T.copy())


def shuffle(letters: Int[np.ndarray, " positions"], generator: np.random.Generator) -> Int[np.ndarray, " positions"]:
    """One shuffle: each stretch of letters for itself."""
    found = letters.copy()
    for first, last in _stretches(letters):
        found[first:last] = _walk(letters[first:last], generator)
    return found


def _stretches(letters: Int[np.ndarray, " positions"]) -> Iterator[tuple[int, int]]:
    there = np.concatenate([[False], letters != _UNREAD, [False]])
    ends = np.flatnonzero(there[1:] != there[:-1]).reshape(-1, 2)
    yield from ((int(first), int(last)) for first, last in ends)


def _walk(letters: Int[np.ndarray, " some"], generator: np.random.Generator) -> Int[np.ndarray, " some"]:
    """An Eulerian walk over the pairs: from each letter, its pairs in a random order but for the last, which leads
    along a tree to the letter that the sequence ends with."""
    after = {int(letter): letters[1:][letters[:-1] == letter] for letter in np.unique(letters)}
    end = int(letters[-1])
    last = _tree(after, end, generator)
    orders = {}
    for letter, nexts in after.items():
        order = generator.permutation(len(nexts))
        if letter in last:
            order = np.append(order[order != last[letter]], last[letter])
        orders[letter] = iter(nexts[order].tolist())
    found = [int(letters[0])]
    while len(found) < len(letters):
        found.append(next(orders[found[-1]]))
    return np.array(found)


def _tree(after: dict[int, Int[np.ndarray, " nexts"]], end: int, generator: np.random.Generator) -> dict[int, int]:
    """For each letter but the end which of its pairs is left by last: uniform among those that lead to the end from
    everywhere, by walks whose loops are forgotten."""
    last: dict[int, int] = {}
    for start in after:
        letter, way = start, {}
        while letter != end and letter not in last:
            way[letter] = int(generator.integers(len(after[letter])))
            letter = int(after[letter][way[letter]])
        letter = start
        while letter != end and letter not in last:
            last[letter] = way[letter]
            letter = int(after[letter][way[letter]])
    return last
