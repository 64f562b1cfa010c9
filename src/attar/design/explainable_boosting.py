"""Explainable boosting machines: additive models of boosted steps, by the `interpret-core` library."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator
from sklearn.utils import ClassifierTags, RegressorTags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from attar.core.errors import InputError, UnsupportedError
from attar.design import labelled
from attar.design.additive import Shape
from attar.design.additive_reading import reading_of
from attar.design.alike import alike
from attar.design.coefficient_intervals import canonical_order
from attar.design.families import Binomial, Gaussian, Multinomial

_FAMILIES = ("binomial", "multinomial", "gaussian")
_SPREAD = 1.96


def _classifies(model: "ExplainableBoosting") -> bool:
    return model.family != "gaussian"


class ExplainableBoosting(BaseEstimator):
    """The linear predictor is a sum of one step curve per column, and of steps of `interactions` pairs of columns.

    `family` is binomial, multinomial (which has no pairs) or gaussian. It is interpret-core's explainable boosting
    machine: boosted in turn over columns for at most `rounds`, averaged over `bags` bags of rows. The ends of `shape`
    are 1.96 standard deviations between the bags' curves on either side: bags share rows, so this is the spread of the
    fit and no confidence interval. `term_values` has the pairs after the columns (`term_columns_` says which are
    which); attributions share a pair's value evenly and list it. Rows are sorted before it draws from them, so that
    their order changes nothing, and it works in one process.
    Misleads where columns are correlated, and where a step is read as a threshold: another bag has it elsewhere.
    Raises `UnsupportedError` where interpret-core is not installed, `InputError` for options that cannot be, gaps and
    a single class. Source: Lou, Caruana, Gehrke & Hooker 2013, doi:10.1145/2487575.2487579; Nori et al. 2019,
    arXiv:1909.09223.
    """

    band = "1.96 standard deviations between bags on either side (the spread of the fit, no confidence interval)"
    beyond = "level lines"

    def __init__(
        self,
        family: Literal["binomial", "multinomial", "gaussian"] = "binomial",
        *,
        interactions: int = 5,
        bags: int = 8,
        rounds: int = 2000,
        random_state: int | None = 0,
    ) -> None:
        self.family = family
        self.interactions = interactions
        self.bags = bags
        self.rounds = rounds
        self.random_state = random_state

    n_features_in_: int

    def fit(self, X: Any, y: np.ndarray) -> Self:
        for good, said in (
            (self.family in _FAMILIES, f"family is {self.family!r}, expected one of {', '.join(_FAMILIES)}"),
            (self.interactions >= 0, f"interactions is {self.interactions}, expected 0 or more"),
            (self.bags >= 2, f"bags is {self.bags}, expected at least 2, which differ"),
            (self.rounds >= 1, f"rounds is {self.rounds}, expected at least 1"),
        ):
            if not good:
                raise InputError(said)
        X, y = labelled.learnt_from(self, X, y, numbers=self.family == "gaussian")
        if len(X) < 2:
            raise InputError("there is 1 sample, expected 2 or more")
        rows = labelled.rows(self, X, y, None)
        if rows.classes is not None:
            self.classes_ = rows.classes
        several = rows.classes is not None and len(rows.classes) > 2
        self.family_ = Multinomial() if several else Gaussian() if rows.classes is None else Binomial()
        order = canonical_order(rows.X, rows.y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of few rows, and of what other libraries will leave out one day
            made = _machine(self.family)(
                interactions=0 if several else self.interactions,
                outer_bags=self.bags,
                max_rounds=self.rounds,
                random_state=self.random_state or 0,
                feature_types=["continuous"] * X.shape[1],
                n_jobs=1,
            )
            self.machine_ = made.fit(rows.X[order], rows.y[order])
        self.intercept_ = np.atleast_1d(np.asarray(self.machine_.intercept_, dtype=float))
        self.term_columns_ = tuple(tuple(int(k) for k in term) for term in self.machine_.term_features_)
        self.range_ = np.stack([X.min(0), X.max(0)], 1)
        self.alike_ = alike(rows.X, rows.weight)
        self.term_spread_ = self._values(rows.X).std(0)
        self.spread_ = np.zeros((X.shape[1], len(self.intercept_)))
        for term, columns in enumerate(self.term_columns_):
            if len(columns) == 1:
                self.spread_[columns[0]] = self.term_spread_[term]
        self.n_rows_ = float(len(X))
        return self

    def term_values(self, X: Any) -> Float[np.ndarray, "rows terms outputs"]:
        """What each term (`term_columns_`) adds to each output; with `intercept_` they sum to the linear predictor."""
        return self._values(labelled.asked_about(self, X))

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
        """The likeliest class, or the value."""
        eta = self.linear_predictor(X)
        if self.family == "gaussian":
            return eta
        return self.classes_[(eta > 0).astype(int) if eta.ndim == 1 else eta.argmax(1)]

    def score(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
        """Accuracy, or R²."""
        return labelled.score_of(self.family, y, self.predict(X), sample_weight)

    def shape(self, column: int | str, grid: Sequence[float] | np.ndarray | None = None, points: int = 200) -> Shape:
        """The column's curve with the spread between bags, at `grid` or at `points` over the range of the training
        rows.
        Raises `InputError` for a column that there is not."""
        check_is_fitted(self)
        names = [str(name) for name in getattr(self, "feature_names_in_", ())]
        k = names.index(column) if isinstance(column, str) and column in names else column
        if not isinstance(k, int) or not 0 <= k < self.n_features_in_:
            raise InputError(f"there is no column {column!r}; there are {self.n_features_in_} (from 0)")
        at = np.asarray(
            np.linspace(self.range_[k, 0], self.range_[k, 1], points) if grid is None else grid, dtype=float
        )
        none = np.zeros((len(at), len(self.intercept_)))
        value, half = none, none
        if (k,) in self.term_columns_:
            term = self.term_columns_.index((k,))
            place = 1 + np.searchsorted(self.machine_.bins_[k][0], at, side="right")  # bin 0 is for gaps
            value, half = (
                np.asarray(array[term])[place].reshape(none.shape)
                for array in (self.machine_.term_scores_, self.machine_.standard_deviations_)
            )
            half = _SPREAD * half
        found = (value, value - half, value + half)
        return Shape(at, *((array[:, 0] if array.shape[1] == 1 else array) for array in found))

    def steps(self, column: int) -> bool:  # noqa: ARG002
        """Whether the column has a step for each level: here every column is a number."""
        return False

    def reading(self, names: Sequence[str] | None = None, units: Mapping[str, str] | None = None) -> str:
        """What each column's curve does, by how much over its range, which pairs act together, and what it cannot
        tell."""
        check_is_fitted(self)
        return reading_of(self, names, units)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        if self.family == "gaussian":
            tags.estimator_type = "regressor"
            tags.regressor_tags = RegressorTags()
        else:
            tags.estimator_type = "classifier"
            tags.classifier_tags = ClassifierTags(multi_class=self.family == "multinomial")
        return tags

    def _values(self, X: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows terms outputs"]:
        if not self.term_columns_:
            return np.zeros((len(X), 0, len(self.intercept_)))
        found = np.asarray(self.machine_.eval_terms(X), dtype=float)
        return found[:, :, None] if found.ndim == 2 else found


def _machine(family: str) -> Any:
    """The library's class, which is loaded only here."""
    try:
        from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor
    except ImportError as problem:
        raise UnsupportedError(
            "ExplainableBoosting takes the interpret-core library: pip install attar[ebm]"
        ) from problem
    return ExplainableBoostingRegressor if family == "gaussian" else ExplainableBoostingClassifier
