"""Train against population: can a small model tell training from test examples, and by what?"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import norm, rankdata

from attar.core.errors import InputError
from attar.evaluation.intervals import Interval
from attar.pitfalls.traits import Traits

FOLDS = 5


@dataclass(frozen=True)
class Difference:
    """A trait in which training and test examples differ: the share of them that have a group, the mean of a property
    or its spread (the mean squared normal score, 1 for both together).

    `distance` is test less training in standard deviations (of a property's normal scores), `low` to `high` its
    interval and `p` its p-value, both corrected for all traits at once. `share` is what the trait adds to the gap in
    the classifier's score between test and training, as a share of it: they sum to 1 over all traits, and are the
    classifier's attribution, weight × difference.
    """

    name: str
    train: float
    test: float
    distance: float
    low: float
    high: float
    p: float
    share: float


@dataclass(frozen=True)
class TwoSample:
    """`auroc`: how well held-out examples are told apart, 0.5 if not at all; `p` the share of random ways of dealing
    the examples out to the two sides in which that went as well. `differences`: every trait, the surest first."""

    auroc: Interval
    p: float
    differences: tuple[Difference, ...]


def two_sample(
    traits: Traits, test: Bool[np.ndarray, " examples"], *, permutations: int = 999, seed: int = 0
) -> TwoSample:
    """A classifier two-sample test of the examples in `test` against the others, and what it goes by.

    The classifier is ridge regression of the side on normal scores of the properties, their squares and the presence
    of groups: linear in the sides, so that its held-out scores under every permutation come from the same five solves.
    The AUROC is the mean over five folds, with the interval of LeDell et al.; permutations keep the number of each side
    in a fold. It misleads where the sides differ in what no trait says, or by how traits go together: no difference
    found is none *in these traits*.
    Raises: InputError for fewer than ten examples on a side, or without a trait that varies.
    Source: Lopez-Paz & Oquab 2017, "Revisiting classifier two-sample tests", who give the accuracy and its normal
    limit; ours is the AUROC, which knows nothing of the sides' sizes. LeDell, Petersen & van der Laan 2015, for its
    variance. Westfall & Young 1993, for the traits' p (single-step max T): exact however traits go together.
    """
    sides = np.asarray(test, dtype=float)
    if min(sides.sum(), len(sides) - sides.sum()) < 2 * FOLDS:
        raise InputError(
            f"there are {int(len(sides) - sides.sum())} training and {int(sides.sum())} test examples, expected at "
            f"least {2 * FOLDS} of each"
        )
    names, given, table = _columns(traits)
    if not names:
        raise InputError("no property of the examples varies and no group tells them apart: there is nothing to test")
    generator = np.random.default_rng([seed, 67])
    fold = _folds(sides, generator)
    drawn = np.stack([sides, *(_dealt(sides, fold, generator) for _ in range(permutations))], 1)
    scores = _held_out(table, drawn, fold)
    each = np.mean([_aurocs(drawn[fold == k], scores[fold == k]) for k in range(FOLDS)], 0)
    apart = _apart(table, drawn)
    largest = np.abs(apart[:, 1:]).max(0)
    p = (1 + (largest >= np.abs(apart[:, :1]) - 1e-12).sum(1)) / (1 + permutations)
    half = float(np.quantile(largest, 0.95))
    gap = _weights(table, sides[:, None])[:, 0] * apart[:, 0]
    total = gap.sum()
    means = given[sides < 0.5].mean(0), given[sides > 0.5].mean(0)
    found = [
        Difference(
            name,
            float(means[0][k]),
            float(means[1][k]),
            float(apart[k, 0]),
            float(apart[k, 0]) - half,
            float(apart[k, 0]) + half,
            float(p[k]),
            float(gap[k] / total) if total > 0 else 0.0,
        )
        for k, name in enumerate(names)
    ]
    found.sort(key=lambda d: (-abs(d.distance), d.name))
    overall = float((1 + (each[1:] >= each[0] - 1e-12).sum()) / (1 + permutations))
    return TwoSample(_interval(float(each[0]), sides, scores[:, 0], fold), overall, tuple(found))


def _columns(traits: Traits) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, what is said of each (means, shares), and the standardised columns, without those that do not vary."""
    scores = norm.ppf((rankdata(traits.values, axis=0) - 0.5) / len(traits))
    spread = scores**2 / np.maximum((scores**2).mean(0), 1e-12)
    names = [*traits.properties, *(f"spread of {name}" for name in traits.properties), *traits.groups]
    given = np.hstack([traits.values, spread, traits.present])
    table = np.hstack([scores, scores**2, traits.present])
    varies = table.std(0) > 1e-9
    table = table[:, varies]
    standard = (table - table.mean(0)) / table.std(0)
    return [name for name, keep in zip(names, varies, strict=True) if keep], given[:, varies], standard


def _folds(sides: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Each side dealt out evenly over the folds."""
    fold = np.empty(len(sides), dtype=int)
    for side in (0.0, 1.0):
        there = np.flatnonzero(sides == side)
        fold[generator.permutation(there)] = np.arange(len(there)) % FOLDS
    return fold


def _dealt(sides: np.ndarray, fold: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The sides dealt out anew within each fold, which keeps how many of each it has."""
    order = np.lexsort((generator.random(len(sides)), fold))
    dealt = np.empty(len(sides))
    dealt[np.argsort(fold, kind="stable")] = sides[order]
    return dealt


def _weights(
    table: Float[np.ndarray, "examples traits"], sides: Float[np.ndarray, "examples draws"]
) -> Float[np.ndarray, "traits draws"]:
    """Ridge regression with a penalty of the number of traits: as much as if each had said nothing once more."""
    centred = table - table.mean(0)
    inner = centred.T @ centred + table.shape[1] * np.eye(table.shape[1])
    return np.linalg.solve(inner, centred.T @ (sides - sides.mean(0)))


def _held_out(table: np.ndarray, sides: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """The score of each example by the model that was fitted without its fold, for each draw of the sides."""
    scores = np.empty(sides.shape)
    for k in range(FOLDS):
        left_out = fold == k
        scores[left_out] = table[left_out] @ _weights(table[~left_out], sides[~left_out])
    return scores


def _aurocs(sides: np.ndarray, scores: np.ndarray) -> np.ndarray:
    ranks = rankdata(scores, axis=0)
    inside = sides.sum(0)
    return ((ranks * sides).sum(0) - inside * (inside + 1) / 2) / (inside * (len(sides) - inside))


def _apart(table: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Means on the test side less those on the training side, for each draw."""
    inside = sides.sum(0)
    of_test = table.T @ sides / inside
    return of_test - table.T @ (1 - sides) / (len(sides) - inside)


def _interval(auroc: float, sides: np.ndarray, scores: np.ndarray, fold: np.ndarray) -> Interval:
    """By the influence of each example on the AUROC of its fold (LeDell et al. 2015, equation 3)."""
    influence = np.zeros(len(sides))
    share = sides.mean()
    for k in range(FOLDS):
        there = np.flatnonzero(fold == k)
        one, other = there[sides[there] > 0.5], there[sides[there] < 0.5]
        over = (scores[one][:, None] > scores[other]) + 0.5 * (scores[one][:, None] == scores[other])
        influence[one] = (over.mean(1) - over.mean()) / share
        influence[other] = (over.mean(0) - over.mean()) / (1 - share)
    half = 1.96 * float(np.sqrt((influence**2).mean() / len(sides)))
    return Interval(auroc, max(0.0, auroc - half), min(1.0, auroc + half), len(sides))
