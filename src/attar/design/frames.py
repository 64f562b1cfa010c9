"""Data frames with words in them as tables of numbers: a category is the place of its level."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attar.core.errors import InputError

Levels = Mapping[str, tuple[Any, ...]]
UNSEEN = -1.0  # the code of a level that was not among the training rows


def is_frame(X: Any) -> bool:
    return hasattr(X, "columns") and hasattr(X, "shape") and not hasattr(X, "toarray")


def levels_of(X: Any) -> Levels:
    """The levels of each column that holds words or categories, in the order that the frame gives them or sorted."""
    import narwhals as nw

    if not is_frame(X):
        return {}
    table = nw.from_native(X, eager_only=True)
    found = {}
    for name, kind in table.schema.items():
        if kind.is_numeric():
            continue
        there = set(_filled(table[name].to_list(), name))
        ordered = kind.categories if isinstance(kind, nw.Enum) else sorted(there, key=lambda v: (str(type(v)), v))
        found[name] = tuple(level for level in ordered if level in there)
    return found


def as_numbers(X: Any, levels: Levels) -> Any:
    """The same frame with the codes of the levels in place of words; what is no frame, or has none, as it is."""
    import narwhals as nw

    if not is_frame(X) or not levels:
        return X
    table = nw.from_native(X, eager_only=True)
    codes = []
    for name in table.columns:
        if name in levels:
            place = {level: float(k) for k, level in enumerate(levels[name])}
            column = [place.get(value, UNSEEN) for value in _filled(table[name].to_list(), name)]
            codes.append(np.array(column, dtype=float))
        else:
            codes.append(table[name].to_numpy().astype(float))
    values = np.stack(codes, 1) if codes else np.empty((len(table), 0))
    return nw.from_numpy(values, schema=list(table.columns), backend=table.implementation).to_native()


def _filled(values: list[Any], name: str) -> list[Any]:
    for row, value in enumerate(values):
        if value is None or value != value:
            raise InputError(f"column {name!r} is missing in row {row}: fill it in, or give missing a level of its own")
    return values
