"""Raw tables as a domain: the parts are columns, motifs are conditions on them, groups are what they usually hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float

from attar.core.column import LARGEST
from attar.core.columns import Columns
from attar.core.inputs import Tensors
from attar.core.rule import AtLeast, Path, Rule, conditions, found
from attar.core.rule_text import parse_rule, parse_sum
from attar.core.weighted_sum import WeightedSum
from attar.domains.raw_tables.control import Unusual
from attar.domains.raw_tables.edit import RowEditor
from attar.domains.raw_tables.truth import RawRowFinder, Row

BY_CHANCE = 1e-3  # equal rows that independent columns would make, below which one is a copy


@dataclass(frozen=True, eq=False)
class RawTables:
    """See `attar.core.domain.Domain`. An example is the tuple of a row's codes, as `columns` has them.

    `spread` are all codes of the table, each column in ascending order: what is usual, what a group is and which values
    an edit may take is told by it, not by which rows stand beside one another.
    """

    columns: Columns
    spread: Float[np.ndarray, "rows columns"]
    name: ClassVar[str] = "rows"
    example: ClassVar[str] = "row"
    part: ClassVar[str] = "column"
    control: ClassVar[str] = "unusual values"

    @classmethod
    def of(cls, columns: Columns, codes: Float[np.ndarray, "rows columns"]) -> RawTables:
        return cls(columns, np.sort(codes, axis=0))

    def __repr__(self) -> str:
        return f"RawTables({len(self.columns)} columns, {len(self.spread)} rows)"

    @property
    def finder(self) -> RawRowFinder:
        return RawRowFinder(self.columns)

    @property
    def editor(self) -> RowEditor:
        return self._edits

    @cached_property
    def _edits(self) -> RowEditor:
        return RowEditor(self.columns, self.spread)

    @cached_property
    def unusual(self) -> Unusual:
        return Unusual.of(self.columns, self.spread)

    def read_rule(self, text: str) -> Rule:
        rule = parse_rule(text)
        self._refuse_unknown(conditions(rule))
        return rule

    def read_sum(self, text: str) -> WeightedSum:
        total = parse_sum(text)
        self._refuse_unknown(term.condition for term in total.terms)
        return total

    def _refuse_unknown(self, asked: Iterable[AtLeast | Path]) -> None:
        """Any row will do to find out whether the columns and values are there."""
        for condition in asked:
            found(condition, self.finder, tuple(self.spread[0].tolist()))

    def size(self, example: Row) -> int:
        return len(example)

    def trivial(self, example: Row) -> np.ndarray:
        return self.unusual(example)

    def properties(self, examples: Sequence[Row]) -> Mapping[str, np.ndarray]:
        """Numbers as they are, with the table's median where they are missing; for each level of a category (of yes and
        no, yes), and where anything can be missing, whether it is so, as 0 and 1."""
        codes = np.array(examples, dtype=float).reshape(-1, len(self.columns))
        found: dict[str, np.ndarray] = {}
        for k, column in enumerate(self.columns.each):
            gone = codes[:, k] >= LARGEST
            if column.levels is not None:
                for code, level in list(enumerate(column.levels))[not column.coded :]:
                    found[f"{column.name} = {level}"] = (codes[:, k] == code).astype(float)
            else:
                known = self.spread[self.spread[:, k] < LARGEST, k]
                found[column.name] = np.where(gone, np.median(known) if len(known) else 0.0, codes[:, k])
            if column.gaps:
                found[f"{column.name} is missing"] = gone.astype(float)
        return found

    def key(self, example: Row) -> str:
        return " ".join(map(repr, example))

    def telling(self, examples: Sequence[Row]) -> Bool[np.ndarray, " examples"]:
        """Of which rows an equal one is hardly there by chance: were columns independent, less than one in a thousand
        such rows would have one. Of a few columns of whole numbers and levels many are equal, and no copies."""
        codes = np.array(examples, dtype=float).reshape(-1, len(self.columns))
        expected = np.full(len(codes), float(len(self.spread)))
        for k in range(len(self.columns)):
            first, last = (np.searchsorted(self.spread[:, k], codes[:, k], side) for side in ("left", "right"))
            expected *= (last - first) / len(self.spread)
        return expected < BY_CHANCE

    def as_json(self, example: Row) -> list[dict[str, str]]:
        """Each `column` with its `value` in words, the unit with it."""
        return [
            {"column": column.name, "value": column.said(code)}
            for column, code in zip(self.columns.each, example, strict=True)
        ]

    def encode(self, examples: Sequence[Row]) -> Tensors:
        """As a table of raw columns: `Float[Tensor, "examples columns"]` of codes."""
        codes = np.array(examples, dtype=float).reshape(-1, len(self.columns))
        return Tensors(torch.from_numpy(codes), self.columns.names, self.columns)
