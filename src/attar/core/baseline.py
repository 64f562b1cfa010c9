"""What stands for "absent": the reference that a path starts from or a removed part is set to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.errors import InputError
from attar.core.inputs import Inputs, Tensors
from attar.core.parts import Parts


class Baseline(Protocol):
    def __call__(self, inputs: Inputs) -> Parts:
        """Values that stand for absence, shaped like the inputs' parts."""
        ...


@dataclass(frozen=True)
class Zeros:
    """Zero everywhere: the absent word or subgraph, the black image."""

    def __call__(self, inputs: Inputs) -> Parts:
        return inputs.parts.zeros()


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

    def __post_init__(self) -> None:
        values: Any = self.values
        if hasattr(values, "columns") and hasattr(values, "shape"):
            table = Tensors.of_frame(values)
            values = table.values
            object.__setattr__(self, "names", table.names)
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

    def __call__(self, inputs: Inputs) -> Parts:  # noqa: ARG002
        raise InputError(
            f"Rows are a background of {len(self)} rows, and this method takes one baseline: Zeros(), "
            "Constant({'input': row}), or a method with a background"
        )

    def __repr__(self) -> str:
        return f"Rows({' x '.join(map(str, self.values.shape))}, mean {float(self.values.cpu().double().mean()):.6g})"

    def like(self, inputs: Inputs) -> Float[Tensor, "background *features"]:
        """All rows in the precision and on the device of the inputs; refused where they do not fit."""
        if not isinstance(inputs, Tensors):
            raise InputError(f"a background of rows fits tensors, not {type(inputs).__name__}: give one baseline")
        values = self.values[..., self._columns(inputs.names)]
        if values.shape[1:] != inputs.values.shape[1:]:
            raise InputError(
                f"a background row has shape {tuple(values.shape[1:])}, an example "
                f"{tuple(inputs.values.shape[1:])}; give rows shaped like the examples"
            )
        return values.to(inputs.values)

    def _columns(self, names: tuple[str, ...]) -> slice | list[int]:
        """Where the examples' columns stand in the background."""
        if not names or not self.names or names == self.names:
            return slice(None)
        if missing := [name for name in names if name not in self.names]:
            raise InputError(f"the background has no column {missing[0]!r}; it has {', '.join(self.names)}")
        return [self.names.index(name) for name in names]

    def laid_out(self, inputs: Inputs, row: int | Int[Tensor, " batch"]) -> Parts:
        """Background row `row` (one for all, or one per example) laid out like the inputs."""
        picked = self.like(inputs)[torch.as_tensor(row, device=inputs.device).expand(len(inputs))]
        return inputs.parts.map(lambda array: picked.reshape(array.shape))
