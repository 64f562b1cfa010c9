"""Rules about scenes: a motif describes a thing in words, a match is the cells that such a thing covers."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product
from typing import Protocol

import numpy as np

from attar.core.choices import Mask
from attar.core.errors import InputError
from attar.core.motif import AnyOf, Motif, alternatives, quoted
from attar.core.note import listed
from attar.core.rule import Match, Path
from attar.core.scene import Ground, Scene, Thing

GROUND = "background"


class Description(Protocol):
    """What a motif says."""

    @property
    def of_ground(self) -> bool:
        """Whether it speaks of the ground, not of a thing."""
        ...

    def fits(self, one: Thing | Ground, /) -> bool: ...


@dataclass(frozen=True)
class Words:
    """Fits what may be called all of these."""

    said: frozenset[str]

    @property
    def of_ground(self) -> bool:
        return any(word.endswith(f" {GROUND}") for word in self.said)

    def fits(self, one: Thing | Ground, /) -> bool:
        return self.said <= one.words


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The words of a domain, by kind (colour, shape, …). A ground's word is two: "snow background"."""

    kinds: Mapping[str, tuple[str, ...]]

    def read(self, text: str) -> Words:
        """The words of a motif, in any order, parted by spaces.

        Raises: InputError for a word that is none, for two of one kind, for a ground with words of a thing.
        """
        said: dict[str, str] = {}
        for word in re.findall(rf"\S+ {GROUND}(?!\S)|\S+", text):
            kind = self._kind_of.get(word)
            if kind is None:
                raise InputError(f"{quoted(word)} is no word for this: write {self}, at most one of each kind.")
            if kind in said:
                raise InputError(
                    f"{quoted(text)} says two words of {kind}, {said[kind]} and {word}: write one, or join two motifs "
                    "by or."
                )
            said[kind] = word
        words = Words(frozenset(said.values()))
        if not said or (words.of_ground and len(said) > 1):
            what = "says nothing" if not said else "gives a background what only a thing has"
            raise InputError(f"{quoted(text)} {what}: write words such as {quoted(next(iter(self._kind_of)))}.")
        return words

    def descriptions(self, words: frozenset[str], most: int) -> Iterator[str]:
        """Every motif of at most so many words that fits what may be called these, the shortest first."""
        known = [[word for word in of_kind if word in words] for of_kind in self.kinds.values()]
        for number in range(1, most + 1):
            for kinds in combinations(filter(None, known), number):
                yield from map(" ".join, product(*kinds))

    def drawn(self, kind: str, what: Words | None, generator: np.random.Generator) -> str:
        """The word of that kind that was said, or one at random."""
        known = self.kinds[kind]
        said = [word for word in known if what is not None and word in what.said]
        return said[0] if said else known[generator.integers(len(known))]

    def __str__(self) -> str:
        return listed([f"{kind} ({', '.join(of_kind)})" for kind, of_kind in self.kinds.items()])

    @cached_property
    def _kind_of(self) -> dict[str, str]:
        return {word: kind for kind, of_kind in self.kinds.items() for word in of_kind}


@dataclass(frozen=True)
class SceneFinder:
    """Finds things by what `read` makes of a motif; a match is all cells of the thing (of a ground: all that is bare).

    A path is two things with `shortest` to `longest` cells between them by `gap(scene, first, last)`, which is None
    where two are not joined. The cells between carry nothing and are not part of the match.

    Raises: InputError for a motif that `read` cannot read or that grows, for a path to a ground, and for `along`.
    """

    read: Callable[[str], Description]
    gap: Callable[[Scene, Thing, Thing], int | None]

    def find(self, motif: Motif, scene: Scene, /) -> list[Match]:
        what = self._described(motif)
        found = [thing.parts for thing in scene.things if what.fits(thing)]
        if what.fits(scene.ground):
            found.append(scene.bare)
        return [Match(parts, {} if motif.name is None else {motif.name: parts}) for parts in found]

    def find_paths(self, path: Path, scene: Scene, /) -> list[Match]:
        if path.along:
            raise InputError(f"What lies between two things is no thing: leave out what {path} says after its lengths.")
        firsts, lasts = self._ends(path.first, scene), self._ends(path.last, scene)
        by_parts: dict[Mask, Match] = {}
        for (first, one), (last, other) in product(firsts, lasts):
            between = None if one is other else self.gap(scene, one, other)
            if between is not None and path.shortest <= between <= path.longest:
                match = _match((first, one), (last, other))
                by_parts.setdefault(match.parts, match)
        return list(by_parts.values())

    def _ends(self, motif: Motif | AnyOf, scene: Scene) -> list[tuple[Motif, Thing]]:
        """Every thing that fits, with the first alternative that it fits."""
        choices = [(one, self._described(one)) for one in alternatives(motif)]
        for one, what in choices:
            if what.of_ground:
                raise InputError(f"A path joins two things, and {quoted(one.text)} is a background: say it by has.")
        fitting = [(next((one for one, what in choices if what.fits(thing)), None), thing) for thing in scene.things]
        return [(one, thing) for one, thing in fitting if one is not None]

    def _described(self, motif: Motif) -> Description:
        if motif.grow is not None:
            raise InputError(f"A thing is found whole: leave out grow {quoted(motif.grow)}.")
        return self.read(motif.text)


def _match(*ends: tuple[Motif, Thing]) -> Match:
    named: dict[str, Mask] = {}
    for motif, thing in ends:
        if motif.name is not None:
            named[motif.name] = named.get(motif.name, frozenset()) | thing.parts
    return Match(frozenset().union(*(thing.parts for _, thing in ends)), named)
