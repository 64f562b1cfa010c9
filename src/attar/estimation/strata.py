"""Rows that are alike in the other columns, and how far a column's values are from being free of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from attar.core.column import LARGEST
from attar.core.errors import InputError

_LEVELS = 20  # of a category, the commonest; the rest are taken together


@dataclass(frozen=True, kw_only=True)
class Strata:
    """The leaves of a tree that predicts a feature's columns from all others: rows that are alike in what matters to
    it.

    At most `leaves` leaves with at least `at_least` rows in each. What is left of the dependence within a leaf is not
    taken away: more leaves take more, and leave fewer rows to exchange values with.
    Source: Molnar, König, Bischl & Casalicchio 2023, doi:10.1007/s10618-022-00901-9 (conditional subgroups; their trees
    split by whole distributions, ours by means and shares of levels).
    """

    leaves: int = 64
    at_least: int = 10

    def __post_init__(self) -> None:
        if self.leaves < 2 or self.at_least < 2:
            raise InputError(f"{self!r}: expected at least 2 leaves with at least 2 rows in each")

    def tree(self, table: Float[np.ndarray, "rows others"], goal: Float[np.ndarray, "rows goals"]) -> Any:
        from sklearn.tree import DecisionTreeRegressor

        tree = DecisionTreeRegressor(max_leaf_nodes=self.leaves, min_samples_leaf=self.at_least, random_state=0)
        return tree.fit(table, goal)

    def of(
        self,
        codes: Float[np.ndarray, "rows columns"],
        coded: Bool[np.ndarray, " columns"],
        mine: Int[np.ndarray, " mine"],
        generator: np.random.Generator,
    ) -> Int[np.ndarray, " rows"]:
        """The stratum of each row, for the feature of these columns; one for all where there are no others.

        Each half of the rows is divided by a tree that was learnt on the other half: one learnt on the same rows would
        divide them by their own values, and what is exchanged within its leaves would be too much alike.
        """
        rest = [k for k in range(codes.shape[1]) if k not in {*mine}]
        found = np.zeros(len(codes), dtype=np.int64)
        if not rest or len(codes) < 4 * self.at_least:
            return found
        others, goal = with_gaps(codes[:, rest]), goals(codes[:, mine], coded[mine])
        order = generator.permutation(len(codes))
        for learnt, asked in ((order[::2], order[1::2]), (order[1::2], order[::2])):
            leaf = self.tree(others[learnt], goal[learnt]).apply(others[asked])
            found[asked] = found.max() + 1 + np.unique(leaf, return_inverse=True)[1].reshape(-1)
        return np.unique(found, return_inverse=True)[1].reshape(-1)


def with_gaps(codes: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns"]:
    """NaN where a value is missing, as scikit-learn's trees take it."""
    return np.where(codes >= LARGEST, np.nan, codes)


def goals(codes: Float[np.ndarray, "rows mine"], coded: Bool[np.ndarray, " mine"]) -> Float[np.ndarray, "rows goals"]:
    """Columns as numbers that a tree can predict: amounts in units of their spread, levels as 0 or 1 for each."""
    found = []
    for column, names in zip(codes.T, coded, strict=True):
        gone = column >= LARGEST
        if names:
            levels, count = np.unique(column, return_counts=True)
            for level in levels[np.argsort(-count, kind="stable")][:_LEVELS]:
                found.append((column == level).astype(float))
            continue
        there = column[~gone]
        middle, spread = (there.mean(), there.std()) if len(there) else (0.0, 0.0)
        found.append(np.where(gone, 0.0, (column - middle) / spread if spread > 0 else 0.0))
        if gone.any():
            found.append(gone.astype(float))
    return np.stack(found, 1)


@dataclass(frozen=True, kw_only=True)
class Departure:
    """How far a feature, put on at random, leaves the data: `share` of rows then have a value that is as unlikely
    beside their other columns as only one row in twenty has it; `named` are the columns that tell most of it."""

    share: float
    named: tuple[int, ...]

    def beyond(self, rows: int) -> bool:
        """More than could be chance, and more than a twentieth on top."""
        return self.share > 0.10 + 3 * np.sqrt(2 * 0.05 * 0.95 / rows)


def departure(
    codes: Float[np.ndarray, "rows columns"],
    coded: Bool[np.ndarray, " columns"],
    mine: Int[np.ndarray, " mine"],
    generator: np.random.Generator,
) -> Departure:
    """By a tree that is learnt on one half of the rows and asked on the other, and the other way round."""
    rest = [k for k in range(codes.shape[1]) if k not in {*mine}]
    others, goal = with_gaps(codes[:, rest]), goals(codes[:, mine], coded[mine])
    order = generator.permutation(len(codes))
    beyond, counts, weight = 0, 0, np.zeros(len(rest))
    for learnt, asked in ((order[::2], order[1::2]), (order[1::2], order[::2])):
        tree = Strata(leaves=32, at_least=max(5, len(learnt) // 50)).tree(others[learnt], goal[learnt])
        said = tree.predict(others[asked]).reshape(len(asked), -1)
        real = ((goal[asked] - said) ** 2).sum(1)
        moved = ((goal[generator.permutation(asked)] - said) ** 2).sum(1)
        beyond += int((moved > np.quantile(real, 0.95)).sum())
        counts += len(asked)
        weight += tree.feature_importances_
    most = [rest[k] for k in np.argsort(-weight, kind="stable")[:2].tolist() if weight[k] > 0.2 * weight.sum()]
    return Departure(share=beyond / counts, named=tuple(most))
