"""A column of a data frame → numbers, or codes of its levels and of what is missing."""

from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np
from jaxtyping import Float

from attar.core.column import LARGEST, MISSING, WHOLE, YES_NO, Column
from attar.core.errors import InputError
from attar.core.series import like, picked, together

_KINDS = ("NoneType", "float", "NAType", "NaTType")  # of missing values among Python objects


def read_column(column: Column, series: Any) -> tuple[Column, Float[np.ndarray, " rows"]]:
    import pyarrow

    kind = series.dtype
    numeric = kind.is_numeric() and not kind.is_decimal()
    text = kind in (nw.String, nw.Categorical, nw.Enum, nw.Boolean, nw.Object, nw.Unknown)
    if not (numeric or text):
        raise InputError(_way_out(column.name, kind))
    try:
        array = series.to_arrow()
        array = array.combine_chunks() if isinstance(array, pyarrow.ChunkedArray) else array
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError):
        raise InputError(
            f"column {column.name!r} mixes values of several types: make them all text, or all numbers"
        ) from None
    return _numbers(column, series, array) if numeric else _category(column, series, array)


def _way_out(name: str, kind: Any) -> str:
    if kind.is_temporal():
        return (
            f"column {name!r} holds {kind}: a method moves numbers and categories, so count days, say, from a date of "
            "your choice before the model takes it, or leave the column out"
        )
    return f"column {name!r} holds {kind}, expected numbers, yes or no, text or a category: convert it or leave it out"


def _numbers(column: Column, series: Any, array: Any) -> tuple[Column, np.ndarray]:
    import pyarrow.compute as pc

    if series.dtype.is_integer() and len(array) > array.null_count:
        ends = [int(end) for end in pc.min_max(array).as_py().values()]  # type: ignore[attr-defined]
        if max(map(abs, ends)) > WHOLE:
            raise InputError(
                f"column {column.name!r} holds whole numbers of more than 15 digits ({max(ends, key=abs)}), which "
                "double precision cannot tell apart: make an identifier text, or leave it out"
            )
    numbers = np.asarray(array.cast("float64").to_numpy(zero_copy_only=False), dtype=float)
    null, gap = series.is_null().to_numpy().astype(bool), np.isnan(numbers)
    if (wide := np.isinf(numbers) | (np.abs(np.where(gap, 0, numbers)) >= LARGEST)).any():
        row = int(np.flatnonzero(wide)[0])
        said = "is infinite" if np.isinf(numbers[row]) else f"is {numbers[row]:.3g}, too large to be told from missing,"
        raise InputError(f"column {column.name!r} {said} in row {row} (from 0): clean it, or leave the row out")
    rows = {kind: np.flatnonzero(of) for kind, of in enumerate((null, gap & ~null)) if of.any()}
    gaps, first = tuple(rows), [places[0] for places in rows.values()]
    numbers = np.where(gap, np.where(null, MISSING, 2 * MISSING), numbers)
    present = np.flatnonzero(~gap)
    if not len(present):
        levels = () if len(series) else None
        return replace(column, levels=levels, pool=picked(series, first), gaps=gaps), numbers
    whole = series.dtype.is_integer()
    return replace(column, whole=whole, pool=picked(series, [present[0], *first]), gaps=gaps), numbers


def _category(column: Column, series: Any, array: Any) -> tuple[Column, np.ndarray]:
    import pyarrow

    ordered = pyarrow.types.is_dictionary(array.type)
    held = array.type.value_type if ordered else array.type
    yes_no = pyarrow.types.is_boolean(held)
    if series.dtype == nw.Object and not (yes_no or pyarrow.types.is_null(held)):
        raise InputError(
            f"column {column.name!r} holds {held} as Python objects: convert it, to float or to text, or leave it out"
        )
    coded = array if ordered else array.dictionary_encode()
    place = np.asarray(coded.indices.cast("int64").fill_null(-1).to_numpy(zero_copy_only=False), dtype=int)
    values = coded.dictionary.to_pylist()
    place = np.where((place >= 0) & np.array([*(each is not None for each in values), False])[place], place, -1)
    counts = np.bincount(place[place >= 0], minlength=len(values))
    occurring = [k for k in range(len(values)) if counts[k]]
    if yes_no:
        occurring.sort(key=lambda k: values[k])
    elif not ordered:
        occurring.sort(key=lambda k: (-counts[k], str(values[k])))
    first = np.full(len(values), -1)
    first[place[::-1][place[::-1] >= 0]] = (len(place) - 1 - np.arange(len(place)))[place[::-1] >= 0]
    pool, levels = picked(series, first[occurring]), tuple(values[k] for k in occurring)
    if yes_no and not ordered and len(levels) == 1:  # the other is as good a value, and 0 stays no
        both = like(nw.new_series("both", list(YES_NO), backend=series.implementation), pool)
        pool, levels = both, YES_NO
    kinds = _kinds_of_missing(series, np.flatnonzero(place < 0))
    into = np.full(len(values) + 1, np.nan)
    into[occurring] = range(len(occurring)) if len(levels) == len(occurring) else [YES_NO.index(values[occurring[0]])]
    codes = into[place]
    for kind, rows in kinds.items():
        codes[rows] = MISSING * 2.0**kind
    gaps = picked(series, [rows[0] for rows in kinds.values()])
    pool = together(*(each for each in (pool, gaps) if len(each))) if len(pool) or len(gaps) else pool
    return replace(column, levels=levels, pool=pool, gaps=tuple(kinds)), codes


def _kinds_of_missing(series: Any, rows: np.ndarray) -> dict[int, np.ndarray]:
    """The rows of each kind of missing value: None and NaN can stand in one column of Python objects."""
    native = series.to_native()
    if not len(rows):
        return {}
    if str(getattr(native, "dtype", "")) != "object":
        return {0: rows}
    names = np.array([type(value).__name__ for value in np.asarray(native, dtype=object)[rows]])
    kinds = {name: _KINDS.index(name) if name in _KINDS else len(_KINDS) for name in sorted({*names})}
    return {kind: rows[names == name] for name, kind in sorted(kinds.items(), key=lambda pair: pair[1])}
