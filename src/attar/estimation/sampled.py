"""Features kept and taken away by chance, more of it example by example, to a tolerance."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.error import Error, half_widths
from attar.core.features import Features
from attar.core.inputs import Inputs, starts
from attar.core.model import Chunked
from attar.core.parts import Parts, precise
from attar.core.target import Target

SUMMED = 64  # roundings that a sum over draws may gather

_HELD = 2**24  # answers that are held at once


@dataclass(frozen=True, eq=False, kw_only=True)
class Question:
    """The targets of some examples, asked of copies that `copies` masks. The examples have equally many features."""

    model: Chunked
    targets: Sequence[Target]
    copies: Callable[[Int[Tensor, " copies"], Tensor], Inputs]

    def answers(self, examples: Int[Tensor, " batch"], keep: Tensor) -> Float[Tensor, "targets batch masks"]:
        """The same masks for every example, in double precision; laid out are as many copies as go into one call."""
        found = []
        for index in torch.arange(len(examples) * len(keep), device=keep.device).split(self.model.size):
            example = examples[index // len(keep)]
            outputs = self.model.predict(self.copies(example, keep[index % len(keep)]))
            found.append(torch.stack([precise(target.take(example)(outputs)) for target in self.targets]))
        return torch.cat(found, 1).reshape(len(self.targets), len(examples), len(keep))


def every_mask(features: int, device: torch.device) -> Bool[Tensor, "masks features"]:
    """All 2^features of them."""
    number = torch.arange(2**features, device=device)[:, None]
    return (number >> torch.arange(features, device=device)) % 2 == 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Estimate:
    """Values of some examples' features with their standard errors, from draws with so many degrees of freedom.

    `reference` is the target without any feature, where the values are counted from there; `said` is what more there is
    to say of each example.
    """

    values: Float[Tensor, "targets batch features"]
    errors: Float[Tensor, "targets batch features"]
    freedom: int
    used: int
    reference: Float[Tensor, "targets batch"] | None = None
    said: dict[str, Float[Tensor, "targets batch"]] = field(default_factory=dict)


class Sampler(Protocol):
    """Estimates that get better with draws, for the examples that it still holds."""

    def rounds(self) -> Sequence[int]:
        """Draws in all after each round, ascending."""
        ...

    def estimate(self, draws: int) -> Estimate: ...

    def hold(self, still: Bool[Tensor, " held"]) -> None:
        """Only these from now on."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Found:
    """What was found of a batch, filled in as it is found; examples with fewer features leave the rest at 0."""

    outputs: Float[Tensor, "targets batch"]
    values: Float[Tensor, "targets batch features"]
    errors: Float[Tensor, "targets batch features"]
    bound: Float[Tensor, "targets batch"]
    used: Int[Tensor, "targets batch"]
    reached: Bool[Tensor, "targets batch"]
    reference: Float[Tensor, "targets batch"] | None = None
    said: dict[str, Float[Tensor, "targets batch"]] = field(default_factory=dict)

    @classmethod
    def nothing(cls, outputs: Float[Tensor, "targets batch"], features: int, *, complete: bool = False) -> "Found":
        """No feature adds anything; `complete` where values count from a reference, which is then the output itself."""
        values = outputs.new_zeros(*outputs.shape, features)
        ones = torch.ones_like(outputs, dtype=torch.long)
        return cls(
            outputs=outputs,
            values=values,
            errors=values.clone(),
            bound=torch.zeros_like(outputs),
            used=ones,
            reached=ones.bool(),
            reference=outputs.clone() if complete else None,
        )

    def exactly(self, examples: Int[Tensor, " some"], estimate: Estimate) -> None:
        """Nothing was drawn: the estimate is what the definition says."""
        every = torch.ones_like(self.reached[:, examples])
        self._take(examples, every, estimate, torch.zeros_like(self.bound[:, examples]), every)

    def sampled(self, examples: Int[Tensor, " some"], sampler: Sampler, *, tolerance: float, resolution: float) -> None:
        """Until each example's sum of 95% half-widths (Student's t) is at most `tolerance` of its values' L1 norm.

        `resolution` is what rounding may make out of no change at all, per feature, as a share of the target with all
        features or without any: no error can be brought below that.
        """
        going = torch.ones_like(self.reached[:, examples])
        left = torch.arange(len(examples), device=examples.device)
        for draws in sampler.rounds():
            estimate = sampler.estimate(draws)
            bound = half_widths(estimate.errors.sum(-1), estimate.freedom)
            whole = self.outputs[:, examples[left]]
            about = whole.abs() if estimate.reference is None else torch.maximum(whole.abs(), estimate.reference.abs())
            floor = estimate.values.shape[-1] * resolution * about
            reached = bound <= tolerance * estimate.values.abs().sum(-1) + floor
            self._take(examples[left], going[:, left], estimate, bound, reached)
            going[:, left] &= ~reached
            still = going[:, left].any(0)
            if not bool(still.any()):
                return
            sampler.hold(still)
            left = left[still]

    def _take(self, examples: Tensor, where: Tensor, estimate: Estimate, bound: Tensor, reached: Tensor) -> None:
        """For the (target, example) pairs `where`, so that an answer does not depend on what else was asked."""
        used = torch.full_like(reached, estimate.used, dtype=torch.long)
        for name in estimate.said:
            self.said.setdefault(name, torch.ones_like(self.bound))
        flat = [(self.bound, bound), (self.used, used), (self.reached, reached)]
        if self.reference is not None and estimate.reference is not None:
            flat.append((self.reference, estimate.reference))
        flat += [(self.said[name], array) for name, array in estimate.said.items()]
        for mine, theirs in flat:
            mine[:, examples] = torch.where(where, theirs, mine[:, examples])
        for mine, theirs in ((self.values, estimate.values), (self.errors, estimate.errors)):
            some = mine[..., : theirs.shape[-1]]
            some[:, examples] = torch.where(where[..., None], theirs, some[:, examples])

    def attributions(self, outputs: Sequence[Tensor], lay: "Layout", how: str) -> list[Attribution]:
        """One for each target, in the precision of its output."""
        return [
            Attribution(
                parts=lay(self.values[k].to(output.dtype)),
                standard_error=lay(self.errors[k].to(output.dtype)),
                owners=lay.owners,
                names=lay.names,
                carried_by=lay.carried_by,
                output=output,
                reference=None if self.reference is None else self.reference[k].to(output.dtype),
                error=Error(self.bound[k], how, self.reached[k]),
                evaluations=self.used[k],
                measured={name: array[k] for name, array in self.said.items()},
            )
            for k, output in enumerate(outputs)
        ]


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the values of an example's features go: to features of their own, or to the rows that each of them is.

    The values are those of the `chosen` features, where some were asked and the others have 0.
    """

    features: Features
    inputs: Inputs
    on_rows: bool
    split: int = 1  # rows that share a feature's value evenly
    chosen: Bool[Tensor, " features"] | None = None

    def __call__(self, values: Float[Tensor, "batch features"]) -> Parts:
        every = self.features.owner
        owner = every if self.chosen is None else every[self.chosen]
        within = torch.arange(len(owner), device=owner.device) - starts(owner, len(self.inputs))[owner]
        each = values[owner, within] / self.split
        if self.chosen is not None:
            each = values.new_zeros(len(every)).masked_scatter(self.chosen, each)
        if not self.on_rows:
            return Parts({self.features.name: each})
        rows = Parts({part: each[share.feature] for part, share in self.features.shares.items()})
        return self.inputs.by_entry().laid_out(rows)

    @property
    def owners(self) -> Mapping[str, Int[Tensor, " rows"]]:
        return self.inputs.owners if self.on_rows else {self.features.name: self.features.owner}

    @property
    def names(self) -> Mapping[str, Sequence[str]]:
        named = not self.on_rows and self.features.names is not None
        return {self.features.name: self.features.names} if named else {}  # type: ignore[dict-item]

    @property
    def carried_by(self) -> str | None:
        return None if self.on_rows else self.features.rule


def by_count(features: Features, inputs: Inputs, each: int) -> list[tuple[int, Int[Tensor, " examples"]]]:
    """The examples that have so many features, as many together as may hold `each` answers."""
    counts = torch.bincount(features.owner, minlength=len(inputs))
    return [
        (number, some)
        for number in counts.unique().tolist()
        for some in (counts == number).nonzero()[:, 0].split(max(1, _HELD // each))
    ]
