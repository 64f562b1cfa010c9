"""The trivial control: a score of columns that has seen neither model nor label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attar.core.column import LARGEST
from attar.core.columns import Columns

_NORMAL = 1.4826  # median absolute deviations in a standard deviation of a normal law


@dataclass(frozen=True, eq=False)
class Unusual:
    """How unusual each value of a row is, for its column.

    Of a number how many robust standard deviations (scaled median absolute deviations; the ordinary one where half of
    the table's values are the same) it lies from the median; of a level, and of a gap, minus the logarithm of the share
    of rows that have it. Values that decide a label are often rare ones, so that this alone points at many a rule.
    """

    columns: Columns
    middle: Float[np.ndarray, " columns"]
    scale: Float[np.ndarray, " columns"]
    shares: tuple[dict[float, float], ...]
    least: float

    @classmethod
    def of(cls, columns: Columns, spread: Float[np.ndarray, "rows columns"]) -> Unusual:
        known = np.where(spread < LARGEST, spread, np.nan)
        middle, scale, shares = np.zeros(len(columns)), np.ones(len(columns)), []
        for k, column in enumerate(columns.each):
            values, times = np.unique(spread[:, k], return_counts=True)
            told = values >= LARGEST if column.number else np.ones(len(values), dtype=bool)
            shares.append(dict(zip(values[told].tolist(), (times[told] / len(spread)).tolist(), strict=True)))
            there = known[~np.isnan(known[:, k]), k]
            if column.number and len(there):
                middle[k] = np.median(there)
                scale[k] = _NORMAL * np.median(np.abs(there - middle[k])) or there.std() or 1.0
        return cls(columns, middle, scale, tuple(shares), 1 / (len(spread) + 1))

    def __call__(self, row: tuple[float, ...]) -> Float[np.ndarray, " columns"]:
        codes = np.array(row, dtype=float)
        named = ~self.columns.numbers | (codes >= LARGEST)
        said = np.abs(np.where(named, self.middle, codes) - self.middle) / self.scale
        for k in np.flatnonzero(named).tolist():
            said[k] = -np.log(self.shares[k].get(row[k], self.least))
        return said
