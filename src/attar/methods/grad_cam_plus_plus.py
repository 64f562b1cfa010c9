"""GradCAM++: a channel's weight from the places that make the target grow."""

from dataclasses import dataclass

import torch
from torch import Tensor

from attar.core.inputs import Inputs
from attar.core.model import Activation
from attar.core.parts import Parts
from attar.estimation.layer_maps import LayerMaps, laid_out, over_rows


@dataclass(frozen=True, kw_only=True)
class GradCAMPlusPlus(LayerMaps):
    """Layer outputs weighted by a mean of the positive gradients that counts places by how much they alone explain.

    One value per row; for an image, per position of the layer's map (`Float[Tensor, "batch height width"]`). Meant to
    show every one of several objects, where GradCAM shows the largest. `every_layer`: the mean over all layers that the
    model was told, instead of the last. `positive`: negative values become 0, as published. Larger counts more, but
    the values do not grow with the target and do not sum to it.
    Misleads about what speaks against the target (negative gradients have no weight), and where activations can be
    negative: the denominator of the shares may then come near zero.
    Source: Chattopadhay et al. 2018, arXiv:1710.11063, section 3, of the target's exponential as there. Left out is its
    factor exp(target), the same for all places of an example, which overflows and decides nothing; so is the last
    ReLU. A place without gradient has no share.
    """

    def map(self, layer: Activation, inputs: Inputs) -> Parts:
        maps = {}
        for name, values in layer.values.items():
            gradient, owner = layer.gradient[name], inputs.owners[name]
            share = _shares(values, gradient, owner, len(inputs))
            weight = over_rows(share * torch.relu(gradient), owner, len(inputs))
            maps[name] = (laid_out(weight, owner, values.ndim) * values).sum(1)
        return Parts(maps)


def _shares(values: Tensor, gradient: Tensor, owner: Tensor, count: int) -> Tensor:
    """g² / (2 g² + g³ ΣA), divided through by g²."""
    below = 2 + gradient * laid_out(over_rows(values, owner, count), owner, values.ndim)
    return torch.where((gradient == 0) | (below == 0), 0, 1 / below)
