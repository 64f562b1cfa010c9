"""Generalized linear models: the weights are the explanation."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.utils import ClassifierTags, RegressorTags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from attar.core.errors import InputError
from attar.design import labelled
from attar.design.alike import alike, spreads
from attar.design.coefficient_intervals import by_bootstrap, by_information, by_sandwich
from attar.design.families import CLASSES, FAMILIES, Binomial, Multinomial, Poisson, family_of
from attar.design.glm_reading import reading_of
from attar.design.labelled import score_of
from attar.design.penalised import Problem, fitted
from attar.design.separation import rate_runs_away, runs_away

PENALTIES = ("none", "l1", "l2", "group")
INTERVALS = ("information", "sandwich", "bootstrap")
_HOLD = 1e-3  # penalty per unit of variance that keeps numbers finite where no finite ones are best
_SURE = 8.0  # η of a row whose class is all but certain: without any, no plane separates the classes


def _classifies(model: "GeneralizedLinearModel") -> bool:
    return model.family in CLASSES


class GeneralizedLinearModel(BaseEstimator):
    """A mean that depends on one weighted sum of the columns, the linear predictor: what explains itself exactly.

    | family | the label | the linear predictor | one unit more of it |
    |---|---|---|---|
    | `binomial`, `multinomial` | one of two, of several classes | log-odds; logits | odds times e |
    | `gaussian` | a number | the mean | 1 more |
    | `poisson`, `gamma` | a count, a positive number | log of the mean | times e |

    `penalty`: none; `l2` (small weights); `l1` (few columns); `group` (few groups of columns: the label in `groups`,
    one for each column, says which go in and out together). `strength` is its weight relative to the data's: to the sum
    of losses for classes, and of half the squares for gaussian l2 (scikit-learn's 1/C, and Ridge's alpha); else to
    their mean (scikit-learn's alpha). With `standardise` a penalty is the same for columns in any unit. `coef_` and
    `intercept_` are per unit of the column either way: an unknown binomial weight is a difference in log-odds.

    `intervals` gives 95% intervals, `coef_interval_` and `intercept_interval_`, last axis low and high: `information`
    (Fisher's, observed; Student's t for gaussian and gamma), `sandwich` (HC3: also where labels scatter unlike the
    family) or `bootstrap` (`resamples` refits). They are about the fit that was asked for: what a
    penalty takes away is not in them, and l1 and group take bootstrap. They are unbounded where the data says nothing:
    of classes that a plane separates, columns that say the same, a column that never varies. Of separated classes no
    finite weights fit best: those that are kept are of a tiny ridge, and `unbounded_` says which they are.

    Misleads where columns are correlated (`reading` says which cannot be told apart), where an effect bends, and where
    columns act together. Weights of rows count as repetitions. The two-class l1 and l2 fits penalise the intercept too,
    as liblinear does. Several classes without penalty have logits that sum to zero.
    Raises `InputError` for options that cannot be, a single class, and labels that are not the family's.
    Sources: McCullagh & Nelder 1989; Yuan & Lin 2006, doi:10.1111/j.1467-9868.2005.00532.x (groups).
    """

    def __init__(
        self,
        family: Literal["binomial", "multinomial", "gaussian", "poisson", "gamma"] = "binomial",
        penalty: Literal["none", "l1", "l2", "group"] = "l2",
        strength: float = 1.0,
        random_state: int | None = 0,
        *,
        groups: Sequence[object] | None = None,
        standardise: bool = False,
        intervals: Literal["information", "sandwich", "bootstrap"] | None = None,
        resamples: int = 400,
    ) -> None:
        self.family = family
        self.penalty = penalty
        self.strength = strength
        self.random_state = random_state
        self.groups = groups
        self.standardise = standardise
        self.intervals = intervals
        self.resamples = resamples

    def fit(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        self._check_options()
        X, y = labelled.learnt_from(self, X, y, numbers=self.family not in CLASSES, sparse=True)
        rows = labelled.rows(self, X, y, sample_weight)
        X, weight = rows.X, rows.weight
        outputs = 1 if rows.classes is None or len(rows.classes) == 2 else len(rows.classes)
        if rows.classes is not None:
            self.classes_ = rows.classes
        self.family_ = family_of(self.family) if outputs > 1 or self.family != "multinomial" else Binomial()
        spread = spreads(X, weight)
        scale = np.where(spread > 0, spread, 1.0) if self.standardise else np.ones(X.shape[1])
        X = X.multiply(1 / scale[None]).tocsr() if hasattr(X, "multiply") else X / scale
        theta = self._theta(X, rows, weight, spread > 0)
        lost = self._lost(X, rows, theta)
        if lost.any():
            theta = self._theta(X, rows, weight, spread > 0, hold=_HOLD)
        units = np.append(scale, 1.0)
        self.coef_, self.intercept_ = theta[:, :-1] / scale, theta[:, -1].copy()
        self.alike_ = alike(X, weight)
        self.unbounded_ = lost | ~np.append(spread > 0, True) if self.penalty == "none" else lost
        for name in ("coef_interval_", "intercept_interval_"):
            vars(self).pop(name, None)
        if self.intervals is not None:
            ends = self._ends(X, rows, theta, spread > 0) / units[:, None]
            ends[np.broadcast_to(self.unbounded_ | ~np.append(spread > 0, True), theta.shape)] = [-np.inf, np.inf]
            self.coef_interval_, self.intercept_interval_ = ends[:, :-1], ends[:, -1]
        self.spread_ = spread
        self.n_rows_ = float(weight.sum())
        return self

    def linear_predictor(self, X: Any) -> np.ndarray:
        """`Float[ndarray, "rows"]`, of several classes `Float[ndarray, "rows classes"]`: log-odds of the second class,
        logits, the value, or the log of the mean."""
        X = labelled.asked_about(self, X, sparse=True)
        eta = np.asarray(X @ self.coef_.T) + self.intercept_
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
        return score_of(self.family, y, self.predict(X), sample_weight)

    def reading(self, names: Sequence[str] | None = None, units: Mapping[str, str] | None = None) -> str:
        """What raises and what lowers it, by how much per unit, how surely, and what the model cannot tell."""
        check_is_fitted(self)
        return reading_of(self, names, units)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
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
        for name, value, known in (
            ("family", self.family, tuple(FAMILIES)),
            ("penalty", self.penalty, PENALTIES),
            ("intervals", self.intervals, (*INTERVALS, None)),
        ):
            if value not in known:
                raise InputError(f"{name} is {value!r}, expected one of {', '.join(map(str, known))}")
        if not self.strength > 0:
            raise InputError(f"strength is {self.strength}, expected a positive number")
        if (self.groups is None) == (self.penalty == "group"):
            raise InputError(
                f"penalty is {self.penalty!r} and groups {'are' if self.groups is not None else 'are not'} given: "
                "groups, one label for each column, go with the penalty group"
            )
        if self.penalty in ("l1", "group") and self.intervals in ("information", "sandwich"):
            raise InputError(
                f"a penalty {self.penalty} has a corner at 0 and no covariance: take intervals='bootstrap'"
            )
        if self.resamples < 40:
            raise InputError(f"resamples is {self.resamples}, expected at least 40 for the ends of an interval")

    def _theta(
        self, X: Any, rows: labelled.Rows, weight: np.ndarray, varies: np.ndarray, hold: float = 0.0
    ) -> np.ndarray:
        """Coefficients for each output, the intercept last, of the columns as they are given here; `hold` is a penalty
        on them in units of their spread."""
        inner = self._inner(rows)
        if inner is not None:
            inner.fit(X, rows.y, weight)
            return np.append(np.ravel(inner.coef_), inner.intercept_)[None]
        theta = np.zeros((rows.columns.shape[1], X.shape[1] + 1))
        kept = np.append(np.flatnonzero(varies), X.shape[1])  # the intercept says all that a constant column could
        problem = self._problem(X[:, varies], rows, weight, varies)
        if hold:
            problem.quadratic[np.diag_indices(len(kept) - 1)] += hold * spreads(problem.X, weight) ** 2
        theta[:, kept] = fitted(problem)
        return theta

    def _inner(self, rows: labelled.Rows) -> Any:
        """scikit-learn's own solver, where it has one for this."""
        if isinstance(self.family_, Binomial) and self.penalty in ("l1", "l2") and self.family == "binomial":
            return LogisticRegression(
                solver="liblinear",
                C=1 / self.strength,
                l1_ratio=1.0 if self.penalty == "l1" else 0.0,
                max_iter=1000,
                tol=1e-10 if rows.few and self.penalty == "l1" else 1e-4,
                random_state=self.random_state,
            )
        if self.family == "gaussian" and self.penalty == "l2":
            return Ridge(alpha=self.strength, solver="sparse_cg", tol=1e-6)
        if self.family == "gaussian" and self.penalty == "l1":
            return Lasso(alpha=self.strength, max_iter=5000, random_state=self.random_state)
        return None

    def _problem(self, X: Any, rows: labelled.Rows, weight: np.ndarray, varies: np.ndarray) -> Problem:
        """What is minimised, over the columns that vary."""
        columns = X.shape[1]
        summed = self.family in CLASSES or (self.family == "gaussian" and self.penalty == "l2")
        strength = self.strength * (1.0 if summed else weight.sum())
        quadratic = np.zeros((columns + 1, columns + 1))
        if self.penalty == "l2":
            np.fill_diagonal(quadratic, strength)
            quadratic[-1, -1] = strength if self.family == "binomial" else 0.0
        groups: list[np.ndarray] = []
        if self.penalty == "l1":
            groups = [np.array([k]) for k in range(columns)]
        elif self.penalty == "group":
            labels = [str(label) for label in self.groups or ()]
            if len(labels) != len(varies):
                raise InputError(f"groups has {len(labels)} labels for {len(varies)} columns, expected one for each")
            kept = np.array(labels)[varies]
            groups = [np.flatnonzero(kept == label) for label in dict.fromkeys(kept.tolist())]
        return Problem(
            family=self.family_,
            X=X,
            y=rows.columns,
            weight=weight,
            quadratic=quadratic,
            groups=groups,
            strength=strength,
        )

    def _lost(self, X: Any, rows: labelled.Rows, theta: np.ndarray) -> np.ndarray:
        """Which terms of a fit without penalty the data sets no bound to: classes that a plane separates, rates of
        0."""
        none = np.zeros(theta.shape, dtype=bool)
        if self.penalty != "none":
            return none
        found = None
        if isinstance(self.family_, Binomial | Multinomial):
            eta = np.asarray(X @ theta[:, :-1].T) + theta[:, -1]
            sure = np.abs(eta).max() if eta.shape[1] == 1 else np.ptp(eta, axis=1).max()
            found = runs_away(X, rows.y, len(self.classes_)) if sure > _SURE else None
        elif isinstance(self.family_, Poisson):
            eta = np.asarray(X @ theta[:, :-1].T) + theta[:, -1]
            found = rate_runs_away(X, rows.y) if eta.min() < -_SURE else None
        return none if found is None else found

    def _ends(self, X: Any, rows: labelled.Rows, theta: np.ndarray, varies: np.ndarray) -> np.ndarray:
        if self.intervals == "bootstrap":
            return by_bootstrap(
                lambda drawn: self._theta(X, rows, drawn * rows.weight, spreads(X, drawn * rows.weight) > 0),
                X,
                rows.y,
                classes=0 if rows.classes is None else len(rows.classes),
                resamples=self.resamples,
                seed=self.random_state or 0,
            )
        problem = self._problem(X[:, varies], rows, rows.weight, varies)
        found = by_information if self.intervals == "information" else by_sandwich
        kept = np.append(np.flatnonzero(varies), X.shape[1])
        ends = np.zeros((*theta.shape, 2))
        ends[:, kept] = found(problem, theta[:, kept]).ends(theta[:, kept])
        return ends
