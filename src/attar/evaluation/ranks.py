"""Orders and how far two of them agree, along the last axis of tables that may have holes."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_ROUNDING = 1e-10  # a spread below this share of the largest magnitude is none


@dataclass(frozen=True, eq=False)
class Order:
    """Where each entry stands among those that are there: how many are less, how many are the same (itself counted)."""

    below: Int[Tensor, "*tables parts"]
    same: Int[Tensor, "*tables parts"]
    there: Bool[Tensor, "*tables parts"]

    @classmethod
    def of(cls, values: Float[Tensor, "*tables parts"], there: Bool[Tensor, "*tables parts"]) -> "Order":
        there = there.expand(values.shape)
        ordered, index = torch.where(there, values, torch.inf).sort(dim=-1, stable=True)
        first, last = _runs(ordered[..., 1:] != ordered[..., :-1], ordered.shape)
        below = torch.empty_like(index).scatter_(-1, index, first)
        same = torch.empty_like(index).scatter_(-1, index, last - first + 1)
        return cls(below, same, there)

    @property
    def count(self) -> Int[Tensor, "*tables 1"]:
        return self.there.sum(-1, keepdim=True)

    @property
    def ranks(self) -> Float[Tensor, "*tables parts"]:
        """From 1, ties sharing their mean; 0 in holes."""
        return torch.where(self.there, self.below + (self.same.double() + 1) / 2, 0.0)

    def top(self, k: Int[Tensor, "*tables 1"]) -> Float[Tensor, "*tables parts"]:
        """How much of each entry is among the k largest: entries that tie for the last places share them evenly."""
        above = self.count - self.below - self.same
        return torch.where(self.there, ((k - above).double() / self.same).clamp(0, 1), 0.0)


def spearman(
    found: Float[Tensor, "*tables parts"], known: Float[Tensor, "*tables parts"], there: Bool[Tensor, "*tables parts"]
) -> Float[Tensor, "*tables"]:
    """Correlation of ranks, ties sharing their mean rank."""
    return pearson(Order.of(found, there).ranks, Order.of(known, there).ranks, there)


def pearson(
    found: Float[Tensor, "*tables parts"], known: Float[Tensor, "*tables parts"], there: Bool[Tensor, "*tables parts"]
) -> Float[Tensor, "*tables"]:
    """Correlation: 0 where all that was found is the same, for it says nothing; nan where all that is known is, for
    there is nothing to say."""
    found, known = _centred(found, there), _centred(known, there)
    size = (found.square().sum(-1) * known.square().sum(-1)).sqrt()
    said = torch.where(size > 0, (found * known).sum(-1) / torch.where(size > 0, size, 1), 0.0)
    return torch.where(known.square().sum(-1) > 0, said.clamp(-1, 1), torch.nan)


def kendall(
    found: Float[Tensor, "*tables parts"], known: Float[Tensor, "*tables parts"], there: Bool[Tensor, "*tables parts"]
) -> Float[Tensor, "*tables"]:
    """Kendall's τ-b; 0 and nan as in `pearson`.

    Pairs that are turned round are counted bit by bit of the ranks, in n log² n steps for all tables at once.
    Source: Kendall 1945, "The treatment of ties in ranking problems"; Knight 1966 counts by merging.
    """
    one, other = Order.of(found, there), Order.of(known, there)
    pairs = one.count[..., 0] * (one.count[..., 0] - 1) // 2
    tied, tied_other = (torch.where(each.there, each.same - 1, 0).sum(-1) // 2 for each in (one, other))
    hole = one.there.shape[-1]
    first, second = (torch.where(each.there, each.below, hole) for each in (one, other))
    index = second.argsort(dim=-1, stable=True)
    index = index.gather(-1, first.gather(-1, index).argsort(dim=-1, stable=True))
    first, second = first.gather(-1, index), second.gather(-1, index)
    start, end = _runs((first[..., 1:] != first[..., :-1]) | (second[..., 1:] != second[..., :-1]), first.shape)
    tied_both = torch.where(first < hole, end - start, 0).sum(-1) // 2
    excess = pairs - tied - tied_other + tied_both - 2 * _turned(second)
    size = ((pairs - tied).double() * (pairs - tied_other).double()).sqrt()
    said = torch.where(size > 0, excess / torch.where(size > 0, size, 1), 0.0)
    return torch.where(pairs > tied_other, said, torch.nan)


def _turned(numbers: Int[Tensor, "*tables parts"]) -> Int[Tensor, "*tables"]:
    """Pairs of which the earlier is the larger: those that differ first in this bit, for every bit."""
    found = numbers.new_zeros(numbers.shape[:-1])
    for bit in range(int(numbers.max()).bit_length() if numbers.numel() else 0):
        above = numbers >> (bit + 1)
        index = above.argsort(dim=-1, stable=True)
        above = above.gather(-1, index)
        one = (numbers.gather(-1, index) >> bit) & 1
        start, _ = _runs(above[..., 1:] != above[..., :-1], above.shape)
        before = one.cumsum(-1) - one
        found = found + ((before - before.gather(-1, start)) * (1 - one)).sum(-1)
    return found


def _runs(changes: Bool[Tensor, "*tables gaps"], shape: torch.Size) -> tuple[Tensor, Tensor]:
    """The first and the last place of the run that each entry of a sorted table is in."""
    place = torch.arange(shape[-1], device=changes.device).expand(shape)
    edge = changes.new_ones(*shape[:-1], min(shape[-1], 1))
    first = torch.where(torch.cat([edge, changes], -1), place, 0).cummax(-1).values
    last = torch.where(torch.cat([changes, edge], -1), place, shape[-1]).flip(-1).cummin(-1).values.flip(-1)
    return first, last


def _centred(values: Tensor, there: Tensor) -> Tensor:
    """Less their mean, 0 in holes; exactly 0 throughout where they differ by no more than rounding."""
    there = there.expand(values.shape)
    values = torch.where(there, values, 0.0)
    mean = values.sum(-1, keepdim=True) / there.sum(-1, keepdim=True).clamp(min=1)
    centred = torch.where(there, values - mean, 0.0)
    if not values.shape[-1]:
        return centred
    flat = centred.abs().amax(-1, keepdim=True) <= _ROUNDING * values.abs().amax(-1, keepdim=True)
    return torch.where(flat, 0.0, centred)
