"""Gradient-weighted class activation mapping, at the last layer or averaged over all."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from attar.core.attribution import Attribution
from attar.core.error import exact
from attar.core.inputs import Inputs
from attar.core.model import Activation, Layered
from attar.core.parts import Parts
from attar.core.target import Target


@dataclass(frozen=True, kw_only=True)
class GradCAM:
    """Layer outputs weighted by the target's gradient, one value per row; the sign is kept.

    `averaged`: a channel's weight is the mean of its gradient over the example's rows, as published; otherwise
    each row has its own gradient (HiResCAM; what Sanchez-Lengeling et al. 2020 ran on graphs). `every_layer`:
    the mean over all layers instead of the last. Positive supports the target; units are the target's times rows.
    Misleads where averaging mixes rows of opposite gradient.
    Source: Selvaraju et al. 2017, arXiv:1610.02391, eq. 1-2, without its ReLU; Draelos & Carin 2020,
    arXiv:2011.08891.
    """

    every_layer: bool = False
    averaged: bool = True

    needs: ClassVar[type] = Layered

    def __call__(self, model: Layered, inputs: Inputs, target: Target) -> Attribution:
        layers = model.layers if self.every_layer else model.layers[-1:]
        output, activations = model.activations(inputs, target, layers)
        maps = [self._map(activation, inputs) for activation in activations]
        total = maps[0]
        for other in maps[1:]:
            total = total + other
        return Attribution(
            parts=total / len(maps),
            owners={n: inputs.owners[n] for n in total},
            output=output,
            error=exact(len(inputs)),
            evaluations=torch.ones(len(inputs), dtype=torch.long),
        )

    def _map(self, layer: Activation, inputs: Inputs) -> Parts:
        gradient = layer.gradient
        if self.averaged:
            gradient = Parts({n: _mean_over_rows(g, inputs.owners[n], len(inputs)) for n, g in gradient.items()})
        return (layer.values * gradient).per_row()


def _mean_over_rows(gradient: torch.Tensor, owner: torch.Tensor, count: int) -> torch.Tensor:
    total = torch.zeros(count, *gradient.shape[1:], dtype=gradient.dtype).index_add_(0, owner, gradient)
    rows = torch.bincount(owner, minlength=count).clamp(min=1).to(gradient.dtype)
    return (total / rows.reshape(-1, *[1] * (gradient.ndim - 1)))[owner]
