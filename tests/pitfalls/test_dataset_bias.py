"""Dataset bias on examples where the bias was planted by hand, and on clean ones, where nothing may be found."""

from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import hypergeom

from attar.core.errors import InputError
from attar.core.rule_text import parse_rule
from attar.domains.text.truth import TextFinder
from attar.pitfalls.coverage import coverage
from attar.pitfalls.duplicates import duplicates, near_duplicates
from attar.pitfalls.holm import holm
from attar.pitfalls.label_noise import label_noise
from attar.pitfalls.population import two_sample
from attar.pitfalls.slices import worse_slices
from attar.pitfalls.traits import Traits


def traits(count: int, seed: int = 0) -> Traits:
    generator = np.random.default_rng([seed, 1])
    return Traits(
        properties=("length", "age"),
        values=generator.standard_normal((count, 2)),
        groups=tuple("abcdef"),
        present=generator.random((count, 6)) < 0.3,
    )


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03, 0.5])), [0.09, 0.04, 0.09, 0.5])


# --- train against population ---


def test_a_planted_difference_is_told_apart_and_named() -> None:
    there, test = traits(400), np.arange(400) % 4 == 0
    there.values[test, 0] += 1.0
    there.present[test, 2] = True
    found = two_sample(there, test, permutations=199)
    assert found.p == 1 / 200
    assert 0.75 < found.auroc.low < found.auroc.score < found.auroc.high <= 1
    # Lengths of a shifted quarter also lie further from the mean of all.
    assert {d.name for d in found.differences if d.p < 0.05} == {"length", "spread of length", "c"}
    assert {d.name for d in found.differences if not d.low <= 0 <= d.high} == {"length", "spread of length", "c"}
    assert sum(d.share for d in found.differences) == pytest.approx(1)
    assert found.differences[0].name == "c"
    assert found.differences[0].test == 1.0


def test_a_spread_is_a_difference_too() -> None:
    there, test = traits(400), np.arange(400) % 2 == 0
    there.values[test, 1] *= 4
    found = two_sample(there, test, permutations=199)
    assert (found.p, found.differences[0].name) == (1 / 200, "spread of age")


def test_sides_dealt_at_random_are_called_different_as_seldom_as_promised() -> None:
    overall, named, apart = [], [], []
    for seed in range(60):
        found = two_sample(traits(120, seed), np.arange(120) % 3 == 0, permutations=99, seed=seed)
        overall.append(found.p)
        apart.append(found.auroc.score)
        named.append(min(d.p for d in found.differences))
    assert np.mean(np.array(overall) <= 0.05) < 0.12  # 3 of 60 are to be expected
    assert np.mean(np.array(named) <= 0.05) < 0.12
    assert np.mean(overall) == pytest.approx(0.5, abs=0.12)
    assert np.mean(apart) == pytest.approx(0.5, abs=0.03)  # held out: a model's own examples it tells apart


def test_what_cannot_be_told_apart_is_refused() -> None:
    there = traits(40)
    with pytest.raises(InputError, match="at least 10 of each"):
        two_sample(there, np.arange(40) < 5)
    blank = Traits(properties=(), values=np.zeros((40, 0)), groups=(), present=np.zeros((40, 0), dtype=bool))
    with pytest.raises(InputError, match="nothing to test"):
        two_sample(blank, np.arange(40) % 2 == 0)


# --- slices ---


def answers(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng([seed, 2])
    labels = (generator.random(count) < 0.5).astype(float)
    return labels, 4 * labels - 2 + generator.standard_normal(count)


def test_a_planted_slice_is_the_first_and_only_one_named() -> None:
    there, (labels, logits) = traits(300), answers(300, 0)
    logits[there.present[:, 3] & (labels > 0.5)] -= 4
    first, *rest = worse_slices(there, labels, logits)
    wrong = int((there.present[:, 3] & (labels > 0.5)).sum())
    assert (first.name, first.of, first.count) == ("with d", "positives", wrong)
    assert first.quality.score < 0.5 < 0.85 < first.elsewhere  # at break-even some of them are called positive again
    assert first.p < 1e-6
    assert all("d" in other.name for other in rest)  # its own other side


def test_numbers_have_slices_of_larger_errors() -> None:
    there, generator = traits(300), np.random.default_rng(3)
    values = generator.standard_normal(300)
    high = there.values[:, 0] > np.quantile(there.values[:, 0], 0.75)
    said = values + generator.standard_normal(300) * np.where(high, 2.0, 0.1)
    first = worse_slices(there, values, said)[0]
    assert "< length" in first.name
    assert first.of == "examples"
    assert first.quality.score < 0.2 < 0.5 < first.elsewhere


@pytest.mark.parametrize("far", [1.0, 4.0])
def test_clean_answers_have_no_worse_slice(far: float) -> None:
    alarms = 0
    for seed in range(150):
        labels, logits = answers(200, seed)
        alarms += bool(worse_slices(traits(200, seed), labels, far * (2 * labels - 1) / 2 + logits - 4 * labels + 2))
    assert alarms <= 5  # 1.5 are to be expected


def test_the_curve_is_that_of_random_slices() -> None:
    """The p-value of a slice of twelve, against two thousand drawn ones."""
    from attar.pitfalls.slices import _by_chance

    generator = np.random.default_rng(0)
    values = (generator.random(120) < 0.8).astype(float)
    drawn = np.stack([values[generator.permutation(120)[:12]].mean() for _ in range(4000)])
    inside = np.zeros((1, 120))
    low = np.r_[np.flatnonzero(values == 0)[:5], np.flatnonzero(values == 1)[:7]]
    inside[0, low] = 1
    # A curve through steps: it passes between the shares below a step and up to it.
    assert (drawn < 7 / 12 - 1e-9).mean() < _by_chance(values, inside)[0] < (drawn <= 7 / 12 + 1e-9).mean()


@pytest.mark.parametrize(("count", "wrong"), [(40, 12), (40, 11), (15, 7), (15, 8)])
def test_the_curve_has_the_tail_of_the_exact_distribution(count: int, wrong: int) -> None:
    """Of sixty answers twelve are wrong: the hypergeometric chance of so many in a slice, a tie counting one half."""
    from attar.pitfalls.slices import _by_chance

    values = np.r_[np.zeros(12), np.ones(48)]
    inside = np.zeros((1, 60))
    inside[0, :wrong] = inside[0, 12 : 12 + count - wrong] = 1
    exact: Any = hypergeom(60, 12, count)
    p = exact.sf(wrong) + 0.5 * exact.pmf(wrong)
    assert _by_chance(values, inside)[0] == pytest.approx(p, rel=0.35)


def test_what_goes_with_the_rule_is_no_slice() -> None:
    there, rule = traits(200), np.arange(200) % 2 == 0
    there.present[:, 0] = rule
    there.values[rule, 1] += 2
    kept = there.apart_from(rule)
    assert "a" not in kept.groups
    assert kept.properties == ("length",)
    assert kept.present.shape == (200, len(kept.groups))


# --- label noise ---


def calibrated(share: float, seed: int, count: int = 800, apart: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Two normal classes so many standard deviations apart, that share of labels turned, and the true log-odds."""
    generator = np.random.default_rng([seed, 5])
    true = (generator.random(count) < 0.5).astype(float)
    logit = apart * (generator.standard_normal(count) + apart * (true - 0.5))
    given = true.copy()
    turned = generator.permutation(count)[: round(share * count)]
    given[turned] = 1 - given[turned]
    odds = share + (1 - 2 * share) * expit(logit)
    return given, np.log(odds / (1 - odds) + 1e-12)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.2, 0.3])
def test_the_share_of_wrong_labels_lies_in_its_interval(share: float) -> None:
    from attar.pitfalls.label_noise import _share

    inside = 0
    for seed in range(60):
        given, logits = calibrated(share, seed)
        found = _share(given > 0.5, logits, 0.2, 2000, seed)
        inside += found.low <= share <= found.high
    assert inside >= 54


def test_the_rows_most_likely_wrong_are_the_turned_ones() -> None:
    given, logits = calibrated(0.1, 0, apart=6.0)
    true = calibrated(0.0, 0, apart=6.0)[0]
    found = label_noise(given, logits)
    assert set(found.rows.tolist()) == set(np.flatnonzero(given != true).tolist())
    assert found.confident == pytest.approx(0.1, abs=0.001)
    assert found.joint.sum() == pytest.approx(1)
    assert found.told.low > 0.8


def test_labels_that_only_overlap_are_not_called_noise_as_confident_learning_does() -> None:
    found = [label_noise(*calibrated(0.0, seed, apart=2.0)) for seed in range(5)]
    assert np.mean([f.confident for f in found]) > 0.05
    assert np.mean([f.share.score for f in found]) < 0.02


def test_logits_that_all_tie_say_as_much_as_the_labels() -> None:
    labels = (np.arange(200) % 4 == 0).astype(float)
    found = label_noise(labels, np.zeros(200))
    assert found.told.low <= 0.5
    assert found.share.high > 0.2
    with pytest.raises(InputError, match="NaN"):
        label_noise(labels, np.full(200, np.nan))


# --- copies, near copies, alternatives ---


def test_copies_are_counted_by_side_and_label() -> None:
    keys = ["a", "b", "a", "c", "a", "c", "d"]
    test = np.array([False, False, False, False, True, True, True])
    found = duplicates(keys, np.array([1.0, 0, 1, 0, 1, 1, 0]), test)
    assert found.leaked == (4, 5)
    assert found.repeated == (2,)
    assert found.conflicting == (3, 5)


def test_near_copies_share_their_groups() -> None:
    groups = [list("abcdefg"), list("abcdefh"), list("abcdefg"), list("ab"), list("ab"), list("uvwxyz")]
    test = np.array([False, False, True, False, True, True])
    assert near_duplicates(groups, test, chunk=1) == {2: 0}
    assert near_duplicates(groups[1:], test[1:], alike=0.75) == {1: 0}  # six of eight
    assert near_duplicates(groups[1:], test[1:], alike=0.76) == {}
    with pytest.raises(InputError, match="alike"):
        near_duplicates(groups, test, alike=0.0)


def test_alternatives_are_counted_in_the_positives_that_show_them() -> None:
    rule = parse_rule('(has("red") or has("blue")) and has("soft" or "nice") and not has("huge" or "cheap")')
    texts = [("red", "soft"), ("red", "blue", "soft"), ("red", "nice", "soft"), ("red", "nice")]
    found = coverage(rule, TextFinder(), texts)
    assert [(a.said, a.place, a.shown, a.alone) for a in found] == [
        ('has("red")', 1, 4, 3),
        ('has("blue")', 2, 1, 0),
        ('"soft"', 1, 3, 2),
        ('"nice"', 2, 2, 1),
    ]
    assert coverage(parse_rule('has("red") and has("soft")'), TextFinder(), texts) == []
