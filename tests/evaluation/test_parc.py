"""PARC: perfect, reversed and unrelated ladders of models."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from attar import InputError
from attar.evaluation.parc import parc
from attar.evaluation.score import BETTER, SAME, WORSE

QUALITIES = np.linspace(0.5, 1, 12)


def test_a_ladder_that_rises_one_that_falls_and_one_that_does_neither() -> None:
    for accuracies, tau, said in ((QUALITIES**3, 1, BETTER), (-QUALITIES, -1, WORSE), (np.ones(12), 0, SAME)):
        found = parc(QUALITIES, accuracies)
        assert found.mean.score == pytest.approx(tau)
        assert found.verdict == said
    assert "over 12 models" in str(parc(QUALITIES, QUALITIES))


def test_it_is_kendalls_tau_of_means_over_examples() -> None:
    table = np.random.default_rng(0).random((12, 30)) + QUALITIES[:, None]
    assert parc(QUALITIES, table).mean.score == pytest.approx(kendalltau(table.mean(1), QUALITIES).statistic)


def test_its_words_are_wrong_about_unrelated_models_in_few_of_a_hundred() -> None:
    generator = np.random.default_rng(0)
    wrong = sum(parc(QUALITIES, generator.random(12), resamples=300, seed=k).verdict != SAME for k in range(100))
    assert wrong <= 9


def test_the_interval_is_over_examples_too() -> None:
    """Means that rise one by one, of examples that differ: other examples might have told otherwise."""
    noise = np.random.default_rng(0).standard_normal((12, 30))
    table = QUALITIES[:, None] + 0.5 * (noise - noise.mean(1, keepdims=True))
    means, examples = parc(QUALITIES, table.mean(1)).mean, parc(QUALITIES, table).mean
    assert means.score == examples.score == pytest.approx(1)
    assert means.low == pytest.approx(1)
    assert examples.low < 0.95


def test_the_seed_decides_and_examples_without_a_score_are_left_out() -> None:
    table = np.random.default_rng(0).random((12, 30)) + QUALITIES[:, None]
    holes = np.insert(table, 7, np.nan, axis=1)
    one, other = parc(QUALITIES, table), parc(QUALITIES, holes)
    assert (one.mean, one.chance) == (other.mean, other.chance)
    assert parc(QUALITIES, table, seed=1).mean != one.mean


@pytest.mark.parametrize(
    ("qualities", "accuracies", "said"),
    [
        ([0.5, 0.6], [0.5, 0.6], "three models or more"),
        ([0.5, 0.5, 0.5], [0.5, 0.6, 0.7], "of different quality"),
        ([0.5, 0.6, np.nan], [0.5, 0.6, 0.7], "hold NaN"),
        ([0.5, 0.6, 0.7], [[0.5, np.nan], [0.6, 1], [0.7, 1]], "hold NaN"),
    ],
)
def test_what_cannot_be_ranked_is_refused(qualities: list[float], accuracies: list[float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        parc(np.array(qualities), np.array(accuracies))
