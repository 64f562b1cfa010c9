"""An order of a category's levels in which neighbours are alike in the other columns."""

import numpy as np
from jaxtyping import Float, Int

from attar.core.inputs import Tensors
from attar.estimation.table_features import coded_of


def by_likeness(
    codes: Float[np.ndarray, "rows columns"], table: Tensors, place: int, level: Int[np.ndarray, " rows"]
) -> Int[np.ndarray, " levels"]:
    """The levels along the one direction that keeps their distances best.

    The distance of two levels is the sum over the other columns of how far their distributions there are apart: the
    largest difference of the distribution functions (Kolmogorov and Smirnov's) of numbers, half the sum of differences
    in shares of a category. The direction is the first of classical scaling; it starts at the end of the commoner
    level. Source: Apley & Zhu 2020, doi:10.1111/rssb.12377, appendix E.
    """
    count, named = int(level.max()) + 1, coded_of(table)
    size = np.bincount(level, minlength=count).astype(float)
    far = np.zeros((count, count))
    for column in range(codes.shape[1]):
        if column == place:
            continue
        values, held = np.unique(codes[:, column], return_inverse=True)
        shares = np.bincount(level * len(values) + held, minlength=count * len(values)).reshape(count, -1)
        shares = shares / size[:, None]
        shares = shares if named[column] else shares.cumsum(1)
        for one in range(count):
            apart = np.abs(shares - shares[one])
            far[one] += apart.sum(1) / 2 if named[column] else apart.max(1)
    middle = np.eye(count) - 1 / count
    values, vectors = np.linalg.eigh(-middle @ far**2 @ middle / 2)
    along = vectors[:, -1] if values[-1] > 1e-12 else -size
    order = np.argsort(along, kind="stable")
    return order if size[order[0]] >= size[order[-1]] else order[::-1]
