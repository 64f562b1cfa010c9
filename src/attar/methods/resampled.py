"""A map at the size of the input: each of its places spread over the pixels, samples or voxels that it stands for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from attar.core.attribution import Attribution
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Inputs
from attar.core.method import Method
from attar.core.model import Predictor
from attar.core.parts import Parts
from attar.core.target import Target
from attar.methods.grad_cam import GradCAM


@dataclass(frozen=True, kw_only=True)
class Resampled:
    """The map of `base` (GradCAM and its kin, attention rollout) at the size of the input.

    Linear interpolation that keeps sums: what a place of the map counts is shared out among the pixels around it, so
    that values stay in units of the target and a complete map stays complete; a map twice as fine has values a quarter
    as large. One value per position, whatever the channels (`Float[Tensor, "batch height width"]`); of signals and
    volumes too. `channels` is the input's axis of channels (-1: last). `grid`: the rows and columns of the patches that
    the last tokens of a map stand for, row by row; what the tokens before them count (a class token) goes to
    `unassigned`.
    Misleads about sharpness: a pixel has no value of its own, only a share of what its surroundings have.
    Raises `UnsupportedError` where the axes of the map are not those of the input.
    """

    base: Method = field(default_factory=GradCAM)
    channels: int = 1
    grid: tuple[int, ...] | None = None

    needs: ClassVar[type] = Predictor

    def __call__(self, model: Any, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Any, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        each = getattr(self.base, "each", None)
        asked = each(model, inputs, targets) if each else [self.base(model, inputs, target) for target in targets]
        return [self._at_the_input(found, inputs) for found in asked]

    def _at_the_input(self, found: Attribution, inputs: Inputs) -> Attribution:
        if self.grid is not None:
            found = _without_first_tokens(found, self.grid)
        sizes = {
            name: size_of_positions(inputs.parts[name], map_.ndim - 1, self.channels)
            for name, map_ in found.parts.items()
        }
        parts = Parts({n: interpolated(map_, sizes[n], keep_sums=True) for n, map_ in found.parts.items()})
        return replace(found, parts=parts, standard_error=None)


def size_of_positions(array: Tensor, axes: int, channels: int) -> tuple[int, ...]:
    """How long the axes of an input are that a map of so many axes runs over."""
    size = tuple(array.shape[1:])
    if len(size) == axes + 1:
        if not -len(size) <= channels <= len(size) or channels == 0:
            raise InputError(f"channels is {channels}, expected an axis of the input after the first: 1 to {len(size)}")
        at = channels - 1 if channels > 0 else channels % len(size)
        return size[:at] + size[at + 1 :]
    if len(size) == axes or axes == 0:
        return size[:axes]
    raise UnsupportedError(
        f"the map has {axes} axes of positions and an example of the input {len(size)}, with its channels; if they are "
        "tokens that stand for patches, say how they lie: Resampled(base=…, grid=(rows, columns))"
    )


def interpolated(maps: Tensor, size: Sequence[int], *, keep_sums: bool = False) -> Tensor:
    """The last axes, as many as sizes are given, stretched (linearly) or shrunk (by means) to those sizes.

    Along one axis after the other, so that there may be any number of them.
    """
    for axis, length in zip(range(maps.ndim - len(size), maps.ndim), size, strict=True):
        if maps.shape[axis] != length:
            unit = torch.eye(maps.shape[axis], dtype=maps.dtype, device=maps.device)[None]
            grown = length > maps.shape[axis]
            share = F.interpolate(unit, length, mode="linear" if grown else "area")[0]
            share = share / share.sum(1, keepdim=True) if keep_sums else share
            maps = (maps.movedim(axis, -1) @ share).movedim(-1, axis)
    return maps


def _without_first_tokens(found: Attribution, grid: tuple[int, ...]) -> Attribution:
    (name, map_), *more = found.parts.items()
    patches = math.prod(grid)
    if more or map_.ndim != 2 or map_.shape[1] < patches:
        raise UnsupportedError(
            f"a grid {grid} needs a map of {patches} tokens or more, this one is {tuple(map_.shape)}"
        )
    first = map_[:, : map_.shape[1] - patches].sum(1)
    return replace(
        found,
        parts=Parts({name: map_[:, map_.shape[1] - patches :].reshape(len(map_), *grid)}),
        unassigned=first if found.unassigned is None else found.unassigned + first,
    )
