"""One column for the values of two: what is explained, and the rows that stand beside it."""

from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np

from attar.core.column import Column
from attar.core.errors import InputError
from attar.core.series import picked, together


def joined(mine: Column, theirs: Column) -> Column:
    """Mine, with the levels and kinds of missing that only theirs has after its own; of numbers in a type for both.

    Raises `InputError` where one holds numbers and the other a category, and for types of which none holds both.
    """
    if mine is theirs:
        return mine
    if mine.number != theirs.number and () not in (mine.levels, theirs.levels):
        raise InputError(
            f"column {mine.name!r} holds {mine.kind()} in the examples, and in the background {theirs.kind()}: make it "
            "one kind"
        )
    base, other = (theirs, mine) if mine.levels == () else (mine, theirs)
    if mine.number and theirs.number:
        base, other = _wider(mine, theirs)
    known = {*(base.levels or ())}
    fresh = [k for k, level in enumerate(other.levels or ()) if level not in known]
    lacking = [kind for kind in other.gaps if kind not in base.gaps]
    if not fresh and not lacking:
        return replace(base, name=mine.name, label=mine.label, unit=mine.unit or base.unit) if base is theirs else mine
    if fresh and str(base.pool.dtype) != str(other.pool.dtype) and not _levelled(base, other):
        raise _of_two_types(mine, theirs)
    values = _values(base, other)
    pieces = [values, picked(other.pool, fresh)] if fresh else [values]
    kinds = sorted({*base.gaps, *other.gaps})
    pieces += [_gap(base if kind in base.gaps else other, kind) for kind in kinds]
    return replace(
        base,
        name=mine.name,
        label=mine.label,
        unit=mine.unit or base.unit,
        levels=None if base.levels is None else (*base.levels, *((other.levels or ())[k] for k in fresh)),
        pool=together(*(piece for piece in pieces if len(piece))),
        gaps=tuple(kinds),
    )


def _values(column: Column, other: Column) -> Any:
    """One of each level, or of numbers any one."""
    if column.pool is None:
        return nw.new_series("pool", [0.0], nw.Float64(), backend=other.pool.implementation)
    return picked(column.pool, range(column.shown))


def _gap(column: Column, kind: int) -> Any:
    return picked(column.pool, [column.shown + column.gaps.index(kind)])


def _levelled(one: Column, other: Column) -> bool:
    """Whether both types list their levels, so that one can be made to list those of both."""
    return all(isinstance(column.pool.dtype, nw.Categorical | nw.Enum) for column in (one, other))


def _wider(mine: Column, theirs: Column) -> tuple[Column, Column]:
    """Of two columns of numbers first the one whose type holds what both hold."""
    (own, low, high), (other, least, most) = _type(mine), _type(theirs)
    if own == other:
        return (mine, theirs) if len(mine.gaps) >= len(theirs.gaps) else (theirs, mine)
    if low <= least and most <= high:
        return mine, theirs
    if least <= low and high <= most:
        return theirs, mine
    raise _of_two_types(mine, theirs)


def _type(column: Column) -> tuple[str, float, float]:
    """A column of numbers' type, and between which whole numbers it holds each; reals hold more than those."""
    kind = nw.Float64() if column.pool is None else column.pool.dtype
    if column.whole:
        limits = np.iinfo(str(kind).lower())
        return str(kind), limits.min, limits.max
    most = float(np.finfo(str(kind).lower()).max)
    return str(kind), -most, most


def _of_two_types(mine: Column, theirs: Column) -> InputError:
    own, other = (nw.Float64() if each.pool is None else each.pool.dtype for each in (mine, theirs))
    return InputError(
        f"column {mine.name!r} is {own} in the examples and {other} in the background, of which neither holds what the "
        "other does: make both one type"
    )
