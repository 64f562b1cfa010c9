"""One column of a table as the functions that its curve is made of: splines of a number, steps of a category."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.preprocessing import SplineTransformer

_SHRINK = 1e-2  # what a curve's variance costs, where its bend costs 1
_APART = 0.05  # standard deviations between knots: the cost of a bend grows with the cube of their nearness
_LEVEL = 1.0  # what a level costs, as if so many of its rows had said nothing


@dataclass(frozen=True, eq=False)
class ColumnBasis:
    """Functions of one column, each 0 on average over the training rows.

    Of a number cubic splines with knots at quantiles, which go on as straight lines beyond the outermost; of a category
    (`levels`) steps. A level that was not there adds nothing. A constant column has no functions.
    """

    spline: SplineTransformer | None
    levels: Float[np.ndarray, " levels"]
    centre: Float[np.ndarray, " functions"]
    bend: Float[np.ndarray, "functions functions"]

    @classmethod
    def of(
        cls, column: Float[np.ndarray, " rows"], weight: Float[np.ndarray, " rows"], *, category: bool, knots: int
    ) -> "ColumnBasis":
        values = np.unique(column)
        none = np.empty(0)
        if len(values) < 2:
            return cls(None, none, none, np.empty((0, 0)))
        if category:
            made = cls(None, values, np.zeros(len(values)), np.zeros((len(values),) * 2))
        else:
            places = _apart(quantiles(column, weight, np.linspace(0, 1, min(knots, len(values)))), column, weight)
            at: Any = places[:, None]
            spline = SplineTransformer(degree=3, knots=at, extrapolation="linear")
            spline.fit(at)
            made = cls(spline, none, np.zeros(spline.n_features_out_ - 1), _bend(spline, column, weight))
        return cls(made.spline, made.levels, weight @ made(column) / weight.sum(), made.bend)

    def __call__(self, column: Float[np.ndarray, " rows"]) -> Float[np.ndarray, "rows functions"]:
        """The first spline is left out: all of them sum to 1, which is the intercept's to say. Of levels none is, so
        that none is special."""
        if self.spline is not None:
            return np.asarray(self.spline.transform(column[:, None]))[:, 1:] - self.centre
        if not len(self.levels):
            return np.empty((len(column), 0))
        steps = (column[:, None] == self.levels).astype(float) - self.centre
        steps[~np.isin(column, self.levels)] = 0.0
        return steps

    def penalty(self, functions: Float[np.ndarray, "rows functions"], weight: Float[np.ndarray, " rows"]) -> Any:
        """What the column's coefficients cost per unit of the penalty: how much the curve bends, how far it goes from
        0, and of a category how far each level does."""
        shrink = _SHRINK * (functions.T * weight) @ functions
        if self.spline is not None:
            return weight.sum() * self.bend + shrink
        return shrink + _LEVEL * np.eye(functions.shape[1])


def _apart(
    places: Float[np.ndarray, " knots"], column: Float[np.ndarray, " rows"], weight: Float[np.ndarray, " rows"]
) -> Float[np.ndarray, " knots"]:
    """The outermost knots, and of the others those that are a good way from the one before."""
    least = _APART * np.sqrt(weight @ (column - weight @ column / weight.sum()) ** 2 / weight.sum())
    kept = [places[0]]
    for place in places[1:-1]:
        if place - kept[-1] >= least and places[-1] - place >= least:
            kept.append(place)
    return np.array([*kept, places[-1]])


def quantiles(
    column: Float[np.ndarray, " rows"], weight: Float[np.ndarray, " rows"], shares: Float[np.ndarray, " any"]
) -> Float[np.ndarray, " any"]:
    """The values at which so large a share of the weight is reached: a weight of two is a row twice."""
    order = np.argsort(column, kind="stable")
    reached = np.cumsum(weight[order])
    place = np.searchsorted(reached, shares * reached[-1] * (1 - 1e-12), side="left")
    return column[order][np.minimum(place, len(column) - 1)]


def _bend(
    spline: SplineTransformer, column: Float[np.ndarray, " rows"], weight: Float[np.ndarray, " rows"]
) -> Float[np.ndarray, "functions functions"]:
    """The quadratic form of ∫ f''² in units of the column's standard deviation, by divided differences of the
    coefficients at their Greville abscissae: 0 for a straight line.

    Source: Eilers & Marx 1996, doi:10.1214/ss/1038425655; we differ in minding that quantile knots are uneven.
    """
    mean = weight @ column / weight.sum()
    spread = np.sqrt(weight @ (column - mean) ** 2 / weight.sum())
    t = spline.bsplines_[0].t / spread
    count = spline.n_features_out_
    at = np.array([t[k + 1 : k + 4].mean() for k in range(count)])
    gap = np.diff(at)
    first = np.diff(np.eye(count), axis=0) / gap[:, None]
    reach = (gap[:-1] + gap[1:]) / 2
    second = np.diff(first, axis=0) / reach[:, None]
    return ((second.T * reach) @ second)[1:, 1:]
