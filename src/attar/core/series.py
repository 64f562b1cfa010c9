"""Series of a data frame's own library, put together without a change of type."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np


def together(*pieces: Any) -> Any:
    """Series of one type after another. Two categoricals of pandas become one that knows the levels of both."""
    if len(pieces) == 1:
        return pieces[0]
    natives = [piece.to_native() for piece in pieces]
    categoricals = all(hasattr(native, "cat") and hasattr(native, "astype") for native in natives)
    if categoricals and any(native.dtype != natives[0].dtype for native in natives):
        every = list(dict.fromkeys(level for native in natives for level in native.cat.categories))
        natives = [native.cat.set_categories(every, ordered=natives[0].cat.ordered) for native in natives]
        pieces = tuple(nw.from_native(native, series_only=True) for native in natives)
    joined = nw.concat([piece.alias("pool").to_frame() for piece in pieces], how="vertical")["pool"]
    return like(joined, pieces[0])


def like(made: Any, example: Any) -> Any:
    """A series in the very type of the example: pandas has several for whole numbers alone."""
    native = example.to_native()
    if hasattr(native, "astype"):
        mine = made.to_native()
        return made if mine.dtype == native.dtype else nw.from_native(mine.astype(native.dtype), series_only=True)
    return made if made.dtype == example.dtype else made.cast(example.dtype)


def picked(series: Any, places: Sequence[int] | np.ndarray | range) -> Any:
    return series[np.array(places, dtype=np.int64)]


def from_zero(series: Any) -> Any:
    """Counted from 0, where the library counts rows: what is put side by side is matched by that."""
    native = series.to_native()
    return nw.from_native(native.reset_index(drop=True), series_only=True) if hasattr(native, "reset_index") else series
