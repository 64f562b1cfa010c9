"""LIME and RISE as their equations read: every mask, one after another. Slow."""

from collections.abc import Callable
from itertools import product
from math import exp, sqrt

import numpy as np

Answer = Callable[[np.ndarray], float]


def masks(features: int) -> np.ndarray:
    return np.array(list(product([0.0, 1.0], repeat=features)))


def lime_slopes(answer: Answer, x: np.ndarray, baseline: np.ndarray, width: float, ridge: float = 0.0) -> np.ndarray:
    """Weighted ridge over all masks, with an intercept that is not shrunk, by the normal equations."""
    left = np.zeros((len(x) + 1, len(x) + 1))
    right = np.zeros(len(x) + 1)
    for mask in masks(len(x)):
        distance = 1 - sqrt(mask.mean())
        weight = exp(-(distance**2) / (2 * width**2))
        row = np.array([1.0, *mask])
        left += weight * np.outer(row, row)
        right += weight * row * answer(np.where(mask == 1, x, baseline))
    left += ridge * np.diag([0.0] + [1.0] * len(x))
    return np.linalg.solve(left, right)[1:]


def rise_values(answer: Answer, x: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """The mean answer over the masks that keep a feature, less that over the masks that do not."""
    told = [(mask, answer(np.where(mask == 1, x, baseline))) for mask in masks(len(x))]
    return np.array(
        [
            np.mean([y for mask, y in told if mask[k] == 1]) - np.mean([y for mask, y in told if mask[k] == 0])
            for k in range(len(x))
        ]
    )


def table_slopes(
    answer: Answer, x: np.ndarray, background: np.ndarray, edges: list[np.ndarray], width: float
) -> np.ndarray:
    """LIME on a table in the limit: every combination of the background's values in each column, weighed by the
    number of columns in another bin."""
    columns = len(x)
    left = np.zeros((columns + 1, columns + 1))
    right = np.zeros(columns + 1)
    own = [np.searchsorted(edges[k], x[k]) for k in range(columns)]
    for point in product(*background.T):
        inside = np.array([float(np.searchsorted(edges[k], point[k]) == own[k]) for k in range(columns)])
        weight = exp(-(1 - inside.mean()) / (2 * width**2))
        row = np.array([1.0, *inside])
        left += weight * np.outer(row, row)
        right += weight * row * answer(np.array(point))
    return np.linalg.solve(left, right)[1:]
