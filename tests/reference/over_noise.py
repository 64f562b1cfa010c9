"""Statistics of a gradient over antithetic pairs of noisy copies, pair after pair. Nothing here comes from attar."""

from collections.abc import Callable, Sequence

import numpy as np


def gradients(
    gradient: Callable[[np.ndarray], np.ndarray], x: np.ndarray, noises: Sequence[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [gradient(x + n) for n in noises], [gradient(x - n) for n in noises]


def mean(up: list[np.ndarray], down: list[np.ndarray]) -> np.ndarray:
    return np.mean([*up, *down], axis=0)


def mean_square(up: list[np.ndarray], down: list[np.ndarray]) -> np.ndarray:
    return np.mean([g**2 for g in [*up, *down]], axis=0)


def variance(up: list[np.ndarray], down: list[np.ndarray]) -> np.ndarray:
    """That of the pairs' half differences, whose mean is known to be 0, and that of their means."""
    half = np.mean([((u - d) / 2) ** 2 for u, d in zip(up, down, strict=True)], axis=0)
    return half + np.var([(u + d) / 2 for u, d in zip(up, down, strict=True)], axis=0, ddof=1)


def standard_error_of_variance(up: list[np.ndarray], down: list[np.ndarray]) -> np.ndarray:
    """From what each pair adds: its squared half difference, and its mean's squared distance from the mean of all."""
    centre = np.mean([*up, *down], axis=0)
    added = [((u - d) / 2) ** 2 + ((u + d) / 2 - centre) ** 2 for u, d in zip(up, down, strict=True)]
    return np.std(added, axis=0, ddof=1) / len(up) ** 0.5
