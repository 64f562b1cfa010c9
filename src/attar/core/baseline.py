"""What stands for "absent": the reference that a path starts from or a removed part is set to."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.column import LARGEST, as_codes, is_missing, medians
from attar.core.columns import Columns
from attar.core.errors import InputError
from attar.core.inputs import Inputs, Tensors
from attar.core.parts import Parts, precise
from attar.core.waves import blurred


class Baseline(Protocol):
    def __call__(self, inputs: Inputs) -> Parts:
        """Values that stand for absence, shaped like the inputs' parts."""
        ...


@dataclass(frozen=True)
class Zeros:
    """Zero everywhere: the absent word or subgraph, the black image.

    Raises `InputError` for a table with a category, of which no level is nothing.
    """

    def __call__(self, inputs: Inputs) -> Parts:
        columns = inputs.columns if isinstance(inputs, Tensors) else None
        if columns is not None and (named := [column for column in columns.each if column.coded and column.levels]):
            raise InputError(
                f"zero says nothing of column {named[0].name!r}, {named[0].kind()}: give a background of "
                "Rows(training_frame), or where one baseline is asked for Typical(training_frame)"
            )
        return inputs.parts.zeros()


@dataclass(frozen=True)
class Mean:
    """Each example's own mean over its positions, channel by channel: the picture's mean colour, the level of a signal.

    For arrays (batch, channels, *positions). Raises `InputError` for others.
    """

    def __call__(self, inputs: Inputs) -> Parts:
        _positions(inputs, "a mean over positions")
        return inputs.parts.map(lambda a: a.flatten(2).mean(2).reshape(*a.shape[:2], *[1] * (a.ndim - 2)).expand_as(a))


@dataclass(frozen=True)
class Blurred:
    """The example out of focus: a Gaussian blur of `sigma` positions along every axis of positions, edges mirrored.

    For arrays (batch, channels, *positions): pictures, signals, volumes. Raises `InputError` for others.
    """

    sigma: float = 4.0

    def __post_init__(self) -> None:
        if not 0 < self.sigma < math.inf:
            raise InputError(f"sigma is {self.sigma}, expected a positive number of positions")

    def __call__(self, inputs: Inputs) -> Parts:
        _positions(inputs, "a blur")
        return inputs.parts.map(lambda array: blurred(precise(array), self.sigma).to(array.dtype))


def _positions(inputs: Inputs, what: str) -> None:
    for name, array in inputs.parts.items():
        if array.ndim < 3 or len(array) != len(inputs):
            raise InputError(f"{name} has shape {tuple(array.shape)}, {what} needs (batch, channels, *positions)")


@dataclass(frozen=True, eq=False)
class Constant:
    """One row of values per part, the same for every row: a mean colour, the null atom of a graph."""

    rows: Mapping[str, Tensor] = field(default_factory=dict)

    def __call__(self, inputs: Inputs) -> Parts:
        missing = set(inputs.parts) - set(self.rows)
        if missing:
            raise InputError(f"the baseline has no value for {', '.join(sorted(missing))}; give one row for each part")
        return Parts({n: torch.as_tensor(self.rows[n]).to(a).expand_as(a) for n, a in inputs.parts.items()})


@dataclass(frozen=True, eq=False)
class Rows:
    """A background of examples, each of which stands for absence in turn: training rows, reference images.

    What is said over it is a mean over its rows, which are taken as all there is: no error speaks of their choice.
    For tensors only, for the parts of one graph or bag do not correspond to those of another. A data frame's columns
    are matched by name with those of a data frame that is explained. Raises `InputError` where a row's shape or names
    are not an example's.
    """

    values: Float[Tensor, "background *features"]
    names: tuple[str, ...] = ()
    columns: Columns | None = None

    def __post_init__(self) -> None:
        values: Any = self.values
        if hasattr(values, "columns") and hasattr(values, "shape"):
            values = Tensors.of_frame(values)
        if isinstance(values, Tensors):
            object.__setattr__(self, "names", values.names)
            object.__setattr__(self, "columns", values.columns)
            values = values.values
        values = values if isinstance(values, Tensor) else torch.from_numpy(np.array(values))
        object.__setattr__(self, "values", values.detach())
        if self.values.ndim < 2 or not self.values.numel():
            raise InputError(
                f"the background has shape {tuple(self.values.shape)}, expected (rows, *features) with a row or more"
            )
        if not self.values.is_floating_point() or not bool(torch.isfinite(self.values).all()):
            raise InputError(f"the background ({self.values.dtype}) must hold finite floats: convert or clean it")

    def __len__(self) -> int:
        return len(self.values)

    def some(self, count: int, seed: int = 0) -> "Rows":
        """So many of the rows, drawn without replacement, in their order; all where there are no more."""
        if len(self) <= count:
            return self
        drawn = np.random.default_rng(seed).choice(len(self), count, replace=False)
        return replace(self, values=self.values[torch.from_numpy(np.sort(drawn))])

    def __call__(self, inputs: Inputs) -> Parts:  # noqa: ARG002
        raise InputError(
            f"Rows are a background of {len(self)} rows, and this method takes one baseline: Zeros(), "
            "Constant({'input': row}), or a method with a background"
        )

    def __repr__(self) -> str:
        known = self.values[self.values < LARGEST] if self.columns is not None else self.values
        return f"Rows({' x '.join(map(str, self.values.shape))}, mean {float(known.cpu().double().mean()):.6g})"

    def like(self, inputs: Inputs) -> Float[Tensor, "background *features"]:
        """All rows in the precision and on the device of the inputs; refused where they do not fit."""
        if not isinstance(inputs, Tensors):
            raise InputError(f"a background of rows fits tensors, not {type(inputs).__name__}: give one baseline")
        values = self._coded_as(inputs)
        if values.shape[1:] != inputs.values.shape[1:]:
            raise InputError(
                f"a background row has shape {tuple(values.shape[1:])}, an example "
                f"{tuple(inputs.values.shape[1:])}; give rows shaped like the examples"
            )
        return values.to(inputs.values)

    def _coded_as(self, inputs: Tensors) -> Tensor:
        """The values in the examples' columns, by name where both have names, and in the examples' codes."""
        mine, theirs, names = self.columns, inputs.columns, inputs.names
        if mine is not None and theirs is not None:
            return torch.from_numpy(theirs.codes_of(mine, as_codes(self.values), "the background"))
        for one, there, what in ((theirs, inputs.values, "a background of arrays"), (mine, self.values, "an array")):
            if one is not None:
                one.refuse_codes(there, f"{what} beside it")
        if not names or not self.names or names == self.names:
            return self.values
        if missing := [name for name in names if name not in self.names]:
            raise InputError(f"the background has no column {missing[0]!r}; it has {', '.join(self.names)}")
        return self.values[..., [self.names.index(name) for name in names]]

    def laid_out(self, inputs: Inputs, row: int | Int[Tensor, " batch"]) -> Parts:
        """Background row `row` (one for all, or one per example) laid out like the inputs."""
        picked = self.like(inputs)[torch.as_tensor(row, device=inputs.device).expand(len(inputs))]
        return inputs.parts.map(lambda array: picked.reshape(array.shape))


@dataclass(frozen=True, eq=False)
class Typical:
    """The middle row of a table: of numbers the lower median, which occurs, of a category the commonest level.

    `rows` is a data frame, or `Rows`. Missing values count as a level of a category and are left out of a median. The
    row may be unlike any: the columns' middles seldom meet.
    """

    rows: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", self.rows if isinstance(self.rows, Rows) else Rows(self.rows))

    @property
    def columns(self) -> Columns | None:
        return self.rows.columns

    def __repr__(self) -> str:
        return f"Typical({self.rows!r})"

    def __call__(self, inputs: Inputs) -> Parts:
        rows = self.rows.like(inputs)
        middle = rows.median(0).values
        columns = inputs.columns if isinstance(inputs, Tensors) else None
        if columns is not None and rows.ndim == 2:
            gone = is_missing(rows)
            middle = torch.where(gone.all(0), rows.amin(0), medians(rows, gone))
            for place in np.flatnonzero(~columns.numbers).tolist():
                levels, times = rows[:, place].unique(return_counts=True)
                middle[place] = levels[times.argmax()]
        return inputs.parts.map(lambda array: middle.to(array).expand_as(array))
