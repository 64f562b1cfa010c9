"""A map over a layer's places made from its outputs and the target's gradient there: GradCAM and its kin."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
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
class LayerMaps(ABC):
    """The map of the last layer, or with `every_layer` the mean over all layers that the model was told; with
    `positive`, negative values become 0. Raises `UnsupportedError` where maps differ in size and have no mean."""

    every_layer: bool = False
    positive: bool = False

    needs: ClassVar[type] = Layered

    @abstractmethod
    def map(self, layer: Activation, inputs: Inputs) -> Parts:
        """One value for each row of a layer's output, or for each position of each row."""

    def __call__(self, model: Layered, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Any, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        """All targets from one forward pass."""
        layers = model.layers if self.every_layer else model.layers[-1:]
        return [
            Attribution(
                parts=(total := self._mean([self.map(each, inputs) for each in activations], layers)),
                owners={n: inputs.owners[n] for n in total},
                output=output,
                error=exact(len(inputs), inputs.device),
                evaluations=torch.ones(len(inputs), dtype=torch.long, device=inputs.device),
                layers=tuple(layers),
            )
            for output, activations in model.activations_each(inputs, targets, layers)
        ]

    def _mean(self, maps: list[Parts], layers: Sequence[str]) -> Parts:
        sizes = {name: tuple(map_.shape) for name, map_ in maps[0].items()}
        if any({name: tuple(map_.shape) for name, map_ in other.items()} != sizes for other in maps):
            raise UnsupportedError(
                f"the maps of layers {', '.join(layers)} differ in size and have no mean; name layers of one size, or "
                "ask for the last alone with every_layer=False"
            )
        if self.positive:
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
