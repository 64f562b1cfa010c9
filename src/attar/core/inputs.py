"""What goes into a model: a batch of examples, each made of parts that can be attributed."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.column import as_codes
from attar.core.columns import Columns
from attar.core.errors import InputError
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
        """What a model is called with, parts first."""

    def call(self, function: Callable[..., Any]) -> Any:
        """Call a model with these inputs, as it takes them."""
        return function(*self.arguments())

    @property
    def device(self) -> torch.device:
        return next(iter(self.parts.values())).device

    @property
    def single(self) -> bool:
        """Whether an example is one row of one array, whatever the batch: then its attribution is a tensor too."""
        return False

    @property
    def of_rows(self) -> bool:
        """Whether an example is one row of every part, whatever the batch."""
        return self.single

    def by_entry(self) -> "Inputs":
        """With every single entry as a row, where an example is one row of every part; else as they are."""
        return Entries(self) if self.of_rows else self

    @property
    def given(self) -> "Inputs":
        """The examples as a model takes them."""
        return self

    def laid_out(self, rows: Parts) -> Parts:
        """One value for each row, in the shape that those of `given` have."""
        return rows

    @property
    def entry_names(self) -> tuple[str, ...] | None:
        """What the entries of an example are called, in the order of a flattened row, where they have names."""
        return None

    @property
    def lengths(self) -> Int[Tensor, " examples"] | None:
        """How many positions each example has, where a model pads them on the right to one length; None elsewhere."""
        return None

    @property
    def row_names(self) -> Mapping[str, Sequence[str]]:
        """What the rows of a part are called, where they have names: the tokens of a text."""
        return {}

    def repeat(self, times: int) -> Self:
        """Each example `times` times in a row."""
        return self.take(torch.arange(len(self), device=self.device).repeat_interleave(times))

    def label(self, part: str, row: int) -> str:
        """What to call a row of a part within its example, counted from 0."""
        return f"{part} {row}"


@dataclass(frozen=True, eq=False)
class Tensors(Inputs):
    """A batch-first tensor of any rank: table rows, images, waveforms, volumes, embeddings.

    `names` are those of the entries of an example, where they have any: the columns of a table. A table that came as a
    data frame knows its `columns`: its values are numbers, codes of levels and codes of missing values, and a model of
    frames is asked with the frame that they stand for.
    """

    values: Float[Tensor, "batch *features"]
    names: tuple[str, ...] = ()
    columns: Columns | None = None

    @classmethod
    def of_frame(cls, frame: Any, units: Mapping[str, str] | None = None) -> Self:
        """From a data frame of any library that narwhals knows: numbers, yes or no, text, categories, with gaps or not.

        `units` are those of columns by name; left out, they are read off names such as `age (years)`. Raises
        `InputError` naming the column, as `Columns.encoded` says.
        """
        columns, codes = Columns.encoded(frame, units)
        return cls(torch.from_numpy(codes), columns.names, columns)

    def frame(self) -> Any:
        """The table as a data frame of the library that it came from."""
        if self.columns is None:
            raise InputError("these values did not come as a data frame: make one with Tensors.of_frame(frame)")
        return self.columns.frame(as_codes(self.values))

    def beside(self, others: Iterable[Columns]) -> Self:
        """The same examples, whose columns know the levels that only those of others have."""
        columns = self.columns
        for other in others:
            columns = None if columns is None else columns.beside(other)
        return self if columns is self.columns else replace(self, columns=columns)

    @property
    def parts(self) -> Parts:
        return Parts({"input": self.values})

    @property
    def owners(self) -> Mapping[str, Int[Tensor, " rows"]]:
        return {"input": torch.arange(len(self.values), device=self.values.device)}

    @property
    def single(self) -> bool:
        return True

    @property
    def entry_names(self) -> tuple[str, ...] | None:
        return self.names or None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: Int[Tensor, " examples"]) -> Self:
        return replace(self, values=self.values[index.to(self.values.device)])

    def replace(self, parts: Parts) -> Self:
        return replace(self, values=parts["input"])

    def arguments(self) -> tuple[Any, ...]:
        if self.columns is not None:
            self.columns.refuse_codes(self.values, "this model")
        return (self.values,)


@dataclass(frozen=True, eq=False)
class Entries(Inputs):
    """The same examples with every single entry of their parts as a row, for methods that take features away.

    Of inputs whose parts have a row for each example.
    """

    whole: Inputs

    @property
    def parts(self) -> Parts:
        return self.whole.parts.map(Tensor.flatten)

    @property
    def owners(self) -> Mapping[str, Int[Tensor, " rows"]]:
        return {
            name: torch.arange(len(array), device=array.device).repeat_interleave(array[:1].numel())
            for name, array in self.whole.parts.items()
        }

    def __len__(self) -> int:
        return len(self.whole)

    def take(self, index: Int[Tensor, " examples"]) -> "Entries":
        return Entries(self.whole.take(index))

    def replace(self, parts: Parts) -> "Entries":
        return Entries(self.whole.replace(self.laid_out(parts)))

    def laid_out(self, rows: Parts) -> Parts:
        return rows.with_(self.whole.parts, lambda flat, array: flat.reshape(array.shape))

    @property
    def given(self) -> Inputs:
        return self.whole

    def arguments(self) -> tuple[Any, ...]:
        return self.whole.arguments()

    def tensor(self, what: str) -> tuple[str, Float[Tensor, "batch *features"]]:
        """The one part that there is, with its name. Raises `InputError` where there are several: `what` wants one."""
        if len(self.whole.parts) > 1:
            raise InputError(f"{what} one tensor, here are {', '.join(self.whole.parts)}: give groups of their rows")
        return next(iter(self.whole.parts.items()))


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


@dataclass(frozen=True, eq=False)
class Named(Inputs):
    """Several batch-first tensors: an image and its metadata, token embeddings and their mask.

    Float arrays are the parts, or of those only the ones named in `only`; all else (integers, masks, None) travels
    along. A model is called with them by name, or in order where `in_order`; a model whose one argument has none of the
    names gets the whole dict. Raises `InputError` where arrays differ in length.
    """

    arrays: Mapping[str, Any]
    only: tuple[str, ...] | None = None
    in_order: bool = False

    def __post_init__(self) -> None:
        lengths = {name: len(array) for name, array in self._batched().items()}
        if len(set(lengths.values())) != 1:
            raise InputError(f"the inputs have {lengths} examples, expected the same number in each (batch first)")
        if missing := [name for name in self.only or () if name not in lengths]:
            raise InputError(f"there is no input tensor {missing[0]!r}; there are {', '.join(lengths)}")

    def _batched(self) -> dict[str, Tensor]:
        return {name: array for name, array in self.arrays.items() if isinstance(array, Tensor) and array.ndim}

    @property
    def parts(self) -> Parts:
        batched = self._batched()
        return Parts({n: batched[n] for n in self.only or batched if self.only or batched[n].is_floating_point()})

    @property
    def owners(self) -> Mapping[str, Int[Tensor, " rows"]]:
        return {name: torch.arange(len(self), device=self.device) for name in self.parts}

    @property
    def of_rows(self) -> bool:
        return True

    @property
    def device(self) -> torch.device:
        return next(iter(self._batched().values())).device

    def __len__(self) -> int:
        return len(next(iter(self._batched().values())))

    def take(self, index: Int[Tensor, " examples"]) -> "Named":
        taken = {name: array[index.to(array.device)] for name, array in self._batched().items()}
        return replace(self, arrays={**self.arrays, **taken})

    def replace(self, parts: Parts) -> "Named":
        return replace(self, arrays={**self.arrays, **parts})

    def arguments(self) -> tuple[Any, ...]:
        return tuple(self.arrays.values())

    def call(self, function: Callable[..., Any]) -> Any:
        if self.in_order:
            return function(*self.arrays.values())
        if _takes_one(function, self.arrays):
            return function(dict(self.arrays))
        return function(**self.arrays)


def _takes_one(function: Callable[..., Any], names: Mapping[str, Any]) -> bool:
    """Whether the only argument of a model is none of these: then it wants them all as one dict."""
    try:
        wanted = inspect.signature(getattr(function, "forward", function)).parameters.values()
    except (TypeError, ValueError):  # some of what is compiled says nothing
        return False
    plain = [p for p in wanted if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(wanted) == len(plain) == 1 and plain[0].name not in names


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
    index = index.to(owner.device).contiguous()
    first = torch.searchsorted(owner, index)
    taken = torch.searchsorted(owner, index, right=True) - first
    owner_of_taken = torch.arange(len(index), device=owner.device).repeat_interleave(taken)
    place = torch.arange(len(owner_of_taken), device=owner.device) - (taken.cumsum(0) - taken)[owner_of_taken]
    return first[owner_of_taken] + place, owner_of_taken
