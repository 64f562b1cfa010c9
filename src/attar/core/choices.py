"""Ways to choose: families of unions that are counted, listed, or listed in part, never held in full.

A rule with two motifs, found 20 times each, has about 10^12 legal ground-truth masks. `total` counts them
with binomials (two choices may give one mask where items overlap: both count); `listed` writes them all out,
the union of all items last, and is for small families; `of_size` yields the unions of so many items, lazily,
`smallest` to `largest`. No family is empty: what cannot be chosen is no family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations, islice
from math import comb
from typing import TypeAlias

Mask = frozenset[int]
NOTHING: Mask = frozenset()
Choices: TypeAlias = "Subsets | Both | Either"


@dataclass(frozen=True)
class Subsets:
    """Every subset of at least `least` of the items, by size and then by position; none of none is ∅."""

    items: tuple[Mask, ...]
    least: int

    @cached_property
    def total(self) -> int:
        below = sum(comb(len(self.items), size) for size in range(self.least))
        return 2 ** len(self.items) - below

    @property
    def smallest(self) -> int:
        return self.least

    @property
    def largest(self) -> int:
        return len(self.items)

    def listed(self) -> list[Mask]:
        sizes = range(self.least, len(self.items) + 1)
        return list(chain.from_iterable(self.of_size(size) for size in sizes))

    def of_size(self, size: int) -> Iterator[Mask]:
        if size >= self.least:
            for chosen in combinations(self.items, size):
                yield NOTHING.union(*chosen)


@dataclass(frozen=True)
class Both:
    """A choice from each side, together; the second side turns fastest (the order of `itertools.product`)."""

    first: Choices
    second: Choices

    @cached_property
    def total(self) -> int:
        return self.first.total * self.second.total

    @cached_property
    def smallest(self) -> int:
        return self.first.smallest + self.second.smallest

    @cached_property
    def largest(self) -> int:
        return self.first.largest + self.second.largest

    def listed(self) -> list[Mask]:
        second = self.second.listed()
        return [one | other for one in self.first.listed() for other in second]

    def of_size(self, size: int) -> Iterator[Mask]:
        fewest = max(self.first.smallest, size - self.second.largest)
        most = min(self.first.largest, size - self.second.smallest)
        for taken in range(fewest, most + 1):
            for one in self.first.of_size(taken):
                for other in self.second.of_size(size - taken):
                    yield one | other


@dataclass(frozen=True)
class Either:
    """A choice from one side, or from the other, or (if `joined`) from both together."""

    first: Choices
    second: Choices
    joined: bool = True

    @cached_property
    def total(self) -> int:
        apart = self.first.total + self.second.total
        return apart + self.first.total * self.second.total if self.joined else apart

    @cached_property
    def smallest(self) -> int:
        return min(self.first.smallest, self.second.smallest)

    @cached_property
    def largest(self) -> int:
        if self.joined:
            return self.first.largest + self.second.largest
        return max(self.first.largest, self.second.largest)

    def listed(self) -> list[Mask]:
        joined = Both(self.first, self.second).listed() if self.joined else []
        return self.first.listed() + self.second.listed() + joined

    def of_size(self, size: int) -> Iterator[Mask]:
        yield from self.first.of_size(size)
        yield from self.second.of_size(size)
        if self.joined:
            yield from Both(self.first, self.second).of_size(size)


def fold(join: Callable[[Choices, Choices], Choices], sides: Sequence[Choices]) -> Choices:
    """Many sides as nested pairs, halved each time, so that a wide rule does not nest deep."""
    if len(sides) == 1:
        return sides[0]
    half = len(sides) // 2
    return join(fold(join, sides[:half]), fold(join, sides[half:]))


def listed_up_to(cap: int, choices: Choices, whole: Mask) -> tuple[Mask, ...]:
    """All masks if there are at most `cap`; else the first `cap` - 1 by number of items, and then `whole`."""
    if choices.total <= cap:
        return tuple(choices.listed())
    by_size = (choices.of_size(size) for size in range(choices.smallest, choices.largest + 1))
    return (*islice(chain.from_iterable(by_size), cap - 1), whole)
