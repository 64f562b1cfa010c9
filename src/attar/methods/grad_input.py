"""Gradient times input."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.baseline import Baseline, Zeros
from attar.core.errors import InputError
from attar.core.inputs import Inputs
from attar.core.method import Method
from attar.core.model import Chunked, Differentiable
from attar.core.parts import Parts
from attar.core.target import Target
from attar.methods.gradient import Gradient


@dataclass(frozen=True, kw_only=True)
class GradInput:
    """How much of the target each entry carries, to first order: (x - x') · dy/dx, x' the `baseline` (0).

    In units of the target; positive supports it. Exact for a linear model without bias, where it is W·x.
    The gradient is that of `base`: `SmoothGrad(base=Gradient())` makes it the mean over noisy copies, whose standard
    errors go along (a pixel's noise is then no part of what its gradient is multiplied by).
    Misleads where the output saturates (the gradient vanishes) and says nothing of a missing feature (x = 0).
    Source: Shrikumar et al. 2016, arXiv:1605.01713, section 2.
    """

    base: Method = field(default_factory=Gradient)
    baseline: Baseline = field(default_factory=Zeros)

    needs: ClassVar[type] = Differentiable

    def __post_init__(self) -> None:
        if not isinstance(self.base, Gradient) and not isinstance(getattr(self.base, "base", None), Gradient):
            raise InputError(f"base is {self.base!r}, expected Gradient(), or SmoothGrad(base=Gradient())")

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        """Several targets, all from one forward."""
        each = getattr(self.base, "each", None)
        gradients = [self.base(model, inputs, t) for t in targets] if each is None else each(model, inputs, targets)
        # Not less zero where that is meant: of a category there is no nothing.
        away = inputs.parts if isinstance(self.baseline, Zeros) else inputs.parts - self.baseline(inputs)
        return [_times(found, away) for found in gradients]


def _times(found: Attribution, away: Parts) -> Attribution:
    """Values and their standard errors times the way; half-widths keep their ratio to the standard errors."""
    if found.standard_error is None:
        return replace(found, parts=away * found.parts)
    spread = away.map(Tensor.abs) * found.standard_error
    before, after = (each.per_example(found.owners, len(found)) for each in (found.standard_error, spread))
    bound = found.error.bound * torch.where(before > 0, after / torch.where(before > 0, before, 1.0), 0.0)
    error = replace(found.error, bound=bound)
    return replace(found, parts=away * found.parts, standard_error=spread, error=error)
