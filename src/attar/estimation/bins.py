"""Bins of a table's columns: numbers by quantiles, each level and what is missing by itself."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.column import is_missing
from attar.core.inputs import Inputs, Tensors


@dataclass(frozen=True, eq=False, kw_only=True)
class Held:
    """What the columns of a table hold: which are categories (`named`), and where a value is missing.

    Of a tensor that did not come as a data frame all is numbers, and nothing is missing.
    """

    named: Bool[Tensor, " columns"]
    whole: Bool[Tensor, " columns"]
    levels: int  # the most that a category has
    framed: bool

    @classmethod
    def by(cls, inputs: Inputs, width: int) -> "Held":
        columns = inputs.columns if isinstance(inputs, Tensors) else None
        none = torch.zeros(width, dtype=torch.bool, device=inputs.device)
        if columns is None:
            return cls(named=none, whole=none, levels=0, framed=False)
        whole = np.array([column.whole for column in columns.each], dtype=bool)
        return cls(
            named=torch.from_numpy(~columns.numbers).to(none.device),
            whole=torch.from_numpy(whole).to(none.device),
            levels=max((len(column.levels or ()) for column in columns.each), default=0),
            framed=True,
        )

    def gone(self, values: Float[Tensor, "rows columns"]) -> Bool[Tensor, "rows columns"]:
        return is_missing(values) if self.framed else torch.zeros_like(values, dtype=torch.bool)

    def apart(self, values: Float[Tensor, "*rows columns"]) -> Bool[Tensor, "*rows columns"]:
        """What has no distance to another value but that it is another: levels, and what is missing."""
        return self.named | self.gone(values)

    def ordered(
        self, rows: Float[Tensor, "rows columns"]
    ) -> tuple[Float[Tensor, "columns rows"], Int[Tensor, " columns"]]:
        """Each column's values ascending, the largest again in place of missing ones; and how many there are."""
        columns = rows.T.contiguous().sort(1).values  # what is missing comes last
        if not self.framed:
            return columns, torch.full_like(columns[:, 0], columns.shape[1], dtype=torch.long)
        gone = is_missing(columns)
        count = (~gone).sum(1)
        largest = columns.gather(1, (count - 1).clamp(min=0)[:, None])
        return torch.where(gone, largest, columns), count.clamp(min=1)


@dataclass(frozen=True, eq=False, kw_only=True)
class Bins:
    """In which bin an entry is. The last of `count` bins is that of missing values, where there can be any."""

    held: Held
    edges: Float[Tensor, "columns edges"]

    @property
    def count(self) -> int:
        return max(self.edges.shape[1] + 1, self.held.levels) + self.held.framed

    def __call__(self, values: Float[Tensor, "rows columns"]) -> Int[Tensor, "rows columns"]:
        found = torch.searchsorted(self.edges, values.T.contiguous()).T
        if not self.held.framed:
            return found
        levels = torch.where(self.held.named & ~is_missing(values), values, 0).round().long()
        found = torch.where(self.held.named, levels, found)
        return torch.where(is_missing(values), self.count - 1, found)


def below_the_largest(
    edges: Float[Tensor, "columns edges"], values: Float[Tensor, "columns rows"]
) -> Float[Tensor, "columns edges"]:
    """The edges, each the last of its bin, with those at a column's largest value moved to the one next to it.

    No value is above the largest: a column that is mostly 1 would be one bin, and nothing would hang on it.
    """
    largest = values.amax(1, keepdim=True)
    next_to_it = values.masked_fill(values == largest, -torch.inf).amax(1, keepdim=True)
    return torch.where((edges == largest) & next_to_it.isfinite(), next_to_it, edges).sort(1).values
