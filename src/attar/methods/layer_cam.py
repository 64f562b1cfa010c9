"""Layer class activation mapping: each place of a map weighed by its own gradient."""

from dataclasses import dataclass

import torch

from attar.core.inputs import Inputs
from attar.core.model import Activation
from attar.core.parts import Parts
from attar.estimation.layer_maps import LayerMaps


@dataclass(frozen=True, kw_only=True)
class LayerCAM(LayerMaps):
    """A layer's output times the target's gradient where that is positive, summed over channels.

    One value per row; for an image, per position of the layer's map (`Float[Tensor, "batch height width"]`): sharper
    than GradCAM in early layers, whose channels have no one weight. `every_layer`: the mean over all layers that the
    model was told, instead of the last. `positive`: negative values become 0, as published; an activation that is never
    negative (after a ReLU) has none. In units of the target.
    Misleads about what speaks against the target: a channel whose gradient is negative is left out, where
    `GradCAM(averaged=False)` shows it with its sign.
    Source: Jiang et al. 2021, doi:10.1109/TIP.2021.3089943, without its last ReLU and its scaling.
    """

    def map(self, layer: Activation, inputs: Inputs) -> Parts:  # noqa: ARG002
        return (layer.values * layer.gradient.map(torch.relu)).map(lambda weighted: weighted.sum(1))
