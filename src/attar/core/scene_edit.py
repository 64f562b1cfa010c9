"""Scenes made and edited: a thing drawn where there is room, or left out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from attar.core.editor import Group
from attar.core.errors import InputError
from attar.core.motif import AnyOf, Motif, alternatives
from attar.core.planting import TRIES
from attar.core.rule import Match, Path
from attar.core.scene import Ground, Scene, Thing, box_gap, room
from attar.core.scene_truth import Description, SceneFinder

DRAWN = 5  # things at random, before a scene is said to have no room for one


class Maker(Protocol):
    """How a domain makes what its scenes are made of. `what` is a motif as its finder reads it; the rest is random."""

    def ground(self, generator: np.random.Generator, what: Any = None) -> Ground: ...

    def thing(self, generator: np.random.Generator, what: Any = None) -> Thing:
        """A thing that the description fits, but for where it is: that is chosen where there is room."""
        ...


@dataclass(frozen=True, kw_only=True)
class ScenePlanter:
    """Draws things and leaves them out. A scene wants `fewest` to `most` things: what was not planted `distract` adds.

    Planted alone, a thing would tell by its being one more; with distractors to the same number it cannot.
    Raises: InputError unless 1 <= fewest <= most.
    """

    finder: SceneFinder
    maker: Maker
    fewest: int
    most: int

    def __post_init__(self) -> None:
        if not 1 <= self.fewest <= self.most:
            raise InputError(f"a scene has 1 <= fewest <= most things, got {self.fewest} and {self.most}")

    def background(self, generator: np.random.Generator) -> Scene:
        """A ground with one thing at random, and the number of things that it will want."""
        wanted = int(generator.integers(self.fewest, self.most + 1))
        scene = Scene(self.maker.ground(generator), wanted=wanted)
        return self.distract(scene, generator) or scene

    def distract(self, example: Scene, generator: np.random.Generator) -> Scene | None:
        if len(example.things) >= example.wanted:
            return None
        for _ in range(DRAWN):
            placed = self._placed(example, None, generator)
            if placed is not None:
                return example.with_(placed)
        return None

    def plant(self, example: Scene, what: Motif | Path, generator: np.random.Generator) -> Scene | None:
        """The scene with such a thing, or two things joined, or on such a ground (a scene has one)."""
        if isinstance(what, Path):
            return self._joined(example, what, generator)
        described = self.finder.read(what.text)
        if described.of_ground:
            if described.fits(example.ground):
                return None
            return example.on(replace(self.maker.ground(generator, described), seed=example.ground.seed))
        placed = self._placed(example, described, generator)
        return None if placed is None else example.with_(placed)

    def remove(self, example: Scene, match: Match, generator: np.random.Generator) -> Scene:
        """The scene without the thing; of two joined, without one of them; on a ground of another name."""
        if 0 in match.parts and example.ground.words:  # no thing covers part 0
            before, after = example.ground, example.ground
            while after.words == before.words:
                after = self.maker.ground(generator)
            return example.on(replace(after, seed=before.seed))
        inside = [thing for thing in example.things if thing.parts <= match.parts]
        if frozenset().union(*(thing.parts for thing in inside)) != match.parts:
            return example  # one that it needs has gone with another match
        return example.without(inside[generator.integers(len(inside))])

    def _placed(self, scene: Scene, what: Description | None, generator: np.random.Generator) -> Thing | None:
        thing = self.maker.thing(generator, what)
        for corner in generator.permutation(room(scene, thing.stamp.shape)):
            placed = thing.at(corner)
            if what is None or what.fits(placed):
                return placed
        return None

    def _joined(self, scene: Scene, path: Path, generator: np.random.Generator) -> Scene | None:
        first, last = (self._one_of(end, generator) for end in (path.first, path.last))
        there = [thing for thing in scene.things if first.fits(thing)]
        if there and generator.random() < 0.5:
            one = there[generator.integers(len(there))]
        else:
            one = self._placed(scene, first, generator)
            if one is None:
                return None
            scene = scene.with_(one)
        other = self.maker.thing(generator, last)
        corners = room(scene, other.stamp.shape)
        near = box_gap(one, corners, other.stamp.shape) <= path.longest
        for corner in generator.permutation(corners[near]):
            placed = other.at(corner)
            if last.fits(placed):
                between = self.finder.gap(scene, one, placed)
                if between is not None and path.shortest <= between <= path.longest:
                    return scene.with_(placed)
        return None

    def _one_of(self, motif: Motif | AnyOf, generator: np.random.Generator) -> Description:
        choices = alternatives(motif)
        return self.finder.read(choices[generator.integers(len(choices))].text)


@dataclass(frozen=True)
class SceneEditor:
    """Groups are all descriptions of what a scene shows, by `describe`, and need not be told."""

    finder: SceneFinder
    planter: ScenePlanter
    describe: Callable[[Thing | Ground], Iterable[str]]

    def groups(self, example: Scene) -> list[Group]:
        ground = [Group(text, example.bare) for text in self.describe(example.ground)]
        return [Group(text, thing.parts) for thing in example.things for text in self.describe(thing)] + ground

    def places(self, example: Scene, name: str) -> list[frozenset[int]]:
        return [match.parts for match in self.finder.find(Motif(name), example)]

    def insert(self, example: Scene, name: str, generator: np.random.Generator) -> Iterable[Scene]:
        for _ in range(TRIES):
            edited = self.planter.plant(example, Motif(name), generator)
            if edited is not None:
                yield edited

    def remove(self, example: Scene, name: str, generator: np.random.Generator) -> Scene:
        for match in self.finder.find(Motif(name), example):
            example = self.planter.remove(example, match, generator)
        return example
