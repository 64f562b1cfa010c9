"""Guided backpropagation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.error import exact
from attar.core.inputs import Inputs
from attar.core.model import Propagating
from attar.core.propagation import Operation, Propagation
from attar.core.target import Target


@dataclass(frozen=True, kw_only=True)
class GuidedBackprop:
    """The gradient, with what is negative dropped on its way back through every ReLU.

    In units of the target per unit of the input; it sums to nothing in particular. Without a ReLU it is the gradient.
    Misleads by its looks: it barely depends on the model or the class and draws the input's edges whatever the later
    layers are (Adebayo et al. 2018, arXiv:1810.03292; Nie et al. 2018, arXiv:1805.07039). Here for comparison.
    Source: Springenberg et al. 2014, arXiv:1412.6806, section 3.4. Ours: by operation, so that a ReLU counts however
    it is called, also as clamp(min=0), maximum(x, 0) or ReLU6.
    """

    needs: ClassVar[type] = Propagating

    def __call__(self, model: Propagating, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Propagating, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        return [
            Attribution(
                parts=found.values,
                owners=inputs.owners,
                output=found.output,
                error=exact(len(inputs), inputs.device),
                evaluations=torch.ones(len(inputs), dtype=torch.long, device=inputs.device),
            )
            for found in model.propagate_each(inputs, targets, Guided)
        ]


class Guided(Propagation):
    """Every operation as it is, but for ReLU."""

    def owns(self, name: str) -> bool:
        return not name.startswith("rnn_relu")  # whose ReLUs are inside

    def own(self, operation: Operation) -> Any:
        value = operation.call(*operation.inputs)
        return _Positive.apply(value) if _is_relu(operation) else value


_CUTS = ("clamp", "clamp_min", "clip", "threshold", "relu6", "hardtanh", "maximum", "fmax")


def _is_relu(operation: Operation) -> bool:
    """Or a ReLU with a ceiling: nothing of what is negative, and 1 as it is."""
    if operation.name == "relu":
        return True
    if operation.name not in _CUTS or len(operation.inputs) != 1:
        return False
    low, high = (operation.call(torch.full_like(operation.inputs[0], end)) for end in (-1.0, 1.0))
    return bool((low == 0).all()) and bool((high == 1).all())


class _Positive(torch.autograd.Function):
    """The same, and on the way back what of the gradient is positive."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient.clamp(min=0)
