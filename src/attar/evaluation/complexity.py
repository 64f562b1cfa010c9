"""How few parts an attribution rests on. Magnitudes alone: what counts against the target is as complex to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attar.core.features import Features
from attar.evaluation.score import Score, scored
from attar.evaluation.subject import Values, subject


class OfShares(Protocol):
    """A number for each example from the share of each part in the sum of magnitudes (0 in holes)."""

    worst: ClassVar[float]
    best: ClassVar[float]

    def __call__(
        self, shares: Float[Tensor, "*tables parts"], there: Bool[Tensor, "*tables parts"]
    ) -> Float[Tensor, "*tables"]: ...


@dataclass(frozen=True)
class Gini:
    """The Gini index: 0 where all parts count the same, 1 - 1 / n where one of n counts alone.

    Source: Chalasani et al. 2020, arXiv:1810.06583, section 2.2 (sparseness).
    """

    worst: ClassVar[float] = 0.0
    best: ClassVar[float] = 1.0

    def __call__(self, shares: Tensor, there: Tensor) -> Tensor:
        count = there.sum(-1).double()
        holes = shares.shape[-1] - count
        place = torch.arange(1, shares.shape[-1] + 1) - holes[..., None]  # holes are 0 and come first
        ordered = torch.where(there, shares, 0.0).sort(-1).values
        found = 1 - 2 * (ordered * (count[..., None] - place + 0.5)).sum(-1) / count.clamp(min=1)
        return torch.where(count > 0, found.clamp(min=0), torch.nan)


@dataclass(frozen=True)
class Entropy:
    """The entropy of the shares, in nats: 0 where one part counts alone, log n where all n count the same.

    Source: Bhatt et al. 2020, arXiv:2005.00631, definition 4 (complexity).
    """

    worst: ClassVar[float] = np.inf
    best: ClassVar[float] = 0.0

    def __call__(self, shares: Tensor, there: Tensor) -> Tensor:
        found = torch.special.entr(torch.where(there, shares, 0.0)).sum(-1)
        return torch.where(there.any(-1), found.clamp(min=0), torch.nan)


@dataclass(frozen=True)
class EffectiveParts:
    """How many parts that counted the same would have that entropy, exp of it: 1 to the number of parts."""

    worst: ClassVar[float] = np.inf
    best: ClassVar[float] = 1.0

    def __call__(self, shares: Tensor, there: Tensor) -> Tensor:
        return Entropy()(shares, there).exp()


def complexity_score(
    found: Values | Sequence[np.ndarray],
    measure: OfShares | None = None,
    *,
    features: Features | None = None,
    draws: int = 39,
    seed: int = 0,
) -> Score:
    """How simple the attributions are, by `Gini()` unless told otherwise. Rescaling by a factor changes nothing.

    An attribution that is 0 throughout counts as one that gives the same to all. Simple is not right: read it beside
    accuracy or faithfulness.
    """
    measure = measure if measure is not None else Gini()
    said = subject(found, features)
    tables = said.table(
        torch.cat([said.values[None], said.drawn(said.sizes, draws=draws, seed=seed, norm=False)])
    ).abs()
    total = tables.sum(-1, keepdim=True)
    shares = torch.where(total > 0, tables / torch.where(total > 0, total, 1), 1 / said.there.sum(-1, keepdim=True))
    values = measure(shares, said.there.expand(shares.shape)).numpy()
    return scored(repr(measure), values[:1], values[1:], worst=measure.worst, best=measure.best)
