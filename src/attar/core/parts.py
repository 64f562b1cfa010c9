"""Named float arrays that share one arithmetic: the pixels of an image, the atoms and bonds of a graph."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Parts(Mapping[str, Tensor]):
    """One array per kind of part; the first axis runs over rows (examples, atoms, bonds, entries).

    Arithmetic is entry by entry and keeps the names, so that `inputs.parts * gradient` reads like its equation
    for an image and for a graph alike.
    """

    arrays: Mapping[str, Tensor]

    def __getitem__(self, name: str) -> Tensor:
        return self.arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def map(self, function: Callable[[Tensor], Tensor]) -> "Parts":
        return Parts({name: function(array) for name, array in self.items()})

    def with_(self, other: "Parts | float", function: Callable[..., Tensor]) -> "Parts":
        """Entry by entry with another `Parts` of the same names, or with a number."""
        if isinstance(other, Parts):
            return Parts({name: function(array, other[name]) for name, array in self.items()})
        return self.map(lambda array: function(array, other))

    def __add__(self, other: "Parts | float") -> "Parts":
        return self.with_(other, torch.add)

    def __sub__(self, other: "Parts | float") -> "Parts":
        return self.with_(other, torch.sub)

    def __mul__(self, other: "Parts | float") -> "Parts":
        return self.with_(other, torch.mul)

    def __truediv__(self, other: "Parts | float") -> "Parts":
        return self.with_(other, torch.div)

    def abs(self) -> "Parts":
        return self.map(torch.abs)

    def zeros(self) -> "Parts":
        return self.map(torch.zeros_like)

    def per_row(self) -> "Parts":
        """Summed over everything but rows: one number per atom, pixel row or entry."""
        return self.map(lambda array: array.flatten(1).sum(1) if array.ndim > 1 else array)

    def per_example(self, owners: Mapping[str, Tensor], count: int) -> Tensor:
        """Summed over all that an example owns, in double precision where there is one: `Float[Tensor, "batch"]`."""
        totals = []
        for name, array in self.items():
            rows = precise(array)
            rows = rows.flatten(1).sum(1) if rows.ndim > 1 else rows
            totals.append(rows.new_zeros(count).index_add_(0, owners[name], rows))
        return torch.stack(totals).sum(0)


def precise(array: Tensor) -> Tensor:
    """In double precision, to sum in; in single on Apple's devices, which have no double."""
    return array.float() if array.device.type == "mps" else array.double()


def finite(array: Tensor) -> bool:
    """Whether no entry is NaN or infinite. A sum is finite only if every term is, and fifty times faster to ask."""
    return bool(array.sum().isfinite()) or bool(torch.isfinite(array).all())


def placed(array: Tensor, device: torch.device) -> Tensor:
    """On that device; in single precision on Apple's devices, which have no double."""
    return (array.float() if device.type == "mps" and array.dtype == torch.float64 else array).to(device)


def joined(pieces: list[Parts]) -> Parts:
    """The rows of several `Parts` of the same names, one after another."""
    if len(pieces) == 1:
        return pieces[0]
    return Parts({name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]})
