"""A weighted sum as the truth of a task: what each part of an example adds to the label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attar.core.domain import Domain
from attar.core.errors import InputError
from attar.core.weighted_sum import WeightedSum, contributions, value


@dataclass(frozen=True)
class SumTruth:
    """The `contributions` of a task whose label is the sum. Of data, so that it can be sent to other processes."""

    total: WeightedSum
    domain: Domain

    def __call__(self, example: Any) -> np.ndarray:
        return contributions(self.total, self.domain.finder, example, self.domain.size(example))

    def values(self, examples: Sequence[Any]) -> np.ndarray:
        """`Float[ndarray, "examples"]`. Raises `InputError` for a sum with fewer than three values in all of them."""
        found = np.array([value(self.total, self.domain.finder, example) for example in examples])
        known, those = np.unique(found), f"the {len(found)} {self.domain.example}s"
        if len(known) == 1:
            raise InputError(
                f"{self.total} is {known[0]:g} in all of {those}; a sum must tell some from others: check its motifs"
            )
        if len(known) == 2:
            raise InputError(
                f"{self.total} is {known[0]:g} or {known[1]:g} in {those}, and two values are two classes: give the "
                "rule that tells them apart, without a weight"
            )
        return found
