"""The best rule list by writing them all out: every ordered choice of candidates, row by row."""

from itertools import permutations

import numpy as np


def least_objective(captures: np.ndarray, of_class: np.ndarray, most: int, price: float) -> float:
    """The least share of errors plus price per rule, over all lists of at most `most` rules."""
    total = of_class.sum()
    found = []
    for size in range(most + 1):
        for rules in permutations(range(len(captures)), size):
            left = np.ones(of_class.shape[0], dtype=bool)
            errors = 0.0
            for rule in rules:
                caught = of_class[left & captures[rule]].sum(0)
                errors += caught.sum() - caught.max()
                left &= ~captures[rule]
            rest = of_class[left].sum(0)
            found.append((errors + rest.sum() - rest.max()) / total + price * size)
    return min(found)
