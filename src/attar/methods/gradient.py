"""The plain gradient."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from attar.core.attribution import Attribution
from attar.core.error import exact
from attar.core.inputs import Inputs
from attar.core.model import Chunked, Differentiable
from attar.core.target import Target


@dataclass(frozen=True, kw_only=True)
class Gradient:
    """How fast the target changes with each entry: dy/dx.

    In units of the target per unit of the entry; positive where more of the entry raises the target. Exact.
    Misleads where it is read as a share of the output, which it is not (a zero may have the largest gradient); across
    entries in different units (grams against kilograms); and where the output saturates, for it speaks of the next
    small step alone. Known as saliency, there often without its sign.
    Source: Simonyan et al. 2014, arXiv:1312.6034, section 3; we keep the sign and do not take a maximum over channels.
    """

    needs: ClassVar[type] = Differentiable

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        """Several targets, all from one forward."""
        return [
            Attribution(
                parts=gradient,
                owners=inputs.owners,
                output=output,
                error=exact(len(inputs), inputs.device),
                evaluations=torch.ones(len(inputs), dtype=torch.long, device=inputs.device),
            )
            for output, gradient in model.differentiate_each(inputs, targets)
        ]
