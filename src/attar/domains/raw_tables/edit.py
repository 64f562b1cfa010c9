"""Rows edited: a column takes a value that other rows of the table have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from attar.core.columns import Columns
from attar.core.editor import Group
from attar.core.errors import InputError
from attar.domains.raw_tables.condition import Condition, read
from attar.domains.raw_tables.groups import ColumnGroups, column_groups
from attar.domains.raw_tables.truth import Row

TRIES = 8  # values drawn, where the first may break what has to stay


@dataclass(frozen=True, eq=False)
class RowEditor:
    """Groups are what columns usually hold (`groups`); any condition can be put in or taken out.

    To put it in, its column takes a value drawn from the table's rows of which it is true; to take it out, from those
    of which it is not, gaps among them. All other columns stay as they were, so that a row may come out that could not
    be: the model is asked about it all the same. `spread` are the table's codes, each column in ascending order.
    """

    columns: Columns
    spread: Float[np.ndarray, "rows columns"]

    def __post_init__(self) -> None:
        if self.spread.ndim != 2 or self.spread.shape[1] != len(self.columns) or not len(self.spread):
            raise InputError(f"the spread has shape {self.spread.shape}, expected rows of {len(self.columns)} columns")

    @cached_property
    def vocabulary(self) -> tuple[ColumnGroups, ...]:
        return tuple(column_groups(self.columns, k, self.spread[:, k]) for k in range(len(self.columns)))

    def groups(self, example: Row) -> list[Group]:
        return [group for of, code in zip(self.vocabulary, example, strict=True) for group in of.of(code)]

    def places(self, example: Row, name: str) -> list[frozenset[int]]:
        condition = read(name, self.columns)
        return [frozenset({condition.column})] if condition.holds(example[condition.column]) else []

    def insert(self, example: Row, name: str, generator: np.random.Generator) -> Iterable[Row]:
        condition = read(name, self.columns)
        if condition.holds(example[condition.column]):
            return
        pool = self._pool(condition, having=True)
        for _ in range(TRIES if len(pool) else 0):
            yield _with(example, condition.column, pool, generator)

    def remove(self, example: Row, name: str, generator: np.random.Generator) -> Row | None:
        condition = read(name, self.columns)
        if not condition.holds(example[condition.column]):
            return example
        pool = self._pool(condition, having=False)
        return _with(example, condition.column, pool, generator) if len(pool) else None

    def _pool(self, condition: Condition, *, having: bool) -> Float[np.ndarray, " rows"]:
        codes = self.spread[:, condition.column]
        return codes[condition.hold(codes) == having]


def _with(row: Row, column: int, pool: Float[np.ndarray, " rows"], generator: np.random.Generator) -> Row:
    return (*row[:column], float(pool[generator.integers(len(pool))]), *row[column + 1 :])
