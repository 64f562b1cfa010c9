"""Volumes as pictures: three slices, with the attribution over them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from attar.core.errors import InputError
from attar.core.heat import FAINT, Legend, over
from attar.core.scene import Scene
from attar.core.svg import letters, outline, pixels, png, svg, unpacked

LEGEND = Legend(
    wide=344,
    mark="outline",
    marked="The line holds the voxels that the rule names, where each slice cuts them.",
    how="Three slices, seen from the front, from above and from the right, through the voxels that the rule names "
    "(through the strongest, where it names none). Above what the model sees, from low (black) to high (white), below "
    "the attribution over it: where grey shows, values are near 0.",
)
SIDE, GAP, HEAD = 109, 8, 16  # pixels of the page: of a slice, between two, of the letters above them
VIEWS = ("front: depth", "above: height", "right: width")


def as_json(volume: Scene) -> dict[str, Any]:
    """Its `depth`, `height`, `width`, and `slices` as PNG in a data address: one below the other, the front one first,
    grey from the voxel that is `lowest` (black) to the `highest` (white)."""
    array = volume.array[0].astype(float)
    depth, height, width = array.shape
    low, high = float(array.min()), float(array.max())
    grey = np.rint(255 * (array - low) / ((high - low) or 1.0)).astype(np.uint8)
    return {
        "depth": depth,
        "height": height,
        "width": width,
        "lowest": round(low, 3),
        "highest": round(high, 3),
        "slices": png(grey.reshape(depth * height, width)),
    }


def heat_map(
    example: Mapping[str, Any],
    values: Sequence[float],
    *,
    scale: float,
    outlined: Collection[int] = (),
    describe: str = "",
) -> str:
    """A slice across each axis, where it cuts most of the `outlined` voxels; of the values, where there are none.

    `example` is as `as_json` makes it. Raises `InputError` for another number of values than voxels.
    """
    grid = _grid(example)
    if len(values) != np.prod(grid):
        raise InputError(f"there are {len(values)} values for the {' x '.join(map(str, grid))} voxels of a volume")
    mask = np.zeros(len(values), dtype=bool)
    mask[list(outlined)] = True
    heat, mask = np.reshape(values, grid), mask.reshape(grid)
    seen = unpacked(example["slices"]).reshape(grid) / 255
    weight = mask if mask.any() else np.abs(heat)
    pieces = []
    for axis, view in enumerate(VIEWS):
        others = tuple(k for k in range(3) if k != axis)
        at = int(weight.sum(others).argmax())
        left = axis * (SIDE + GAP)
        pieces.append(letters(left, 11, f"{view} {at}", size=10.5, paint=FAINT))
        grey, values_there, held = (_slice(array, axis, at) for array in (seen, heat, mask))
        bare = np.rint(255 * np.repeat(grey[..., None], 3, 2)).astype(np.uint8)
        for shown, top in ((bare, HEAD), (over(grey, values_there, scale), HEAD + SIDE + GAP)):
            box = (float(left), float(top), float(SIDE), float(SIDE))
            pieces += [pixels(shown, box), outline(held, box)]
    return svg(pieces, (0, 0, LEGEND.wide, HEAD + 2 * SIDE + GAP), describe or f"a volume of {len(values)} voxels")


def written(example: Mapping[str, Any]) -> str:  # noqa: ARG001
    """Nothing to copy."""
    return ""


def part_name(example: Mapping[str, Any], voxel: int) -> str:
    depth, height, width = np.unravel_index(voxel, _grid(example))
    return f"depth {depth}, height {height}, width {width}"


def _grid(example: Mapping[str, Any]) -> tuple[int, int, int]:
    return example["depth"], example["height"], example["width"]


def _slice(array: np.ndarray, axis: int, at: int) -> np.ndarray:
    """The slice as it is looked at: top is up, but from above, where the front is below."""
    flat = array.take(at, axis)
    return (flat, flat[::-1], flat.T)[axis]
