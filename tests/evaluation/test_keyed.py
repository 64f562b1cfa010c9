"""Random numbers that go with an example: the same in any batch and order, and as random as others."""

import numpy as np
import torch
from scipy.stats import kstest

from attar.core.inputs import Inputs
from attar.evaluation import keyed
from models import graphs, numbers, sparse


def keys(inputs: Inputs) -> np.ndarray:
    return keyed.contents(inputs.parts, inputs.owners, len(inputs))


def test_an_example_keeps_its_numbers_in_any_batch_and_order() -> None:
    for inputs in (graphs(), sparse()):
        order = torch.tensor([2, 0, 3])
        some = inputs.take(order)
        np.testing.assert_array_equal(keys(some), keys(inputs)[order])
        name = next(iter(inputs.parts))
        whole, part = (keyed.normal(keys(each), each.owners[name].numpy(), draws=3, seed=1) for each in (inputs, some))
        for place, example in enumerate(order.tolist()):
            mine, its = some.owners[name].numpy() == place, inputs.owners[name].numpy() == example
            np.testing.assert_array_equal(part[:, mine], whole[:, its])


def test_examples_that_hold_the_same_are_told_apart() -> None:
    inputs = graphs().take(torch.tensor([0, 2, 0, 0]))
    found = keys(inputs)
    assert len(set(found.tolist())) == 4
    assert sorted(keys(inputs.take(torch.tensor([3, 1, 0, 2]))).tolist()) == sorted(found.tolist())


def test_one_entry_makes_another_example() -> None:
    table = {"input": numbers(50, 6)}
    owners = {"input": torch.arange(50)}
    before = keyed.contents(table, owners, 50)
    swapped = {"input": table["input"][:, [1, 0, 2, 3, 4, 5]]}
    assert not set(before.tolist()) & set(keyed.contents(swapped, owners, 50).tolist())
    table["input"][:, 3] += 1e-12
    assert not set(before.tolist()) & set(keyed.contents(table, owners, 50).tolist())


def test_there_is_one_zero() -> None:
    owners = {"input": torch.arange(1)}
    zeros = [keyed.contents({"input": torch.tensor([[sign * 0.0]])}, owners, 1) for sign in (1, -1)]
    assert zeros[0] == zeros[1]


def test_they_are_uniform_and_know_nothing_of_each_other() -> None:
    owner = np.repeat(np.arange(40), 250)
    some = np.arange(40, dtype=np.uint64)
    found = keyed.uniform(some, owner, draws=2, seed=0)
    assert kstest(found.ravel(), "uniform").pvalue > 1e-3
    by_example = found.reshape(2, 40, 250)
    for one, other in ((by_example[0], by_example[1]), (by_example[0, :-1], by_example[0, 1:])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(found[0, :-1], found[0, 1:])[0, 1]) < 0.03
    other_seed = keyed.uniform(some, owner, draws=2, seed=1)
    assert abs(np.corrcoef(found.ravel(), other_seed.ravel())[0, 1]) < 0.03


def test_more_draws_leave_the_first_as_they_were() -> None:
    owner, some = np.zeros(5, dtype=int), np.array([7], dtype=np.uint64)
    np.testing.assert_array_equal(
        keyed.normal(some, owner, draws=9, seed=3)[:4], keyed.normal(some, owner, draws=4, seed=3)
    )


def test_parts_without_rows_or_entries_have_keys() -> None:
    parts = {"nodes": torch.zeros(3, 2), "edges": torch.zeros(0, 2), "none": torch.zeros(2, 0)}
    owners = {"nodes": torch.tensor([0, 0, 1]), "edges": torch.zeros(0, dtype=torch.long), "none": torch.arange(2)}
    found = keyed.contents(parts, owners, 3)  # the last example has nothing at all
    assert len(set(found.tolist())) == 3
