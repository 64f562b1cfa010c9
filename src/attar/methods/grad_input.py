"""Gradient times input."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from attar.core.attribution import Attribution
from attar.core.inputs import Inputs
from attar.core.model import Chunked, Differentiable
from attar.core.target import Target
from attar.methods.gradient import Gradient


@dataclass(frozen=True, kw_only=True)
class GradInput:
    """How much of the target each entry carries, to first order: x · dy/dx.

    In units of the target; positive supports it. Exact for a linear model without bias, where it is W·x.
    Misleads where the output saturates (the gradient vanishes) and says nothing of a missing feature (x = 0).
    Source: Shrikumar et al. 2016, arXiv:1605.01713, section 2.
    """

    needs: ClassVar[type] = Differentiable

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        """Several targets, all from one forward."""
        gradients = Gradient().each(model, inputs, targets)
        return [replace(found, parts=inputs.parts * found.parts) for found in gradients]
