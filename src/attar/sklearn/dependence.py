"""scikit-learn's `partial_dependence` by brute force, from few calls of the model, with standard errors over rows."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats.mstats import mquantiles
from sklearn import inspection
from sklearn.base import is_classifier, is_regressor
from sklearn.utils import Bunch

from attar.core.errors import InputError

_NUMBERS = 2**18  # in one call of the model, but for one whole table, which always fits: more leaves the caches


def partial_dependence(
    estimator: Any,
    X: Any,
    features: Any,
    *,
    sample_weight: Any = None,
    categorical_features: Any = None,
    feature_names: Any = None,
    response_method: str = "auto",
    percentiles: tuple[float, float] = (0.05, 0.95),
    grid_resolution: int = 100,
    custom_values: dict[Any, Any] | None = None,
    method: str = "brute",
    kind: str = "average",
) -> Any:
    """As `sklearn.inspection.partial_dependence`, in few calls of the model, with `standard_error`: that of `average`
    over samples of rows.

    The answers are the same to the last digit, but for the last few rows of a table that does not fill the blocks in
    which linear algebra computes: those may differ in the last one. `method` is "brute" unless given: "auto" takes the
    trees' own recursion where there is one, as scikit-learn does, which is about the rows of training and knows no
    error. Whatever is not about arrays or pandas frames of numbers and named categories is scikit-learn's own answer.
    With weights the error is that of a weighted mean.
    """
    options = {
        "sample_weight": sample_weight,
        "categorical_features": categorical_features,
        "feature_names": feature_names,
        "response_method": response_method,
        "percentiles": percentiles,
        "grid_resolution": grid_resolution,
        "custom_values": custom_values,
        "method": method,
        "kind": kind,
    }
    asked = None
    if method == "brute" and (is_classifier(estimator) or is_regressor(estimator)):
        asked = _axes(X, features, categorical_features, feature_names, percentiles, grid_resolution, custom_values)
    if asked is None:
        return inspection.partial_dependence(estimator, X, features, **options)
    table, places, values = asked
    respond = _respond(estimator, response_method)
    grid = np.stack([each.ravel() for each in np.meshgrid(*[np.arange(len(v)) for v in values], indexing="ij")], 1)
    each = max(1, _NUMBERS // max(1, table.shape[0] * table.shape[1]))
    rows, predictions, averages = table.shape[0], [], []
    base = np.tile(np.arange(rows), min(each, len(grid)))
    tiled = table.take(base) if hasattr(table, "iloc") else np.tile(table, (min(each, len(grid)), 1))
    for first in range(0, len(grid), each):
        some = grid[first : first + each]
        said = respond(_put(tiled, rows, places, values, some))
        for k in range(len(some)):
            predictions.append(said[k * rows : (k + 1) * rows])
            averages.append(np.average(predictions[-1], axis=0, weights=sample_weight))
    shape = [len(each) for each in values]
    individual = np.array(predictions).T  # (classes, rows, points), or (rows, points)
    individual = individual.reshape(-1, rows, *shape)
    average = np.array(averages).T.reshape(-1, *shape)
    found = Bunch(grid_values=list(values), standard_error=_spread(individual, average, sample_weight))
    if kind in ("average", "both"):
        found["average"] = average
    if kind in ("individual", "both"):
        found["individual"] = individual
    return found


def _axes(
    X: Any, features: Any, categorical: Any, names: Any, percentiles: Any, resolution: int, custom: Any
) -> tuple[Any, list[int], list[np.ndarray]] | None:
    """The table, where the columns are, and the grid of each; None for what scikit-learn is asked itself."""
    framed = hasattr(X, "iloc")
    if names is not None or not (framed or _is_plain(X)):
        return None
    listed = [features] if isinstance(features, str | int | np.integer) else list(features)
    known = [str(name) for name in X.columns] if framed else []
    places = [known.index(each) if isinstance(each, str) and each in known else each for each in listed]
    good = all(isinstance(k, int | np.integer) and 0 <= k < X.shape[1] for k in places) and not isinstance(
        listed[0], bool
    )
    if not good or len(percentiles) != 2 or not 0 <= percentiles[0] < percentiles[1] <= 1 or resolution <= 1:
        return None
    marked = _marked(categorical, known, X.shape[1])
    if marked is None:
        return None
    values = []
    for asked, place in zip(listed, places, strict=True):
        column = X.iloc[:, place] if framed else X[:, place]
        kind = getattr(column.dtype, "kind", "O")
        if place not in marked and kind in "iu":
            return None
        if custom is not None and asked in custom:
            mine = np.asarray(custom[asked], dtype=object if any(isinstance(v, str) for v in custom[asked]) else None)
            if mine.ndim != 1:
                return None
            values.append(mine)
            continue
        try:
            unique = np.unique(column)
        except TypeError:
            return None
        if place in marked or len(unique) < resolution:
            values.append(unique)
            continue
        if kind != "f":
            return None
        ends = mquantiles(column, prob=percentiles, axis=0)
        if np.allclose(ends[0], ends[1]):
            return None
        values.append(np.linspace(ends[0], ends[1], num=resolution, endpoint=True))
    return X, [int(place) for place in places], values


def _is_plain(X: Any) -> bool:
    return isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind == "f"


def _marked(categorical: Any, known: Sequence[str], width: int) -> set[int] | None:
    """The columns that are called categories."""
    if categorical is None:
        return set()
    asked = np.asarray(categorical)
    if asked.dtype.kind == "b" and asked.size == width:
        return {*np.flatnonzero(asked).tolist()}
    if asked.size and all(isinstance(each, str) and each in known for each in asked.tolist()):
        return {known.index(each) for each in asked.tolist()}
    return {*asked.tolist()} if asked.size and asked.dtype.kind == "i" else None


def _respond(estimator: Any, response_method: str) -> Callable[[Any], np.ndarray]:
    """What is averaged: the value, or of two classes the second's, or each class's."""
    if is_regressor(estimator):
        if response_method != "auto":
            raise InputError(f"response_method is {response_method!r}, and a regressor has predict alone: leave it out")
        return estimator.predict
    names = ("predict_proba", "decision_function") if response_method == "auto" else (response_method,)
    method = next((getattr(estimator, name) for name in names if hasattr(estimator, name)), None)
    if method is None:
        raise InputError(f"{type(estimator).__name__} has no {' and no '.join(names)}")

    def respond(table: Any) -> np.ndarray:
        said = method(table)
        return said[:, 1] if said.ndim == 2 and said.shape[1] == 2 else said

    return respond


def _put(tiled: Any, rows: int, places: Sequence[int], values: Sequence[np.ndarray], points: np.ndarray) -> Any:
    """One table for each point, whose columns are put there."""
    if not hasattr(tiled, "iloc"):
        table = tiled[: rows * len(points)]
        for axis, place in enumerate(places):
            table[:, place] = np.repeat(values[axis][points[:, axis]], rows)  # the next points write over these
        return table
    table = (tiled if len(tiled) == rows * len(points) else tiled.iloc[: rows * len(points)]).copy(deep=False)
    for axis, place in enumerate(places):
        column = np.repeat(values[axis][points[:, axis]], rows)
        dtype = tiled.dtypes.iloc[place]
        table.isetitem(place, type(tiled.iloc[:, place])(column, index=table.index).astype(dtype).array)
    return table


def _spread(individual: np.ndarray, average: np.ndarray, weight: Any) -> np.ndarray:
    if individual.shape[1] < 2:
        return np.full_like(average, np.inf)
    if weight is None:
        return individual.std(1, ddof=1) / np.sqrt(individual.shape[1])
    share = np.asarray(weight, dtype=float) / np.sum(weight)
    off = (individual - average[:, None]) ** 2
    rows = individual.shape[1]
    return np.sqrt(np.tensordot(share**2, off, axes=(0, 1)) * rows / (rows - 1))
