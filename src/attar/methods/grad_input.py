"""Gradient times input."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from attar.core.attribution import Attribution
from attar.core.error import exact
from attar.core.inputs import Inputs
from attar.core.model import Differentiable
from attar.core.target import Target


@dataclass(frozen=True, kw_only=True)
class GradInput:
    """How much of the target each entry carries, to first order: x · dy/dx.

    In units of the target; positive supports it. Exact for a linear model without bias, where it is W·x.
    Misleads where the output saturates (the gradient vanishes) and says nothing of a missing feature (x = 0).
    Source: Shrikumar et al. 2016, arXiv:1605.01713, section 2.
    """

    needs: ClassVar[type] = Differentiable

    def __call__(self, model: Differentiable, inputs: Inputs, target: Target) -> Attribution:
        output, gradient = model.differentiate(inputs, target)
        return Attribution(
            parts=inputs.parts * gradient,
            owners=inputs.owners,
            output=output,
            error=exact(len(inputs)),
            evaluations=torch.ones(len(inputs), dtype=torch.long),
        )
