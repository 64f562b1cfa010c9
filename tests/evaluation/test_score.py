"""A score, its intervals, chance beside it, and how often its words are wrong."""

import numpy as np
import pytest

from attar import InputError
from attar.evaluation.score import BETTER, NOTHING, SAME, UNKNOWN, WORSE, change, scored, together

GENERATOR = np.random.default_rng


def normal(shape: tuple[int, ...], seed: int, mean: float = 0.0) -> np.ndarray:
    return GENERATOR(seed).standard_normal(shape) + mean


def a_score(values: np.ndarray, random: np.ndarray, worst: float = -np.inf, best: float = np.inf):
    return scored("a measure", values, random, worst=worst, best=best)


@pytest.mark.parametrize(("examples", "draws"), [(1, 39), (2, 20), (5, 39), (40, 20), (40, 99)])
def test_random_values_are_called_better_or_worse_in_at_most_five_of_a_hundred(examples: int, draws: int) -> None:
    wrong = sum(
        a_score(normal((1, examples), 2 * k), normal((draws, examples), 2 * k + 1)).verdict != SAME for k in range(150)
    )
    assert wrong <= 15  # 7.5 expected at the most, and three standard errors


@pytest.mark.parametrize("draws", [20, 39, 199])
def test_chance_holds_the_mean_of_further_random_values_in_95_of_100(draws: int) -> None:
    """Also where they are anything but normal, with 39 draws or more."""
    held = 0
    for k in range(200):
        law = normal if draws == 20 else lambda shape, seed: GENERATOR(seed).exponential(size=shape) ** 3
        found = a_score(law((1, 6), 2 * k), law((draws, 6), 2 * k + 1))
        held += found.chance.low <= found.mean.score <= found.chance.high
    assert held / 200 == pytest.approx(0.95, abs=0.046)  # three standard errors


@pytest.mark.parametrize(
    ("mean", "worst", "best", "said"),
    [
        (2, -np.inf, np.inf, BETTER),
        (-2, -np.inf, np.inf, WORSE),
        (2, np.inf, -np.inf, WORSE),
        (-2, np.inf, -np.inf, BETTER),
        (-2, np.inf, -3, BETTER),
        (2, 5, -3, WORSE),
        (2, 9, 0, WORSE),
        (-2, 9, 0, WORSE),  # beyond the best end is away from it too
        (0, -np.inf, np.inf, SAME),
    ],
)
def test_which_way_is_up(mean: float, worst: float, best: float, said: str) -> None:
    assert a_score(normal((1, 50), 0, mean), normal((39, 50), 1), worst, best).verdict == said


def test_one_example_can_tell() -> None:
    assert a_score(np.array([[9.0]]), normal((39, 1), 1)).verdict == BETTER


def test_a_lucky_set_of_examples_does_not() -> None:
    """Above what random values of these examples score, but for one of them alone."""
    values = np.zeros((1, 12))
    values[0, 3] = 14.0
    found = a_score(values, normal((39, 12), 1))
    assert found.mean.score > found.chance.high
    assert found.verdict == SAME


def test_text_says_all_of_it() -> None:
    found = scored("AUROC", np.full((1, 9), 0.75), np.tile([[0.4], [0.6]], (20, 9)), worst=0.0, best=1.0)
    said = "AUROC 0.75 [0.75, 0.75] over 9 examples (0 worst, 1 best); chance 0.5 [0.4, 0.6]: better than chance"
    assert str(found) == said
    lower = scored("area", np.full((1, 9), 0.5), np.tile([[0.4], [0.6]], (20, 9)), worst=np.inf, best=-np.inf)
    assert "(lower is better)" in str(lower)
    assert str(lower).endswith("indistinguishable from chance")


def test_examples_without_a_score_are_left_out_and_counted() -> None:
    values, random = normal((2, 6), 0), normal((39, 6), 1)
    hole = [1, 4]
    values[:, hole] = random[:, hole] = np.nan
    found = a_score(values, random)
    assert found.mean.n == 4
    assert found.mean.score == pytest.approx(np.delete(values, hole, 1).mean())
    assert "over 4 of 6 examples" in str(found)


def test_nothing_to_score_is_said() -> None:
    found = a_score(np.full((1, 3), np.nan), np.full((39, 3), np.nan))
    assert found.verdict == NOTHING
    assert np.isnan(found.mean.score)


def test_without_draws_chance_is_unknown() -> None:
    found = a_score(normal((1, 5), 0), np.zeros((0, 5)))
    assert found.verdict == UNKNOWN
    assert str(found).endswith(UNKNOWN)
    assert "chance nan" not in str(found)


def test_nan_for_some_attributions_only_is_refused_and_never_averaged_away() -> None:
    values, random = normal((1, 6), 0), normal((39, 6), 1)
    random[3, 2] = np.nan
    with pytest.raises(InputError, match="undefined for some attributions of an example and not others"):
        a_score(values, random)
    with pytest.raises(InputError, match="came out infinite"):
        a_score(np.full((1, 6), np.inf), normal((39, 6), 1))


def test_the_order_of_examples_changes_nothing_at_all() -> None:
    values, random = normal((3, 20), 0), normal((39, 20), 1)
    order = GENERATOR(2).permutation(20)
    one, other = a_score(values, random), a_score(values[:, order], random[:, order])
    assert (one.mean, one.chance, one.margin) == (other.mean, other.chance, other.margin)
    assert one.verdict == other.verdict


def test_models_together_have_an_interval_over_models() -> None:
    means = normal((8,), 0)
    scores = [a_score(normal((1, 30), k, mean), normal((39, 30), 99)) for k, mean in enumerate(means)]
    found = together(scores)
    assert found.values.shape == (8, 30)
    assert found.mean.score == pytest.approx(np.mean([score.mean.score for score in scores]))
    widest = max(score.mean.high - score.mean.low for score in scores)
    assert found.mean.high - found.mean.low > widest
    with pytest.raises(InputError, match="of one measure and the same examples"):
        together([scores[0], a_score(normal((1, 29), 0), normal((39, 29), 0))])


def test_a_change_is_example_by_example() -> None:
    before, after = (a_score(normal((1, 30), 0, mean), normal((39, 30), 1)) for mean in (0.0, -0.5))
    found = change(before, after)
    np.testing.assert_allclose(found.values, -0.5)
    assert found.verdict == WORSE
    assert change(before, before).verdict == SAME
