"""Gradient-weighted class activation mapping, at the last layer or averaged over all."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from attar.core.attribution import Attribution
from attar.core.error import exact
from attar.core.errors import UnsupportedError
from attar.core.inputs import Inputs
from attar.core.model import Activation, Layered
from attar.core.parts import Parts
from attar.core.target import Target


@dataclass(frozen=True, kw_only=True)
class GradCAM:
    """Layer outputs weighted by the target's gradient, the sign kept.

    One value per row; for an image, per position of the layer's map (`Float[Tensor, "batch height width"]`).
    `averaged`: a channel's weight is the mean of its gradient over the example's rows (and a map's positions), as
    published; otherwise each has its own gradient (HiResCAM; what Sanchez-Lengeling et al. 2020 ran on graphs).
    `every_layer`: the mean over all layers instead of the last. In units of the target; positive supports it. Equal
    to CAM on the maps that the head pools.
    Misleads where averaging mixes rows of opposite gradient.
    Source: Selvaraju et al. 2017, arXiv:1610.02391, eq. 1-2, without its ReLU; Draelos & Carin 2020,
    arXiv:2011.08891.
    Raises `UnsupportedError` where the layers' maps differ in size and cannot be averaged.
    """

    every_layer: bool = False
    averaged: bool = True

    needs: ClassVar[type] = Layered

    def __call__(self, model: Layered, inputs: Inputs, target: Target) -> Attribution:
        layers = model.layers if self.every_layer else model.layers[-1:]
        output, activations = model.activations(inputs, target, layers)
        maps = [self._map(activation, inputs) for activation in activations]
        sizes = {name: tuple(map_.shape) for name, map_ in maps[0].items()}
        if any({name: tuple(map_.shape) for name, map_ in other.items()} != sizes for other in maps):
            raise UnsupportedError(
                f"the maps of layers {', '.join(layers)} differ in size and have no mean; name layers of one size, or "
                "ask for the last alone with every_layer=False"
            )
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
        return (layer.values * gradient).map(lambda weighted: weighted.sum(1))


def _mean_over_rows(gradient: torch.Tensor, owner: torch.Tensor, count: int) -> torch.Tensor:
    """A channel's mean over its example's rows and their positions, laid out to multiply the gradient's layer."""
    each = gradient.flatten(2).mean(2) if gradient.ndim > 2 else gradient
    total = torch.zeros(count, each.shape[1], dtype=each.dtype).index_add_(0, owner, each)
    rows = torch.bincount(owner, minlength=count).clamp(min=1).to(each.dtype)
    return (total / rows[:, None])[owner].reshape(*each.shape, *[1] * (gradient.ndim - 2))
