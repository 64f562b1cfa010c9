"""DNA made and edited: a background that drifts, a motif put in, a match taken out by one letter, k-mers as groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from attar.core.editor import Group
from attar.core.errors import InputError
from attar.core.motif import AnyOf, Motif, alternatives
from attar.core.planting import PlantedEditor
from attar.core.rule import Match, Path
from attar.core.sites import Reading, Site, undone
from attar.domains.sequences.iupac import LETTERS, Iupac, read
from attar.domains.sequences.truth import DnaFinder, strands_of, told

ROOMS = 30  # places tried for one motif
INTACT, NEAR = 0.1, 0.2  # how often a background has each of its distractors as it is, and with a wrong letter


@dataclass(frozen=True)
class DnaPlanter:
    """Makes sequences of so many letters.

    A background is a Markov chain over pairs of letters. What differs from one to the next: how rich in G and C it is
    and how that drifts from its left end to its right, how far A and G outweigh T and C, how rare CG and TA are, how
    sticky letters are. On it lie distractors: each of `distractors` now and then as it is, more often with one wrong
    letter.

    A motif is written over letters that no distractor occupies, keeping those that fit already. A match is taken out by
    a single letter wherever one can do it.
    """

    length: int
    distractors: tuple[Motif, ...] = ()

    def __post_init__(self) -> None:
        if self.length < 1:
            raise InputError(f"length is {self.length} letters, expected at least 1")

    def background(self, generator: np.random.Generator) -> str:
        sequence = _drifting(self.length, generator)
        for motif in self.distractors:
            drawn = generator.random()
            if drawn < INTACT + NEAR:
                sequence = self._written(sequence, motif, generator, misspelt=drawn >= INTACT) or sequence
        return sequence

    def plant(self, example: str, what: Motif | Path, generator: np.random.Generator) -> str | None:
        before = len(_found(what, example))
        for _ in range(ROOMS):
            edited = self._written(example, what, generator)
            if edited is None:
                return None
            if len(_found(what, edited)) > before:
                return edited
        return None

    def remove(self, example: str, match: Match, generator: np.random.Generator) -> str | None:
        """One letter changed if one is enough: a palindrome read on both strands may take two."""
        readings = match.readings if isinstance(match, Site) else ({p: example[p] for p in match.parts},)
        return _misspelt(example, readings, generator)

    def _written(
        self, sequence: str, what: Motif | Path, generator: np.random.Generator, *, misspelt: bool = False
    ) -> str | None:
        taken = {place for motif in self.distractors for m in DnaFinder().find(motif, sequence) for place in m.parts}
        for reading in _rooms(what, len(sequence), generator):
            written = _spelt(sequence, reading, generator)
            if misspelt:
                written = _misspelt(written, (reading,), generator) or sequence
            if not any(written[place] != sequence[place] for place in taken):
                return written
        return None


@dataclass(frozen=True)
class KmerEditor(PlantedEditor):
    """Groups are all words of `sizes` letters that an example has, so that nobody need say what to look for."""

    sizes: tuple[int, ...] = (4, 5, 6)

    def groups(self, example: str) -> list[Group]:
        return [
            Group(word, frozenset(range(begin, begin + size)))
            for size in self.sizes
            for begin in range(len(example) - size + 1)
            if "N" not in (word := example[begin : begin + size])
        ]


def _rooms(what: Motif | Path, length: int, generator: np.random.Generator) -> Iterator[dict[int, str]]:
    """Places for it, in random order: what must stand where."""
    strands = strands_of(what) if isinstance(what, Path) else read(what.text).strands
    for _ in range(ROOMS):
        strand = strands[generator.integers(len(strands))]
        if isinstance(what, Motif):
            core = read(what.text)
            room = core.room(length)
            if not room:
                return
            yield told(core.on(strand), int(generator.integers(room.start, room.stop)))
            continue
        first, last = (_on(piece, strand, generator) for piece in (what.first, what.last))
        gap = int(generator.integers(what.shortest, what.longest + 1))
        steps = [what.along[min(k, len(what.along) - 1)] for k in range(gap if what.along else 0)]
        between = "".join(_on(step, strand, generator).on(strand) for step in steps) or "N" * gap
        left, right = (first, last) if strand == "+" else (last, first)
        whole = left.on(strand) + (between if strand == "+" else between[::-1]) + right.on(strand)
        shift = len(whole) - len(right.letters)
        begin = max(left.room(length).start, right.room(length).start - shift)
        end = min(left.room(length).stop, right.room(length).stop - shift)
        if begin < end:
            yield told(whole, int(generator.integers(begin, end)))


def _on(piece: Motif | AnyOf, strand: str, generator: np.random.Generator) -> Iupac:
    able = [motif for m in alternatives(piece) if strand in (motif := read(m.text)).strands]
    return able[generator.integers(len(able))]


def _found(what: Motif | Path, sequence: str) -> list[Match]:
    return DnaFinder().find_paths(what, sequence) if isinstance(what, Path) else DnaFinder().find(what, sequence)


def _spelt(sequence: str, reading: dict[int, str], generator: np.random.Generator) -> str:
    letters = list(sequence)
    for place, fitting in reading.items():
        if letters[place] not in fitting:
            letters[place] = fitting[generator.integers(min(len(fitting), len(LETTERS)))]
    return "".join(letters)


def _misspelt(sequence: str, readings: Iterable[Reading], generator: np.random.Generator) -> str | None:
    letters = undone(sequence, readings, lambda _: LETTERS, generator)
    return None if letters is None else "".join(letters)


def _drifting(length: int, generator: np.random.Generator) -> str:
    """A Markov chain of letters whose share of G and C drifts along it."""
    richness, drift, skew = generator.normal(0, (0.35, 0.6, 0.25))
    rare_cg, rare_ta, sticky = np.exp(generator.normal((-0.7, -0.2, 0.1), (0.4, 0.4, 0.25)))
    rich = 1 / (1 + np.exp(-(richness + drift * np.linspace(-1, 1, length))))
    chance = np.stack([1 - rich, rich, rich, 1 - rich], axis=-1)[:, None, :].repeat(4, axis=1)  # A C G T, after each
    chance *= np.exp(np.array([skew, -skew, skew, -skew]) / 2)
    chance[:, 1, 2] *= rare_cg
    chance[:, 3, 0] *= rare_ta
    chance[:, range(4), range(4)] *= sticky
    chance = chance.cumsum(-1) / chance.sum(-1, keepdims=True)
    following = (generator.random(length)[:, None, None] > chance[..., :3]).sum(-1).tolist()
    state, letters = int(generator.integers(4)), []
    for after in following:
        state = after[state]
        letters.append(LETTERS[state])
    return "".join(letters)
