"""Integrated Gradients along a path of blurs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Inputs
from attar.core.model import Chunked, Differentiable
from attar.core.parts import Parts
from attar.core.target import Target
from attar.estimation.path_integral import FEWEST, copies, path_integral, shaped

_SHARP = 1.0  # positions: above, sigma falls by the same share in every step of t; below, by the same amount


@dataclass(frozen=True, kw_only=True)
class BlurIntegratedGradients:
    """What the target gained at each position while the input came into focus, from a blur of `sigma` positions.

    In units of the target; positive supports it. For arrays (batch, channels, *positions) of any number of axes. The
    reference is the blurred input, so no colour must be taken for absence. Complete: the values sum to output -
    reference as the error goes to 0; `tolerance`, `budget` and the error are those of Integrated Gradients.
    Misleads where a blurred input is no absence: what fills the whole picture is still there, and gets nothing.
    Raises `UnsupportedError` for inputs without positions.
    Source: Xu et al. 2020, arXiv:2004.03383, eq. 6. Ours: Gaussian blur with mirrored edges, exact through cosine
    transforms, and steps of sigma that are about the same share of it; the integral is the same for any steps.
    """

    sigma: float = 50.0
    tolerance: float = 0.01
    budget: int = 216

    needs: ClassVar[type] = Differentiable

    def __post_init__(self) -> None:
        if not 0 < self.sigma < math.inf:
            raise InputError(f"sigma is {self.sigma}, expected a positive number of positions")
        if not 0 < self.tolerance < 1:
            raise InputError(f"tolerance is {self.tolerance}, expected between 0 and 1 (0.01 is one percent)")
        if self.budget < FEWEST:
            raise InputError(f"budget is {self.budget}, expected at least {FEWEST} gradient evaluations per example")

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        for name, array in inputs.parts.items():
            if array.ndim < 3 or len(array) != len(inputs):
                raise UnsupportedError(
                    f"{name} has shape {tuple(array.shape)}, a blur needs (batch, channels, *positions): for inputs "
                    "without positions take IntegratedGradients"
                )
        waves = inputs.parts.map(lambda array: _transformed(_wide(array), back=False))
        path = _Blurs(inputs, waves, self.sigma)
        return path_integral(model, path, targets, tolerance=self.tolerance, budget=self.budget)


@dataclass(frozen=True, eq=False)
class _Blurs:
    """From a blur of `sigma` to the input, whose cosine transforms are `waves`."""

    inputs: Inputs
    waves: Parts
    sigma: float

    def take(self, index: Int[Tensor, " examples"]) -> "_Blurs":
        return _Blurs(self.inputs.take(index), self.waves.map(lambda array: array[index]), self.sigma)

    def at(self, t: Float[Tensor, "nodes examples"]) -> tuple[Inputs, Parts]:
        points, speeds = {}, {}
        for name, waves in self.waves.items():
            grown = torch.exp(math.log1p(self.sigma / _SHARP) * (1 - t))
            sigma, faster = _SHARP * (grown - 1), _SHARP * math.log1p(self.sigma / _SHARP) * grown
            sigma, faster = shaped(sigma, waves[None]), shaped(faster, waves[None])
            squares, axes = _squared_frequencies(waves), waves.ndim - 2
            left = waves * torch.exp(-0.5 * sigma**2 * squares)
            points[name] = _transformed(left, back=True, axes=axes).flatten(0, 1)
            speeds[name] = _transformed(left * (sigma * faster * squares), back=True, axes=axes)
        given = self.inputs.parts
        blurred = Parts({name: array.to(given[name].dtype) for name, array in points.items()})
        return copies(self.inputs, len(t)).replace(blurred), Parts(speeds)


def _wide(array: Tensor) -> Tensor:
    return array.float() if array.dtype in (torch.float16, torch.bfloat16) else array


def _squared_frequencies(waves: Float[Tensor, "batch channels *positions"]) -> Float[Tensor, "*positions"]:
    """In radians per position, squared and summed over the axes."""
    total = waves.new_zeros(())
    for axis, length in enumerate(waves.shape[2:]):
        squares = (torch.arange(length, device=waves.device, dtype=waves.dtype) * (math.pi / length)) ** 2
        total = total + squares.reshape(-1, *[1] * (waves.ndim - 3 - axis))
    return total


def _transformed(array: Tensor, *, back: bool, axes: int | None = None) -> Tensor:
    """The cosine transform (II, orthonormal) along the last `axes`, all after channels if not said, or its inverse."""
    for axis in range(-(array.ndim - 2 if axes is None else axes), 0):
        length = array.shape[axis]
        k = torch.arange(length, device=array.device, dtype=array.dtype)
        table = torch.cos((k[:, None] * (k + 0.5)) * (math.pi / length)) * math.sqrt(2 / length)
        table[0] /= math.sqrt(2)
        array = (array.movedim(axis, -1) @ (table if back else table.T)).movedim(-1, axis)
    return array
