"""Shuffles keep how often each letter follows each, and are drawn evenly among all that do."""

from collections import Counter
from itertools import pairwise, permutations

import numpy as np
import pytest
import torch

from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.domains.sequences.record import Record, one_hot
from attar.domains.sequences.shuffle import codes, shuffle, shuffled


def tensor(letters: str) -> Tensors:
    return Tensors(one_hot([Record.of("g", letters)]))


def words(rows: torch.Tensor) -> list[str]:
    return ["".join("ACGTN"[k] for k in codes(row)) for row in rows]


def test_every_pair_of_neighbours_is_there_as_often() -> None:
    letters = "".join(np.random.default_rng(3).choice(list("AACGT"), 500))
    rows = words(shuffled(tensor(letters), count=20, seed=1).values)
    wanted = Counter(pairwise(letters))
    for row in rows:
        assert Counter(pairwise(row)) == wanted
        assert (row[0], row[-1]) == (letters[0], letters[-1])
    assert len(set(rows)) == 20
    assert np.mean([a == b for row in rows for a, b in zip(row, letters, strict=True)]) < 0.4


def test_unread_letters_stay_and_stretches_between_them_are_shuffled_apart() -> None:
    letters = "NNACGTACGGTNCCATGCATTTN"
    for row in words(shuffled(tensor(letters), count=8, seed=0).values):
        assert [k for k, x in enumerate(row) if x == "N"] == [k for k, x in enumerate(letters) if x == "N"]
        for first, last in ((2, 11), (12, 22)):
            assert Counter(pairwise(row[first:last])) == Counter(pairwise(letters[first:last]))


def test_all_orders_come_equally_often() -> None:
    """Of a sequence whose orders can be listed: each within five standard deviations of its share."""
    letters = "ACAGACGA"
    wanted = Counter(pairwise(letters))
    orders = {order for order in permutations(letters) if Counter(pairwise(order)) == wanted and order[0] == "A"}
    generator, draws = np.random.default_rng(0), 6000
    given = np.array(["ACGT".index(x) for x in letters])
    seen = Counter(tuple("ACGT"[k] for k in shuffle(given, generator)) for _ in range(draws))
    assert set(seen) == orders
    assert len(orders) > 5
    share = 1 / len(orders)
    off = np.sqrt(draws * share * (1 - share))
    assert all(abs(times - draws * share) < 5 * off for times in seen.values())


def test_the_seed_decides_and_the_global_state_does_not() -> None:
    given = tensor("ACGTTGCAACGGTACCATG")
    first = shuffled(given, count=3, seed=4).values
    np.random.seed(9)  # noqa: NPY002 - the global state is what is looked at
    assert torch.equal(first, shuffled(given, count=3, seed=4).values)
    assert not torch.equal(first, shuffled(given, count=3, seed=5).values)
    assert torch.equal(shuffled(given, count=5, seed=4).values[:3], first)


def test_what_cannot_be_shuffled_stays_or_is_refused() -> None:
    assert words(shuffled(tensor("AAAA"), count=2).values) == ["AAAA", "AAAA"]
    assert words(shuffled(tensor("G"), count=1).values) == ["G"]
    assert words(shuffled(tensor("NN"), count=1).values) == ["NN"]
    with pytest.raises(InputError, match="one sequence is shuffled at a time"):
        shuffled(Tensors(torch.zeros(2, 4, 5)))
    with pytest.raises(InputError, match="count is 0"):
        shuffled(tensor("ACGT"), count=0)
