"""Importance as it is defined, pair by pair and row by row, in plain loops."""

from collections.abc import Callable
from itertools import permutations

import numpy as np


def every_exchange(
    model: Callable[[np.ndarray], np.ndarray],
    table: np.ndarray,
    labels: np.ndarray,
    columns: list[int],
    loss: Callable[[float, float], float],
) -> np.ndarray:
    """For each row the mean loss, over all other rows, with their values in these columns, less its own."""
    found = []
    for i, row in enumerate(table):
        own = loss(float(model(row[None])[0]), float(labels[i]))
        others = []
        for j, donor in enumerate(table):
            if i != j:
                made = row.copy()
                made[columns] = donor[columns]
                others.append(loss(float(model(made[None])[0]), float(labels[i])))
        found.append(np.mean(others) - own)
    return np.array(found)


def every_order(
    model: Callable[[np.ndarray], np.ndarray], table: np.ndarray, labels: np.ndarray, background: np.ndarray
) -> np.ndarray:
    """Each row's SAGE values under squared errors: over all orders of the columns, what each takes off the loss of the
    mean prediction over the background."""
    found = np.zeros(table.shape)
    orders = list(permutations(range(table.shape[1])))
    for i, row in enumerate(table):
        for order in orders:
            made = background.copy()
            before = (model(made).mean() - labels[i]) ** 2
            for column in order:
                made[:, column] = row[column]
                after = (model(made).mean() - labels[i]) ** 2
                found[i, column] += (before - after) / len(orders)
                before = after
    return found
