"""Tables as a domain: the parts are columns, motifs are conditions on them, groups are quarters of a column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch

from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.core.named_rules import read_named, read_named_sum
from attar.core.planting import PlantedEditor
from attar.core.rule import Rule
from attar.core.weighted_sum import WeightedSum
from attar.domains.tables.columns import CODES, Columns
from attar.domains.tables.control import trivial_columns
from attar.domains.tables.edit import RowPlanter
from attar.domains.tables.truth import Row, RowFinder

RULES = {
    "threshold": 'has("x1 > 0.5")',
    "interval-and-code": 'has("0.2 < x2 <= 1.5") and has("x12 >= 1")',
    "sum-and-ratio": 'has("x1 + 2 x4 > 0.5") and has("x11 <= 1.5")',
    "two-of-three": 'count("x1 > 0.3" or "x4 > 0.3" or "x7 > 0.3") >= 2',
    "same-sign": 'has("x1 * x4 > 0")',
    "code-or-product": '(has("x12 = 2") and has("x7 < 0")) or has("x1 * x4 > 0.5")',
}
"""From easy to hard: by one column, by several, by columns none of which says anything alone. None has a `not`, which
names no part: of a column that is always there the condition that must hold can be written."""

SUMS = {
    "points": '2*has("x1 > 0.5") - 1.5*has("x4 <= 0") + 1*has("x12 >= 1")',
    "points-together": '1*has("x1 * x4 > 0") - 2*has("0.2 < x7 <= 1.5") + 1',
}
"""Truths that are numbers, as points on a score card: for single columns; for two together, less an interval."""


@dataclass(frozen=True)
class Tables:
    """See `attar.core.domain.MadeDomain`. An example is a tuple of so many numbers, one for each of `layout`'s columns.

    The named rules need twelve columns; with others there are only rules as text.
    """

    columns: int = 12
    correlation: float = 0.7
    name: ClassVar[str] = "tables"
    example: ClassVar[str] = "row"
    part: ClassVar[str] = "column"
    control: ClassVar[str] = "unusual numbers"

    @cached_property
    def layout(self) -> Columns:
        return Columns(self.columns, self.correlation)

    @property
    def finder(self) -> RowFinder:
        return RowFinder(self.layout)

    @property
    def planter(self) -> RowPlanter:
        return RowPlanter(self.layout)

    @cached_property
    def editor(self) -> PlantedEditor:
        """Groups are the quarters and the outer tenths of each column, by how it is spread, and each code: the same for
        any data."""
        quarters = [text for k, name in enumerate(self.layout.names[:-1]) for text in _quarters(self.layout, k, name)]
        quarters += [text for k, name in enumerate(self.layout.names[:-1]) for text in _tails(self.layout, k, name)]
        codes = [f"{self.layout.names[-1]} = {code}" for code in range(len(CODES))]
        return PlantedEditor(self.finder, self.planter, (*quarters, *codes))

    @property
    def rules(self) -> Mapping[str, str]:
        return RULES

    @property
    def sums(self) -> Mapping[str, str]:
        return SUMS

    def read_rule(self, text: str) -> Rule:
        return read_named(text, RULES, self.finder, (0.0,) * self.columns)

    def read_sum(self, text: str) -> WeightedSum:
        return read_named_sum(text, SUMS, self.finder, (0.0,) * self.columns)

    def size(self, example: Row) -> int:
        return len(example)

    def trivial(self, example: Row) -> np.ndarray:
        return trivial_columns(self.layout, example)

    def properties(self, examples: Sequence[Row]) -> Mapping[str, np.ndarray]:
        """The columns themselves; a rule's own columns tell its label, as they should, and the others do not."""
        rows = np.array(examples, dtype=float).reshape(-1, self.columns)
        named = zip(self.layout.names, self.layout.units, strict=True)
        return {f"{name} / {unit}": column for (name, unit), column in zip(named, rows.T, strict=True)}

    def key(self, example: Row) -> str:
        return " ".join(map(repr, map(float, example)))

    def as_json(self, example: Row) -> list[dict[str, Any]]:
        """Each `column` with its `value` and `unit`."""
        cells = zip(self.layout.names, example, self.layout.units, strict=True)
        return [{"column": name, "value": float(value), "unit": unit} for name, value, unit in cells]

    def encode(self, examples: Sequence[Row]) -> Tensors:
        """The numbers as they are, `Float[Tensor, "examples columns"]`, with the names of the columns.

        Raises `InputError` for rows of another length, and for NaN and infinity.
        """
        for example in examples:
            if len(example) != self.columns:
                raise InputError(f"a row has {len(example)} numbers, expected {self.columns}, one for each column")
        rows = np.array(examples, dtype=np.float32).reshape(-1, self.columns)
        if not np.isfinite(rows).all():
            row, column = np.argwhere(~np.isfinite(rows))[0]
            raise InputError(
                f"row {row} has {rows[row, column]} as {self.layout.names[column]}: fill it in, or leave the row out"
            )
        return Tensors(torch.from_numpy(rows), self.layout.names)


def _quarters(layout: Columns, column: int, name: str) -> tuple[str, str, str, str]:
    low, middle, high = (f"{number:.3g}" for number in layout.quartiles(column))
    return f"{name} <= {low}", f"{low} < {name} <= {middle}", f"{middle} < {name} <= {high}", f"{name} > {high}"


def _tails(layout: Columns, column: int, name: str) -> tuple[str, str]:
    low, high = (f"{number:.3g}" for number in layout.tenths(column))
    return f"{name} <= {low}", f"{name} > {high}"
