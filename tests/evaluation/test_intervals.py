"""Intervals: how often they cover what they should, and the scores they stand around."""

import numpy as np
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from attar import InputError
from attar.evaluation.intervals import Interval, auroc, prediction, quality, two_level

TRUE = 0.7


def scores(generator: np.random.Generator, models: int, examples: int) -> np.ndarray:
    """Around `TRUE`: an effect of the model's seed, of the example, and of both together."""
    of_model = 0.03 * generator.standard_normal((models, 1))
    of_example = 0.15 * generator.standard_normal((1, examples))
    return TRUE + of_model + of_example + 0.05 * generator.standard_normal((models, examples))


def covered(models: int, examples: int, *, times: int = 400) -> float:
    generator = np.random.default_rng(0)
    hits = 0
    for k in range(times):
        found = two_level(scores(generator, models, examples), resamples=250, seed=k)
        hits += found.low <= TRUE <= found.high
    return hits / times


def test_the_interval_covers_the_truth_in_95_of_100() -> None:
    """Seeds and examples matter about equally here: 0.03 / √10 and 0.15 / √100."""
    assert 0.92 <= covered(10, 100) <= 0.98


def test_examples_alone_are_not_enough_where_seeds_matter() -> None:
    """The reason for two levels: resampling examples of one model misses what another seed would have changed."""
    generator = np.random.default_rng(0)
    single = 0
    for k in range(200):
        found = two_level(scores(generator, 10, 200)[:1], resamples=250, seed=k)
        single += found.low <= TRUE <= found.high
    assert single / 200 < 0.65
    assert covered(10, 200, times=200) > 0.88


def test_three_models_are_few_where_seeds_matter_most() -> None:
    """As the docstring says. The interval then is from the least of the three to the most, and all three lie on one
    side of the truth once in four times."""
    generator = np.random.default_rng(0)
    hits = 0
    for k in range(500):
        found = two_level(TRUE + 0.05 * generator.standard_normal((3, 1)) + np.zeros(2), seed=k)
        hits += found.low <= TRUE <= found.high
    assert hits / 500 == pytest.approx(0.75, abs=0.06)


def test_the_score_is_the_mean() -> None:
    table = np.random.default_rng(0).random((3, 40))
    found = two_level(table)
    assert found.score == pytest.approx(table.mean())
    assert found.low < found.score < found.high
    assert found.n == 40


def test_the_interval_narrows_with_the_root_of_the_examples() -> None:
    generator = np.random.default_rng(0)
    widths = []
    for examples in (50, 800):
        found = two_level(generator.random((1, examples)))
        widths.append(found.high - found.low)
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.2)


def test_scores_that_are_all_the_same_have_no_width() -> None:
    found = two_level(np.full((3, 10), 0.25))
    assert [found.score, found.low, found.high] == pytest.approx([0.25] * 3, abs=1e-12)


def test_the_seed_alone_decides() -> None:
    table = np.random.default_rng(0).random((3, 40))
    assert two_level(table, seed=4) == two_level(table, seed=4)
    assert two_level(table, seed=4) != two_level(table, seed=5)


def test_the_order_of_models_and_examples_changes_no_more_than_another_seed() -> None:
    generator = np.random.default_rng(0)
    table = scores(generator, 5, 60)
    found = two_level(table, resamples=4000)
    shuffled = two_level(table[generator.permutation(5)][:, generator.permutation(60)], resamples=4000)
    assert shuffled.score == pytest.approx(found.score)
    assert [shuffled.low, shuffled.high] == pytest.approx([found.low, found.high], abs=0.05 * (found.high - found.low))


def test_examples_without_a_score_are_left_out() -> None:
    table = np.random.default_rng(0).random((3, 40))
    holes = np.insert(table, [0, 20, 40], np.nan, axis=1)
    assert two_level(holes) == two_level(table)
    holes[1, 5] = np.nan
    assert two_level(holes).n == 39


@pytest.mark.parametrize("empty", [np.full((2, 3), np.nan), np.zeros((2, 0))])
def test_no_scores_have_no_interval(empty: np.ndarray) -> None:
    found = two_level(empty)
    assert np.isnan([found.score, found.low, found.high]).all()
    assert found.n == 0


def test_one_model_may_be_given_as_a_row() -> None:
    row = np.random.default_rng(0).random(30)
    assert two_level(row) == two_level(row[None])


def test_an_interval_reads_as_text() -> None:
    assert str(Interval(0.91234, 0.85, 0.955, 30)) == "0.912 [0.850, 0.955], n = 30"


# --- what was predicted ---


def test_auroc_is_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    for _ in range(30):
        labels = generator.permutation(np.arange(50) < generator.integers(1, 50)).astype(float)
        values = generator.integers(0, 9, 50).astype(float)
        assert auroc(labels, values) == pytest.approx(roc_auc_score(labels, values))


def test_auroc_of_ties_is_one_half() -> None:
    assert auroc(np.array([0.0, 1.0, 1.0]), np.ones(3)) == 0.5


@pytest.mark.parametrize("labels", [np.zeros(4), np.ones(4)])
def test_auroc_needs_both_classes(labels: np.ndarray) -> None:
    with pytest.raises(InputError, match="AUROC needs both classes"):
        auroc(labels, np.arange(4.0))


def test_auroc_needs_numbers() -> None:
    with pytest.raises(InputError, match="the scores hold NaN or infinity"):
        auroc(np.array([0.0, 1.0]), np.array([np.nan, 1.0]))


def test_quality_is_auroc_for_classes_and_r2_for_numbers() -> None:
    generator = np.random.default_rng(0)
    values, noise = generator.standard_normal(40), generator.standard_normal(40)
    classes = (values + noise > 0).astype(float)
    assert quality(classes, values) == auroc(classes, values)
    assert quality(values + noise, values) == pytest.approx(r2_score(values + noise, values))


def noisy(generator: np.random.Generator, examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and scores whose AUROC is 0.76 = Φ(1 / √2)."""
    labels = (np.arange(examples) % 2).astype(float)
    return labels, labels + generator.standard_normal(examples)


def test_the_interval_of_a_prediction_covers_the_true_auroc() -> None:
    generator = np.random.default_rng(0)
    hits = 0
    for k in range(120):
        found = prediction(*noisy(generator, 80), resamples=60, seed=k)
        hits += found.low <= 0.7602 <= found.high
    assert 0.88 <= hits / 120 <= 0.99


def test_a_prediction_is_the_mean_over_models() -> None:
    generator = np.random.default_rng(0)
    labels, one = noisy(generator, 60)
    other = labels + generator.standard_normal(60)
    found = prediction(labels, np.stack([one, other]))
    assert found.score == pytest.approx((auroc(labels, one) + auroc(labels, other)) / 2)
    assert found.low < found.score < found.high
    assert found.n == 60
    assert found == prediction(labels, np.stack([one, other]))


def test_a_perfect_prediction_has_no_width() -> None:
    labels = (np.arange(20) < 3).astype(float)
    assert prediction(labels, labels) == Interval(1.0, 1.0, 1.0, 20)


def test_a_rare_class_is_in_every_resample() -> None:
    """Drawn without regard to class, 30 examples with two positives would often have none."""
    labels = (np.arange(30) < 2).astype(float)
    found = prediction(labels, np.random.default_rng(0).random(30))
    assert np.isfinite([found.low, found.high]).all()


def test_numbers_are_predicted_with_an_r2() -> None:
    generator = np.random.default_rng(0)
    labels = generator.standard_normal(200)
    found = prediction(labels, labels + 0.5 * generator.standard_normal(200))
    assert found.low < found.score < found.high
    assert found.score == pytest.approx(0.75, abs=0.08)
