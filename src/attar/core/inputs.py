"""What goes into a model: a batch of examples, each made of parts that can be attributed."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.parts import Parts


class Inputs(ABC):
    """A batch of examples.

    `parts` are the float arrays that can be attributed; `owners` says for each of their rows which example it
    belongs to (ascending). All else (adjacency, columns, padding) travels along in `take` and `replace`.
    """

    @property
    @abstractmethod
    def parts(self) -> Parts: ...

    @property
    @abstractmethod
    def owners(self) -> Mapping[str, Int[Tensor, " rows"]]: ...

    @abstractmethod
    def __len__(self) -> int:
        """The number of examples."""

    @abstractmethod
    def take(self, index: Int[Tensor, " examples"]) -> Self:
        """The examples at `index`, in that order; an example may be taken many times."""

    @abstractmethod
    def replace(self, parts: Parts) -> Self:
        """The same examples with other values in their parts."""

    @abstractmethod
    def arguments(self) -> tuple[Any, ...]:
        """What a torch module is called with, parts first."""

    def repeat(self, times: int) -> Self:
        """Each example `times` times in a row."""
        return self.take(torch.arange(len(self)).repeat_interleave(times))

    def label(self, part: str, row: int) -> str:
        """What to call a row of a part within its example, counted from 0."""
        return f"{part} {row}"


@dataclass(frozen=True, eq=False)
class Tensors(Inputs):
    """A batch-first tensor of any rank: table rows, images, waveforms, volumes, embeddings."""

    values: Float[Tensor, "batch *features"]  # noqa: F821 - axis names

    @property
    def parts(self) -> Parts:
        return Parts({"input": self.values})

    @property
    def owners(self) -> Mapping[str, Int[Tensor, " rows"]]:
        return {"input": torch.arange(len(self.values), device=self.values.device)}

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: Int[Tensor, " examples"]) -> "Tensors":
        return Tensors(self.values[index.to(self.values.device)])

    def replace(self, parts: Parts) -> "Tensors":
        return Tensors(parts["input"])

    def arguments(self) -> tuple[Any, ...]:
        return (self.values,)


@dataclass(frozen=True, eq=False)
class Entries(Tensors):
    """The same tensor with every single entry as a row, for methods that take features away one by one."""

    @property
    def parts(self) -> Parts:
        return Parts({"input": self.values.flatten()})

    @property
    def owners(self) -> Mapping[str, Int[Tensor, " rows"]]:
        each = self.values[0].numel() if len(self.values) else 0
        return {"input": torch.arange(len(self.values), device=self.values.device).repeat_interleave(each)}

    def take(self, index: Int[Tensor, " examples"]) -> "Entries":
        return Entries(self.values[index.to(self.values.device)])

    def replace(self, parts: Parts) -> "Entries":
        return Entries(parts["input"].reshape(self.values.shape))


@dataclass(frozen=True, eq=False)
class SparseRows(Inputs):
    """Rows of a wide table of which only the non-zero entries are kept: a bag of subgraphs or of words.

    `counts[k]` stands in column `columns[k]` of example `rows[k]`; `rows` is ascending. An entry that is absent
    is a zero and has no attribution of its own.
    """

    counts: Float[Tensor, " entries"]
    columns: Int[Tensor, " entries"]
    rows: Int[Tensor, " entries"]
    size: int
    width: int
    part: str = "entries"

    @property
    def parts(self) -> Parts:
        return Parts({self.part: self.counts})

    @property
    def owners(self) -> Mapping[str, Int[Tensor, " rows"]]:
        return {self.part: self.rows}

    def __len__(self) -> int:
        return self.size

    def take(self, index: Int[Tensor, " examples"]) -> Self:
        entries, rows = owned(self.rows, index)
        return replace(self, counts=self.counts[entries], columns=self.columns[entries], rows=rows, size=len(index))

    def replace(self, parts: Parts) -> Self:
        return replace(self, counts=parts[self.part])

    def arguments(self) -> tuple[Any, ...]:
        return (self.counts, self.columns, self.rows, self.size)

    def dense(self) -> Float[Tensor, "batch features"]:
        table = torch.zeros(self.size, self.width, dtype=self.counts.dtype, device=self.counts.device)
        return table.index_put_((self.rows, self.columns), self.counts, accumulate=True)


def starts(owner: Int[Tensor, " rows"], count: int) -> Int[Tensor, " examples"]:
    """The first row of each example."""
    lengths = torch.bincount(owner, minlength=count)
    return lengths.cumsum(0) - lengths


def owned(
    owner: Int[Tensor, " rows"], index: Int[Tensor, " examples"]
) -> tuple[Int[Tensor, " taken"], Int[Tensor, " taken"]]:
    """The rows that the examples at `index` own, and the new owner of each: a ragged gather without a loop.

    `owner` is ascending, so that finding the rows of a few examples costs nothing in a large batch.
    """
    index = index.to(owner.device)
    first = torch.searchsorted(owner, index)
    taken = torch.searchsorted(owner, index, right=True) - first
    owner_of_taken = torch.arange(len(index), device=owner.device).repeat_interleave(taken)
    place = torch.arange(len(owner_of_taken), device=owner.device) - (taken.cumsum(0) - taken)[owner_of_taken]
    return first[owner_of_taken] + place, owner_of_taken
