"""The parts of a photo that a person would name: superpixels, or squares."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from attar.core.errors import InputError, UnsupportedError
from attar.core.features import Features, Share
from attar.core.inputs import Entries, Inputs


@dataclass(frozen=True, kw_only=True)
class Superpixels:
    """About `count` patches of like colour for each picture, as features: methods that take parts away take these.

    SLIC: k-means over colour (CIE Lab) and place, which count the more equally the larger `compactness` is. For
    pictures as (batch, channels, height, width), three channels of red, green and blue or one of grey; numbers on any
    one scale. A patch is called by its place among thirds of the picture, from the top left: "patch 12 (top right)".
    Where nothing is like its neighbours (pure noise) they are squares. Raises `InputError` for other shapes,
    `UnsupportedError` without scikit-image.
    Source: Achanta et al. 2012, doi:10.1109/TPAMI.2012.120, as scikit-image has it.
    """

    count: int = 49
    compactness: float = 10.0

    def __post_init__(self) -> None:
        if self.count < 2:
            raise InputError(f"count is {self.count}, expected 2 or more superpixels")

    def __call__(self, inputs: Inputs) -> Features:
        entries = inputs.by_entry()
        if not isinstance(entries, Entries):
            raise InputError("superpixels are parts of pictures: give a tensor (batch, channels, height, width)")
        part, pictures = entries.tensor("superpixels are cut out of")
        if pictures.ndim != 4 or pictures.shape[1] not in (1, 3):
            raise InputError(
                f"superpixels need pictures as (batch, 1 or 3 channels, height, width), not {tuple(pictures.shape)}"
            )
        feature, row, owner, names, first = [], [], [], [], 0
        each = pictures[0].numel()
        for k, picture in enumerate(pictures.detach().cpu().numpy()):
            patches = self.patches(picture)
            count = int(patches.max()) + 1
            feature.append(torch.from_numpy(np.tile(patches.ravel(), len(picture))) + first)
            row.append(torch.arange(each) + k * each)
            owner.append(torch.full((count,), k))
            names += [f"patch {n} ({place})" for n, place in enumerate(_places(patches))]
            first += count
        rows = torch.cat(row)
        share = Share(torch.cat(feature), rows, torch.ones(len(rows)))
        device = pictures.device
        moved = Share(*(array.to(device) for array in (share.feature, share.row, share.share)))
        return Features(
            name="superpixels",
            rule=f"superpixels ({self.count})",
            owner=torch.cat(owner).to(device),
            shares={part: moved},
            names=tuple(names),
        )

    def patches(self, picture: Float[np.ndarray, "channels height width"]) -> Int[np.ndarray, "height width"]:
        """The number of the patch that each pixel is in, from 0, in reading order of where patches begin."""
        try:
            from skimage.segmentation import slic
        except ImportError as problem:
            raise UnsupportedError("superpixels need scikit-image: pip install 'attar[images]'") from problem
        low, high = float(picture.min()), float(picture.max())
        scaled = ((picture - low) / (high - low or 1.0)).transpose(1, 2, 0).astype(np.float64)
        colour = scaled if scaled.shape[2] == 3 else scaled[..., 0]
        found = slic(
            colour,
            n_segments=self.count,
            compactness=self.compactness if colour.ndim == 3 else self.compactness / 100,
            start_label=0,
            channel_axis=-1 if colour.ndim == 3 else None,
        )
        if found.min() == found.max():
            across = math.ceil(math.sqrt(self.count))
            down, along = (np.arange(size) * across // size for size in found.shape)
            found = down[:, None] * across + along
        return np.unique(found, return_inverse=True)[1].reshape(found.shape)


def _places(patches: Int[np.ndarray, "height width"]) -> list[str]:
    """Where among the thirds of the picture each patch has its middle."""
    height, width = patches.shape
    size = np.bincount(patches.ravel())
    rows, columns = np.mgrid[:height, :width]
    middle = [np.bincount(patches.ravel(), weights=axis.ravel()) / size for axis in (rows, columns)]
    down, along = (
        np.minimum(3 * where / span, 2.999).astype(int) for where, span in zip(middle, (height, width), strict=True)
    )
    named = [("top", "", "bottom"), ("left", "", "right")]
    words = [" ".join(filter(None, (named[0][d], named[1][a]))) for d, a in zip(down, along, strict=True)]
    return [word or "centre" for word in words]
