"""Gradient-weighted class activation mapping, at the last layer or averaged over all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

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
    `every_layer`: the mean over all layers that the model was told, instead of the last. `positive`: what speaks
    against the target becomes 0, as published. In units of the target; positive supports it. Equal to CAM on the maps
    that the head pools.
    Misleads where averaging mixes rows of opposite gradient.
    Source: Selvaraju et al. 2017, arXiv:1610.02391, eq. 1-2, without its ReLU; Draelos & Carin 2020,
    arXiv:2011.08891.
    Raises `UnsupportedError` where the layers' maps differ in size and cannot be averaged.
    """

    every_layer: bool = False
    averaged: bool = True
    positive: bool = False

    needs: ClassVar[type] = Layered

    def __call__(self, model: Layered, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Any, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        layers = model.layers if self.every_layer else model.layers[-1:]
        return weighed(model, inputs, targets, layers, self._map, positive=self.positive)

    def _map(self, layer: Activation, inputs: Inputs) -> Parts:
        gradient = layer.gradient
        if self.averaged:
            gradient = Parts({n: _mean_over_rows(g, inputs.owners[n], len(inputs)) for n, g in gradient.items()})
        return (layer.values * gradient).map(lambda weighted: weighted.sum(1))


def weighed(
    model: Any,
    inputs: Inputs,
    targets: Sequence[Target],
    layers: Sequence[str],
    weigh: Callable[[Activation, Inputs], Parts],
    *,
    positive: bool,
) -> list[Attribution]:
    """The mean over layers of the maps that `weigh` makes of them, for each target from one forward pass."""
    return [
        Attribution(
            parts=(total := _mean([weigh(each, inputs) for each in activations], layers, positive=positive)),
            owners={n: inputs.owners[n] for n in total},
            output=output,
            error=exact(len(inputs), inputs.device),
            evaluations=torch.ones(len(inputs), dtype=torch.long, device=inputs.device),
            layers=tuple(layers),
        )
        for output, activations in model.activations_each(inputs, targets, layers)
    ]


def _mean(maps: list[Parts], layers: Sequence[str], *, positive: bool) -> Parts:
    sizes = {name: tuple(map_.shape) for name, map_ in maps[0].items()}
    if any({name: tuple(map_.shape) for name, map_ in other.items()} != sizes for other in maps):
        raise UnsupportedError(
            f"the maps of layers {', '.join(layers)} differ in size and have no mean; name layers of one size, or "
            "ask for the last alone with every_layer=False"
        )
    if positive:
        maps = [map_.map(torch.relu) for map_ in maps]
    total = maps[0]
    for other in maps[1:]:
        total = total + other
    return total / len(maps)


def over_rows(array: Tensor, owner: Tensor, count: int) -> Tensor:
    """Each channel summed over its example's rows and their positions: `Float[Tensor, "batch channels"]`."""
    each = array.flatten(2).sum(2) if array.ndim > 2 else array
    return each.new_zeros(count, each.shape[1]).index_add_(0, owner, each)


def laid_out(by_example: Tensor, owner: Tensor, axes: int) -> Tensor:
    """A number per example and channel, laid out to multiply a layer's output of so many axes."""
    return by_example[owner].reshape(len(owner), by_example.shape[1], *[1] * (axes - 2))


def _mean_over_rows(gradient: Tensor, owner: Tensor, count: int) -> Tensor:
    places = over_rows(torch.ones_like(gradient[:, :1]), owner, count).clamp(min=1)
    return laid_out(over_rows(gradient, owner, count) / places, owner, gradient.ndim)
