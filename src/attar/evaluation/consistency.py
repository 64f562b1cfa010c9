"""Whether models that were made in another way (seed, hyper-parameters, architecture) explain an example alike."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attar.core.errors import InputError
from attar.core.features import Features
from attar.core.inputs import Inputs
from attar.evaluation.intervals import Interval
from attar.evaluation.ranks import Order, spearman
from attar.evaluation.score import Score, scored
from attar.evaluation.subject import Subject, Values, subject

Alike = Callable[[Tensor, Tensor, Tensor], Tensor]


def agreement(
    found: Sequence[Values | Sequence[np.ndarray]],
    *,
    features: Features | None = None,
    inputs: Inputs | None = None,
    draws: int = 39,
    seed: int = 0,
) -> Score:
    """The mean of Spearman's ρ over all pairs of attributions of the same examples, for each example: 1 is best.

    Signed: a part that counts for the target in one and against it in the other is not agreed on. 0 with an attribution
    that is the same throughout, which agrees with nothing; an example of one part has no score. Chance are independent
    random attributions. Agreement is no accuracy: models that share a shortcut agree on it.
    """
    return _pairwise("agreement (Spearman)", rho, -1.0, found, features, inputs, draws, seed)


def top_overlap(
    found: Sequence[Values | Sequence[np.ndarray]],
    *,
    share: float = 0.1,
    features: Features | None = None,
    inputs: Inputs | None = None,
    draws: int = 39,
    seed: int = 0,
) -> Score:
    """The mean over pairs of the part of the k largest values, by sign, that two attributions have in common; k is so
    large a `share` of the parts, at least one. Parts that tie for the last places share them evenly."""
    if not 0 < share < 1:
        raise InputError(f"share is {share}, expected between 0 and 1")

    def alike(one: Tensor, other: Tensor, there: Tensor) -> Tensor:
        k = (share * there.sum(-1, keepdim=True)).round().clamp(min=1)
        common = (Order.of(one, there).top(k) * Order.of(other, there).top(k)).sum(-1)
        return torch.where(there.sum(-1) > 1, common / k[..., 0], torch.nan)

    return _pairwise(f"overlap of the top {share:.0%}", alike, 0.0, found, features, inputs, draws, seed)


def spread(score: Score, *, resamples: int = 2000, seed: int = 0) -> Interval:
    """The standard deviation, from model to model, of a score's mean over examples; 0 is perfectly consistent.

    With a 95% interval over examples (not models: of few of them no bootstrap can tell a spread); `n` counts models.
    Raises `InputError` for a score of fewer than two models (`score.together` makes one of several).
    """
    if len(score.values) < 2:
        raise InputError("a spread is over two models or more: put their scores together")
    table = score.values[:, ~np.isnan(score.values).any(0)]
    if not table.shape[1]:
        raise InputError("no example has a score under every model: there is no spread")
    generator = np.random.default_rng([seed, 37])
    examples = generator.integers(table.shape[1], size=(resamples, table.shape[1]))
    spreads = [float(table[:, some].mean(1).std(ddof=1)) for some in examples]
    low, high = np.quantile(spreads, [0.025, 0.975])
    return Interval(float(table.mean(1).std(ddof=1)), float(low), float(high), len(table))


def rho(
    one: Float[Tensor, "*tables parts"], other: Float[Tensor, "*tables parts"], there: Bool[Tensor, "*tables parts"]
) -> Float[Tensor, "*tables"]:
    """Spearman's ρ; 0 where either is the same throughout, nan for fewer than two parts."""
    return torch.where(there.sum(-1) > 1, spearman(one, other, there).nan_to_num(0.0), torch.nan)


def _pairwise(
    name: str,
    alike: Alike,
    worst: float,
    found: Sequence[Values | Sequence[np.ndarray]],
    features: Features | None,
    inputs: Inputs | None,
    draws: int,
    seed: int,
) -> Score:
    said = [subject(each, features, inputs=inputs) for each in found]
    _refuse_others(said)
    tables = [each.table(each.values) for each in said]
    there, pairs = said[0].there, list(combinations(range(len(said)), 2))
    own = torch.stack([alike(tables[a], tables[b], there) for a, b in pairs]).mean(0)
    # A stream for each attribution, so that two random ones know nothing of each other.
    random = [
        each.table(each.drawn(said[0].sizes, draws=draws, seed=seed * len(said) + k)) for k, each in enumerate(said)
    ]
    chance = torch.stack([alike(random[a], random[b], there) for a, b in pairs]).mean(0)
    return scored(name, own.numpy()[None], chance.numpy(), worst=worst, best=1.0)


def _refuse_others(said: Sequence[Subject]) -> None:
    if len(said) < 2:
        raise InputError(f"agreement is between two attributions or more, got {len(said)}")
    if any(each.count != said[0].count or not torch.equal(each.owner, said[0].owner) for each in said):
        raise InputError("the attributions are of other examples or parts: carry them to the same features first")
