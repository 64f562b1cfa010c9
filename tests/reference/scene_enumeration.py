"""What a scene shows, found literally: drawn with and without a thing and looked at cell by cell. Slow.

Nothing here knows how attar draws, finds or chooses; it is given arrays, and sets of words and of cells.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import product

import numpy as np

Cells = frozenset[int]


def differing(drawn: np.ndarray, without: np.ndarray, threshold: float = 0.0) -> Cells:
    """The cells in which any channel differs by more than the threshold."""
    channels = len(drawn)
    one, other = drawn.reshape(channels, -1), without.reshape(channels, -1)
    return frozenset(
        cell
        for cell in range(one.shape[1])
        if any(abs(float(one[c, cell]) - float(other[c, cell])) > threshold for c in range(channels))
    )


def middle(cells: Cells, grid: Sequence[int]) -> list[float]:
    """The middle of the smallest box around the cells, along each axis."""
    places = [np.unravel_index(cell, tuple(grid)) for cell in cells]
    return [(min(p[axis] for p in places) + max(p[axis] for p in places) + 1) / 2 for axis in range(len(grid))]


def between(one: Cells, other: Cells, grid: Sequence[int]) -> int:
    """The fewest cells between a cell of the one and a cell of the other, diagonal steps allowed."""
    ones, others = ([np.unravel_index(cell, tuple(grid)) for cell in cells] for cells in (one, other))
    return min(max(abs(int(a) - int(b)) for a, b in zip(p, q, strict=True)) for p in ones for q in others) - 1


def called(wanted: Collection[str], facts: Sequence[Collection[str]], masks: Sequence[Cells]) -> list[Cells]:
    """The cells of every thing of which all that is wanted is a fact."""
    return [mask for fact, mask in zip(facts, masks, strict=True) if all(word in fact for word in wanted)]


def joined(
    firsts: Sequence[Cells], lasts: Sequence[Cells], shortest: int, longest: int, gap: Callable[[Cells, Cells], int]
) -> set[Cells]:
    """The cells of every two different things with so many cells between them."""
    return {one | other for one in firsts for other in lasts if one != other and shortest <= gap(one, other) <= longest}


def unions(masks: Sequence[Cells], least: int) -> list[Cells]:
    """The union of every choice of at least so many masks, a coin tossed for each."""
    chosen = (
        [mask for mask, coin in zip(masks, coins, strict=True) if coin] for coins in product((0, 1), repeat=len(masks))
    )
    return [frozenset().union(*some) for some in chosen if len(some) >= least]
