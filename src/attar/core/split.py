"""Which examples are held out."""

import numpy as np

from attar.core.errors import InputError


def test_side(split: np.ndarray) -> np.ndarray:
    """A mask of the held-out rows from a split column. Raises `InputError` for names that do not say which they are."""
    values = sorted(set(split.tolist()))
    for name in ("test", "valid", "validation", "holdout", "held-out"):
        if name in values and "train" in values:
            return split != "train"
    if len(values) == 2 and set(values) <= {"0", "1", "true", "false"}:
        raise InputError(f"the split column holds {values}; which side is held out? Write train and test")
    raise InputError(f"the split column holds {', '.join(values[:6])}; expected train and test")


def random_split(labels: np.ndarray, *, test: float = 0.25, seed: int = 0, stratified: bool = True) -> np.ndarray:
    """A mask of the test examples, a share `test` of each class (of all, unless `stratified`)."""
    generator = np.random.default_rng([seed, 3])
    held_out = np.zeros(len(labels), dtype=bool)
    groups = [np.flatnonzero(labels == c) for c in np.unique(labels)] if stratified else [np.arange(len(labels))]
    for group in groups:
        held_out[generator.permutation(group)[: round(test * len(group))]] = True
    return held_out
