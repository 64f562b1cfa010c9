"""Generalized linear models: the weights are the explanation."""

from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import Lasso, LogisticRegression, Ridge

from attar.core.errors import InputError


class GeneralizedLinearModel(BaseEstimator):
    """Logistic (binomial) or linear (gaussian) regression with an L1 or L2 penalty, on dense or sparse tables.

    `strength` is the penalty's weight relative to the data's (larger: smaller weights; scikit-learn's 1/C and
    alpha). `coef_` and `intercept_` are in log-odds (binomial) or in the label's units (gaussian) per unit of the
    column, so that W·x explains a prediction exactly. Raises `InputError` for an unknown family or penalty.
    """

    def __init__(
        self,
        family: Literal["binomial", "gaussian"] = "binomial",
        penalty: Literal["l1", "l2"] = "l2",
        strength: float = 1.0,
        random_state: int | None = 0,
    ) -> None:
        self.family = family
        self.penalty = penalty
        self.strength = strength
        self.random_state = random_state

    def fit(self, X: Any, y: np.ndarray) -> Self:
        if self.family not in ("binomial", "gaussian") or self.penalty not in ("l1", "l2") or self.strength <= 0:
            raise InputError(
                f"family {self.family!r}, penalty {self.penalty!r}, strength {self.strength}: expected binomial or "
                "gaussian, l1 or l2, and a positive strength"
            )
        inner = self._inner()
        inner.fit(X, y)
        self.coef_ = np.atleast_2d(inner.coef_)
        self.intercept_ = np.atleast_1d(inner.intercept_)
        if self.family == "binomial":
            self.classes_ = inner.classes_
        self.n_features_in_ = X.shape[1]
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """The log-odds of the second class, or the value: `Float[ndarray, "rows"]`."""
        return np.asarray(X @ self.coef_[0]).ravel() + self.intercept_[0]

    def predict(self, X: Any) -> np.ndarray:
        """The likelier class, or the value."""
        margin = self.decision_function(X)
        return self.classes_[(margin > 0).astype(int)] if self.family == "binomial" else margin

    def _inner(self) -> Any:
        if self.family == "binomial":
            return LogisticRegression(
                solver="liblinear",
                C=1 / self.strength,
                l1_ratio=1.0 if self.penalty == "l1" else 0.0,
                max_iter=1000,
                random_state=self.random_state,
            )
        if self.penalty == "l2":
            return Ridge(alpha=self.strength, solver="sparse_cg", tol=1e-6)
        return Lasso(alpha=self.strength, max_iter=5000, random_state=self.random_state)
