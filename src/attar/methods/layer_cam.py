"""Layer class activation mapping: each place of a map weighed by its own gradient."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from attar.core.attribution import Attribution
from attar.core.inputs import Inputs
from attar.core.model import Activation, Layered
from attar.core.parts import Parts
from attar.core.target import Target
from attar.methods.grad_cam import weighed


@dataclass(frozen=True, kw_only=True)
class LayerCAM:
    """A layer's output times the target's gradient where that is positive, summed over channels.

    One value per row; for an image, per position of the layer's map (`Float[Tensor, "batch height width"]`): sharper
    than GradCAM in early layers, whose channels have no one weight. `every_layer`: the mean over all layers that the
    model was told, instead of the last. `positive`: negative values become 0, as published; an activation that is never
    negative (after a ReLU) has none. In units of the target.
    Misleads about what speaks against the target: a channel whose gradient is negative is left out, where
    `GradCAM(averaged=False)` shows it with its sign.
    Source: Jiang et al. 2021, doi:10.1109/TIP.2021.3089943, without its last ReLU and its scaling.
    """

    every_layer: bool = False
    positive: bool = False

    needs: ClassVar[type] = Layered

    def __call__(self, model: Layered, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Any, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        layers = model.layers if self.every_layer else model.layers[-1:]
        return weighed(model, inputs, targets, layers, _map, positive=self.positive)


def _map(layer: Activation, _: Inputs) -> Parts:
    return (layer.values * layer.gradient.map(torch.relu)).map(lambda weighted: weighted.sum(1))
