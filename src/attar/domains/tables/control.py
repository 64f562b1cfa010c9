"""The trivial control: a score of columns that has seen neither model nor label."""

from collections.abc import Sequence

import numpy as np

from attar.domains.tables.columns import Columns


def trivial_columns(columns: Columns, row: Sequence[float]) -> np.ndarray:
    """How many standard deviations each number lies from its column's mean: `Float[ndarray, "columns"]`.

    A threshold or a product is met by large numbers more often than by small ones, so what is unusual about a row
    already points at the columns of many rules; and gradient times input does little else where gradients are even.
    """
    return np.abs(np.asarray(row, dtype=float) - columns.mean) / columns.deviation
