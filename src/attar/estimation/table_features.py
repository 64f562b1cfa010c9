"""The columns of a table, one by one or taken together."""

import numpy as np
from jaxtyping import Bool, Int

from attar.core.errors import InputError
from attar.core.features import Features
from attar.core.inputs import Inputs, Tensors


def table_of(inputs: Inputs, asker: str) -> Tensors:
    """The inputs as a table of rows and columns. Raises `InputError` for any other."""
    if not isinstance(inputs, Tensors) or inputs.values.ndim != 2:
        shapes = ", ".join(f"{name} {tuple(array.shape)}" for name, array in inputs.parts.items())
        raise InputError(f"{asker} is about the columns of a table, not {type(inputs).__name__} ({shapes})")
    return inputs


def names_of_columns(table: Tensors) -> tuple[str, ...]:
    """What the columns are called; `[3]` where they have no names."""
    return table.names or tuple(f"[{k}]" for k in range(table.values.shape[1]))


def coded_of(table: Tensors) -> Bool[np.ndarray, " columns"]:
    """Which columns are names and no amounts."""
    width = table.values.shape[1]
    return np.zeros(width, dtype=bool) if table.columns is None else ~table.columns.numbers


def members_of(features: Features, table: Tensors) -> list[Int[np.ndarray, " mine"]]:
    """The columns of each feature, the same in every row. Raises `InputError` where a share is not whole."""
    (share,) = features.shares.values()
    width, count = table.values.shape[1], int((features.owner == 0).sum())
    first = share.row < width
    if not bool((share.share == 1).all()):
        raise InputError("a column is exchanged whole: give groups whose shares are 1")
    feature, column = share.feature[first].cpu().numpy(), share.row[first].cpu().numpy()
    return [np.sort(column[feature == k]) for k in range(count)]


def names_of(features: Features, table: Tensors, own: bool) -> tuple[str, ...]:
    """What features are called that are the columns themselves (`own`) or groups of them."""
    count = int((features.owner == 0).sum())
    if own:
        return names_of_columns(table)
    return features.names[:count] if features.names is not None else tuple(f"{features.name} {k}" for k in range(count))
