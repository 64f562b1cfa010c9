"""Rows that take each other's values: donors for permuted columns, and what a mean over such pairs is off by."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


def canonical(table: Float[np.ndarray, "rows columns"], beside: np.ndarray) -> Int[np.ndarray, " rows"]:
    """An order of the rows that their values alone decide, so that draws do not depend on how they came."""
    _, label = np.unique(beside, return_inverse=True)
    rows = np.ascontiguousarray(np.concatenate([table + 0.0, label.reshape(len(table), 1)], 1))  # no -0.0
    return np.argsort(rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))[:, 0], kind="stable")


def donors(
    order: Int[np.ndarray, " rows"], stratum: Int[np.ndarray, " rows"], repeats: int, generator: np.random.Generator
) -> Int[np.ndarray, "repeats rows"]:
    """For each row another one of its stratum in each repeat, every row giving and taking once.

    A random order of each stratum, shifted by 1, 2, 3 …: no row is its own donor, and no pair comes twice before all
    have come. The only row of a stratum is its own donor.
    """
    shuffled = order[generator.permutation(len(order))]
    shuffled = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    _, first, size = np.unique(stratum[shuffled], return_index=True, return_counts=True)
    start, many = np.repeat(first, size), np.repeat(size, size)
    place = np.arange(len(order)) - start
    found = np.empty((repeats, len(order)), dtype=np.int64)
    for k in range(repeats):
        shift = np.where(many > 1, 1 + k % np.maximum(many - 1, 1), 0)
        found[k, shuffled] = shuffled[start + (place + shift) % many]
    return found


@dataclass(eq=False)
class Exchanged:
    """Sums over the pairs of a receiving and a giving row, by receiver and by donor, for each feature."""

    taken: Float[np.ndarray, "features rows"]
    taken_squares: Float[np.ndarray, "features rows"]
    given: Float[np.ndarray, "features rows"]
    given_squares: Float[np.ndarray, "features rows"]

    @classmethod
    def none(cls, features: int, rows: int) -> "Exchanged":
        return cls(*(np.zeros((features, rows)) for _ in range(4)))

    def add(self, feature: int, donor: Int[np.ndarray, " rows"], value: Float[np.ndarray, " rows"]) -> None:
        square = value * value
        self.taken[feature] += value
        self.taken_squares[feature] += square
        self.given[feature, donor] += value  # each row gives once
        self.given_squares[feature, donor] += square

    def variance(self, strata: Int[np.ndarray, "features rows"], repeats: int) -> Float[np.ndarray, " features"]:
        """The variance, over samples of rows, of the mean of all values.

        Of the pairs' values the mean is a U-statistic: a row counts by what it is worth receiving and by what it is
        worth giving. With A and B a row's means over `repeats` donors and receivers, and s² the variance of what a row
        gives to several, Var(A) + 2 Cov(A, B) + (1 - 1/repeats) (Var(B) - s²/repeats), over the number of rows, has its
        variance as expectation but for terms of the order 1/rows² (Hoeffding's decomposition; our derivation). It is
        not let below what the choice of donors alone makes. Within strata B is counted from the stratum's mean.
        """
        rows = self.taken.shape[1]
        receiving, giving = self.taken / repeats, self.given / repeats
        scatter = (self.taken_squares - repeats * receiving**2).clip(min=0).mean(1) / max(repeats - 1, 1)
        within = (self.given_squares - repeats * giving**2).clip(min=0).mean(1) / max(repeats - 1, 1)
        found = np.empty(len(giving))
        for k, stratum in enumerate(strata):
            size = np.bincount(stratum)
            giving[k] -= (np.bincount(stratum, giving[k]) / size.clip(min=1))[stratum]
            giving[k] *= (size / (size - 1).clip(min=1))[stratum]  # what taking off their mean took of them
            (one, both), (_, other) = np.cov(receiving[k], giving[k])
            rest = (1 - 1 / repeats) * max(other - within[k] / repeats, 0.0)
            found[k] = max(one + 2 * both + rest, scatter[k] / repeats) / rows
        return found
