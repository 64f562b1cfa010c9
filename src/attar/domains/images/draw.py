"""Pictures as pictures: as they are, and with the attribution over them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from attar.core.errors import InputError
from attar.core.heat import Legend, over
from attar.core.scene import Scene
from attar.core.svg import outline, pixels, png, svg, unpacked

LEGEND = Legend(
    wide=344,
    mark="outline",
    marked="The line holds the pixels that the rule names.",
    how="On the left what the model sees, on the right the attribution over the same in grey: where grey shows, values "
    "are near 0.",
)
SIDE = 168  # pixels of the page, of either


def as_json(picture: Scene) -> dict[str, Any]:
    """Its `height`, `width`, and `pixels` as PNG in a data address; light beyond 1 is cut off."""
    seen = np.rint(255 * np.clip(picture.array, 0, 1)).astype(np.uint8).transpose(1, 2, 0)
    return {"height": seen.shape[0], "width": seen.shape[1], "pixels": png(seen)}


def heat_map(
    example: Mapping[str, Any],
    values: Sequence[float],
    *,
    scale: float,
    outlined: Collection[int] = (),
    describe: str = "",
) -> str:
    """Two panels; the `outlined` pixels are held in a line in both. `example` is as `as_json` makes it.

    Raises `InputError` for another number of values than pixels.
    """
    grid = example["height"], example["width"]
    if len(values) != np.prod(grid):
        raise InputError(f"there are {len(values)} values for the {grid[0]} x {grid[1]} pixels of a picture")
    seen = unpacked(example["pixels"])
    mask = np.zeros(len(values), dtype=bool)
    mask[list(outlined)] = True
    tall = SIDE * grid[0] / grid[1]
    heat = over(seen.mean(2) / 255, np.reshape(values, grid), scale)
    pieces = []
    for shown, left in ((seen, 0.0), (heat, LEGEND.wide - SIDE)):
        box = (left, 0.0, float(SIDE), tall)
        pieces += [pixels(shown, box), outline(mask.reshape(grid), box)]
    return svg(pieces, (0, 0, LEGEND.wide, tall), describe or f"a picture of {grid[0]} x {grid[1]} pixels")


def written(example: Mapping[str, Any]) -> str:  # noqa: ARG001
    """Nothing to copy."""
    return ""


def part_name(example: Mapping[str, Any], pixel: int) -> str:
    row, column = divmod(pixel, example["width"])
    return f"row {row}, column {column}"
