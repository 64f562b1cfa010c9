"""The groups of a table: what a column usually holds, by the table's own values and under names that can be read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, inf, log10

import numpy as np
from jaxtyping import Float

from attar.core.column import LARGEST, Column
from attar.core.columns import Columns
from attar.core.editor import Group
from attar.core.errors import InputError
from attar.core.motif import quoted
from attar.domains.raw_tables.condition import Condition, read

FREQUENT = 10  # rows that have a level, a single number or a gap, for it to be a group
FEW = 5  # different numbers, up to which each is a group
QUARTERS, TENTHS = (0.25, 0.5, 0.75), (0.1, 0.9)


@dataclass(frozen=True, eq=False)
class ColumnGroups:
    """The groups of one column. `cuts` are the ends of its values' ranges in ascending order; `held[k]` are the groups
    of a value above `cuts[k - 1]` and up to `cuts[k]`; those of a missing value stand last. Where only single values
    have groups (`exact`), one that is no cut has none."""

    cuts: tuple[float, ...]
    held: tuple[tuple[Group, ...], ...]
    exact: bool

    def of(self, code: float) -> tuple[Group, ...]:
        if code >= LARGEST:
            return self.held[-1]
        place = bisect_left(self.cuts, code)
        return () if self.exact and (place == len(self.cuts) or self.cuts[place] != code) else self.held[place]


def column_groups(columns: Columns, place: int, ordered: Float[np.ndarray, " rows"]) -> ColumnGroups:
    """The groups of the column at that place, whose codes `ordered` has in ascending order.

    Of numbers the quarters and the outer tenths, by the table's quantiles, written with two digits of their spread; of
    few different numbers, and of a category, each one that is frequent; and that it is missing.
    """
    column = columns[place]
    known = ordered[: int(np.searchsorted(ordered, LARGEST))]
    values, times = np.unique(known, return_counts=True)
    exact = column.levels is not None or len(values) <= FEW
    if exact:
        frequent = values[times >= FREQUENT].tolist()
        written = [(f"= {_said(column, value)}", Condition(place, value, value)) for value in frequent]
        cuts = tuple(frequent)
    else:
        written = [*_ranges(place, _edges(known, QUARTERS)), *_outside(place, _edges(known, TENTHS))]
        cuts = tuple(sorted({end for _, c in written for end in (c.low, c.high) if abs(end) < inf}))
    named = [(_written(column.name, how, condition, columns), condition) for how, condition in written]
    missing = Condition(place, missing=True)
    middles = [*cuts, cuts[-1] + 1 if cuts else 0.0]  # a value of each range: ranges are closed above
    held = [tuple(_group(name, place) for name, c in named if c.holds(value)) for value in middles]
    gone = [_written(column.name, "is missing", missing, columns)] if len(ordered) - len(known) >= FREQUENT else []
    return ColumnGroups(cuts, (*held, tuple(_group(name, place) for name in gone)), exact)


def _group(name: str, place: int) -> Group:
    return Group(name, frozenset({place}))


def _edges(known: np.ndarray, shares: Sequence[float]) -> list[float]:
    """The quantiles, rounded to two digits of the outer tenths' distance; those are left out that split nothing off."""
    low, high = np.quantile(known, TENTHS)
    spread = high - low if high > low else np.ptp(known)
    digits = 1 - floor(log10(spread))
    found = sorted({round(float(edge), digits) for edge in np.quantile(known, shares)})
    return [edge for edge in found if (known <= edge).any() and (known > edge).any()]


def _ranges(place: int, edges: Sequence[float]) -> Iterator[tuple[str, Condition]]:
    for low, high in zip([-inf, *edges], [*edges, inf], strict=True):
        if (low, high) != (-inf, inf):
            yield _range(low, high), Condition(place, low, high, (low > -inf, False))


def _outside(place: int, edges: Sequence[float]) -> Iterator[tuple[str, Condition]]:
    if len(edges) == len(TENTHS):
        low, high = edges
        yield _range(-inf, low), Condition(place, high=low)
        yield _range(high, inf), Condition(place, low=high, open=(True, False))


def _range(low: float, high: float) -> str:
    """What is written about a name, which stands where @ is, or first."""
    if low == -inf:
        return f"<= {_number(high)}"
    return f"> {_number(low)}" if high == inf else f"{_number(low)} < @ <= {_number(high)}"


def _number(value: float) -> str:
    return f"{value:.12g}"


def _said(column: Column, value: float) -> str:
    return _number(value) if column.levels is None else str(column.levels[int(value)])


def _written(name: str, how: str, condition: Condition, columns: Columns) -> str:
    """The text that is read back as the condition, with the name in quotes only where it needs them."""
    for form in (name, quoted(name)):
        text = how.replace("@", form, 1) if "@" in how and condition.low != condition.high else f"{form} {how}"
        try:
            if read(text, columns) == condition:
                return text
        except InputError:
            continue
    return f"{name} {how}"
