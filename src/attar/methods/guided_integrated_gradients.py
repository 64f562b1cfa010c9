"""Integrated Gradients along a path that moves first what matters least."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.attribution import Attribution, chained
from attar.core.baseline import Baseline, Zeros
from attar.core.error import Error
from attar.core.errors import InputError
from attar.core.inputs import Inputs
from attar.core.model import Chunked, Differentiable
from attar.core.parts import Parts, precise
from attar.core.target import Target
from attar.estimation.path_integral import jump_error, wide

_HELD = 2**26  # jumps of slopes that are held at once, steps times entries
_HIDDEN = 1.2  # times the error that jumps explain: some cancel within a step, and its ends show less than there was


@dataclass(frozen=True, kw_only=True)
class GuidedIntegratedGradients:
    """Integrated Gradients where at each of `steps` the entries of smallest gradient go first, `fraction` by fraction.

    In units of the target; positive supports it. No entry is further than `distance` (a share of the way) from where
    it would be on the straight path. Complete, as that is; less noise from directions that the path need not cross at
    their steepest. The error is that of the integral along the path which was taken, with a jump of the gradient
    anywhere within each step: it covers the true one in 95% of the examples or nearly, in less with 10 steps or fewer.
    Other `steps` take another path, and no error speaks of that choice.
    Misleads where order is meaning: the path is chosen by the gradients that it is to measure, so that of two entries
    that need each other the one that goes last gets more, and two that the model treats alike may get different values.
    Source: Kapishnikov et al. 2021, arXiv:2106.09788, algorithm 1. Ours: both ends of a step share its gradient
    (theirs takes that of the first), and ties are broken by position.
    """

    steps: int = 50
    fraction: float = 0.1
    distance: float = 0.02
    baseline: Baseline = field(default_factory=Zeros)

    needs: ClassVar[type] = Differentiable

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"steps is {self.steps}, expected at least 1")
        if not 0 < self.fraction <= 1:
            raise InputError(f"fraction is {self.fraction}, expected a share above 0 and at most 1")
        if not 0 <= self.distance <= 1:
            raise InputError(f"distance is {self.distance}, expected a share of the way from 0 to 1")

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        jumps = self.steps * sum(array.numel() for array in inputs.parts.values())
        few = max(1, len(inputs) * _HELD // max(1, jumps))
        if few >= len(inputs):
            return self._of_some(model, inputs, target)
        index = torch.arange(len(inputs), device=inputs.device).split(few)
        return chained([self._of_some(model, inputs.take(some), target.take(some)) for some in index])

    def _of_some(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        start = self.baseline(inputs)
        entries = _Entries.of(inputs)
        begin, end = entries.flat(start), entries.flat(inputs.parts)
        here, (reference, slope) = begin, entries.differentiated(model, begin, target)
        output, total, jumps = reference, torch.zeros_like(here), here.new_empty(self.steps, len(here))
        for step in range(1, self.steps + 1):
            arrived = step == self.steps
            there = end if arrived else self._moved(entries, begin, end, here, slope, step / self.steps)
            output, after = entries.differentiated(model, there, target)
            total = total + (there - here) * (slope + after) / 2
            jumps[step - 1] = (there - here) * (after - slope)
            here, slope = there, after
        # As many gaps as steps, in each of which the slope of what moved jumps somewhere.
        bound = _HIDDEN * jump_error(Parts({"entries": jumps}), {"entries": entries.owner}, len(inputs))
        rounding = max(torch.finfo(array.dtype).eps for array in inputs.parts.values()) * entries.summed(total.abs())
        return Attribution(
            parts=entries.parts(total),
            owners=inputs.owners,
            output=output,
            reference=reference,
            error=Error(
                bound + rounding, f"95% of where jumps may lie within the {self.steps} steps of the path taken"
            ),
            evaluations=torch.full((len(inputs),), self.steps + 1, device=inputs.device),
        )

    def _moved(
        self, entries: "_Entries", begin: Tensor, end: Tensor, here: Tensor, slope: Tensor, share: float
    ) -> Tensor:
        """So far along that the L1 distance to the end is what it is at this share of the straight path."""
        along = end - begin
        least, most = begin + max(share - self.distance, 0.0) * along, begin + min(share + self.distance, 1.0) * along
        behind = (least - here) * along.sign() > 0
        here = torch.where(behind, least, here)
        room = (most - here).abs()
        wanted = entries.summed((end - here).abs()) - (1 - share) * entries.summed(along.abs())
        # The moveable entries of an example, smallest slopes first, in blocks of `fraction` of all its entries.
        rank = entries.ranked(torch.where(room > 0, slope.abs(), torch.inf))
        block = (rank / (self.fraction * entries.count[entries.owner]).clamp(min=1)).long()
        blocks = int(block.max()) + 1 if len(block) else 1
        place = entries.owner * blocks + block
        in_block = precise(room.new_zeros(len(entries.count) * blocks)).index_add_(0, place, precise(room))
        before = in_block.reshape(-1, blocks).cumsum(1).flatten() - in_block
        missing = wanted.repeat_interleave(blocks) - before
        part = (missing / in_block.clamp(min=torch.finfo(in_block.dtype).tiny)).clamp(0, 1)
        return here + (most - here) * part[place].to(here.dtype)


@dataclass(frozen=True, eq=False)
class _Entries:
    """All entries of all parts in one row, each with its example; `count` of them in each."""

    inputs: Inputs
    owner: Int[Tensor, " entries"]
    count: Int[Tensor, " examples"]

    @classmethod
    def of(cls, inputs: Inputs) -> "_Entries":
        each = {name: array[:1].numel() if len(array) else 0 for name, array in inputs.parts.items()}
        owner = torch.cat([rows.repeat_interleave(each[name]) for name, rows in inputs.owners.items()])
        return cls(inputs, owner, torch.bincount(owner, minlength=len(inputs)))

    def flat(self, parts: Parts) -> Float[Tensor, " entries"]:
        return torch.cat([wide(array).flatten() for array in parts.values()])

    def parts(self, flat: Float[Tensor, " entries"]) -> Parts:
        shapes = self.inputs.parts
        pieces = flat.split([array.numel() for array in shapes.values()])
        return Parts(
            {n: piece.reshape(a.shape).to(a.dtype) for (n, a), piece in zip(shapes.items(), pieces, strict=True)}
        )

    def differentiated(self, model: Chunked, flat: Tensor, target: Target) -> tuple[Tensor, Tensor]:
        output, gradient = model.differentiate(self.inputs.replace(self.parts(flat)), target)
        return output, self.flat(gradient)

    def summed(self, flat: Tensor) -> Float[Tensor, " examples"]:
        return precise(flat.new_zeros(len(self.count))).index_add_(0, self.owner, precise(flat))

    def ranked(self, key: Float[Tensor, " entries"]) -> Int[Tensor, " entries"]:
        """The place of each entry among those of its example, the smallest first, from 0; ties in their own order."""
        order = key.argsort(stable=True)
        order = order[self.owner[order].argsort(stable=True)]
        first = self.count.cumsum(0) - self.count
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order), device=order.device)
        return rank - first[self.owner]
