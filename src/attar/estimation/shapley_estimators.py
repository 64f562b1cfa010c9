"""Shapley values from what some coalitions are worth: all of them, sampled ones by regression, or permutations."""

from dataclasses import dataclass
from math import comb
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

_FREEDOM = 32  # degrees of freedom that a first standard error has at least


@dataclass(frozen=True, eq=False)
class Division:
    """Values, their variance, and the degrees of freedom that the variance was estimated with."""

    values: Float[Tensor, "targets batch players"]
    variance: Float[Tensor, "targets batch players"]
    freedom: int


class Estimator(Protocol):
    """Draws coalitions, each to be asked with its complement, and makes values of half the differences of the two.

    Every row of the background has coalitions of its own, so that what one row's draw gets wrong the others' average
    out. `most` players is what it can do.
    """

    @property
    def most(self) -> int: ...

    def first(self, players: int, rows: int) -> int:
        """Draws per row of the background that a first estimate needs."""
        ...

    def size(self, players: int) -> int:
        """Coalitions in one draw."""
        ...

    def draw(
        self, players: int, rows: int, draws: int, generator: np.random.Generator
    ) -> Bool[Tensor, "rows coalitions players"]: ...

    def solve(
        self,
        keep: Bool[Tensor, "rows coalitions players"],
        halves: Float[Tensor, "targets batch rows coalitions"],
        total: Float[Tensor, "targets batch rows"],
    ) -> Division:
        """`total` is what all players together are worth more than none. The values sum to its mean exactly."""
        ...


@dataclass(frozen=True)
class Kernel:
    """Kernel regression on coalitions drawn by their leverage, each with its complement, per background row.

    On tables with a background of rows it needs half the evaluations of `Permutations`, on pixels half as many again
    (`bench/shapley.py`). Biased by about 1 / coalitions, far below its standard error, which comes from the residuals,
    each divided by one less its leverage, so that it holds in small samples (HC2).
    Source: Lundberg & Lee 2017, arXiv:1705.07874, eq. 8; Musco & Witter 2024, arXiv:2410.01917 (leverage); MacKinnon
    & White 1985 (HC2). A regression per background row is ours.
    """

    @property
    def most(self) -> int:
        return 2048  # the system to solve is players x players

    def first(self, players: int, rows: int) -> int:
        return max(2 * players, players - 1 + -(-_FREEDOM // rows))

    def size(self, players: int) -> int:  # noqa: ARG002
        return 1

    def draw(self, players: int, rows: int, draws: int, generator: np.random.Generator) -> Tensor:
        size = generator.integers(1, players, (rows, draws, 1))
        keys = generator.random((rows, draws, players))
        return torch.from_numpy(keys < np.take_along_axis(np.sort(keys), size, -1))

    def solve(self, keep: Tensor, halves: Tensor, total: Tensor) -> Division:
        rows, coalitions, players = keep.shape
        present = keep.to(halves)
        size = present.sum(-1)
        centred = present - (size / players)[..., None]
        weighted = centred / (size * (players - size))[..., None]
        # The centred columns sum to zero: the ones make the system regular and leave its solution as it is. The
        # diagonal does so where too few of a handful of coalitions were drawn.
        regular = 1 / players + 1e-13 * torch.eye(players, dtype=halves.dtype, device=halves.device)
        system = weighted.mT @ centred + regular * (coalitions / players / (players - 1))
        hat = weighted @ torch.linalg.inv(system)
        free = (1 - (centred * hat).sum(-1)).clamp(min=1e-6)
        wanted = (halves - (size / players - 0.5) * total[..., None]).flatten(0, -3).transpose(0, 1)
        slope = wanted @ hat
        rest = wanted - slope @ centred.mT
        variance = (rest.square() / free[:, None] @ hat.square()).sum(0) / rows**2
        values = slope.mean(0).reshape(*total.shape[:-1], players) + total.mean(-1)[..., None] / players
        return Division(values, variance.reshape(values.shape), rows * (coalitions - players + 1))


@dataclass(frozen=True)
class Permutations:
    """The mean over orders of joining of what each player adds, each order with its reverse, per background row.

    Unbiased at any number of draws, for any number of features. Where a handful of draws reach the tolerance, 95%
    intervals hold 91 to 94% of the values.
    Source: Castro et al. 2009; Mitchell et al. 2022, arXiv:2104.12199, section 4.1 (reverses).
    """

    @property
    def most(self) -> int:
        return 2**62

    def first(self, players: int, rows: int) -> int:  # noqa: ARG002
        return 1 + -(-_FREEDOM // rows)

    def size(self, players: int) -> int:
        return players - 1

    def draw(self, players: int, rows: int, draws: int, generator: np.random.Generator) -> Tensor:
        rank = generator.random((rows, draws, 1, players)).argsort(-1).argsort(-1)
        keep = rank < np.arange(1, players)[:, None]
        return torch.from_numpy(keep.reshape(rows, -1, players))

    def solve(self, keep: Tensor, halves: Tensor, total: Tensor) -> Division:
        rows, coalitions, players = keep.shape
        draws = coalitions // (players - 1)
        ends = (total / 2)[..., None, None].expand(*halves.shape[:-1], draws, 1)
        # The reverse order meets the complements: what a player adds in both is a difference of halves.
        added = torch.cat([-ends, halves.unflatten(-1, (draws, players - 1)), ends], -1).diff(dim=-1)
        rank = (players - 1 - keep.unflatten(1, (draws, players - 1)).sum(2)).expand(added.shape)
        mine = added.gather(-1, rank)
        variance = mine.var(-2).sum(-2) / draws / rows**2
        return Division(mine.mean((-2, -3)), variance, rows * (draws - 1))


def every_coalition(players: int) -> Bool[Tensor, "coalitions players"]:
    """All but the one of all players."""
    return (torch.arange(2**players - 1)[:, None] >> torch.arange(players)) % 2 == 1


def shapley_weights(players: int) -> Float[Tensor, "coalitions players"]:
    """What each coalition's worth counts in each player's value; the last row is for the coalition of all.

    Source: Shapley 1953, eq. 13: s! (n - 1 - s)! / n! for a player who joins s others.
    """
    keep = torch.cat([every_coalition(players), torch.ones(1, players, dtype=torch.bool)])
    joining = torch.tensor([1 / (players * comb(players - 1, s)) for s in range(players)] + [0.0], dtype=torch.float64)
    size = keep.sum(1, keepdim=True)
    return torch.where(keep, joining[size - 1], -joining[size])
