"""Which rows are kept apart: by what a row holds, so that neither order nor repetition matters."""

import numpy as np
from jaxtyping import Float, Int


def folds(
    X: Float[np.ndarray, "rows columns"], y: np.ndarray, count: int, *, stratified: bool, seed: int
) -> Int[np.ndarray, " rows"]:
    """The fold of each row, 0 to `count` - 1, of each class as evenly as can be where `stratified`. The only row of a
    class is in fold -1: it is never kept apart from those that learn.

    Rows that hold the same, label included, come into one fold: a row and its copy never stand on both sides, a weight
    of two is a row twice, and the order of the rows changes nothing.
    """
    held = np.column_stack([X, y])
    unique, place = np.unique(held, axis=0, return_inverse=True)
    order = np.random.default_rng([seed, 43]).permutation(len(unique))
    if stratified:
        order = order[np.argsort(unique[order, -1], kind="stable")]
    fold = np.empty(len(unique), dtype=int)
    fold[order] = np.arange(len(unique)) % count
    if stratified:
        _, of_class, times = np.unique(unique[:, -1], return_inverse=True, return_counts=True)
        fold[times[of_class] == 1] = -1
    return fold[place.ravel()]
