"""Integrated Gradients along a path of blurs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.error import check_tolerance
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Inputs, Named
from attar.core.model import Chunked, Differentiable
from attar.core.parts import Parts
from attar.core.target import Target
from attar.core.waves import of_waves, squared_frequencies, waves_of
from attar.estimation.path_integral import FEWEST, copies, path_integral, shaped, wide

_SHARP = 1.0  # positions: above, sigma falls by the same share in every step of t; below, by the same amount


@dataclass(frozen=True, kw_only=True)
class BlurIntegratedGradients:
    """What the target gained at each position while the input came into focus, from a blur of `sigma` positions.

    In units of the target; positive supports it. For arrays (batch, channels, *positions) with any number of axes of
    positions. The reference is the blurred input, so no colour must be taken for absence. Complete: the values sum to
    output - reference as the error goes to 0; `tolerance`, `budget` and the error are those of Integrated Gradients.
    Misleads where a blurred input is no absence: what is wider than `sigma`, such as the brightness of all of a
    picture, is still there and gets nothing (50 positions are much of a picture and little of a sound). Axes after the
    second are blurred whatever they mean: not for channels that stand last, nor for embeddings of tokens.
    Raises `UnsupportedError` for inputs without positions.
    Source: Xu et al. 2020, arXiv:2004.03383. Ours: Gaussian blur with mirrored edges, exact through cosine
    transforms, and steps of sigma that are about the same share of it; the integral is the same for any steps.
    """

    sigma: float = 50.0
    tolerance: float = 0.01
    budget: int = 216

    needs: ClassVar[type] = Differentiable

    def __post_init__(self) -> None:
        if not 0 < self.sigma < math.inf:
            raise InputError(f"sigma is {self.sigma}, expected a positive number of positions")
        check_tolerance(self.tolerance)
        if self.budget < FEWEST:
            raise InputError(f"budget is {self.budget}, expected at least {FEWEST} gradient evaluations per example")

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        for name, array in inputs.parts.items():
            if array.ndim < 3 or len(array) != len(inputs):
                others = "; or name the inputs that have some in Named(…, only=)" if isinstance(inputs, Named) else ""
                raise UnsupportedError(
                    f"{name} has shape {tuple(array.shape)}, a blur needs (batch, channels, *positions): for inputs "
                    f"without positions take IntegratedGradients{others}"
                )
        waves = inputs.parts.map(lambda array: waves_of(wide(array), axes=array.ndim - 2))
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
        given = self.inputs.parts
        points, speeds = {}, {}
        for name, waves in self.waves.items():
            grown = torch.exp(math.log1p(self.sigma / _SHARP) * (1 - t))
            sigma, faster = _SHARP * (grown - 1), _SHARP * math.log1p(self.sigma / _SHARP) * grown
            sigma, faster = shaped(sigma, waves[None]), shaped(faster, waves[None])
            squares, axes = squared_frequencies(waves), waves.ndim - 2
            decay = -0.5 * sigma**2 * squares
            # What is lost, off the input: at t = 1 that is nothing, and the input is what it was to the last digit.
            blurred = wide(given[name]) + of_waves(waves * torch.expm1(decay), axes)
            points[name] = blurred.flatten(0, 1).to(given[name].dtype)
            speeds[name] = of_waves(waves * torch.exp(decay) * (sigma * faster * squares), axes)
        return copies(self.inputs, len(t)).replace(Parts(points)), Parts(speeds)
