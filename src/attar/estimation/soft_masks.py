"""Masks that are soft: a coarse grid of coins, interpolated to an input's size and shifted at random."""

from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.baseline import Baseline
from attar.core.errors import InputError
from attar.core.features import Features, Share
from attar.core.inputs import Inputs, Tensors
from attar.core.parts import Parts


@dataclass(frozen=True, eq=False, kw_only=True)
class SoftMasks:
    """Over any number of axes; entries along the axis `channels` share a mask.

    An axis no longer than `cells` has a coin for each of its places, and no shift.
    """

    inputs: Tensors
    absent: Tensor
    cells: int
    channels: int

    @classmethod
    def over(cls, inputs: Tensors, baseline: Baseline, *, cells: int, channels: int) -> "SoftMasks":
        """Raises `InputError` where the inputs have no such axis."""
        axes = inputs.values.ndim
        if not (1 <= channels < axes or -axes < channels <= -1):
            raise InputError(f"channels is axis {channels}, expected one of 1 to {axes - 1}, or from -1 backwards")
        return cls(inputs=inputs, absent=baseline(inputs)["input"], cells=cells, channels=channels % axes)

    @property
    def space(self) -> tuple[int, ...]:
        shape = self.inputs.values.shape
        return tuple(shape[1 : self.channels] + shape[self.channels + 1 :])

    @property
    def coins(self) -> int:
        """On the whole grid."""
        return prod(_nodes(length, self.cells) for length in self.space)

    @property
    def features(self) -> Features:
        """Each place with its entries."""
        places = prod(self.space)
        shape = self.inputs.values.shape
        example = torch.arange(shape[0], device=self.inputs.device)
        place = torch.arange(places, device=self.inputs.device).reshape(self.space).unsqueeze(self.channels - 1)
        feature = (example[:, None] * places + place.expand(shape[1:]).flatten()).flatten()
        row = torch.arange(len(feature), device=feature.device)
        share = Share(feature, row, torch.ones(len(row), device=row.device))
        return Features(name="places", rule="places", owner=example.repeat_interleave(places), shares={"input": share})

    def copies(self, example: Int[Tensor, " copies"], keep: Float[Tensor, "copies places"]) -> Inputs:
        mask = keep.to(self.absent).reshape(len(keep), *self.space).unsqueeze(self.channels)
        return self.inputs.replace(
            Parts({"input": torch.lerp(self.absent[example], self.inputs.values[example], mask)})
        )

    def spread(
        self, coins: Float[Tensor, "masks coins"], generator: np.random.Generator
    ) -> Float[Tensor, "masks places"]:
        """The coins interpolated between the nodes of one grid, whose shift is drawn."""
        grids = coins.reshape(len(coins), *(_nodes(length, self.cells) for length in self.space))
        for axis, length in enumerate(self.space, start=1):
            shift = int(generator.integers(_step(length, self.cells)))
            weights = _interpolation(length, self.cells, shift).to(coins)
            grids = (grids.movedim(axis, -1) @ weights.T).movedim(-1, axis)
        return grids.flatten(1)

    @property
    def concentration(self) -> float:
        """What a place's mask varies, as a share of what a coin does: the mean over shifts of its squared weights.

        Over all shifts a place lies 0, 1, … k − 1 k-ths of the way between two nodes, once each: wherever it is, the
        mean of (1 − f)² + f² is (2 + 1/k²) / 3.
        """
        return prod((2 + _step(length, self.cells) ** -2) / 3 for length in self.space)


def _step(length: int, cells: int) -> int:
    """Places between two nodes."""
    return -(-length // cells)


def _nodes(length: int, cells: int) -> int:
    """Enough for every shift."""
    step = _step(length, cells)
    return length if step == 1 else (length + step - 2) // step + 2


def _interpolation(length: int, cells: int, shift: int) -> Float[Tensor, "places nodes"]:
    """Linear between the two nodes beside a place; each row sums to 1."""
    place = (torch.arange(length, dtype=torch.float64)[:, None] + shift) / _step(length, cells)
    return (1 - (place - torch.arange(_nodes(length, cells))).abs()).clamp(min=0)
