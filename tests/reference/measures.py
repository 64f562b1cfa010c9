"""Measures of attributions as their definitions read, one example and one feature after another. Slow."""

from collections.abc import Callable
from itertools import combinations

import numpy as np

Answer = Callable[[np.ndarray], float]


def tau_b(one: np.ndarray, other: np.ndarray) -> float:
    """Over all pairs; 0 where the first is the same throughout, nan where the second is."""
    concordant = only_one = only_other = 0
    for a, b in combinations(range(len(one)), 2):
        left, right = np.sign(one[a] - one[b]), np.sign(other[a] - other[b])
        concordant += left * right
        only_one += left != 0
        only_other += right != 0
    if only_other == 0:
        return np.nan
    return concordant / (only_one * only_other) ** 0.5 if only_one else 0.0


def average_precision(values: np.ndarray, inside: np.ndarray) -> float:
    found = [inside[values >= values[k]].mean() for k in np.flatnonzero(inside)]
    return float(np.mean(found))


def precision_at(values: np.ndarray, inside: np.ndarray, k: int) -> float:
    """Averaged over every way of ordering what ties."""
    orders = [np.lexsort([np.random.default_rng(seed).random(len(values)), -values])[:k] for seed in range(4000)]
    return float(np.mean([inside[order].mean() for order in orders]))


def deletion_curve(
    answer: Answer, x: np.ndarray, values: np.ndarray, baseline: np.ndarray, *, inserts: bool = False
) -> np.ndarray:
    order = np.argsort(-values, kind="stable")
    here = baseline.copy() if inserts else x.copy()
    curve = [answer(here)]
    for k in order:
        here[k] = x[k] if inserts else baseline[k]
        curve.append(answer(here))
    return np.array(curve)


def imputed(image: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """One channel: every removed pixel is the weighted mean of its neighbours; one equation after another."""
    height, width = image.shape
    places = [(r, c) for r in range(height) for c in range(width) if gone[r, c]]
    number = {place: k for k, place in enumerate(places)}
    left, right = np.zeros((len(places), len(places))), np.zeros(len(places))
    for k, (r, c) in enumerate(places):
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                near = (r + down, c + across)
                if near == (r, c) or not (0 <= near[0] < height and 0 <= near[1] < width):
                    continue
                weight = 1 / 12 if down and across else 1 / 6
                left[k, k] += weight
                if near in number:
                    left[k, number[near]] -= weight
                else:
                    right[k] += weight * image[near]
    filled = image.copy()
    filled[gone] = np.linalg.solve(left, right)
    return filled


def gini(values: np.ndarray) -> float:
    """Half the mean absolute difference of all pairs, as a share of the mean."""
    size = np.abs(values)
    return float(np.abs(size[:, None] - size).mean() / (2 * size.mean()))
