"""Motifs in a line of symbols (letters of DNA, words of a text): where they are, joined to paths, and undone."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from attar.core.choices import Mask
from attar.core.rule import Match

Reading = Mapping[int, Collection[str]]
"""The symbols that would do, by place; places where any would are left out."""


@dataclass(frozen=True)
class Site(Match):
    """A match that remembers why: its `readings`, of which each is enough (a DNA palindrome has one per strand)."""

    readings: tuple[Reading, ...] = field(default=(), hash=False, compare=False)


@dataclass(frozen=True)
class Place:
    """Where a motif is: from `begin` up to `end`, what it reads there, and the `whole` of its parts (with those grown).

    `name` is the motif's.
    """

    name: str | None
    begin: int
    end: int
    reading: Reading
    whole: Mask


def sites(found: Iterable[tuple[Place, ...]]) -> list[Match]:
    """A match for each group of places; groups over the same parts are one, named by the first."""
    by_parts: dict[Mask, Site] = {}
    for places in found:
        parts = frozenset().union(*(place.whole for place in places))
        reading = {at: symbols for place in places for at, symbols in place.reading.items()}
        before = by_parts.get(parts)
        if before is not None:
            by_parts[parts] = Site(parts, before.named, (*before.readings, reading))
            continue
        named: dict[str, Mask] = {}
        for place in places:
            if place.name is not None:
                named[place.name] = named.get(place.name, frozenset()) | place.whole
        by_parts[parts] = Site(parts, named, (reading,))
    return list(by_parts.values())


def joined(
    firsts: Sequence[Place],
    lasts: Sequence[Place],
    between: tuple[int, int],
    steps: Sequence[Mapping[int, Place]] = (),
    *,
    backwards: bool = False,
) -> Iterator[tuple[Place, ...]]:
    """A first and a last with `between[0]` to `between[1]` symbols between them, and those as the steps name them.

    `steps[k]` says where the k-th of the symbols between could be, the last of them for all that follow; none: any
    symbols do, and they are no part of the path. The line is read from left to right, or `backwards`.
    """
    lefts, rights = (lasts, firsts) if backwards else (firsts, lasts)
    rights = sorted(rights, key=lambda place: place.begin)
    begins = [place.begin for place in rights]
    for one in lefts:
        near = bisect_left(begins, one.end + between[0]), bisect_right(begins, one.end + between[1])
        for other in rights[slice(*near)]:
            gap = range(one.end, other.begin) if steps else range(0)
            chain = [
                steps[min(k, len(steps) - 1)].get(place) for k, place in enumerate(gap[::-1] if backwards else gap)
            ]
            links = [link for link in chain if link is not None]
            if len(links) == len(chain):
                yield (one, *links, other)


def undone(
    symbols: Sequence[str],
    readings: Iterable[Reading],
    instead: Callable[[int], Sequence[str]],
    generator: np.random.Generator,
) -> list[str] | None:
    """The symbols with none of the readings true, by one change if one can do it for all; None where no change does.

    `instead` says what may stand at a place in place of what does.
    """
    changed, readings = list(symbols), list(readings)
    while left := [r for r in readings if _true(r, changed)]:
        wrong = [(at, s) for at in left[0] for s in instead(at) if s not in left[0][at]]
        for_all = [(at, s) for at, s in wrong if all(at in r and s not in r[at] for r in left)]
        gone = [r for r in readings if not _true(r, changed)]  # and none of these is to come back
        choices = [(at, s) for at, s in for_all or wrong if not any(at in r and s in r[at] for r in gone)]
        if not choices:
            return None
        at, symbol = choices[generator.integers(len(choices))]
        changed[at] = symbol
    return changed


def _true(reading: Reading, symbols: Sequence[str]) -> bool:
    return all(symbols[at] in fitting for at, fitting in reading.items())
