"""Volumes at random: what a description leaves open varies, and so do strength, field and noise."""

from dataclasses import dataclass

import numpy as np

from attar.core.errors import InputError
from attar.core.scene_truth import Words
from attar.domains.volumes.truth import VOCABULARY
from attar.domains.volumes.volume import AMPLITUDES, ENDS, Body, Field

SMALLEST = 12  # voxels a side: a large rod and its borders


@dataclass(frozen=True)
class VolumeMaker:
    """Makes bodies and fields for volumes of `side` voxels along each axis."""

    side: int = 16

    def __post_init__(self) -> None:
        if self.side < SMALLEST:
            raise InputError(f"side is {self.side}, expected at least {SMALLEST} voxels, or a rod has no room")

    @property
    def _grid(self) -> tuple[int, ...]:
        return (self.side,) * len(ENDS)

    def ground(self, generator: np.random.Generator, what: Words | None = None) -> Field:  # noqa: ARG002
        return Field(grid=self._grid, seed=int(generator.integers(2**62)))

    def thing(self, generator: np.random.Generator, what: Words | None = None) -> Body:
        return Body(
            grid=self._grid,
            corner=(0, 0, 0),
            body=VOCABULARY.drawn("body", what, generator),
            tone=VOCABULARY.drawn("tone", what, generator),
            size=VOCABULARY.drawn("size", what, generator),
            amplitude=float(generator.uniform(*AMPLITUDES)),
        )
