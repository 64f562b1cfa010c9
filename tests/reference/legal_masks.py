"""Every legal mask of a rule, written out: every choice of matches, side by side. For a handful of matches.

Nothing here but the nouns of a rule comes from attar; where a motif is, the caller says.
"""

from collections.abc import Callable, Iterable
from itertools import chain, combinations, product

from attar.core.rule import And, AtLeast, Not, Or, Path, Rule

Masks = set[frozenset[int]]
Where = Callable[[AtLeast | Path], Iterable[frozenset[int]]]


def legal_masks(rule: Rule, where: Where, wanted: bool = True) -> Masks | None:
    """The masks that show that the rule is true (or that it is not); None where that is not so."""
    if isinstance(rule, Not):
        return legal_masks(rule.rule, where, not wanted)
    if isinstance(rule, AtLeast | Path):
        matches, least = set(where(rule)), rule.n if isinstance(rule, AtLeast) else 1
        if (len(matches) >= least) is not wanted:
            return None
        return {united(chosen) for chosen in subsets(matches, least)} if wanted else {frozenset()}
    assert isinstance(rule, And | Or)
    sides = [legal_masks(side, where, wanted) for side in rule.sides]
    if isinstance(rule, And) is wanted:
        return None if None in sides else {united(chosen) for chosen in product(*(side for side in sides if side))}
    true = [side for side in sides if side is not None]
    return {united(chosen) for some in subsets(true, 1) for chosen in product(*some)} if true else None


def subsets(items: Iterable, least: int) -> Iterable[tuple]:
    items = list(items)
    return chain.from_iterable(combinations(items, size) for size in range(least, len(items) + 1))


def united(masks: Iterable[frozenset[int]]) -> frozenset[int]:
    return frozenset().union(*masks)
