"""The columns of made tables: how they are spread, and how some are drawn again when the others are known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from attar.core.errors import InputError

CODES = (0.4, 0.3, 0.2, 0.1)  # shares of the codes 0, 1, 2, 3
TOGETHER = 3  # columns
QUARTILE, TENTH = 0.6744897501960817, 1.2815515655446004  # of the standard normal


@dataclass(frozen=True)
class Columns:
    """So many columns `x1`, `x2`, …: measurements, then one ratio, and a category last.

    Measurements are standard normal, in units of their standard deviation. The ratio is log-normal, a heavy tail to
    the right. They go together by threes (x1 to x3, x4 to x6, …) with that `correlation`, the ratio by its logarithm,
    so that each has stand-ins. The category has the codes 0 to 3, rarer and rarer, and goes with nothing.

    Raises: InputError for fewer than five columns, and a correlation outside [0, 1).
    """

    count: int
    correlation: float

    def __post_init__(self) -> None:
        if self.count < TOGETHER + 2:
            raise InputError(f"there are {self.count} columns, expected at least {TOGETHER + 2}")
        if not 0 <= self.correlation < 1:
            raise InputError(f"correlation is {self.correlation}, expected at least 0 and below 1")

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(f"x{k + 1}" for k in range(self.count))

    @property
    def units(self) -> tuple[str, ...]:
        return ("sd",) * (self.count - 2) + ("ratio", "code")

    @property
    def ratio(self) -> int:
        return self.count - 2

    @property
    def category(self) -> int:
        return self.count - 1

    @cached_property
    def mean(self) -> np.ndarray:
        return np.array([0.0] * (self.count - 2) + [np.exp(0.5), np.dot(CODES, range(len(CODES)))])

    @cached_property
    def deviation(self) -> np.ndarray:
        """The standard deviation of each column."""
        codes = np.dot(CODES, np.square(range(len(CODES)))) - self.mean[-1] ** 2
        return np.array([1.0] * (self.count - 2) + [np.sqrt((np.e - 1) * np.e), np.sqrt(codes)])

    def quartiles(self, column: int) -> tuple[float, float, float]:
        """What a measurement or the ratio lies below with chance 1/4, 1/2 and 3/4."""
        low, middle, high = np.exp((-QUARTILE, 0, QUARTILE)) if column == self.ratio else (-QUARTILE, 0.0, QUARTILE)
        return float(low), float(middle), float(high)

    def tenths(self, column: int) -> tuple[float, float]:
        """What a measurement or the ratio lies below with chance 1/10, and above with that chance."""
        low, high = np.exp((-TENTH, TENTH)) if column == self.ratio else (-TENTH, TENTH)
        return float(low), float(high)

    def drawn(self, generator: np.random.Generator, number: int) -> np.ndarray:
        """Rows: `Float[ndarray, "number columns"]`."""
        return self.redrawn(np.ones(self.count), frozenset(range(self.count)), generator, number)

    def redrawn(
        self, row: np.ndarray, which: frozenset[int], generator: np.random.Generator, number: int
    ) -> np.ndarray:
        """The row `number` times, with these columns drawn as they are spread where the others are as they are.

        Raises: InputError for a ratio that is not above 0.
        """
        if not row[self.ratio] > 0:
            raise InputError(f"{self.names[self.ratio]} is {row[self.ratio]:g}, expected above 0, since it is a ratio")
        rows = np.repeat(row[None], number, axis=0)
        rows[:, self.ratio] = np.log(rows[:, self.ratio])
        drawn, known, weights, root = _conditional(self, which - {self.category})
        rows[:, drawn] = rows[0, known] @ weights.T + generator.standard_normal((number, len(drawn))) @ root.T
        rows[:, self.ratio] = np.exp(rows[:, self.ratio])
        if self.category in which:
            rows[:, self.category] = np.searchsorted(np.cumsum(CODES)[:-1], generator.random(number), side="right")
        return rows


@lru_cache(maxsize=1024)
def _conditional(columns: Columns, which: frozenset[int]) -> tuple[list[int], list[int], np.ndarray, np.ndarray]:
    """Which are drawn and which known; the weights of these in the mean of those, and a root of what is left over."""
    drawn, known = sorted(which), [c for c in range(columns.count - 1) if c not in which]
    group = np.arange(columns.count - 1) // TOGETHER
    whole = np.where(np.eye(len(group)) > 0, 1.0, columns.correlation * (group[:, None] == group))
    across, among = whole[np.ix_(drawn, known)], whole[np.ix_(known, known)]
    weights = np.linalg.solve(among, across.T).T
    return drawn, known, weights, np.linalg.cholesky(whole[np.ix_(drawn, drawn)] - weights @ across.T)
