"""Pixels filled in from their neighbours, so that an image without some of them still looks like an image."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from attar.core.draws import draw
from attar.core.errors import InputError
from attar.core.features import Features, Grouped
from attar.core.inputs import Inputs, Tensors
from attar.core.parts import Parts, precise
from attar.estimation.absence import Absence

_SIDE, _CORNER = 1 / 6, 1 / 12  # what a neighbour counts
_TOLERANCE = 1e-10  # of the image's norm, or one rounding of its numbers where that is more


@dataclass(frozen=True, kw_only=True)
class NoisyLinear:
    """Each removed pixel is the weighted mean of its eight neighbours (sides 1/6, corners 1/12, those that there are),
    removed ones included: one linear system for each copy, solved to ten digits, or those that the input has; then
    `noise` times a normal number.

    For images `Float[Tensor, "batch channels height width"]`; a pixel goes with all its channels, `by` makes groups of
    pixels. The noise is that of the pixel's place, in units of the input, the same in every copy. An image of which
    nothing is left is its channels' means. Misleads less than a black square does: the copies stay near the data, but
    where a removed region is large it is smooth, which no image is.
    Raises `InputError` for inputs without height and width.
    Source: Rong et al. 2022, arXiv:2202.00449, section 4.3. Solved for all copies at once by conjugate gradients,
    which is exact for a weighted graph's Laplacian.
    """

    noise: float = 0.01
    seed: int = 0

    def without(self, inputs: Inputs, by: Callable[[Inputs], Features] | None) -> Absence:
        if not isinstance(inputs, Tensors) or inputs.values.ndim != 4:
            raise InputError("a linear imputation is for images (batch, channels, height, width): give a baseline")
        height, width = inputs.values.shape[2:]
        pixels = Grouped(group=torch.arange(height * width).reshape(height, width))(inputs)
        features = pixels if by is None else by(inputs)
        noise = self.noise * draw(inputs, seed=(self.seed,), law="normal")["input"]
        return _Filled(inputs=inputs, features=features, holder=_holder(features, inputs), noise=noise)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Filled:
    inputs: Tensors
    features: Features
    holder: Int[Tensor, "batch pixels"]  # the feature of each pixel in its example, or one more than there are
    noise: Tensor

    def copies(self, example: Tensor, row: Tensor, keep: Tensor) -> Inputs:  # noqa: ARG002
        always = keep.new_ones(len(keep), 1)
        kept = torch.cat([keep, always], 1).gather(1, self.holder[example].clamp(max=keep.shape[1]))
        image = self.inputs.values[example]
        gone = ~kept.reshape(len(kept), 1, *image.shape[2:])
        tolerance = max(_TOLERANCE, torch.finfo(image.dtype).eps)
        filled = _harmonic(precise(image), gone, tolerance) + self.noise[example]
        return self.inputs.replace(Parts({"input": torch.where(gone, filled.to(image), image)}))


def _holder(features: Features, inputs: Tensors) -> Int[Tensor, "batch pixels"]:
    """Raises `InputError` where the channels of a pixel are in different features, or an entry is shared."""
    share, (count, channels, height, width) = features.shares["input"], inputs.values.shape
    first = torch.zeros(count + 1, dtype=torch.long, device=inputs.device)
    first[1:] = torch.bincount(features.owner, minlength=count).cumsum(0)
    most = torch.iinfo(torch.long).max
    holder = torch.full((inputs.values.numel(),), most, device=inputs.device)
    holder[share.row] = share.feature - first[features.owner[share.feature]]
    holder = holder.reshape(count, channels, height * width)
    whole = bool((share.share == 1).all()) and len(share.row.unique()) == len(share.row)
    if not whole or not bool((holder == holder[:, :1]).all()):
        raise InputError("a pixel is imputed with all its channels and belongs to one feature: give groups of pixels")
    return holder[:, 0]


def _harmonic(
    image: Float[Tensor, "copies channels height width"], gone: Bool[Tensor, "copies 1 height width"], tolerance: float
) -> Float[Tensor, "copies channels height width"]:
    """The image with what is gone filled in. Each copy and channel stops by itself, whatever the others do."""
    count, channels, height, width = image.shape
    flat = image.reshape(-1, 1, height, width)
    inside = gone.expand(-1, channels, -1, -1).reshape(flat.shape).to(flat)
    weight = _neighbours(torch.ones_like(flat[:1]))

    def residual(values: Tensor) -> Tensor:
        return inside * (_neighbours(values) - weight * values)

    mean = flat.mean((2, 3), keepdim=True)
    values = torch.where(inside > 0, mean, flat)
    rest = residual(values)
    step, size = rest, rest.square().sum((1, 2, 3), keepdim=True)
    enough = tolerance**2 * flat.square().sum((1, 2, 3), keepdim=True)
    for _ in range(2 * height * width):
        going = size > enough
        if not bool(going.any()):
            break
        moved = -residual(step)
        along = (step * moved).sum((1, 2, 3), keepdim=True)
        length = torch.where(going & (along > 0), size / torch.where(along > 0, along, 1), 0.0)
        values, rest = values + length * step, rest - length * moved
        left = rest.square().sum((1, 2, 3), keepdim=True)
        step = rest + torch.where(going, left / torch.where(size > 0, size, 1), 0.0) * step
        size = torch.where(going, left, size)
    return values.reshape(count, channels, height, width)


def _neighbours(values: Float[Tensor, "copies 1 height width"]) -> Float[Tensor, "copies 1 height width"]:
    """Each pixel's neighbours, weighted and summed, none beyond the edge: along columns, then along rows, which takes
    half the time of the convolution that it is."""
    rows = pad(values, (0, 0, 1, 1))
    corners = rows[..., :-2, :] + rows[..., 2:, :]
    sides = pad(_SIDE * values + _CORNER * corners, (1, 1))
    return _SIDE * corners + sides[..., :-2] + sides[..., 2:]
