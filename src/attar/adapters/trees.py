"""Ensembles of scikit-learn's trees: their outputs, and each column's Shapley value in them, by the `shap` library."""

import warnings
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attar.adapters.frames import fitted_order, own_order, refusals
from attar.adapters.sklearn import Estimator, rows_of_table
from attar.core.baseline import Rows
from attar.core.column import LARGEST, as_codes
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Inputs, Tensors
from attar.core.model import Contributions, Forest
from attar.core.parts import placed


def is_forest(estimator: Any) -> bool:
    return _is_a(estimator, "BaseForest", "BaseGradientBoosting", "BaseHistGradientBoosting")


@dataclass(frozen=True)
class ForestEstimator:
    """Random forests, extra trees and boosted trees; outputs as `Estimator` gives them."""

    estimator: Any

    @property
    def log_odds(self) -> bool:
        return Estimator(self.estimator).log_odds

    def predict(self, inputs: Inputs) -> Tensor:
        return Estimator(self.estimator).predict(inputs)

    def missing(self, protocol: type) -> str | None:
        return lacks_contributions(self.estimator) if protocol is Forest else None

    def contributions(self, inputs: Inputs, background: Rows | None) -> Contributions:
        return contributions(self.estimator, inputs, background)


@dataclass(frozen=True)
class Probabilities:
    """A classifier whose outputs are the probabilities of its classes: `Logit(1)` asks for that of class 1.

    What a forest's trees vote with, so that a `Forest` of classifiers is one in these units only.
    """

    estimator: Any

    def __post_init__(self) -> None:
        if not hasattr(self.estimator, "predict_proba"):
            raise InputError(f"{type(self.estimator).__name__} has no predict_proba, and so no probabilities")

    def predict(self, inputs: Inputs) -> Tensor:
        with refusals(inputs, type(self.estimator).__name__):
            share = np.asarray(self.estimator.predict_proba(rows_of_table(inputs, self.estimator)), dtype=float)
        return placed(torch.from_numpy(share), inputs.device)

    def missing(self, protocol: type) -> str | None:
        if protocol is Forest and not _votes(self.estimator):
            return f"{type(self.estimator).__name__}'s probabilities are no sums over trees; give the estimator itself"
        return _without_shap() if protocol is Forest else None

    def contributions(self, inputs: Inputs, background: Rows | None) -> Contributions:
        return contributions(self.estimator, inputs, background)


def lacks_contributions(estimator: Any) -> str | None:
    """Why the estimator's outputs are no sums over its trees in units that TreeSHAP knows, or None."""
    if _votes(estimator):
        return (
            f"{type(estimator).__name__}'s trees vote with probabilities, of which log-odds are no sum: give "
            "attar.adapters.trees.Probabilities(estimator)"
        )
    if len(getattr(estimator, "classes_", ())) > 2:
        return "its margins for three classes or more are not their log-odds; explain it with Shapley"
    return _without_shap()


def contributions(estimator: Any, inputs: Inputs, background: Rows | None) -> Contributions:
    """By shap's TreeExplainer: over the rows of the background, or, where there is none, over the training examples
    that each node saw. Raises `UnsupportedError` where shap does not take the estimator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what other libraries will leave out one day, met when it is loaded
        import shap
        from shap.maskers import Independent

    table, own = _numbers(estimator, inputs, inputs), own_order(estimator, inputs)
    options: dict[str, Any] = {"feature_perturbation": "tree_path_dependent"}
    if background is not None:
        against = _against(estimator, inputs, table, background)
        if _is_a(estimator, "BaseHistGradientBoosting"):
            # shap compares in single precision here, and these trees split at values of the training data: a hair less
            # stays on its side of the split.
            table, against = (array - 1.5e-7 * np.abs(array) for array in (table, against))
        # Given as an array, a background is thinned to 100 rows without a word.
        rows = Independent(against, max_samples=len(against))
        options = {"data": rows, "feature_perturbation": "interventional"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            explainer = shap.TreeExplainer(estimator, **options)
            # Our own check is sharper, and says which model: see `TreeSHAP`.
            found = np.asarray(explainer.shap_values(table, check_additivity=False), dtype=float)
    except Exception as problem:  # shap raises anything, from AssertionError to its own
        raise UnsupportedError(f"shap cannot explain this {type(estimator).__name__} ({problem})") from problem
    values = (found if found.ndim == 3 else found[..., None])[:, own]
    reference = np.atleast_1d(np.asarray(explainer.expected_value, dtype=float))
    if hasattr(estimator, "classes_") and values.shape[-1] == 1:  # the margin of the second of two classes
        values, reference = np.concatenate([-values, values], -1), np.concatenate([-reference, reference])
    return Contributions(*(placed(torch.from_numpy(array), inputs.device) for array in (values, reference)))


def _numbers(estimator: Any, inputs: Inputs, rows: Inputs) -> np.ndarray:
    """The rows of a table as numbers with NaN where one is missing, in the order of fitting."""
    columns = inputs.columns if isinstance(inputs, Tensors) else None
    if columns is None or not isinstance(rows, Tensors):
        table = rows_of_table(rows)
        return table.toarray() if hasattr(table, "toarray") else np.asarray(table, dtype=float)
    if wrong := [column for column in columns.each if column.coded and column.levels]:
        raise UnsupportedError(
            f"TreeSHAP takes numbers, and column {wrong[0].name!r} is {wrong[0].kind()}: explain it with Shapley"
        )
    codes, order = as_codes(rows.values), fitted_order(estimator, inputs)
    codes = codes if order is None else codes[:, order]
    return np.where(codes >= LARGEST, np.nan, codes)


def _against(estimator: Any, inputs: Inputs, table: np.ndarray, background: Rows) -> np.ndarray:
    if not isinstance(inputs, Tensors) or inputs.columns is None:
        return background.like(Tensors(torch.from_numpy(table))).cpu().numpy()
    wide = replace(inputs, values=inputs.values.detach().cpu().double())
    return _numbers(estimator, inputs, replace(wide, values=background.like(wide)))


def _is_a(estimator: Any, *families: str) -> bool:
    """By name, so that scikit-learn's ensembles need not be imported to ask."""
    return any(kind.__name__ in families for kind in type(estimator).__mro__)


def _votes(estimator: Any) -> bool:
    return hasattr(estimator, "classes_") and not hasattr(estimator, "learning_rate")


def _without_shap() -> str | None:
    return None if find_spec("shap") else "it takes the shap library: pip install attar[trees]"
