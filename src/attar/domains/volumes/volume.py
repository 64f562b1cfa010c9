"""What volumes are made of: bodies added to a smooth field.

Axes are depth, height and width; front, top and left are where each begins. A body raises or lowers every voxel that it
covers by more than `THRESHOLD`, and no other. Values are in units of a typical body.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import uniform_filter

from attar.core.scene import Ground, Thing

THRESHOLD = 0.3
BODIES = ("blob", "shell", "plate", "rod")
TONES = ("bright", "dark")
ENDS = (("front", "back"), ("top", "bottom"), ("left", "right"))  # where depth, height and width begin and end
EXTENTS = {
    "blob": {"small": (4, 4), "large": (5, 5)},
    "shell": {"small": (4, 4), "large": (6, 6)},
    "plate": {"small": (5, 2), "large": (7, 2)},
    "rod": {"small": (3, 6), "large": (3, 10)},
}
"""Voxels across, and high."""
UPRIGHT = 1  # the axis of height
AMPLITUDES = 0.8, 1.3
FIELD, LUMPS, NOISE = 0.4, 0.2, 0.1
WAVES = 3  # cosines along each axis, of the smooth field
LUMP = 3  # voxels across


@dataclass(frozen=True, kw_only=True)
class Body(Thing):
    """A blob (a ball, weaker at its surface), a shell (a hollow one), a plate that lies or a rod that stands."""

    body: str
    tone: str
    size: str
    amplitude: float

    @property
    def stamp(self) -> Bool[np.ndarray, "*box"]:
        return _stamp(self.body, self.size)

    def called(self) -> Iterable[str]:
        """With the half along each axis that holds its middle, the second where it is between them."""
        middles = zip(self.corner, self.stamp.shape, self.grid, ENDS, strict=True)
        place = [names[2 * corner + extent >= side] for corner, extent, side, names in middles]
        return self.body, self.tone, self.size, *place

    def draw(self, canvas: Float[np.ndarray, "channels *box"]) -> None:
        signed = self.amplitude if self.tone == "bright" else -self.amplitude
        canvas += signed * _profile(self.body, self.size)


@dataclass(frozen=True, kw_only=True)
class Field(Ground):
    """A few slow waves; lumps of the size of small bodies and white noise over all."""

    def draw(self) -> tuple[Float[np.ndarray, "one *grid"], Float[np.ndarray, "one *grid"]]:
        generator = np.random.default_rng([self.seed, 47])
        field = generator.normal(0, FIELD / WAVES, (WAVES,) * len(self.grid))
        offset = generator.uniform(-FIELD, FIELD)
        for side in self.grid:  # takes the first axis of coefficients, gives the last axis of values
            field = np.tensordot(field, _waves(side), axes=(0, 0))
        lumps = uniform_filter(generator.standard_normal(self.grid), LUMP) * LUMP ** (len(self.grid) / 2)
        noise = LUMPS * lumps + NOISE * generator.standard_normal(self.grid)
        return (offset + field)[None], noise[None]


@lru_cache
def _waves(side: int) -> Float[np.ndarray, "waves side"]:
    return np.cos(np.pi * np.arange(WAVES)[:, None] * (np.arange(side) + 0.5) / side)


@lru_cache
def _stamp(body: str, size: str) -> Bool[np.ndarray, "*box"]:
    return _profile(body, size) > 0


@lru_cache
def _profile(body: str, size: str) -> Float[np.ndarray, "*box"]:
    """How strong the body is in each voxel of its box: one in the middle, nothing outside it."""
    across, along = EXTENTS[body][size]
    box = tuple(along if k == UPRIGHT else across for k in range(len(ENDS)))
    if body not in ("blob", "shell"):
        return np.ones(box)
    away = np.sqrt(sum((x - (across - 1) / 2) ** 2 for x in np.indices(box)))
    radius = across / 2 + 0.2  # so that the smallest ball is round and not a cube
    if body == "shell":
        return np.where((away <= radius) & (away > radius - 1.2), 1.0, 0.0)
    return np.where(away <= radius, 1 - 0.5 * (away / radius) ** 2, 0.0)
