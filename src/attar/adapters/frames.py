"""What an estimator is asked with where examples came as a data frame, and what it refuses, in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from attar.core.column import LARGEST, as_codes
from attar.core.columns import Columns
from attar.core.errors import AttarError, InputError
from attar.core.inputs import Inputs, Tensors
from attar.core.note import listed

_MOST = 240  # characters of what a library says


def fitted_order(estimator: Any, inputs: Inputs) -> list[int] | None:
    """Where each column that the estimator was fitted on stands among the inputs' names; None: as they stand.

    Raises `InputError` for a column that it was fitted on and that is not there, and for one that it does not know.
    """
    known = [str(name) for name in getattr(estimator, "feature_names_in_", ())]
    if not known or not isinstance(inputs, Tensors) or not inputs.names or list(inputs.names) == known:
        return None
    if missing := [name for name in known if name not in inputs.names]:
        raise InputError(f"the model was fitted on column {missing[0]!r}, which the rows lack: {_is_are(missing)}")
    if extra := [name for name in inputs.names if name not in known]:
        raise InputError(
            f"the rows have column {extra[0]!r}, which the model was not fitted on: leave it out, as in "
            "frame[list(model.feature_names_in_)]"
        )
    return [inputs.names.index(name) for name in known]


def own_order(estimator: Any, inputs: Inputs) -> list[int] | slice:
    """Where each of the inputs' columns stands among those that the estimator was fitted on."""
    order = fitted_order(estimator, inputs)
    return slice(None) if order is None else np.argsort(order).tolist()


def frame_for(estimator: Any, inputs: Tensors, columns: Columns) -> Any:
    """The data frame in the order of fitting, or an array where the estimator was fitted on one."""
    codes, order = as_codes(inputs.values), fitted_order(estimator, inputs)
    if order is not None:
        codes, columns = codes[:, order], Columns(each=tuple(columns[k] for k in order), library=columns.library)
    named = all(isinstance(column.label, str) for column in columns.each)
    if not named or not hasattr(estimator, "n_features_in_") or hasattr(estimator, "feature_names_in_"):
        return columns.frame(codes)
    if wrong := [column for column in columns.each if column.coded and column.levels]:
        raise InputError(
            f"column {wrong[0].name!r} is {wrong[0].kind()}, and {type(estimator).__name__} was fitted on an array "
            "without names: fit it on a data frame, or give it the numbers that it was fitted on"
        )
    return np.where(codes >= LARGEST, np.nan, codes)


@contextmanager
def refusals(inputs: Inputs, who: str) -> Iterator[None]:
    """What a model refuses about rows of a data frame, as one line that names column and value where they can be told.

    A model of arrays says it as it does.
    """
    columns = inputs.columns if isinstance(inputs, Tensors) else None
    try:
        yield
    except AttarError:
        raise
    except (ValueError, TypeError, KeyError) as problem:
        if columns is None or not isinstance(inputs, Tensors):
            raise
        said = " ".join(str(problem).split())
        said = said if len(said) <= _MOST else said[: _MOST - 1] + "…"
        raise InputError(f"{who} refuses these rows{_blamed(said, inputs, columns)}: {said}") from problem


def _blamed(said: str, inputs: Tensors, columns: Columns) -> str:
    """The column and the value that a refusal speaks of, where only one can be meant."""
    codes = as_codes(inputs.values)
    meant = {
        (column.name, repr(level))
        for place, column in enumerate(columns.each)
        for code in np.unique(codes[codes[:, place] < LARGEST, place]).astype(int).tolist()
        if column.coded and column.levels and repr(level := column.levels[code]) in said
    }
    if len(meant) == 1:
        name, level = meant.pop()
        return f", for {level} in column {name!r}"
    if "NaN" in said or "missing" in said.lower():
        gaps = [columns.names[place] for place in np.unique(np.nonzero(codes >= LARGEST)[1])]
        return f", for missing values in {listed([repr(name) for name in gaps], most=3)}" if gaps else ""
    return ""


def _is_are(names: list[str]) -> str:
    return f"give all that it was fitted on ({listed(names, most=3)} {'is' if len(names) == 1 else 'are'} missing)"
