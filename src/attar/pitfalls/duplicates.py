"""Duplicates: examples that stand on both sides of the split, or twice with different labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from attar.core.errors import InputError

ALIKE = 0.95  # the share of groups that two examples have in common, from which they are nearly the same
FEWEST = 6  # groups, for the share to say anything


@dataclass(frozen=True)
class Duplicates:
    """Row numbers: `leaked` are test examples that training has too, `repeated` training examples met before in
    training, `conflicting` all those of which copies differ in their label."""

    leaked: tuple[int, ...]
    repeated: tuple[int, ...]
    conflicting: tuple[int, ...]


def duplicates(
    keys: Sequence[str], labels: Float[np.ndarray, " examples"], test: Bool[np.ndarray, " examples"]
) -> Duplicates:
    """Copies, by a key that is equal for examples that are the same (`Domain.key`)."""
    _, which, counts = np.unique(np.asarray(keys, dtype=object).astype(str), return_inverse=True, return_counts=True)
    in_training = np.bincount(which[~test], minlength=len(counts))
    leaked = test & (in_training[which] > 0)
    rows = np.flatnonzero(~test)
    repeated = np.ones(len(keys), dtype=bool)
    repeated[rows[np.unique(which[rows], return_index=True)[1]]] = False
    lowest, highest = np.full(len(counts), np.inf), np.full(len(counts), -np.inf)
    np.minimum.at(lowest, which, labels)
    np.maximum.at(highest, which, labels)
    differ = (lowest < highest)[which]
    return Duplicates(*(tuple(np.flatnonzero(mask).tolist()) for mask in (leaked, repeated & ~test, differ)))


def near_duplicates(
    groups: Sequence[Sequence[str]],
    test: Bool[np.ndarray, " examples"],
    *,
    alike: float = ALIKE,
    fewest: int = FEWEST,
    chunk: int = 512,
) -> dict[int, int]:
    """For each test example that shares so much of its groups with a training example, the nearest one, by row number.

    The share is Jaccard's: groups of both over groups of either. Examples of fewer than `fewest` different groups say
    too little and are left out. It misleads where all examples have much the same groups.
    Raises: InputError for a share outside (0, 1].
    """
    if not 0 < alike <= 1:
        raise InputError(f"alike is {alike}, expected a share above 0 and at most 1")
    from scipy.sparse import csr_matrix

    names: dict[str, int] = {}
    sets = [{names.setdefault(name, len(names)) for name in each} for each in groups]
    large = np.array([len(each) >= fewest for each in sets], dtype=bool)
    ends = np.cumsum([0, *map(len, sets)])
    columns = np.array([column for each in sets for column in sorted(each)], dtype=int)
    table = csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(sets), max(1, len(names))))
    asked, known = np.flatnonzero(large & test), np.flatnonzero(large & ~test)
    found: dict[int, int] = {}
    if not len(known):
        return found
    sizes, others = np.diff(ends), table[known].T
    for begin in range(0, len(asked), chunk):
        rows = asked[begin : begin + chunk]
        both = (table[rows] @ others).toarray()
        share = both / (sizes[rows][:, None] + sizes[known][None] - both)
        nearest = share.argmax(1)
        close = share[np.arange(len(rows)), nearest] >= alike
        found |= dict(zip(rows[close].tolist(), known[nearest[close]].tolist(), strict=True))
    return found
