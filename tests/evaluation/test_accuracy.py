"""Scores of attributions whose score is known: the truth, its inverse, chance, and all that is tied."""

import numpy as np
import pytest
from scipy.stats import kendalltau, somersd
from sklearn.metrics import roc_auc_score

from attar import InputError
from attar.evaluation.accuracy import Accuracy, accuracies, accuracy
from attar.evaluation.chance import chance
from attar.evaluation.truth import TruthMasks, TruthValues

GENERATOR_SEED = 0


def mask(*parts: int, size: int = 8) -> np.ndarray:
    found = np.zeros(size, dtype=bool)
    found[list(parts)] = True
    return found


def truth(*alternatives: np.ndarray, **named: np.ndarray) -> TruthMasks:
    return TruthMasks(np.stack(alternatives), np.logical_or.reduce(alternatives), named)


ONE = truth(mask(0, 1, 2))
TWO = truth(mask(0, 1), mask(5, 6), mask(0, 1, 5, 6), X=mask(0, 5), F=mask(1, 6))


def test_the_truth_scores_one_and_its_inverse_nothing() -> None:
    for known in (ONE, TWO):
        assert accuracy(known.union.astype(float), known).union == 1
        assert accuracy(known.union.astype(float), known).best == 1
        assert accuracy(-known.union.astype(float), known).union == 0
    assert accuracy(-ONE.union.astype(float), ONE).best == 0


def test_the_best_of_the_legal_answers_counts() -> None:
    """One of two rings is enough for `best`; `union` asks for both."""
    values = mask(0, 1).astype(float)
    found = accuracy(values, TWO)
    assert found.best == 1
    assert found.union == pytest.approx(0.75)  # two of the four are above, two tied with the rest
    assert accuracy(mask(0, 1, 5, 6).astype(float), TWO).union == 1


def test_named_pieces_are_scored_on_their_own() -> None:
    found = accuracy(mask(0, 5).astype(float), TWO)
    assert found.named["X"] == 1
    assert found.named["F"] == pytest.approx(roc_auc_score(mask(1, 6), mask(0, 5)))
    assert list(found.named) == ["X", "F"]


def test_it_is_scikit_learns_auroc() -> None:
    generator = np.random.default_rng(GENERATOR_SEED)
    for size in (2, 5, 30, 200):
        for _ in range(20):
            inside = np.zeros(size, dtype=bool)
            inside[generator.permutation(size)[: generator.integers(1, size)]] = True
            values = generator.integers(0, 6, size).astype(float)  # with many ties
            expected = roc_auc_score(inside, values)
            found = accuracy(values, truth(inside, named=inside))
            assert found.union == pytest.approx(expected, abs=1e-12)
            assert found.best == pytest.approx(expected, abs=1e-12)
            assert found.named["named"] == pytest.approx(expected, abs=1e-12)


def test_the_best_is_the_largest_of_the_alternatives() -> None:
    generator = np.random.default_rng(GENERATOR_SEED)
    for _ in range(50):
        values = generator.standard_normal(8)
        expected = max(roc_auc_score(m, values) for m in TWO.alternatives)
        assert accuracy(values, TWO).best == pytest.approx(expected)


def test_values_that_are_all_the_same_score_one_half() -> None:
    found = accuracy(np.full(8, 3.7), TWO)
    assert found == Accuracy(0.5, 0.5, {"X": 0.5, "F": 0.5})


def test_only_the_order_of_values_counts() -> None:
    values = np.random.default_rng(GENERATOR_SEED).standard_normal(8)
    for changed in (values * 1e-9, values + 1e3, np.exp(values)):
        assert accuracy(changed, TWO) == accuracy(values, TWO)


def test_sign_counts() -> None:
    """Positive supports the label: evidence against it is not evidence for it."""
    values = np.random.default_rng(GENERATOR_SEED).standard_normal(8)
    assert accuracy(-values, ONE).union == pytest.approx(1 - accuracy(values, ONE).union)


def test_the_order_of_parts_changes_nothing() -> None:
    generator = np.random.default_rng(GENERATOR_SEED)
    values, order = generator.standard_normal(8), generator.permutation(8)
    named = {name: m[order] for name, m in TWO.named.items()}
    shuffled = TruthMasks(TWO.alternatives[:, order], TWO.union[order], named)
    assert accuracy(values[order], shuffled) == accuracy(values, TWO)


@pytest.mark.parametrize("covers", [[], range(8)])
def test_a_mask_of_nothing_or_everything_has_no_score(covers: list[int]) -> None:
    found = accuracy(np.arange(8.0), truth(mask(*covers), piece=mask(*covers)))
    assert np.isnan([found.best, found.union, found.named["piece"]]).all()


def test_a_mask_without_a_score_does_not_hide_one_that_has() -> None:
    found = accuracy(mask(0).astype(float), truth(mask(), mask(0), mask(*range(8))))
    assert found.best == 1


def test_no_alternatives_have_no_best() -> None:
    found = accuracy(np.arange(8.0), TruthMasks(np.zeros((0, 8), dtype=bool), mask(7), {}))
    assert np.isnan(found.best)
    assert found.union == 1


def test_a_part_alone_has_no_score() -> None:
    assert np.isnan(accuracy(np.array([1.0]), truth(np.array([True]))).union)


def test_the_share_of_the_parts_that_are_named() -> None:
    assert ONE.share == 3 / 8
    assert TWO.share == 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_cannot_be_ranked_are_refused(bad: float) -> None:
    values = np.arange(8.0)
    values[3] = bad
    with pytest.raises(InputError, match="the values hold NaN or infinity"):
        accuracy(values, ONE)


@pytest.mark.parametrize("shape", [(7,), (9,), (0,), (8, 1)])
def test_values_of_other_parts_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"values for a truth over 8 parts"):
        accuracy(np.zeros(shape), ONE)


def test_many_examples_are_scored_one_by_one() -> None:
    values = [np.arange(8.0), -np.arange(8.0)]
    assert accuracies(values, [ONE, TWO]) == [accuracy(values[0], ONE), accuracy(values[1], TWO)]
    with pytest.raises(ValueError, match="zip"):
        accuracies(values, [ONE])


# --- against contributions: best is Kendall's tau-b, union is Somers' D ---

SHARES = TruthValues(np.array([0.5, 0.5, 0, 0, -0.25, 0, 0, 0, 1.0, 0]))  # most parts contribute nothing


def test_contributions_score_one_and_their_inverse_minus_one() -> None:
    many = np.random.default_rng(GENERATOR_SEED).integers(-2, 3, (20, 12)).astype(float)
    for known in (SHARES, *(TruthValues(values) for values in many)):
        found, turned = accuracy(known.values, known), accuracy(-known.values, known)
        assert (found.best, found.union) == pytest.approx((1, 1))
        assert (turned.best, turned.union) == pytest.approx((-1, -1))
        assert found.named == {}


def test_random_values_score_nothing_against_contributions() -> None:
    generator = np.random.default_rng(GENERATOR_SEED)
    scores = [accuracy(generator.standard_normal(10), SHARES) for _ in range(2000)]
    for values in ([s.best for s in scores], [s.union for s in scores]):
        assert np.mean(values) == pytest.approx(0, abs=3 * np.std(values) / np.sqrt(2000))
        assert np.std(values) > 0.1
    by_chance = chance([SHARES] * 50)
    assert by_chance.best == pytest.approx(0, abs=0.03)
    assert by_chance.union == pytest.approx(0, abs=0.04)


def test_only_the_order_of_values_counts_against_contributions() -> None:
    values = np.random.default_rng(GENERATOR_SEED).standard_normal(10)
    for changed in (values * 1e-9, values * 1e9, values + 1e3, np.exp(values)):
        assert accuracy(changed, SHARES) == accuracy(values, SHARES)


def test_they_are_scipys_tau_and_somers_d() -> None:
    generator = np.random.default_rng(GENERATOR_SEED)
    for size in (3, 8, 40):
        for _ in range(20):
            known, values = generator.integers(-1, 2, size) * 1.0, generator.integers(-3, 4, size) * 1.0
            if np.ptp(known) > 0 and np.ptp(values) > 0:
                found = accuracy(values, TruthValues(known))
                assert found.best == pytest.approx(kendalltau(values, known).statistic, abs=1e-12)
                assert found.union == pytest.approx(somersd(known, values).statistic, abs=1e-12)


def test_parts_that_contribute_alike_need_not_tie() -> None:
    """The right order with a little noise is all that D asks; tau-b cannot be 1, for the noise breaks ties."""
    known = np.zeros(100)
    known[:10] = 1.0
    noisy = known + 1e-3 * np.random.default_rng(GENERATOR_SEED).standard_normal(100)
    found = accuracy(noisy, TruthValues(known))
    assert found.union == pytest.approx(1)
    assert found.best == pytest.approx(np.sqrt(900 / 4950))  # pairs that the truth tells apart, of all


def test_against_two_values_d_is_the_auroc_from_minus_one() -> None:
    values = np.random.default_rng(GENERATOR_SEED).integers(0, 4, 8).astype(float)
    assert accuracy(values, TruthValues(3.0 * mask(0, 1, 2))).union == pytest.approx(
        2 * accuracy(values, ONE).union - 1
    )


def test_values_that_are_all_the_same_have_no_order() -> None:
    assert accuracy(np.full(10, 2.0), SHARES) == Accuracy(0.0, 0.0, {})


def test_contributions_that_are_all_the_same_have_no_score() -> None:
    found = accuracy(np.arange(4.0), TruthValues(np.zeros(4)))
    assert np.isnan([found.best, found.union]).all()
