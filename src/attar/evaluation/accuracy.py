"""True of the phenomenon: how well an attribution finds the parts that a rule names."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from attar.core.errors import InputError
from attar.evaluation.truth import TruthMasks


@dataclass(frozen=True)
class Accuracy:
    """AUROCs of one example's values against its truth; nan where the mask covers nothing or everything.

    `best`: the best of the legal answers, as the published benchmark scores (Sanchez-Lengeling et al. 2020).
    `union`: against everything the rule names, the stricter reading. `named`: against each piece.
    """

    best: float
    union: float
    named: dict[str, float]


def accuracy(values: np.ndarray, truth: TruthMasks) -> Accuracy:
    """Score one example's values (`Float[ndarray, "parts"]`, signed: positive supports the target).

    Raises `InputError` for NaN and for a wrong number of values. Ties count one half.
    """
    if values.shape != truth.union.shape:
        raise InputError(f"there are {values.shape} values for a truth over {truth.union.shape} parts")
    if not np.isfinite(values).all():
        raise InputError("the values hold NaN or infinity; they cannot be ranked")
    ranks = rankdata(values)
    best = _aurocs(ranks, truth.alternatives)
    return Accuracy(
        best=float(np.nanmax(best)) if np.isfinite(best).any() else np.nan,
        union=float(_aurocs(ranks, truth.union[None])[0]),
        named={name: float(_aurocs(ranks, mask[None])[0]) for name, mask in truth.named.items()},
    )


def accuracies(values: Sequence[np.ndarray], truths: Sequence[TruthMasks]) -> list[Accuracy]:
    return [accuracy(v, t) for v, t in zip(values, truths, strict=True)]


def _aurocs(ranks: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The AUROC of each mask, from the Mann-Whitney rank sum."""
    inside = masks.sum(1)
    outside = masks.shape[1] - inside
    pairs = inside * outside
    excess = masks @ ranks - inside * (inside + 1) / 2
    return np.where(pairs > 0, excess / np.maximum(pairs, 1), np.nan)
