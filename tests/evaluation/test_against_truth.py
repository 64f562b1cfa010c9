"""Measures against a known truth, where the answer is known: by sorting, by hand, by scikit-learn."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from attar import InputError
from attar.core.attribution import Attribution
from attar.core.error import exact
from attar.core.features import Features, Share
from attar.core.parts import Parts
from attar.evaluation.accuracy import accuracies
from attar.evaluation.against_truth import (
    AUROC,
    AveragePrecision,
    MassShare,
    Piece,
    Precision,
    accuracy_score,
    every_answer,
    false_alarm,
)
from attar.evaluation.score import BETTER, SAME, WORSE
from attar.evaluation.truth import TruthMasks, TruthValues
from reference.measures import average_precision, precision_at

MEASURES = (AUROC(), AveragePrecision(), Precision(), MassShare())


def masks(examples: int = 40, answers: int = 3, seed: int = 0) -> list[TruthMasks]:
    """Of 6 to 20 parts, about a fifth inside each answer."""
    generator = np.random.default_rng(seed)
    truths = []
    for size in generator.integers(6, 21, examples):
        rows = np.zeros((answers, size), dtype=bool)
        for row in rows:
            row[generator.permutation(size)[: max(1, size // 5)]] = True
        truths.append(TruthMasks(rows, rows.any(0), {"first": rows[0]}))
    return truths


def noise(truths: list[Any], seed: int = 1) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    sizes = [len(t.union) if isinstance(t, TruthMasks) else len(t.values) for t in truths]
    return [generator.standard_normal(size) for size in sizes]


def rounded(truths: list[Any], seed: int = 1) -> list[np.ndarray]:
    """With many ties."""
    return [each.round() for each in noise(truths, seed)]


def test_auroc_and_average_precision_are_scikit_learns() -> None:
    truths = masks()
    for values in (noise(truths), rounded(truths)):
        for measure, theirs in ((AUROC(), roc_auc_score), (AveragePrecision(), average_precision_score)):
            expected = [theirs(t.union, v) for t, v in zip(truths, values, strict=True)]
            np.testing.assert_allclose(accuracy_score(values, truths, measure).values[0], expected, atol=1e-12)


def test_average_precision_reads_like_its_definition() -> None:
    truths = masks()
    values = rounded(truths)
    expected = [average_precision(v, t.union) for t, v in zip(truths, values, strict=True)]
    np.testing.assert_allclose(accuracy_score(values, truths, AveragePrecision()).values[0], expected, atol=1e-12)


@pytest.mark.parametrize("k", [None, 2])
def test_precision_is_the_mean_over_the_orders_of_what_ties(k: int | None) -> None:
    truths = masks(examples=6)
    values = rounded(truths)
    expected = [
        precision_at(v, t.union, int(t.union.sum()) if k is None else k) for t, v in zip(truths, values, strict=True)
    ]
    np.testing.assert_allclose(accuracy_score(values, truths, Precision(k)).values[0], expected, atol=0.03)


def test_mass_share_by_hand() -> None:
    truth = TruthMasks(np.array([[1, 1, 0, 0]], dtype=bool), np.array([1, 1, 0, 0], dtype=bool), {})
    values = [[3.0, -5, 1, -1], [-1, -1, -1, -1], [0, 0, 0, 2], [1, 1, 1, 1]]
    found = accuracy_score([np.array(v) for v in values], [truth] * 4, MassShare())
    np.testing.assert_allclose(found.values[0], [0.75, 0, 0, 0.5])


def test_chance_of_the_mass_share_is_not_the_masks_share() -> None:
    """By symmetry it would be, were there always something positive."""
    truth = TruthMasks(np.array([[1, 0, 0]], dtype=bool), np.array([1, 0, 0], dtype=bool), {})
    found = accuracy_score([np.ones(3)] * 400, [truth] * 400, MassShare())
    assert found.values[0, 0] == pytest.approx(1 / 3)
    assert found.chance.score == pytest.approx(7 / 24, abs=0.01)  # nothing is positive in one case of eight


def test_the_best_answer_the_union_and_the_pieces_are_the_audits() -> None:
    truths = masks()
    values = rounded(truths)
    theirs = accuracies(values, truths)
    for answers, expected in (
        (every_answer, [each.best for each in theirs]),
        (Piece("first"), [each.named["first"] for each in theirs]),
    ):
        np.testing.assert_allclose(accuracy_score(values, truths, answers=answers).values[0], expected, atol=1e-12)
    np.testing.assert_allclose(accuracy_score(values, truths).values[0], [each.union for each in theirs], atol=1e-12)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_chance_of_the_best_answer_is_measured_as_the_best_of_as_many(measure: Any) -> None:
    truths = masks(examples=60)
    one, best = (
        accuracy_score(noise(truths), truths, measure, answers=each) for each in (Piece("first"), every_answer)
    )
    assert best.chance.score > one.chance.score + 0.05
    assert best.verdict == SAME


def test_a_piece_that_an_example_lacks_leaves_it_out() -> None:
    truths = masks(examples=5)
    truths[2] = TruthMasks(truths[2].alternatives, truths[2].union, {})
    found = accuracy_score(noise(truths), truths, answers=Piece("first"))
    assert np.isnan(found.values[0]).tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_a_mask_of_nothing_or_everything_has_no_score(measure: Any) -> None:
    nothing, every = np.zeros(5, dtype=bool), np.ones(5, dtype=bool)
    truths = [TruthMasks(mask[None], mask, {}) for mask in (nothing, every)]
    assert np.isnan(accuracy_score(noise(truths), truths, measure).values).all()
    without = [TruthMasks(np.zeros((0, 5), dtype=bool), nothing, {})]
    assert np.isnan(accuracy_score(noise(without), without, measure, answers=every_answer).values).all()


def test_masks_are_laid_out_a_few_examples_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    truths = masks()
    whole = accuracy_score(noise(truths), truths, answers=every_answer)
    monkeypatch.setattr("attar.evaluation.against_truth._CELLS", 100)
    np.testing.assert_array_equal(accuracy_score(noise(truths), truths, answers=every_answer).values, whole.values)


# --- real-valued truths ---


def contributions(examples: int = 30) -> list[TruthValues]:
    generator = np.random.default_rng(3)
    return [TruthValues(generator.standard_normal(size)) for size in generator.integers(3, 15, examples)]


def test_kendall_of_contributions_is_signed() -> None:
    truths = contributions()
    for sign, said in ((1, BETTER), (-1, WORSE)):
        found = accuracy_score([sign * t.values for t in truths], truths)
        np.testing.assert_allclose(found.values, sign)
        assert found.verdict == said
    assert accuracy_score([np.abs(t.values) for t in truths], truths).verdict == SAME


def test_where_all_is_the_same_nothing_is_said_or_to_be_said() -> None:
    truths = [*contributions(4), TruthValues(np.ones(4))]
    found = accuracy_score([np.zeros(len(t.values)) for t in truths], truths)
    np.testing.assert_array_equal(found.values, [[0, 0, 0, 0, np.nan]])


def test_a_measure_of_masks_is_refused_for_values() -> None:
    with pytest.raises(InputError, match="AUROC is of masks, and the truths are values"):
        accuracy_score(noise(contributions()), contributions(), AUROC())
    with pytest.raises(InputError, match="masks or values, all of them the same"):
        accuracy_score([np.zeros(3)] * 2, [TruthValues(np.arange(3.0)), masks(1)[0]])


# --- examples without a truth ---


def with_negatives() -> tuple[list[TruthMasks], np.ndarray]:
    truths = masks(examples=40)
    empty = np.arange(40) % 2 == 1
    for k in np.flatnonzero(empty):
        nothing = np.zeros(len(truths[k].union), dtype=bool)
        truths[k] = TruthMasks(np.zeros((0, len(nothing)), dtype=bool), nothing, {})
    return truths, empty


def test_false_alarms_from_none_to_all() -> None:
    truths, empty = with_negatives()
    right = [t.union.astype(float) for t in truths]
    found = false_alarm(right, truths)
    assert (found.mean.score, found.verdict, found.mean.n) == (0, BETTER, 20)
    turned = [1 - value for value in right]
    for k in np.flatnonzero(~empty):
        turned[k] = np.zeros(len(turned[k]))
    assert (false_alarm(turned, truths).mean.score, false_alarm(turned, truths).verdict) == (1, WORSE)
    assert false_alarm([np.zeros(len(v)) for v in right], truths).mean.score == 0.5
    assert false_alarm(noise(truths), truths).verdict == SAME


def test_false_alarms_have_no_units_and_heed_the_sign() -> None:
    truths, empty = with_negatives()
    values = noise(truths)
    found = false_alarm(values, truths)
    np.testing.assert_allclose(false_alarm([1e3 * v for v in values], truths).values, found.values)
    against = [-np.abs(v) if gone else v for v, gone in zip(values, empty, strict=True)]
    assert false_alarm(against, truths).mean.score == 0


def test_false_alarms_need_both_kinds() -> None:
    truths, _ = with_negatives()
    for some in (truths[::2], truths[1::2]):
        with pytest.raises(InputError, match="a truth beside some without"):
            false_alarm(noise(some), some)


# --- what is scored, and how chance is carried ---


def attribution(values: torch.Tensor, owner: torch.Tensor, count: int) -> Attribution:
    return Attribution(
        parts=Parts({"rows": values}),
        owners={"rows": owner},
        output=torch.zeros(count),
        error=exact(count),
        evaluations=torch.ones(count, dtype=torch.long),
    )


def test_chance_is_carried_as_the_values_were() -> None:
    """The first feature of each example gets the sum of 400 rows, the others one each: it is first with almost even
    odds, and the best of two answers profits by it."""
    examples, size = 40, 20
    each = [0] * 400 + list(range(1, size))
    feature = torch.tensor([size * k + f for k in range(examples) for f in each])
    share = Share(feature, torch.arange(len(feature)), torch.ones(len(feature)))
    features = Features("atoms", "by hand", torch.arange(examples).repeat_interleave(size), {"rows": share})
    owner = torch.arange(examples).repeat_interleave(len(each))
    rows = torch.ones(len(feature)).double()
    found = attribution(rows, owner, examples)
    two = np.zeros((2, size), dtype=bool)
    two[0, 0] = two[1, 1] = True
    truths = [TruthMasks(two, two.any(0), {})] * examples
    carried = accuracy_score(found, truths, answers=every_answer, features=features)
    plain = accuracy_score([np.ones(size)] * examples, truths, answers=every_answer)
    np.testing.assert_allclose(carried.values, 1)  # 400 against 1
    assert carried.chance.score > plain.chance.score + 0.03
    already = found.carried(features)
    np.testing.assert_array_equal(
        accuracy_score(already, truths).values, accuracy_score(found, truths, features=features).values
    )


def test_the_size_of_the_batch_changes_nothing() -> None:
    truths = masks()
    values = noise(truths)
    whole = accuracy_score(values, truths, MassShare())
    for some in (slice(0, 7), slice(11, 12)):
        part = accuracy_score(values[some], truths[some], MassShare())
        np.testing.assert_array_equal(part.values, whole.values[:, some])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_is_refused(bad: float) -> None:
    truths = masks(examples=3)
    values = noise(truths)
    values[1][2] = bad
    with pytest.raises(InputError, match="the attribution holds NaN or infinity"):
        accuracy_score(values, truths)


def test_other_parts_and_other_examples_are_refused() -> None:
    truths = masks(examples=3)
    values = noise(truths)
    with pytest.raises(InputError, match="2 examples for 3 truths"):
        accuracy_score(values[:2], truths)
    values[1] = values[1][:-1]
    with pytest.raises(InputError, match="parts, first in example 1"):
        accuracy_score(values, truths)
    with pytest.raises(InputError, match="k is 0"):
        Precision(0)
