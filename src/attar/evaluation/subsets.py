"""True of the model: whether what an attribution gives to sets of features is what the model loses with them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.baseline import Zeros
from attar.core.draws import draws as drawn
from attar.core.errors import InputError
from attar.core.inputs import Inputs
from attar.core.parts import Parts, precise
from attar.core.target import Predicted, Target
from attar.evaluation import keyed
from attar.evaluation.ranks import pearson
from attar.evaluation.removed import By, Questions, Removal, questions
from attar.evaluation.score import Score, scored
from attar.evaluation.subject import Values, entries
from attar.verb import posed

_ROUNDINGS = 64  # of the target, that a loss of nothing at all may show


@dataclass(frozen=True, kw_only=True)
class RandomSets:
    """So many sets of a share of the features, at least one and not all of them, each as likely as any other."""

    share: float = 0.2
    count: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share < 1 or self.count < 2:
            raise InputError(f"share is {self.share} and count {self.count}, expected between 0 and 1, and at least 2")

    def __call__(self, features: int) -> Bool[Tensor, "sets features"]:
        size = min(max(1, round(self.share * features)), max(1, features - 1))
        place = np.random.default_rng([self.seed, features]).random((self.count, features)).argsort(1)
        return torch.from_numpy(place < size)


Sets = Callable[[int], Bool[Tensor, "sets features"]]


@dataclass(frozen=True, kw_only=True)
class FaithfulnessCorrelation:
    """The correlation, over random sets of features, of the sum of their values with what the target loses without
    them: 1 is best, -1 is worst.

    Sets of one size, the same for examples with as many features. 0 where an attribution gives every set the same; an
    example without a score is one whose target loses the same with every set (a single feature, say). Multiplying
    values by a positive number, or adding one to all of them, changes nothing; other monotone rescaling does.
    Evaluations: one for each set, chance needs none more.
    Misleads where features work together: the sum is then no prediction that anyone could make well.
    Source: Bhatt et al. 2020, arXiv:2005.00631, definition 3.
    """

    sets: Sets = field(default_factory=RandomSets)
    removal: Removal = field(default_factory=Zeros)
    by: By = None
    draws: int = 39
    seed: int = 0

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
        table = torch.full((1 + self.draws, asked.said.count), torch.nan, dtype=torch.double)
        for some, said, lost in _losses(asked, self, self.sets):
            table[:, some] = pearson(said, lost, torch.ones(1, dtype=torch.bool))
        return scored("faithfulness correlation", table[:1].numpy(), table[1:].numpy(), worst=-1.0, best=1.0)


@dataclass(frozen=True, kw_only=True)
class SensitivityN:
    """The same correlation for sets of several sizes, averaged over sizes: `shares` of the features, `count` sets each.

    Source: Ancona et al. 2018, arXiv:1711.06104, section 4, who plot it over n; ours is the curve's mean.
    """

    shares: Sequence[float] = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
    count: int = 50
    removal: Removal = field(default_factory=Zeros)
    by: By = None
    draws: int = 39
    seed: int = 0

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
        table = torch.zeros(1 + self.draws, asked.said.count, dtype=torch.double)
        for share in self.shares:
            sets = RandomSets(share=share, count=self.count, seed=self.seed)
            for some, said, lost in _losses(asked, self, sets):
                table[:, some] += pearson(said, lost, torch.ones(1, dtype=torch.bool)) / len(self.shares)
        return scored("sensitivity-n", table[:1].numpy(), table[1:].numpy(), worst=-1.0, best=1.0)


@dataclass(frozen=True, kw_only=True)
class Infidelity:
    """The mean square of what values say the target loses without sets of features, less what it does lose: 0 is best.

    In units of the target, squared: of values that are contributions (Integrated Gradients, Shapley, occlusion,
    gradient times input), and of a gradient with `noise`. It changes when an attribution is rescaled; with `rescaled`
    each example's values are first multiplied by the number, 0 or above, that makes it least: then only their ratios
    count. (Any number would let values with the wrong sign pass for the right ones.)
    `sets` are what is removed; with `noise` instead normal numbers of that standard deviation (units of the input) are
    taken away from all entries at once, and the values say what the target loses per unit.
    Source: Yeh et al. 2019, arXiv:1901.09392, definition 2.1 and, for the rescaling, Captum's `normalize`, which takes
    any number.
    """

    sets: Sets = field(default_factory=lambda: RandomSets(share=0.2, count=100))
    noise: float | None = None
    samples: int = 100
    rescaled: bool = False
    removal: Removal = field(default_factory=Zeros)
    by: By = None
    draws: int = 39
    seed: int = 0

    def __post_init__(self) -> None:
        if self.noise is not None and self.noise <= 0:
            raise InputError(f"noise is {self.noise}, expected a positive standard deviation, or None for sets")

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
        if self.noise is not None:
            table = self._over_noise(self.noise, model, inputs, found, target, at, batch_size)
        else:
            asked = questions(self, model, inputs, found, target, at=at, batch_size=batch_size)
            table = torch.zeros(1 + self.draws, asked.said.count, dtype=torch.double)
            for some, said, lost in _losses(asked, self, self.sets):
                table[:, some] = self._missed(said, lost)
        name = "infidelity, rescaled" if self.rescaled else "infidelity"
        return scored(name, table[:1].numpy(), table[1:].numpy(), worst=np.inf, best=0.0)

    def _missed(
        self, said: Float[Tensor, "rows examples sets"], lost: Float[Tensor, "rows examples sets"]
    ) -> Float[Tensor, "rows examples"]:
        if self.rescaled:
            size = said.square().sum(-1, keepdim=True)
            by = ((said * lost).sum(-1, keepdim=True) / torch.where(size > 0, size, 1)).clamp(min=0)
            said = said * by
        return (said - lost).square().mean(-1)

    def _over_noise(
        self,
        noise: float,
        model: object,
        inputs: Any,
        found: Values,
        target: Target | None,
        at: str | None,
        batch_size: int | None,
    ) -> Float[Tensor, "rows examples"]:
        put = posed(model, inputs, [target if target is not None else Predicted()], at=at, batch_size=batch_size)
        (asked,), given = put.targets, put.inputs
        said = entries(found, given)
        keys = keyed.contents(given.parts, given.owners, len(given))
        values = torch.cat([said.values[None], said.drawn(keys, draws=self.draws, seed=self.seed)])
        whole = precise(asked(put.outputs)).cpu()
        lost, told = [], []
        each = max(1, put.model.size // len(given))
        for first in range(0, self.samples, each):
            some = range(first, min(first + each, self.samples))
            steps, copies, of = _stepped(given, noise, some, self.seed)
            answers = precise(asked.take(of)(put.model.predict(copies))).cpu()
            lost.append(whole - answers.reshape(-1, len(given)))
            told += [_dot(values, step, said.owner, len(given)) for step in steps]
        return self._missed(torch.stack(told, -1), torch.cat(lost).T.expand(len(values), -1, -1))


def _stepped(
    inputs: Inputs, noise: float, samples: range, seed: int
) -> tuple[list[Float[Tensor, " entries"]], Inputs, Int[Tensor, " copies"]]:
    """The examples less noise, sample after sample, with the noise of each laid out as the values are."""
    found = drawn(inputs, seeds=[(seed, k) for k in samples], law="normal").map(lambda array: array * noise)
    of = torch.arange(len(inputs), device=inputs.device).repeat(len(samples))
    moved = {name: (array - found[name]).flatten(0, 1) for name, array in inputs.parts.items()}
    steps = [entries(found.map(lambda array, k=k: array[k]), inputs).values for k in range(len(samples))]
    return steps, inputs.take(of).replace(Parts(moved)), of


def _dot(values: Tensor, step: Tensor, owner: Tensor, count: int) -> Float[Tensor, "rows examples"]:
    return values.new_zeros(len(values), count).index_add_(1, owner, values * step)


def _losses(
    asked: Questions, measure: FaithfulnessCorrelation | SensitivityN | Infidelity, sets: Sets
) -> Iterator[tuple[Int[Tensor, " some"], Float[Tensor, "rows some sets"], Float[Tensor, "rows some sets"]]]:
    """For examples with as many features: which, what their values say of each set, and what the target loses."""
    random = asked.said.drawn(asked.keys, draws=measure.draws, seed=measure.seed)
    values = asked.said.table(torch.cat([asked.said.values[None], random]))
    resolution = _ROUNDINGS * torch.finfo(asked.put.outputs.dtype).eps
    for features, some in asked.groups(len(values) + 1):
        if not features:
            yield some, values.new_zeros(len(values), len(some), 1), values.new_zeros(len(values), len(some), 1)
            continue
        gone = sets(features)
        example = some.repeat_interleave(len(gone))
        answers = asked.without(example, lambda copy, gone=gone: ~gone[copy % len(gone)]).reshape(len(some), -1)
        whole = asked.whole[some][:, None]
        lost = torch.where((whole - answers).abs() <= resolution * whole.abs(), 0.0, whole - answers)
        yield some, values[:, some, :features] @ gone.double().T, lost.expand(len(values), -1, -1)
