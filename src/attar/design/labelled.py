"""Rows with their labels and weights, as a fit takes them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.metrics import accuracy_score, d2_tweedie_score, r2_score
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from attar.core.errors import InputError
from attar.design.families import CLASSES, family_of


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of positive weight. `y` are numbers, of classes their places in `classes`; `columns` the same laid out for a
    family's loss: one column, or one for each of three classes or more."""

    X: Any
    y: np.ndarray
    weight: Float[np.ndarray, " rows"]
    classes: np.ndarray | None = None

    @property
    def columns(self) -> Float[np.ndarray, "rows outputs"]:
        if self.classes is None or len(self.classes) == 2:
            return self.y[:, None].astype(float)
        return np.eye(len(self.classes))[self.y]

    @property
    def few(self) -> bool:
        """Whether there are so few numbers that a slow solver is quick."""
        return np.prod(self.X.shape) < 10_000


def learnt_from(estimator: Any, X: Any, y: Any, *, numbers: bool, sparse: bool = False) -> tuple[Any, Any]:
    """The training rows and their labels as scikit-learn checks them, in double precision."""
    kinds = "csr" if sparse else False
    checked: Any = validate_data(estimator, X, y, accept_sparse=kinds, dtype=np.float64, y_numeric=numbers)
    return checked


def asked_about(estimator: Any, X: Any, *, sparse: bool = False) -> Any:
    """Rows that a fitted estimator is asked about, checked against those that it was fitted to."""
    check_is_fitted(estimator)
    return validate_data(estimator, X, accept_sparse="csr" if sparse else False, dtype=np.float64, reset=False)


def rows(estimator: Any, X: Any, y: np.ndarray, sample_weight: Any) -> Rows:
    """Rows for the estimator's `family`. A row of weight 0 is no row. Raises `InputError` for negative weights, a
    single class, more classes than the family has, and labels that cannot be its."""
    weight = weights(X, sample_weight)
    kept = weight > 0
    if not kept.all():
        X, y, weight = X[kept], y[kept], weight[kept]
    if estimator.family in CLASSES:
        y, classes = of_classes(y, binary=estimator.family == "binomial")
        return Rows(X, y, weight, classes)
    y = np.asarray(y, dtype=float)
    if reason := family_of(estimator.family).refused(y):
        raise InputError(f"{estimator.family}: {reason}")
    return Rows(X, y, weight)


def weights(X: Any, sample_weight: Any) -> Float[np.ndarray, " rows"]:
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if (weight < 0).any() or not weight.any():
        raise InputError(
            f"sample_weight goes from {weight.min():g} to {weight.max():g}, expected 0 or more and not all 0"
        )
    return weight


def of_classes(y: np.ndarray, *, binary: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Each label's place among the classes, and the classes, sorted."""
    check_classification_targets(y)
    classes, place = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise InputError(f"every label is {plain(classes[0])!r}: one class only, expected two or more to tell apart")
    if binary and len(classes) > 2:
        raise InputError(
            f"Only binary classification is supported. The type of the target is {type_of_target(y)}, with "
            f"{len(classes)} classes: take family='multinomial'"
        )
    return place, classes


def plain(label: Any) -> Any:
    """A class as Python's own kind of thing: `1` and not `np.int64(1)`."""
    return label.item() if isinstance(label, np.generic) else label


def score_of(family: str, y: np.ndarray, predicted: np.ndarray, sample_weight: np.ndarray | None) -> float:
    """Accuracy; R²; of counts and gamma labels the share of the deviance that is explained."""
    if family in CLASSES:
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))
    if family == "gaussian":
        return float(r2_score(y, predicted, sample_weight=sample_weight))
    power = 1 if family == "poisson" else 2
    return float(d2_tweedie_score(y, predicted, sample_weight=sample_weight, power=power))
