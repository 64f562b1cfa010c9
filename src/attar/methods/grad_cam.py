"""Gradient-weighted class activation mapping, at the last layer or averaged over all."""

from dataclasses import dataclass

import torch
from torch import Tensor

from attar.core.inputs import Inputs
from attar.core.model import Activation
from attar.core.parts import Parts
from attar.estimation.layer_maps import LayerMaps, laid_out, over_rows


@dataclass(frozen=True, kw_only=True)
class GradCAM(LayerMaps):
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

    averaged: bool = True

    def map(self, layer: Activation, inputs: Inputs) -> Parts:
        gradient = layer.gradient
        if self.averaged:
            gradient = Parts({n: _mean_over_rows(g, inputs.owners[n], len(inputs)) for n, g in gradient.items()})
        return (layer.values * gradient).map(lambda weighted: weighted.sum(1))


def _mean_over_rows(gradient: Tensor, owner: Tensor, count: int) -> Tensor:
    places = over_rows(torch.ones_like(gradient[:, :1]), owner, count).clamp(min=1)
    return laid_out(over_rows(gradient, owner, count) / places, owner, gradient.ndim)
