"""How far off a share or a mean of so many rows may be."""

import numpy as np
from scipy.special import ndtri, stdtrit

_LEVEL = 0.95


def wilson(held: float, n: float) -> tuple[float, float]:
    """The 95% interval of a share; all from 0 to 1 where there is no row. Source: Wilson 1927,
    doi:10.1080/01621459.1927.10502953."""
    if n <= 0:
        return 0.0, 1.0
    z = float(ndtri(0.5 + _LEVEL / 2))
    share = held / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return (0.0 if held <= 0 else float(middle - half)), (1.0 if held >= n else float(middle + half))


def of_mean(mean: float, square: float, n: float) -> tuple[float, float]:
    """The 95% interval of a mean (Student's t) of `n` rows whose mean squared distance from it is `square`; unbounded
    for a single row."""
    if n <= 1:
        return -np.inf, np.inf
    half = float(stdtrit(n - 1, 0.5 + _LEVEL / 2) * np.sqrt(max(square, 0.0) / (n - 1)))
    return mean - half, mean + half
