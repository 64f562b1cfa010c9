"""Where in a picture something stands: a second picture that says so, and the picture without it."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from attar.core.errors import InputError
from attar.domains.images.read import Picture, read_picture, size_of

_HALF = 0.5


def read_mask(path: str | Path, of: str | Path) -> Bool[np.ndarray, "height width"]:
    """The mask in a file, for the picture in the file `of`: true where it is brighter than half.

    Raises `InputError` for one of another size than its picture, and for one that is true nowhere or everywhere.
    """
    grey = read_picture(path, Picture(grey=True)).inputs.parts["input"][0, 0].numpy()
    if grey.shape != (size := size_of(of)):
        raise InputError(
            f"{path} is a mask of {grey.shape[0]} x {grey.shape[1]} pixels for a picture of {size[0]} x {size[1]}: "
            "save it in the picture's size"
        )
    there = grey > _HALF
    if not there.any() or there.all():
        what = "brighter than half everywhere" if there.all() else "nowhere brighter than half"
        raise InputError(f"{path} is a mask that is {what}: paint white what stands there, and black all around it")
    return there


def painted_over(
    pixels: Float[np.ndarray, "channels height width"], gone: Bool[np.ndarray, "height width"]
) -> Float[np.ndarray, "channels height width"]:
    """The picture without what is `gone`: each of its pixels is given that of the place which lies as far on the other
    side of the nearest one that stays, so that grain and stripes go on.

    Where that place is gone too, or out of the picture, it is given one once this has been painted, or else the nearest
    one that stays. Nothing is drawn at random. Raises `InputError` where nothing stays.
    """
    from scipy.ndimage import distance_transform_edt

    if gone.all():
        raise InputError("all of the picture is gone, and nothing is left to paint it over with")
    height, width = gone.shape
    painted, gone = pixels.copy(), gone.copy()
    while gone.any():
        nearest: Any = distance_transform_edt(gone, return_distances=False, return_indices=True)
        here = np.stack(np.nonzero(gone))
        edge = np.stack([axis[gone] for axis in nearest])
        mirrored = 2 * edge - here
        inside = (mirrored >= 0).all(0) & (mirrored[0] < height) & (mirrored[1] < width)
        mirrored = np.where(inside, mirrored, edge)
        known = inside & ~gone[tuple(mirrored)]
        if not known.any():
            known, mirrored = np.ones(len(known), dtype=bool), edge
        painted[:, here[0][known], here[1][known]] = painted[:, mirrored[0][known], mirrored[1][known]]
        gone[here[0][known], here[1][known]] = False
    return painted
