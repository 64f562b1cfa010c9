"""Leaks: does a single column tell the label nearly alone, as only what is known afterwards can?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from attar.core.errors import InputError
from attar.evaluation.intervals import quality

FOLDS = 5
LEAVES = {True: 8, False: 64}  # of classes, of numbers: so many steps follow a line to an R² of .999
AT_LEAST = {True: 5, False: 2}  # rows in a leaf
ROUNDING = 1e-9  # of the label's spread


@dataclass(frozen=True)
class Told:
    """How well one column alone tells the label of rows that it was not learnt from: AUROC or R², the mean over five
    folds. `copy`: it is the label itself, under other names or in another unit, in every row."""

    column: str
    score: float
    copy: bool


def told_by_column(
    names: Sequence[str],
    values: Float[np.ndarray, "rows columns"],
    coded: Bool[np.ndarray, " columns"],
    labels: Float[np.ndarray, " rows"],
    *,
    seed: int = 0,
) -> list[Told]:
    """Every column, the one that tells most first. `values` are NaN where one is missing, and codes of levels where
    `coded`.

    A number is asked by a small tree, a category by the mean label of each of its levels; missing is a value like any.
    Folds are drawn by class. No other column and no other model has a say: what two columns tell together is no leak of
    either. A score near 1 is not yet a leak, for some questions are easy; that a column is known when the prediction is
    made only its owner can say.
    Raises: InputError for labels that are all the same, or of which a class has fewer than five rows.
    """
    of_classes = set(np.unique(labels)) <= {0.0, 1.0}
    groups = [np.flatnonzero(labels == c) for c in (0.0, 1.0)] if of_classes else [np.arange(len(labels))]
    if len(np.unique(labels)) < 2 or min(map(len, groups)) < FOLDS:
        raise InputError(f"leaks are looked for in {FOLDS} folds: give labels with {FOLDS} rows or more of each class")
    generator = np.random.default_rng([seed, 89])
    fold = np.empty(len(labels), dtype=int)
    for rows in groups:
        fold[generator.permutation(rows)] = np.arange(len(rows)) % FOLDS
    found = []
    for k, name in enumerate(names):
        column = values[:, k]
        scores = [_score(column, bool(coded[k]), labels, fold == each, of_classes) for each in range(FOLDS)]
        found.append(Told(str(name), float(np.mean(scores)), _is_copy(column, labels, of_classes)))
    return sorted(found, key=lambda told: (not told.copy, -told.score, told.column))


def _score(column: np.ndarray, coded: bool, labels: np.ndarray, held_out: np.ndarray, of_classes: bool) -> float:
    train, test = column[~held_out], column[held_out]
    if coded:
        return quality(labels[held_out], _by_level(train, labels[~held_out], test))
    kind = DecisionTreeClassifier if of_classes else DecisionTreeRegressor
    tree = kind(max_leaf_nodes=LEAVES[of_classes], min_samples_leaf=AT_LEAST[of_classes], random_state=0)
    tree.fit(train[:, None], labels[~held_out])
    said = tree.predict_proba(test[:, None])[:, 1] if of_classes else tree.predict(test[:, None])  # type: ignore[union-attr]
    return quality(labels[held_out], said)


def _by_level(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The mean label of each level; of one that training lacks the mean of all."""
    levels, place = np.unique(train, return_inverse=True)  # NaN is one level, the last
    means = np.bincount(place, weights=labels) / np.bincount(place)
    at = np.clip(np.searchsorted(levels, test), 0, len(levels) - 1)
    known = (levels[at] == test) | (np.isnan(levels[at]) & np.isnan(test))
    return np.where(known, means[at], labels.mean())


def _is_copy(column: np.ndarray, labels: np.ndarray, of_classes: bool) -> bool:
    """Whether each value goes with one label and each label with one value; for numbers, whether a line takes all
    values to all labels."""
    if of_classes:
        place = np.unique(column, return_inverse=True)[1]
        return place.max() == 1 and len(set(zip(place.tolist(), labels.tolist(), strict=True))) == 2
    if np.isnan(column).any() or np.ptp(column) == 0:
        return False
    slope, offset = np.polyfit(column - column.mean(), labels, 1)
    return bool(np.abs(slope * (column - column.mean()) + offset - labels).max() <= ROUNDING * np.ptp(labels))
