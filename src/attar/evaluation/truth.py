"""The truth about one example: which parts make a rule true of it, or what each of them contributes."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class TruthMasks:
    """The legal answers for one example, as rows of a matrix `Bool[ndarray, "masks parts"]`.

    `alternatives` are the single answers (every non-empty subset of the rule's matches), `union` all that any of
    them names, `named` the pieces that the rule names (X, C, F).
    """

    alternatives: np.ndarray
    union: np.ndarray
    named: dict[str, np.ndarray]

    @property
    def size(self) -> int:
        return len(self.union)

    @property
    def share(self) -> float:
        """The share of the parts that the union covers; an AUROC is undefined at 0 and 1."""
        return float(self.union.mean())

    @property
    def tells(self) -> bool:
        """Whether an attribution can agree or differ: some but not all of the parts are true."""
        return bool(0 < self.share < 1)


@dataclass(frozen=True, eq=False)
class TruthValues:
    """What each part contributes, signed and in units of the label, `Float[ndarray, "parts"]`."""

    values: np.ndarray

    @property
    def size(self) -> int:
        return len(self.values)

    @property
    def tells(self) -> bool:
        """Whether an attribution can agree or differ: not all parts contribute the same."""
        return len(self.values) > 1 and bool(np.ptp(self.values) > 0)


Truth = TruthMasks | TruthValues
