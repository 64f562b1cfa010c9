"""Pictures at random: what a description leaves open varies, and so do light, noise and backdrop."""

from dataclasses import dataclass

import numpy as np

from attar.core.errors import InputError
from attar.core.scene_truth import GROUND, Words
from attar.domains.images.picture import ACROSS, Backdrop, Shape
from attar.domains.images.truth import VOCABULARY

SMALLEST = 16  # pixels a side: a large shape and its border take 13


@dataclass(frozen=True)
class PictureMaker:
    """Makes shapes and backdrops for pictures of `side` × `side` pixels."""

    side: int = 32

    def __post_init__(self) -> None:
        if self.side < SMALLEST:
            raise InputError(f"side is {self.side}, expected at least {SMALLEST} pixels, or no shape has room")

    def ground(self, generator: np.random.Generator, what: Words | None = None) -> Backdrop:
        kind = VOCABULARY.drawn(GROUND, what, generator).removesuffix(f" {GROUND}")
        return Backdrop(grid=(self.side, self.side), seed=int(generator.integers(2**62)), kind=kind)

    def thing(self, generator: np.random.Generator, what: Words | None = None) -> Shape:
        size = VOCABULARY.drawn("size", what, generator)
        return Shape(
            grid=(self.side, self.side),
            corner=(0, 0),
            shape=VOCABULARY.drawn("shape", what, generator),
            colour=VOCABULARY.drawn("colour", what, generator),
            texture=VOCABULARY.drawn("texture", what, generator),
            size=size,
            across=int(generator.choice(ACROSS[size])),
            light=float(generator.uniform(0.9, 1.1)),
            slanted=bool(generator.integers(2)),
        )
