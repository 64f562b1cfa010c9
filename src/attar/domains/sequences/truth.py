"""Rules about DNA: where IUPAC motifs are, and what a path along a strand is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from attar.core.errors import InputError
from attar.core.motif import AnyOf, Motif, alternatives
from attar.core.rule import Match, Path
from attar.core.sites import Place, joined, sites
from attar.domains.sequences.iupac import FITS, Iupac, read


@dataclass(frozen=True)
class DnaFinder:
    """Finds IUPAC motifs in a string of A, C, G, T and N, overlapping ones too; places are counted from 0.

    The parts of a match are the letters it tells: an N of a motif is no part. The same letters read on both strands
    are one match. A path lies on one strand and is read along it: from left to right on `+`, from right to left on
    `-`; its ends are motifs that may lie on that strand, a window is counted from the left on either. The letters
    between are no part of it, unless `along` says what they are; each motif of `along` is then one letter.

    Raises: InputError for a text that is no motif, for a path whose motifs share no strand, and for a motif of
    `along` of several letters.
    """

    def find(self, motif: Motif, sequence: str, /) -> list[Match]:
        return sites((place,) for strand in read(motif.text).strands for place in _places(motif, sequence, strand))

    def find_paths(self, path: Path, sequence: str, /) -> list[Match]:
        return sites(places for strand in strands_of(path) for places in _on_strand(path, sequence, strand))


def strands_of(path: Path) -> list[str]:
    """The strands that a path may lie on. Raises `InputError` where there is none."""
    pieces = [[read(m.text) for m in alternatives(piece)] for piece in (path.first, path.last, *path.along)]
    if long := [m for piece in pieces[2:] for m in piece if len(m.letters) > 1]:
        raise InputError(f"{path} has {long[0].letters} between its ends: a chain part is one letter, as in S")
    strands = [s for s in "+-" if all(any(s in m.strands for m in piece) for piece in pieces)]
    if not strands:
        raise InputError(f"{path} has motifs on different strands: a path lies on one, so write +- after each of them")
    return strands


def told(letters: str, begin: int) -> dict[int, str]:
    """What motif letters tell of the places from `begin` on."""
    return {place: FITS[letter] for place, letter in enumerate(letters, begin) if letter != "N"}


def _places(motif: Motif | AnyOf, sequence: str, strand: str) -> list[Place]:
    found = []
    for one in alternatives(motif):
        core, around = read(one.text), None if one.grow is None else read(one.grow)  # read though there be no match
        letters = core.on(strand) if strand in core.strands else ""
        for begin in core.starts(sequence, strand) if letters else ():
            reading = told(letters, begin)
            whole = frozenset(reading).union(*(m for m in _masks(around, sequence) if m >= reading.keys()))
            found.append(Place(one.name, begin, begin + len(letters), reading, whole))
    return found


def _masks(motif: Iupac | None, sequence: str) -> Iterator[frozenset[int]]:
    if motif is not None:
        for strand in motif.strands:
            for begin in motif.starts(sequence, strand):
                yield frozenset(told(motif.on(strand), begin))


def _on_strand(path: Path, sequence: str, strand: str) -> Iterator[tuple[Place, ...]]:
    first, last = _places(path.first, sequence, strand), _places(path.last, sequence, strand)
    steps = [_steps(piece, sequence, strand) for piece in path.along]
    return joined(first, last, (path.shortest, path.longest), steps, backwards=strand == "-")


def _steps(piece: Motif | AnyOf, sequence: str, strand: str) -> dict[int, Place]:
    """Where this part of a chain can be, each place by the first alternative that fits; it tells what any would."""
    able = [motif for m in alternatives(piece) if strand in (motif := read(m.text)).strands]
    letters = set().union(*(FITS[motif.on(strand)] for motif in able))
    steps: dict[int, Place] = {}
    for place in _places(piece, sequence, strand):
        steps.setdefault(place.begin, replace(place, reading={place.begin: "".join(sorted(letters))}))
    return steps
