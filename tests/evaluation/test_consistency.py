"""Agreement of attributions of the same examples, and the spread of a score over models."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from attar import InputError, attribute
from attar.evaluation.consistency import agreement, spread, top_overlap
from attar.evaluation.score import BETTER, SAME, WORSE, scored
from attar.methods.grad_input import GradInput
from attar.methods.occlusion import Occlusion
from models import case, numbers

MEASURES = {"agreement": agreement, "overlap": partial(top_overlap, share=0.25)}


def noise(seeds: range) -> list[np.ndarray]:
    return [numbers(40, 12, seed=seed).numpy() for seed in seeds]


def test_agreement_is_the_mean_spearman_of_all_pairs() -> None:
    values = noise(range(4))
    pairs = [(a, b) for a in range(4) for b in range(a)]
    expected = [np.mean([spearmanr(values[a][k], values[b][k]).statistic for a, b in pairs]) for k in range(40)]
    np.testing.assert_allclose(agreement(values).values[0], expected, atol=1e-12)


def test_overlap_by_hand() -> None:
    one, other = np.array([[5.0, 4, 3, 2, 1, 0, -9, -8]]), np.array([[5.0, 1, 4, 3, 2, 0, -9, -8]])
    assert top_overlap([one, other], share=0.25).values[0, 0] == 0.5
    assert top_overlap([one, -one], share=0.25).values[0, 0] == 0  # the largest magnitudes count for the opposite


@pytest.mark.parametrize("name", MEASURES)
def test_the_same_the_opposite_and_unrelated(name: str) -> None:
    (values,) = noise(range(1))
    assert MEASURES[name]([values, values, 2 * values]).mean.score == pytest.approx(1)
    assert MEASURES[name]([values, values]).verdict == BETTER
    assert MEASURES[name]([values, -values]).verdict == WORSE
    assert MEASURES[name](noise(range(5))).verdict == SAME


@pytest.mark.parametrize("name", MEASURES)
def test_only_order_counts_and_a_constant_agrees_with_nothing(name: str) -> None:
    values = noise(range(3))
    found = MEASURES[name](values)
    np.testing.assert_allclose(MEASURES[name]([np.exp(v) for v in values]).values, found.values, atol=1e-12)
    constant = MEASURES[name]([np.ones((40, 12))] * 2)
    assert constant.verdict == SAME


def test_ragged_graphs_under_two_methods() -> None:
    given = case("gcn")
    found = [attribute(given.model, given.inputs, method) for method in (Occlusion(), GradInput())]
    score = agreement(found, inputs=given.inputs)
    assert np.isnan(score.values[0, 1])  # a lone node has nothing to order
    assert score.mean.score > 0.5
    order = torch.tensor([3, 0, 2, 1])
    shuffled = given.inputs.take(order)
    again = agreement([attribute(given.model, shuffled, method) for method in (Occlusion(), GradInput())])
    np.testing.assert_allclose(again.values, score.values[:, order], atol=1e-9)


def test_other_examples_are_refused() -> None:
    with pytest.raises(InputError, match="between two attributions or more, got 1"):
        agreement(noise(range(1)))
    with pytest.raises(InputError, match="of other examples or parts"):
        agreement([numbers(4, 3), numbers(4, 5)])
    with pytest.raises(InputError, match="share is 1"):
        top_overlap(noise(range(2)), share=1)
    bad = noise(range(2))
    bad[1][3, 3] = np.nan
    with pytest.raises(InputError, match="NaN or infinity"):
        agreement(bad)


def test_the_spread_is_the_standard_deviation_over_models() -> None:
    table = numbers(6, 50).numpy() + np.arange(6)[:, None]
    score = scored("a measure", table, np.zeros((0, 50)), worst=0, best=1)
    found = spread(score)
    assert found.score == pytest.approx(table.mean(1).std(ddof=1))
    assert found.low < found.score < found.high
    assert found.n == 6
    same = scored("a measure", np.tile(table[:1], (6, 1)), np.zeros((0, 50)), worst=0, best=1)
    assert spread(same).high == pytest.approx(0, abs=1e-12)
    with pytest.raises(InputError, match="two models or more"):
        spread(scored("a measure", table[:1], np.zeros((0, 50)), worst=0, best=1))
