"""What pictures are made of: shapes painted on a backdrop.

Colours are red, green and blue between 0 and about 1, not clipped. All four colours of a shape are equally bright in
the mean over channels and textures leave that mean, as are the three backdrops, so that brightness tells none of them.
Each colour of a shape has a channel near 0 where every backdrop has 0.35 or more: a shape differs from any backdrop by
more than `THRESHOLD` in every pixel it covers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float

from attar.core.scene import Ground, Thing
from attar.core.scene_truth import GROUND

THRESHOLD = 0.05
COLOURS = {
    "red": (0.70, 0.10, 0.10),
    "green": (0.10, 0.70, 0.10),
    "blue": (0.10, 0.10, 0.70),
    "yellow": (0.43, 0.43, 0.04),
}
SHAPES = ("circle", "square", "triangle", "cross", "ring")
TEXTURES = ("plain", "striped", "dotted", "checked")
ACROSS = {"small": (6, 7), "large": (9, 10)}  # pixels
BACKDROPS = {"sky": (0.50, 0.60, 0.70), "grass": (0.52, 0.74, 0.54), "snow": (0.56, 0.58, 0.60)}
OUTER, CENTRE = (("top", "bottom"), ("left", "right")), "centre"
NOISE = 0.04


@dataclass(frozen=True, kw_only=True)
class Shape(Thing):
    """A shape `across` pixels wide and high; `light` scales its colour, `slanted` turns its texture."""

    shape: str
    colour: str
    texture: str
    size: str
    across: int
    light: float
    slanted: bool

    @property
    def stamp(self) -> Bool[np.ndarray, "across across"]:
        return _stamp(self.shape, self.across)

    def called(self) -> Iterable[str]:
        return self.shape, self.colour, self.texture, self.size, *self._place()

    def _place(self) -> list[str]:
        """The outer thirds that its middle is in; the centre, if in none."""
        words = []
        for corner, side, (first, last) in zip(self.corner, self.grid, OUTER, strict=True):
            middle = corner + self.across / 2
            if 3 * middle < side:
                words.append(first)
            elif 3 * middle >= 2 * side:
                words.append(last)
        return words or [CENTRE]

    def draw(self, canvas: Float[np.ndarray, "channels across across"]) -> None:
        tint = _tint(self.texture, self.shape, self.across, self.slanted)
        canvas[:, self.stamp] = self.light * np.array(COLOURS[self.colour])[:, None] * tint


@dataclass(frozen=True, kw_only=True)
class Backdrop(Ground):
    """Sky is a smooth gradient, grass has blades, snow has flakes; how bright and which way varies."""

    kind: str

    def called(self) -> Iterable[str]:
        return (f"{self.kind} {GROUND}",)

    def draw(self) -> tuple[Float[np.ndarray, "channels height width"], Float[np.ndarray, "channels height width"]]:
        generator = np.random.default_rng([self.seed, 41])
        height, width = self.grid
        brightness, angle = generator.uniform(0.92, 1.08), generator.uniform(0, 2 * np.pi)
        down, along = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
        detail = 0.06 * (down * np.sin(angle) + along * np.cos(angle))
        if self.kind == "grass":
            blades = generator.uniform(-1, 1, (-(-height // 4), width)).repeat(4, axis=0)[:height]
            detail = detail + 0.07 * blades
        if self.kind == "snow":
            detail = detail + 0.1 * (generator.random((height, width)) < 0.2)
        canvas = brightness * np.array(BACKDROPS[self.kind])[:, None, None] + detail
        # Of a generator of its own: the noise over the shapes stays when the backdrop alone is changed.
        return canvas, NOISE * np.random.default_rng([self.seed, 42]).standard_normal(canvas.shape)


@lru_cache
def _stamp(shape: str, across: int) -> Bool[np.ndarray, "across across"]:
    """The pixels whose middle lies in the shape, in a box that it touches on all sides."""
    y, x = 2 * np.mgrid[:across, :across] + 1 - across  # in half pixels from the middle: whole numbers, no rounding
    radius = np.hypot(x, y)
    stamp = {
        "circle": radius <= across,
        "square": np.ones_like(x, dtype=bool),
        "triangle": 2 * np.abs(x) <= y + across + 1,
        "cross": 3 * np.minimum(np.abs(x), np.abs(y)) <= across,
        "ring": (radius <= across) & (radius > across / 2),
    }[shape]
    stamp.setflags(write=False)
    return stamp


@lru_cache
def _tint(texture: str, shape: str, across: int, slanted: bool) -> Float[np.ndarray, " pixels"]:
    """How bright each pixel that the shape covers is, one in the mean."""
    y, x = np.mgrid[:across, :across]
    if slanted:
        y, x = x, y
    dark = {
        "plain": np.zeros_like(x, dtype=bool),
        "striped": y // 2 % 2 == 1,
        "dotted": (x % 3 == 1) & (y % 3 == 1),
        "checked": (x // 2 + y // 2) % 2 == 1,
    }[texture]
    tint = np.where(dark, 0.4, 1.0)[_stamp(shape, across)]
    return tint / tint.mean()
