"""The parts of a volume that a person would name: blocks, and blobs of like brightness."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.errors import InputError, UnsupportedError
from attar.core.features import Features, Share
from attar.core.inputs import Entries, Inputs
from attar.core.windows import Windows


class Lies(Protocol):
    """Says where a place of an array lies in the room, mm."""

    def mm(self, index: tuple[int, ...]) -> tuple[float, ...]: ...


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """Blocks of `side` voxels along each axis, side by side from the first voxel on, as features.

    For volumes as (batch, channels, depth, height, width); a block takes all channels. Where it is known where the
    voxels lie (`placed`), a block is called by its middle, in mm: x to the right, y to the front, z up.
    """

    side: int = 8
    placed: Lies | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.side < 1:
            raise InputError(f"side is {self.side}, expected 1 or more voxels")

    def __call__(self, inputs: Inputs) -> Features:
        _, volumes = _volumes(inputs, "blocks")
        cut = Windows(shape=(self.side,) * 3)(inputs)
        rule = f"blocks of {self.side} x {self.side} x {self.side}"
        firsts = [range(0, size, self.side) for size in volumes.shape[2:]]
        grid = np.stack(np.meshgrid(*firsts, indexing="ij"), -1).reshape(-1, 3)
        last = np.minimum(grid + self.side, volumes.shape[2:]) - 1
        names = _named("block", (grid + last) / 2, self.placed)
        return replace(cut, name="blocks", rule=rule, names=names * len(volumes))


@dataclass(frozen=True, kw_only=True)
class Blobs:
    """About `count` blobs of neighbouring voxels of like brightness for each volume, as features.

    SLIC in three dimensions: k-means over brightness and place, which counts the more the larger `compactness`. For
    volumes as (batch, 1, depth, height, width). Raises `InputError` for other shapes, `UnsupportedError` without
    scikit-image. Source: Achanta et al. 2012, doi:10.1109/TPAMI.2012.120, as scikit-image has it.
    """

    count: int = 200
    compactness: float = 0.1
    placed: Lies | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.count < 2:
            raise InputError(f"count is {self.count}, expected 2 or more blobs")

    def __call__(self, inputs: Inputs) -> Features:
        part, volumes = _volumes(inputs, "blobs")
        if volumes.shape[1] != 1:
            raise InputError(f"blobs need one channel, here are {volumes.shape[1]}: give blocks")
        feature, owner, names, first = [], [], [], 0
        for k, volume in enumerate(volumes.detach().cpu().numpy()):
            blobs = self.blobs(volume[0])
            size = np.bincount(blobs.ravel())
            middles = [np.bincount(blobs.ravel(), weights=axis.ravel()) / size for axis in np.indices(blobs.shape)]
            feature.append(torch.from_numpy(blobs.ravel()) + first)
            owner.append(torch.full((len(size),), k))
            names += _named("blob", np.stack(middles, 1), self.placed)
            first += len(size)
        features = torch.cat(feature)
        share = Share(features, torch.arange(len(features)), torch.ones(len(features)))
        moved = Share(*(array.to(volumes.device) for array in (share.feature, share.row, share.share)))
        owners = torch.cat(owner).to(volumes.device)
        return Features(
            name="blobs", rule=f"blobs ({self.count})", owner=owners, shares={part: moved}, names=tuple(names)
        )

    def blobs(self, volume: Float[np.ndarray, "depth height width"]) -> Int[np.ndarray, "depth height width"]:
        """The number of the blob that each voxel is in, from 0."""
        try:
            from skimage.segmentation import slic
        except ImportError as problem:
            raise UnsupportedError("blobs need scikit-image: pip install 'attar[images]'") from problem
        low, high = float(volume.min()), float(volume.max())
        scaled = (volume - low) / (high - low or 1.0)
        found = slic(
            scaled.astype(np.float64),
            n_segments=self.count,
            compactness=self.compactness,
            start_label=0,
            channel_axis=None,
        )
        return np.unique(found, return_inverse=True)[1].reshape(found.shape)


def half_mass_radius(
    values: Float[np.ndarray, "depth height width"], around: Sequence[int], sides: Sequence[float] = (1.0, 1.0, 1.0)
) -> float:
    """The radius in mm of the smallest ball around a voxel that holds half of all |values|; `sides` are a voxel's.

    Raises `InputError` where all values are 0.
    """
    mass = np.abs(values).ravel()
    if not mass.sum() > 0:
        raise InputError("all values are 0: no ball holds half of them")
    away = [(axis - at) * side for axis, at, side in zip(np.indices(values.shape), around, sides, strict=True)]
    distance = np.sqrt(sum(axis**2 for axis in away)).ravel()
    order = np.argsort(distance, kind="stable")
    held = np.cumsum(mass[order].astype(float))
    return float(distance[order][np.searchsorted(held, held[-1] / 2)])


def _volumes(inputs: Inputs, what: str) -> tuple[str, Tensor]:
    entries = inputs.by_entry()
    if not isinstance(entries, Entries):
        raise InputError(f"{what} are parts of volumes: give a tensor (batch, channels, depth, height, width)")
    part, volumes = entries.tensor(f"{what} are cut out of")
    if volumes.ndim != 5:
        raise InputError(f"{what} need volumes as (batch, channels, depth, height, width), not {tuple(volumes.shape)}")
    return part, volumes


def _named(what: str, middles: Float[np.ndarray, "parts 3"], placed: Lies | None) -> tuple[str, ...]:
    if placed is None:
        return tuple(f"{what} {n} (around {', '.join(f'{m:.0f}' for m in each)})" for n, each in enumerate(middles))
    room = [placed.mm(tuple(each)) for each in middles]
    return tuple(f"{what} {n} ({', '.join(f'{m:.0f}' for m in each)} mm)" for n, each in enumerate(room))
