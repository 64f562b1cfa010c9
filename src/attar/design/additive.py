"""Additive models: a curve for each column, and the curves are the explanation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator
from sklearn.utils import ClassifierTags, RegressorTags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from attar.core.errors import InputError
from attar.design import labelled
from attar.design.additive_reading import reading_of
from attar.design.alike import alike
from attar.design.coefficient_intervals import by_posterior, half_width
from attar.design.column_basis import ColumnBasis
from attar.design.families import CLASSES, Binomial, Family, family_of
from attar.design.folds import folds
from attar.design.frames import as_numbers, levels_of
from attar.design.penalised import Problem, fitted

PENALTIES = tuple(10.0**k for k in range(-6, 4))


@dataclass(frozen=True, eq=False)
class Shape:
    """A column's curve at `grid` (of a category: at its levels) with the ends of its band: `Float[ndarray, "grid"]`, of
    several classes `Float[ndarray, "grid classes"]`. In units of the linear predictor; 0 on average over the training
    rows."""

    grid: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def _classifies(model: "AdditiveModel") -> bool:
    return model.family in CLASSES


class AdditiveModel(BaseEstimator):
    """The linear predictor is a sum of one curve per column: a column's contribution is the height of its curve.

    `family` as of `GeneralizedLinearModel`. A number has a cubic spline with `knots` at its quantiles, which goes on as
    a straight line beyond the data; words, categories and numbers of at most `levels` different values have a step for
    each. One penalty on how much curves bend (and, a hundredth, on how far they go from 0) is chosen by
    cross-validation in `folds` parts; `penalty_` is it, `penalties` what there was to choose from. A category that was
    not among the training rows adds 0. Bands (`shape`) hold 95% of a curve on average over its length; that the penalty
    was chosen is not in them.

    Misleads where columns act together, of which a sum knows nothing, and where they are correlated: one curve may have
    taken what is the other's.
    Raises `InputError` for options that cannot be, gaps, a single class, and labels that are not the family's.
    Sources: Hastie & Tibshirani 1986, doi:10.1214/ss/1177013604; Eilers & Marx 1996, doi:10.1214/ss/1038425655. We
    differ in choosing one penalty for all columns, by cross-validated deviance.
    """

    def __init__(
        self,
        family: Literal["binomial", "multinomial", "gaussian", "poisson", "gamma"] = "binomial",
        *,
        knots: int = 8,
        levels: int = 5,
        penalties: Sequence[float] = PENALTIES,
        folds: int = 5,
        random_state: int | None = 0,
    ) -> None:
        self.family = family
        self.knots = knots
        self.levels = levels
        self.penalties = penalties
        self.folds = folds
        self.random_state = random_state

    band = "95% bands of the curve"
    beyond = "straight lines"
    n_features_in_: int

    def fit(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        self._check_options()
        self.levels_ = levels_of(X)
        X, y = labelled.learnt_from(self, as_numbers(X, self.levels_), y, numbers=self.family not in CLASSES)
        rows = labelled.rows(self, X, y, sample_weight)
        if rows.classes is not None:
            self.classes_ = rows.classes
        binary = rows.classes is not None and len(rows.classes) == 2
        family = Binomial() if binary else family_of(self.family)
        self.family_ = family
        words = [k for k, name in enumerate(getattr(self, "feature_names_in_", ())) if name in self.levels_]
        self.bases_ = [
            ColumnBasis.of(
                column, rows.weight, category=k in words or len(np.unique(column)) <= self.levels, knots=self.knots
            )
            for k, column in enumerate(rows.X.T)
        ]
        self.ends_ = np.cumsum([0, *(len(basis.centre) for basis in self.bases_)])
        self.range_ = np.stack([rows.X.min(0), rows.X.max(0)], 1)
        table = self._functions(rows.X)
        cost = self._cost(table, rows.weight)
        self.penalty_, self.deviances_ = self._chosen(family, table, rows, cost)
        problem = _problem(family, table, rows.columns, rows.weight, self.penalty_ * cost)
        self.theta_ = fitted(problem)
        self.covariance_ = by_posterior(problem, self.theta_)
        self.intercept_ = self.theta_[:, -1].copy()
        self.term_columns_ = tuple((k,) for k in range(rows.X.shape[1]))
        self.alike_ = alike(rows.X, rows.weight)
        values = self._values(rows.X)
        self.spread_ = np.sqrt(np.einsum("n,nck->ck", rows.weight, values**2) / rows.weight.sum())
        self.n_rows_ = float(rows.weight.sum())
        return self

    def term_values(self, X: Any) -> Float[np.ndarray, "rows columns outputs"]:
        """What each column adds to each output; with `intercept_` they sum to the linear predictor."""
        return self._values(self._checked(X))

    def linear_predictor(self, X: Any) -> np.ndarray:
        """`Float[ndarray, "rows"]`, of several classes `Float[ndarray, "rows classes"]`."""
        eta = self.term_values(X).sum(1) + self.intercept_
        return eta[:, 0] if eta.shape[1] == 1 else eta

    @available_if(_classifies)
    def decision_function(self, X: Any) -> np.ndarray:
        """The linear predictor."""
        return self.linear_predictor(X)

    @available_if(_classifies)
    def predict_proba(self, X: Any) -> np.ndarray:
        eta = self.linear_predictor(X)
        mean = self.family_.mean(eta[:, None] if eta.ndim == 1 else eta)
        return mean if mean.shape[1] > 1 else np.concatenate([1 - mean, mean], 1)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class, or the mean."""
        eta = self.linear_predictor(X)
        if self.family in CLASSES:
            return self.classes_[(eta > 0).astype(int) if eta.ndim == 1 else eta.argmax(1)]
        return self.family_.mean(eta[:, None])[:, 0]

    def score(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
        """Accuracy; R²; of counts and gamma labels the share of the deviance that is explained."""
        return labelled.score_of(self.family, y, self.predict(X), sample_weight)

    def shape(self, column: int | str, grid: Sequence[float] | np.ndarray | None = None, points: int = 50) -> Shape:
        """The column's curve with its band, at `grid`, or at `points` over the range of the training rows, or at the
        levels of a category. Raises `InputError` for a column that there is not."""
        check_is_fitted(self)
        k = self._place(column)
        basis, name = self.bases_[k], str(getattr(self, "feature_names_in_", {k: k})[k])
        words = self.levels_.get(name)
        if words is not None and grid is not None:
            at = np.array([words.index(each) if each in words else -1 for each in grid], dtype=float)
            shown = np.asarray(grid)
        else:
            usual = basis.levels if len(basis.levels) else np.linspace(self.range_[k, 0], self.range_[k, 1], points)
            at = np.asarray(usual if grid is None else grid, dtype=float)
            shown = at if words is None else np.array([words[int(code)] for code in at])
        functions = basis(at)
        inside = slice(self.ends_[k], self.ends_[k + 1])
        value = functions @ self.theta_[:, inside].T
        outputs, terms = self.theta_.shape
        every = self.covariance_.matrix.reshape(outputs, terms, outputs, terms)
        spread = np.stack([functions @ every[o, inside, o, inside] * functions for o in range(outputs)], -1).sum(1)
        half = half_width(np.sqrt(np.clip(spread, 0, None)), self.covariance_.freedom)
        found = (value, value - half, value + half)
        return Shape(shown, *((array[:, 0] if outputs == 1 else array) for array in found))

    def steps(self, column: int) -> bool:
        """Whether the column has a step for each level, and no curve."""
        return len(self.bases_[column].levels) > 0

    def reading(self, names: Sequence[str] | None = None, units: Mapping[str, str] | None = None) -> str:
        """What each column's curve does, by how much over its range, how surely, and what the model cannot tell."""
        check_is_fitted(self)
        return reading_of(self, names, units)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        if self.family in CLASSES:
            tags.estimator_type = "classifier"
            tags.classifier_tags = ClassifierTags(multi_class=self.family == "multinomial")
        else:
            tags.estimator_type = "regressor"
            # A log link bends away from the straight lines that scikit-learn's checks of the score are made of.
            tags.regressor_tags = RegressorTags(poor_score=self.family != "gaussian")
            tags.target_tags.positive_only = self.family in ("poisson", "gamma")
        return tags

    def _check_options(self) -> None:
        family_of(self.family)
        for good, said in (
            (self.knots >= 3, f"knots is {self.knots}, expected at least 3"),
            (self.levels >= 0, f"levels is {self.levels}, expected 0 or more"),
            (self.folds >= 2, f"folds is {self.folds}, expected at least 2"),
            (
                len(self.penalties) > 0 and min(self.penalties) > 0,
                f"penalties are {list(self.penalties)}, expected positive numbers",
            ),
        ):
            if not good:
                raise InputError(said)

    def _checked(self, X: Any) -> Float[np.ndarray, "rows columns"]:
        check_is_fitted(self)
        return labelled.asked_about(self, as_numbers(X, self.levels_))

    def _place(self, column: int | str) -> int:
        if isinstance(column, str):
            names = [str(name) for name in getattr(self, "feature_names_in_", ())]
            if column not in names:
                raise InputError(f"there is no column {column!r}; there are {', '.join(names[:8]) or 'no names'}")
            return names.index(column)
        if not 0 <= column < self.n_features_in_:
            raise InputError(f"there is no column {column}; there are {self.n_features_in_} (from 0)")
        return column

    def _functions(self, X: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows functions"]:
        return np.concatenate([basis(column) for basis, column in zip(self.bases_, X.T, strict=True)], 1)

    def _values(self, X: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns outputs"]:
        pieces = [
            basis(column) @ self.theta_[:, first:last].T
            for basis, column, first, last in zip(self.bases_, X.T, self.ends_, self.ends_[1:], strict=False)
        ]
        return np.stack(pieces, 1)

    def _cost(self, table: Float[np.ndarray, "rows functions"], weight: Float[np.ndarray, " rows"]) -> np.ndarray:
        """The quadratic penalty over all terms; the intercept's costs nothing."""
        cost = np.zeros((table.shape[1] + 1,) * 2)
        for basis, first, last in zip(self.bases_, self.ends_, self.ends_[1:], strict=False):
            cost[first:last, first:last] = basis.penalty(table[:, first:last], weight)
        return cost

    def _chosen(
        self, family: Family, table: np.ndarray, rows: labelled.Rows, cost: np.ndarray
    ) -> tuple[float, Float[np.ndarray, " penalties"]]:
        """The penalty of least held-out loss, the largest of equal ones; and the loss of each, per row."""
        choices = np.sort(np.asarray(self.penalties, dtype=float))[::-1]
        fold = folds(rows.X, rows.y, self.folds, stratified=rows.classes is not None, seed=self.random_state or 0)
        losses = np.zeros(len(choices))
        for k in range(self.folds if len(choices) > 1 else 0):
            out, rest = fold == k, fold != k
            if not out.any() or not rest.any():
                continue
            share = rows.weight[rest].sum() / rows.weight.sum()  # what curves cost is per row: of fewer rows, less
            theta = None
            for place, penalty in enumerate(choices):
                problem = _problem(family, table[rest], rows.columns[rest], rows.weight[rest], penalty * share * cost)
                theta = fitted(problem, theta)
                eta = table[out] @ theta[:, :-1].T + theta[:, -1]
                losses[place] += rows.weight[out] @ family.loss(rows.columns[out], eta)
        finite = np.where(np.isfinite(losses), losses, np.inf)
        best = int(np.flatnonzero(finite <= finite.min() + 1e-9 * abs(finite.min()))[0])
        return float(choices[best]), losses / rows.weight.sum()


def _problem(family: Family, table: np.ndarray, y: np.ndarray, weight: np.ndarray, quadratic: np.ndarray) -> Problem:
    return Problem(family=family, X=table, y=y, weight=weight, quadratic=quadratic)
