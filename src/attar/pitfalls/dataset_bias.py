"""Dataset bias: does the training set look like the test set, and what comes with what?

Here property by property; `population` asks of all of them together, `slices` where the model is worse, `duplicates`
what stands on both sides, `label_noise` how many labels are wrong, `coverage` which of a rule's alternatives are shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import csc_matrix
from scipy.stats import ks_2samp

from attar.pitfalls.holm import holm


@dataclass(frozen=True)
class Shift:
    """A property whose distribution differs between training and test examples.

    `distance` is the Kolmogorov-Smirnov statistic (0 same, 1 apart), `p` Holm-corrected over the properties.
    """

    name: str
    train_mean: float
    test_mean: float
    distance: float
    p: float


def shifts(train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray]) -> list[Shift]:
    """Every property's shift, the largest first."""
    found = []
    for name, values in train.items():
        compared: Any = ks_2samp(values, test[name])
        means = float(values.mean()), float(test[name].mean())
        found.append(Shift(name, *means, float(compared.statistic), float(compared.pvalue)))
    corrected = holm(np.array([shift.p for shift in found]))
    found = [replace(shift, p=float(p)) for shift, p in zip(found, corrected, strict=True)]
    return sorted(found, key=lambda s: -s.distance)


def unseen_share(train: Sequence[str], test: Sequence[str]) -> float:
    """The share of test examples whose key (scaffold, patient, source) no training example has."""
    known = set(train)
    return float(np.mean([key not in known for key in test])) if len(test) else 0.0


def co_occurring(present: csc_matrix, columns: Sequence[int], *, overlap: float = 0.6) -> list[list[int]]:
    """Columns that come together, as groups: single-linkage on the Jaccard overlap of the rows that hold them.

    Columns of one group cannot be told apart by this data; a ranking should sum over the group. Groups keep the
    order of their first column in `columns`.
    """
    table = (present[:, columns] > 0).astype(np.int64)
    together = (table.T @ table).toarray()
    each = together.diagonal()
    union = each[:, None] + each[None] - together
    linked = together >= overlap * np.maximum(union, 1)
    group = np.arange(len(columns))
    for k in range(len(columns)):
        for other in np.flatnonzero(linked[k]):
            if group[other] != group[k]:
                group[group == group[other]] = group[k]
    order: dict[int, list[int]] = {}
    for column, g in zip(columns, group, strict=True):
        order.setdefault(int(g), []).append(int(column))
    return list(order.values())
