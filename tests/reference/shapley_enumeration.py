"""Shapley values as they are defined, coalition by coalition, as an oracle. Nothing here comes from attar.

Source: Shapley 1953: the mean, over the orders of joining, of what a player adds to those before it.
"""

from collections.abc import Callable, Sequence
from itertools import combinations, permutations
from math import factorial

import numpy as np


def shapley_values(worth: Callable[[frozenset[int]], float], players: int) -> np.ndarray:
    values = np.zeros(players)
    for player in range(players):
        others = [other for other in range(players) if other != player]
        for size in range(players):
            weight = factorial(size) * factorial(players - 1 - size) / factorial(players)
            for coalition in combinations(others, size):
                values[player] += weight * (worth(frozenset((*coalition, player))) - worth(frozenset(coalition)))
    return values


def by_orders(worth: Callable[[frozenset[int]], float], players: int) -> np.ndarray:
    """The same by all orders, for a handful of players."""
    orders = list(permutations(range(players)))
    return np.mean([added_in_order(worth, order) for order in orders], axis=0)


def added_in_order(worth: Callable[[frozenset[int]], float], order: Sequence[int]) -> np.ndarray:
    values = np.zeros(len(order))
    for place, player in enumerate(order):
        values[player] = worth(frozenset(order[: place + 1])) - worth(frozenset(order[:place]))
    return values


def mixed(
    function: Callable[[np.ndarray], float], example: np.ndarray, background: np.ndarray
) -> Callable[[frozenset[int]], float]:
    """The mean over background rows of the function where only a coalition's entries are the example's."""

    def worth(coalition: frozenset[int]) -> float:
        total = 0.0
        for row in background:
            point = [example[k] if k in coalition else row[k] for k in range(len(example))]
            total += function(np.array(point))
        return total / len(background)

    return worth
