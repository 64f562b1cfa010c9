"""True of the phenomenon: how well an attribution finds the parts that a rule names, or what each contributes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import kendalltau, rankdata

from attar.core.errors import InputError
from attar.evaluation.truth import Truth, TruthValues


@dataclass(frozen=True)
class Accuracy:
    """How well one example's values agree with its truth; nan where the truth cannot tell (`Truth.tells`).

    Against masks, AUROCs: `best` is the best of the legal answers, as the published benchmark scores
    (Sanchez-Lengeling et al. 2020), `union` against everything the rule names, the stricter reading, `named` against
    each piece.

    Against contributions `best` is Kendall's τ-b, as published, and `union` is Somers' D: pairs of parts in the truth's
    order less pairs the other way round, over the pairs that the truth tells apart. Both are 1 for the truth, -1 for
    its inverse and 0 by chance. τ-b misleads where most parts contribute nothing: unless these tie in the values too,
    its largest possible value is far below 1 (0.42 with a tenth of the parts at one value and the rest at 0); D asks
    nothing of parts that tie in the truth, and is 2 AUROC - 1 where the truth has two values.
    """

    best: float
    union: float
    named: dict[str, float]


def accuracy(values: np.ndarray, truth: Truth) -> Accuracy:
    """Score one example's values (`Float[ndarray, "parts"]`, signed: positive supports the target).

    Raises `InputError` for NaN and for a wrong number of values. Ties count one half in an AUROC; values that are all
    the same have τ = D = 0.
    """
    if len(values) != truth.size or values.ndim != 1:
        raise InputError(f"there are {values.shape} values for a truth over {truth.size} parts")
    if not np.isfinite(values).all():
        raise InputError("the values hold NaN or infinity; they cannot be ranked")
    if isinstance(truth, TruthValues):
        tau, d = _agreement(values, truth.values) if truth.tells else (np.nan, np.nan)
        return Accuracy(tau, d, {})
    ranks = rankdata(values)
    best = _aurocs(ranks, truth.alternatives)
    return Accuracy(
        best=float(np.nanmax(best)) if np.isfinite(best).any() else np.nan,
        union=float(_aurocs(ranks, truth.union[None])[0]),
        named={name: float(_aurocs(ranks, mask[None])[0]) for name, mask in truth.named.items()},
    )


def accuracies(values: Sequence[np.ndarray], truths: Sequence[Truth]) -> list[Accuracy]:
    return [accuracy(v, t) for v, t in zip(values, truths, strict=True)]


def _agreement(values: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Kendall's τ-b, and Somers' D, which is τ-b but for the pairs that it counts."""
    if np.ptp(values) == 0:
        return 0.0, 0.0
    found: Any = kendalltau(values, truth)
    tau = float(found.statistic)
    return tau, tau * float(np.sqrt(_pairs_apart(values) / _pairs_apart(truth)))


def _pairs_apart(values: np.ndarray) -> int:
    """Pairs that do not tie."""
    same = np.unique(values, return_counts=True)[1]
    return len(values) * (len(values) - 1) // 2 - int((same * (same - 1) // 2).sum())


def _aurocs(ranks: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The AUROC of each mask, from the Mann-Whitney rank sum."""
    inside = masks.sum(1)
    outside = masks.shape[1] - inside
    pairs = inside * outside
    excess = masks @ ranks - inside * (inside + 1) / 2
    return np.where(pairs > 0, excess / np.maximum(pairs, 1), np.nan)
