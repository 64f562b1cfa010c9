"""What rules hold, perturbation by perturbation: every coin, or every row of a background. Slow."""

from collections.abc import Callable, Collection
from itertools import combinations, product

import numpy as np

Same = Callable[[np.ndarray], bool]


def precision_by_coins(same: Same, x: np.ndarray, baseline: np.ndarray, rule: Collection[int]) -> float:
    """The share of all masks of the other features under which the answer is the same."""
    held = []
    for coins in product([False, True], repeat=len(x)):
        kept = [k in rule or coin for k, coin in enumerate(coins)]
        held.append(same(np.where(kept, x, baseline)))
    return float(np.mean(held))


def precision_by_rows(same: Same, x: np.ndarray, rows: np.ndarray, rule: Collection[int], bins: int | None) -> float:
    """The share of rows under which the answer is the same, with what the rule keeps put back into its bin."""
    held = []
    for row in rows:
        mixed = [x[k] if k in rule and not together(x[k], row[k], rows[:, k], bins) else row[k] for k in range(len(x))]
        held.append(same(np.array(mixed)))
    return float(np.mean(held))


def coverage_by_rows(x: np.ndarray, rows: np.ndarray, rule: Collection[int], bins: int | None) -> float:
    return float(np.mean([all(together(x[k], row[k], rows[:, k], bins) for k in rule) for row in rows]))


def together(one: float, other: float, column: np.ndarray, bins: int | None) -> bool:
    """Whether two values are in one quantile bin of a column, whose edges belong to the bin below."""
    if bins is None:
        return one == other
    ordered = sorted(column)
    edges = [ordered[-(-len(column) * k // bins) - 1] for k in range(1, bins)]
    return sum(one > edge for edge in edges) == sum(other > edge for edge in edges)


def shortest(precision: Callable[[Collection[int]], float], features: int, wanted: float) -> set[int]:
    """The most precise of the shortest rules that are precise enough."""
    for size in range(features + 1):
        passed = [rule for rule in combinations(range(features), size) if precision(rule) >= wanted]
        if passed:
            return set(max(passed, key=precision))
    raise AssertionError("no rule is precise enough")
