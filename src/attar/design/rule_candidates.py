"""The rules that a rule list may be made of: a few conditions, joined by and."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from attar.design.column_basis import quantiles
from attar.design.conditions import Condition, merged

_MOST = 1000  # single conditions that are combined


@dataclass(frozen=True, eq=False)
class Candidates:
    """Rules, and the rows that each captures. Of those that capture the same rows the shortest is kept."""

    rules: tuple[tuple[Condition, ...], ...]
    captures: Bool[np.ndarray, "rules rows"]


def candidates(
    X: Float[np.ndarray, "rows columns"],
    of_class: Float[np.ndarray, "rows classes"],
    single: Sequence[Condition],
    *,
    conditions: int,
    most: int,
    at_least: float,
) -> Candidates:
    """The `most` rules of up to so many conditions that tell most of some class: by its weight among what they capture,
    beyond what its base rate gives them. `of_class` has each row's weight in the column of its class.

    All pairs are looked at; rules of three conditions start from the best pairs.
    """
    captures = np.stack([holds(X, (one,)) for one in single]) if single else np.zeros((0, len(X)), dtype=bool)
    score, weight = _worth(captures.astype(float) @ of_class, of_class)
    order = np.argsort(-score, kind="stable")[:_MOST]
    order = order[weight[order] >= at_least]
    literals = captures[order]
    names = [single[k] for k in order]
    found = [((name,), rows, float(score[k])) for name, rows, k in zip(names, literals, order, strict=True)]
    grown = found
    for _ in range(conditions - 1):
        grown = _grown(grown, names, literals, of_class, most=most, at_least=at_least)
        found = found + grown
    kept: dict[bytes, tuple[tuple[Condition, ...], np.ndarray]] = {}
    for rule, rows, _ in sorted(found, key=lambda each: -round(each[2], 9)):
        kept.setdefault(np.packbits(rows).tobytes(), (rule, rows))
        if len(kept) == most:
            break
    rules = tuple(rule for rule, _ in kept.values())
    return Candidates(rules, np.stack([rows for _, rows in kept.values()]) if kept else captures[:0])


Grown = list[tuple[tuple[Condition, ...], np.ndarray, float]]


def _grown(
    grown: Grown,
    names: Sequence[Condition],
    literals: Bool[np.ndarray, "literals rows"],
    of_class: Float[np.ndarray, "rows classes"],
    *,
    most: int,
    at_least: float,
) -> Grown:
    """The best rules of one condition more."""
    if not grown:
        return []
    ahead = np.stack([rows for _, rows, _ in grown]).astype(float)
    both = np.stack([(ahead * of_class[:, k]) @ literals.T.astype(float) for k in range(of_class.shape[1])], -1)
    score, weight = _worth(both.reshape(-1, of_class.shape[1]), of_class)
    alone = ahead @ of_class.sum(1)
    score[(weight < at_least) | (weight >= np.repeat(alone, len(names)) - 1e-12)] = -np.inf
    best = np.argsort(-score, kind="stable")[: 4 * most]
    made: Grown = []
    for place in best[np.isfinite(score[best])].tolist():
        one, other = divmod(place, len(names))
        rule, rows, _ = grown[one]
        made.append((merged((*rule, names[other])), rows & literals[other], float(score[place])))
    return made


def _worth(
    held: Float[np.ndarray, "rules classes"], of_class: Float[np.ndarray, "rows classes"]
) -> tuple[Float[np.ndarray, " rules"], Float[np.ndarray, " rules"]]:
    """The most that any class is ahead of its base rate among what each captures, and how much it captures."""
    weight = held.sum(1)
    base = of_class.sum(0) / of_class.sum()
    return (held - weight[:, None] * base).max(1), weight


def single_conditions(
    X: Float[np.ndarray, "rows columns"],
    weight: Float[np.ndarray, " rows"],
    names: Sequence[str],
    levels: dict[int, Int[np.ndarray, " levels"]],
    *,
    bins: int,
) -> list[Condition]:
    """Below and above the quantiles of a number; one level of a category. Bounds lie halfway between values."""
    found = []
    for k, column in enumerate(X.T):
        if k in levels:
            found += [Condition(k, names[k], levels=(float(level),)) for level in levels[k]]
            continue
        values = np.unique(column)
        if len(values) < 2:
            continue
        cuts = np.unique(quantiles(column, weight, np.arange(1, bins) / bins))
        for cut in cuts[cuts < values[-1]]:
            above = values[np.searchsorted(values, cut, side="right")]
            middle = float(cut + (above - cut) / 2)
            found += [Condition(k, names[k], high=middle), Condition(k, names[k], low=middle)]
    return found


def holds(X: Float[np.ndarray, "rows columns"], rule: Sequence[Condition]) -> Bool[np.ndarray, " rows"]:
    """Which rows meet all conditions."""
    found = np.ones(len(X), dtype=bool)
    for each in rule:
        column = X[:, each.column]
        found &= np.isin(column, each.levels) if each.levels else (column > each.low) & (column <= each.high)
    return found
