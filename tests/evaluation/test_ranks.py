"""Orders with ties and holes, against scipy and against all pairs."""

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr
from torch import Tensor

from attar.evaluation.ranks import Order, kendall, pearson, spearman
from models import tight
from reference.measures import tau_b

SIZES = (2, 3, 5, 16, 33)


def tables(*, values: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Two tables of rows as long as `SIZES` say, with so many different values; what is in holes is no number."""
    generator = np.random.default_rng(seed)
    there = torch.arange(max(SIZES)) < torch.tensor(SIZES)[:, None]
    one, other = (torch.from_numpy(generator.integers(0, values, there.shape).astype(float)) for _ in range(2))
    return one.masked_fill(~there, torch.nan), other.masked_fill(~there, torch.nan), there


@pytest.mark.parametrize("values", [2, 3, 10, 10**6])
def test_kendall_counts_all_pairs(values: int) -> None:
    for seed in range(10):
        one, other, there = tables(values=values, seed=seed)
        expected = [tau_b(a[:n].numpy(), b[:n].numpy()) for a, b, n in zip(one, other, SIZES, strict=True)]
        torch.testing.assert_close(
            kendall(one, other, there), torch.tensor(expected), rtol=1e-12, atol=1e-12, equal_nan=True
        )


@pytest.mark.parametrize(("ours", "theirs"), [(spearman, spearmanr), (pearson, pearsonr)])
def test_correlations_are_scipys(ours: object, theirs: object) -> None:
    one, other, there = tables(values=10**6)
    expected = [theirs(a[:n], b[:n]).statistic for a, b, n in zip(one, other, SIZES, strict=True)]
    tight(ours(one, other, there), expected)


@pytest.mark.parametrize("alike", [kendall, spearman, pearson])
def test_a_constant_says_nothing_and_of_a_constant_there_is_nothing_to_say(alike: object) -> None:
    some, same = torch.arange(6.0).double()[None], torch.full((1, 6), 0.1).double()
    there = torch.ones(1, 6, dtype=torch.bool)
    assert float(alike(same, some, there)) == 0
    assert bool(alike(some, same, there).isnan())
    noise = same + 1e-17 * torch.randn(6, generator=torch.Generator().manual_seed(0))
    if alike is pearson:  # rounding is no order
        assert float(alike(noise * 3, some, there)) == 0


@pytest.mark.parametrize("alike", [kendall, spearman])
def test_only_the_order_counts(alike: object) -> None:
    one, other, there = tables(values=20)
    tight(alike(one.exp(), other, there), alike(one, other, there))
    tight(alike(-one, other, there), -alike(one, other, there))


def test_tables_may_stand_beside_one_that_is_known() -> None:
    one, other, there = tables(values=9)
    stacked = torch.stack([one, -one, one + 1])
    tight(spearman(stacked, other, there)[1], spearman(-one, other, there))


def test_parts_that_tie_for_the_last_places_share_them() -> None:
    values = torch.tensor([[3.0, 1, 1, 1, 0], [2, 2, 2, 2, 2], [5, 4, 3, 2, 1]]).double()
    there = torch.ones(3, 5, dtype=torch.bool)
    there[2, 4] = False
    top = Order.of(values, there).top(torch.full((3, 1), 2))
    tight(top, [[1, 1 / 3, 1 / 3, 1 / 3, 0], [0.4] * 5, [1, 1, 0, 0, 0]])


def test_an_empty_row_has_no_score() -> None:
    there = torch.tensor([[False, False], [True, True]])
    found = kendall(torch.tensor([[0.0, 0], [1, 2]]), torch.tensor([[0.0, 0], [1, 2]]), there)
    assert bool(found[0].isnan())
    assert float(found[1]) == 1
