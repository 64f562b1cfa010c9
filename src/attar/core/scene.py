"""Scenes: things drawn on a ground. What made pictures, signals and volumes have in common.

A scene is a description, drawn when its array is asked for: with a thing taken out, all else comes out bit for bit
the same, noise included, so that a thing's mask is exactly where the two differ.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from math import prod
from typing import Any, Self

import numpy as np
from jaxtyping import Bool, Float, Int

from attar.core.choices import Mask


@dataclass(frozen=True, kw_only=True)
class Thing(ABC):
    """One thing, drawn in a box of the grid whose first cell is `corner`. Cells outside its stamp it leaves alone."""

    grid: tuple[int, ...]
    corner: tuple[int, ...]

    @property
    @abstractmethod
    def stamp(self) -> Bool[np.ndarray, "*box"]:
        """Which cells of its box it covers; in each it changes a channel by more than the domain's threshold."""

    @abstractmethod
    def called(self) -> Iterable[str]:
        """All words for it, of its place too."""

    @abstractmethod
    def draw(self, canvas: Float[np.ndarray, "channels *box"]) -> None:
        """Draw it, in place, where it covers its box."""

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(self.called())

    def at(self, corner: np.ndarray) -> Self:
        return replace(self, corner=tuple(corner.tolist()))

    @property
    def box(self) -> tuple[slice, ...]:
        return tuple(slice(c, c + n) for c, n in zip(self.corner, self.stamp.shape, strict=True))

    @cached_property
    def cells(self) -> Int[np.ndarray, "cells axes"]:
        return np.argwhere(self.stamp) + self.corner

    @cached_property
    def parts(self) -> Mask:
        """Its cells by number, in the order of the flattened grid."""
        return frozenset(np.atleast_1d(np.ravel_multi_index(tuple(self.cells.T), self.grid)).tolist())


@dataclass(frozen=True, kw_only=True)
class Ground(ABC):
    """What things are drawn on: the same seed gives the same numbers."""

    grid: tuple[int, ...]
    seed: int

    def called(self) -> Iterable[str]:
        """All words for it: none, unless a motif can name it."""
        return ()

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(self.called())

    @abstractmethod
    def draw(self) -> tuple[Float[np.ndarray, "channels *grid"], Float[np.ndarray, "channels *grid"]]:
        """The empty canvas, and the noise that is added when all is drawn."""


@dataclass(frozen=True)
class Scene:
    """Things on a ground, none within a cell of another or of the border: part 0 is always ground.

    `wanted` is how many things it was meant to have, distractors included.
    """

    ground: Ground
    things: tuple[Thing, ...] = ()
    wanted: int = 0

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}  # its array is drawn again where it is needed

    @cached_property
    def array(self) -> Float[np.ndarray, "channels *grid"]:
        """Drawn, in single precision; not to be written to."""
        canvas, noise = self.ground.draw()
        for thing in self.things:
            thing.draw(canvas[(slice(None), *thing.box)])
        array = (canvas + noise).astype(np.float32)
        array.setflags(write=False)
        return array

    @property
    def size(self) -> int:
        return prod(self.ground.grid)

    @cached_property
    def bare(self) -> Mask:
        """The parts that no thing covers."""
        return frozenset(range(self.size)).difference(*(thing.parts for thing in self.things))

    def with_(self, thing: Thing) -> Self:
        return replace(self, things=(*self.things, thing))

    def without(self, thing: Thing) -> Self:
        return replace(self, things=tuple(other for other in self.things if other is not thing))

    def on(self, ground: Ground) -> Self:
        return replace(self, ground=ground)


def room(scene: Scene, box: tuple[int, ...]) -> Int[np.ndarray, "corners axes"]:
    """The corners at which a box of this shape is clear of the border and of every thing's box, by a cell or more."""
    free = np.ones([max(n - size - 1, 0) for n, size in zip(scene.ground.grid, box, strict=True)], dtype=bool)
    for thing in scene.things:
        taken = zip(thing.corner, thing.stamp.shape, box, strict=True)
        free[tuple(slice(max(corner - size - 1, 0), corner + extent) for corner, extent, size in taken)] = False
    return np.argwhere(free) + 1


def box_gap(
    thing: Thing, corners: Int[np.ndarray, "corners axes"], box: tuple[int, ...]
) -> Int[np.ndarray, " corners"]:
    """Cells between the thing's box and a box at each corner: a lower bound of `gap`, for all corners at once."""
    before = np.array(thing.corner) - (corners + box)
    behind = corners - (np.array(thing.corner) + thing.stamp.shape)
    return np.maximum(before, behind).max(1)


@lru_cache(maxsize=8192)
def gap(one: Thing, other: Thing) -> int:
    """Cells between the nearest cells of the two, along the axis where they are most apart (Chebyshev): 0 if they
    touch, at a corner too."""
    apart = np.abs(one.cells[:, None] - other.cells[None]).max(2)
    return int(apart.min()) - 1
