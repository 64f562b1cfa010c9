"""True of the model: what its output loses as features leave in the order of their values, beside random orders."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.baseline import Zeros
from attar.core.errors import InputError
from attar.core.target import Predicted, Target
from attar.estimation.noisy_linear import NoisyLinear
from attar.evaluation import keyed
from attar.evaluation.removed import By, Questions, Removal, questions
from attar.evaluation.score import Score, scored
from attar.evaluation.subject import Values


@dataclass(frozen=True, eq=False)
class Curves:
    """The target at shares of the features that have been moved: first the attribution's own order, then random ones.

    Between the numbers of features that an example was asked about it is linear.
    """

    shares: Float[np.ndarray, " points"]
    own: Float[np.ndarray, "examples points"]
    random: Float[np.ndarray, "draws examples points"]


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """Features leave, the largest value first: the mean of the target on the way, the less the better.

    In units of the target; the mean is over the share of features that left (the trapezoid's area under the curve). The
    order is that of signed values: what speaks against the target leaves last. Features that tie leave in random order.
    `removal` says what leaving means: a baseline, a background of rows (answers are averaged over them) or
    `NoisyLinear`; `by` which rows make up a feature (None: every entry of a tensor, every row of a graph or bag);
    `steps` in how many steps, at most one feature each. Evaluations: steps × (1 + draws) for each example.
    Only the order counts. Chance is the same example in random orders.
    Misleads where copies are unlike anything the model has seen: then it measures what the model does there. So compare
    removals, and never attributions of different models.
    Source: Samek et al. 2017, arXiv:1509.06321 (as pixel flipping: Bach et al. 2015); Petsiuk et al. 2018,
    arXiv:1806.07421. Theirs are areas of the probability.
    """

    removal: Removal = field(default_factory=Zeros)
    by: By = None
    steps: int = 32
    draws: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.draws < 0:
            raise InputError(f"there are {self.steps} steps and {self.draws} draws, expected at least 1 and 0")

    def __call__(
        self,
        model: object,
        inputs: Any,
        found: Values,
        target: Target | None = None,
        *,
        at: str | None = None,
        batch_size: int | None = None,
    ) -> Score:
        asked = questions(self, model, inputs, found, target, at=at, batch_size=batch_size)
        own, random = _areas(asked, self, inserts=False)
        return scored("deletion", own, random, worst=np.inf, best=-np.inf)

    def curves(
        self,
        model: object,
        inputs: Any,
        found: Values,
        target: Target | None = None,
        *,
        at: str | None = None,
        batch_size: int | None = None,
    ) -> Curves:
        """What the score is the area of."""
        return _curves(questions(self, model, inputs, found, target, at=at, batch_size=batch_size), self, inserts=False)


@dataclass(frozen=True, kw_only=True)
class Insertion:
    """Features come back, the largest value first, to examples of which nothing was left: the mean of the target on the
    way, the more the better. All else is as in `Deletion`."""

    removal: Removal = field(default_factory=Zeros)
    by: By = None
    steps: int = 32
    draws: int = 20
    seed: int = 0

    __post_init__ = Deletion.__post_init__

    def __call__(
        self,
        model: object,
        inputs: Any,
        found: Values,
        target: Target | None = None,
        *,
        at: str | None = None,
        batch_size: int | None = None,
    ) -> Score:
        asked = questions(self, model, inputs, found, target, at=at, batch_size=batch_size)
        own, random = _areas(asked, self, inserts=True)
        return scored("insertion", own, random, worst=-np.inf, best=np.inf)

    def curves(
        self,
        model: object,
        inputs: Any,
        found: Values,
        target: Target | None = None,
        *,
        at: str | None = None,
        batch_size: int | None = None,
    ) -> Curves:
        """What the score is the area of."""
        return _curves(questions(self, model, inputs, found, target, at=at, batch_size=batch_size), self, inserts=True)


@dataclass(frozen=True, kw_only=True)
class ROAD:
    """The share of examples that are still classified as before once `shares` of their pixels, the largest values
    first, are filled in from their neighbours; averaged over shares, the less the better.

    `labels` are the classes to be kept; None: those that the model predicts. The attribution is of their logits; of a
    single output, whose values speak for class 1, those of examples of class 0 are turned round. For classifiers of
    images; of anything else ask `Deletion` with a removal that fits. Only the order counts.
    Source: Rong et al. 2022, arXiv:2202.00449, most relevant first. Quantus draws its noise from the global state.
    """

    shares: Sequence[float] = tuple(k / 10 for k in range(1, 10))
    labels: Int[Tensor, " batch"] | None = None
    removal: Removal = field(default_factory=NoisyLinear)
    by: By = None
    draws: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.shares or not all(0 < share <= 1 for share in self.shares):
            raise InputError(f"shares are {self.shares}, expected some above 0 and at most 1")

    def __call__(self, model: object, inputs: Any, found: Values, *, batch_size: int | None = None) -> Score:
        kept = Kept(self.labels)
        asked = questions(self, model, inputs, found, kept, batch_size=batch_size)
        if asked.put.outputs.shape[1] == 1:
            (decision,) = asked.put.targets
            turned = isinstance(decision, Kept) and decision.labels is not None and decision.labels.cpu() == 0
            sign = torch.where(torch.as_tensor(turned), -1.0, 1.0).double()[asked.said.owner]
            asked = replace(asked, said=replace(asked.said, values=asked.said.values * sign))
        table = np.empty((1 + self.draws, asked.said.count))
        for features, some in asked.groups((1 + self.draws) * asked.values.shape[1]):
            counts = torch.tensor([int(share * features) for share in self.shares])
            place = _places(asked, some, features, self)
            table[:, some.numpy()] = _asked(asked, some, counts, place, inserts=False).mean(-1).numpy()
        return scored("ROAD", table[:1], table[1:], worst=1.0, best=0.0)


@dataclass(frozen=True, eq=False)
class Kept(Target):
    """1 where the model decides for this class, 0 where it does not; of a single output: whether it keeps its sign."""

    labels: Int[Tensor, " batch"] | None = None

    def __call__(self, outputs: Float[Tensor, "batch outputs"]) -> Float[Tensor, " batch"]:
        decided = _decided(outputs)
        labels = decided if self.labels is None else self.labels.to(decided.device)
        if labels.shape != decided.shape:
            raise InputError(f"there are {len(labels)} labels for {len(decided)} examples, expected one for each")
        return (decided == labels).to(outputs.dtype)

    def resolve(self, outputs: Float[Tensor, "batch outputs"]) -> Target:
        Predicted().resolve(outputs)
        found = Kept(_decided(outputs)) if self.labels is None else self
        found(outputs)
        return found

    def take(self, index: Int[Tensor, " examples"]) -> Target:
        return self if self.labels is None else Kept(self.labels[index.to(self.labels.device)])


def _decided(outputs: Tensor) -> Tensor:
    return (outputs[:, 0] > 0).long() if outputs.shape[1] == 1 else outputs.argmax(1)


def _areas(asked: Questions, measure: Deletion | Insertion, *, inserts: bool) -> tuple[np.ndarray, np.ndarray]:
    table = np.empty((1 + measure.draws, asked.said.count))
    for some, shares, outputs in _traced(asked, measure, inserts=inserts):
        area = torch.trapezoid(outputs, torch.from_numpy(shares)) if len(shares) > 1 else outputs[..., 0]
        table[:, some] = area.numpy()
    return table[:1], table[1:]


def _curves(asked: Questions, measure: Deletion | Insertion, *, inserts: bool) -> Curves:
    shares = np.linspace(0, 1, measure.steps + 1)
    table = np.empty((1 + measure.draws, asked.said.count, len(shares)))
    for some, known, traced in _traced(asked, measure, inserts=inserts):
        right = np.searchsorted(known, shares).clip(min(1, len(known) - 1), len(known) - 1)
        left = (right - 1).clip(0)
        outputs = traced.numpy()
        weight = (shares - known[left]) / np.where(right > left, known[right] - known[left], 1)
        table[:, some] = outputs[..., left] * (1 - weight) + outputs[..., right] * weight
    return Curves(shares, table[0], table[1:])


def _traced(
    asked: Questions, measure: Deletion | Insertion, *, inserts: bool
) -> list[tuple[np.ndarray, np.ndarray, Float[Tensor, "orders some points"]]]:
    """For examples with as many features: which, at which shares, the target in each order."""
    traced = []
    for features, some in asked.groups((1 + measure.draws) * max(measure.steps + 1, asked.values.shape[1])):
        counts = torch.linspace(0, features, min(measure.steps, features) + 1).round().long().unique()
        place = _places(asked, some, features, measure)
        if not features:
            outputs = asked.whole[some].expand(1 + measure.draws, -1)[..., None]
        else:
            own = _asked(asked, some, counts, place[:1], inserts=inserts)
            ends = own.expand(measure.draws, -1, -1)  # where the order says nothing
            inner = _asked(asked, some, counts[1:-1], place[1:], inserts=inserts)
            outputs = torch.cat([own, torch.cat([ends[..., :1], inner, ends[..., -1:]], -1)])
        traced.append((some.numpy(), (counts.double() / max(features, 1)).numpy(), outputs))
    return traced


def _asked(
    asked: Questions,
    some: Int[Tensor, " examples"],
    counts: Int[Tensor, " points"],
    place: Int[Tensor, "orders examples features"],
    *,
    inserts: bool,
) -> Float[Tensor, "orders examples points"]:
    orders, examples, features = place.shape
    flat, counts = place.reshape(orders * examples, features), counts.int()

    def keep(copy: Int[Tensor, " some"]) -> Bool[Tensor, "some features"]:
        places, moved = flat.index_select(0, copy // len(counts)), counts[copy % len(counts)][:, None]
        return places < moved if inserts else places >= moved

    example = some.repeat(orders).repeat_interleave(len(counts))
    return asked.without(example, keep).reshape(orders, examples, len(counts))


def _places(
    asked: Questions, some: Int[Tensor, " examples"], features: int, measure: Deletion | Insertion | ROAD
) -> Int[Tensor, "orders examples features"]:
    """When each feature is moved, from 0: by its value, the largest first, and then in random orders."""
    if not features:
        return torch.zeros(1 + measure.draws, len(some), 0, dtype=torch.int)
    owner = torch.arange(len(some)).repeat_interleave(features)
    noise = keyed.uniform(asked.keys[some.numpy()], owner.numpy(), draws=1 + measure.draws, seed=measure.seed)
    random = torch.from_numpy(noise).reshape(1 + measure.draws, len(some), features)
    values = asked.values[some][:, :features]
    tied = random[0].argsort(-1)
    own = tied.gather(-1, values.gather(-1, tied).argsort(dim=-1, descending=True, stable=True))
    return torch.cat([own[None], random[1:].argsort(-1)]).argsort(-1).int()
