"""Accumulated local effects row by row and cell by cell, in plain loops, as Apley & Zhu write them."""

from collections.abc import Callable

import numpy as np


def first_order(
    model: Callable[[np.ndarray], np.ndarray], table: np.ndarray, column: int, ends: np.ndarray
) -> np.ndarray:
    """Bins hold their right end; centred at the middle of the bins."""
    steps = [[] for _ in range(len(ends) - 1)]
    for row in table:
        k = max(0, int(np.sum(ends[1:] < row[column])))
        low, high = row.copy(), row.copy()
        low[column], high[column] = ends[k], ends[k + 1]
        steps[k].append(float(model(high[None])[0] - model(low[None])[0]))
    curve = [0.0]
    for each in steps:
        curve.append(curve[-1] + float(np.mean(each)))
    mean = sum(len(each) * (curve[k] + curve[k + 1]) / 2 for k, each in enumerate(steps)) / len(table)
    return np.array(curve) - mean


def second_order(
    model: Callable[[np.ndarray], np.ndarray],
    table: np.ndarray,
    columns: tuple[int, int],
    ends: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Where every cell has a row."""
    sizes = [len(each) - 1 for each in ends]
    steps = [[[] for _ in range(sizes[1])] for _ in range(sizes[0])]
    for row in table:
        k = [max(0, int(np.sum(each[1:] < row[column]))) for column, each in zip(columns, ends, strict=True)]
        total = 0.0
        for one in (0, 1):
            for two in (0, 1):
                made = row.copy()
                made[columns[0]], made[columns[1]] = ends[0][k[0] + one], ends[1][k[1] + two]
                total += (1 if one == two else -1) * float(model(made[None])[0])
        steps[k[0]][k[1]].append(total)
    sums = np.zeros((sizes[0] + 1, sizes[1] + 1))
    count = np.array([[len(cell) for cell in line] for line in steps], dtype=float)
    for a in range(sizes[0]):
        for b in range(sizes[1]):
            sums[a + 1, b + 1] = sums[a, b + 1] + sums[a + 1, b] - sums[a, b] + np.mean(steps[a][b])
    main = [np.zeros(sizes[0] + 1), np.zeros(sizes[1] + 1)]
    for a in range(sizes[0]):
        step = [(sums[a + 1, b] - sums[a, b] + sums[a + 1, b + 1] - sums[a, b + 1]) / 2 for b in range(sizes[1])]
        main[0][a + 1] = main[0][a] + np.average(step, weights=count[a])
    for b in range(sizes[1]):
        step = [(sums[a, b + 1] - sums[a, b] + sums[a + 1, b + 1] - sums[a + 1, b]) / 2 for a in range(sizes[0])]
        main[1][b + 1] = main[1][b] + np.average(step, weights=count[:, b])
    rest = sums - main[0][:, None] - main[1][None]
    cells = (rest[1:, 1:] + rest[:-1, 1:] + rest[1:, :-1] + rest[:-1, :-1]) / 4
    return rest - np.average(cells, weights=count)
