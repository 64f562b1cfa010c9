"""Intervals: how far a score could have come out elsewhere."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import r2_score

from attar.core.errors import InputError


@dataclass(frozen=True)
class Interval:
    """A score with a 95% interval and the number of examples it rests on."""

    score: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.score:.3f} [{self.low:.3f}, {self.high:.3f}], n = {self.n}"


def two_level(scores: np.ndarray, *, resamples: int = 2000, seed: int = 0) -> Interval:
    """The mean of scores `Float[ndarray, "models examples"]`, bootstrapped over model seeds, then examples.

    nan marks an example where the score is undefined; it is left out. With one model the interval is over
    examples alone, and too narrow by what another seed would have changed; with three it covers three times in four,
    instead of 19 in 20, where seeds matter far more than examples. `n` counts usable examples.
    Source: Sanchez-Lengeling et al. 2020 report the spread over models; the nesting is Efron & Tibshirani 1993.
    """
    scores = np.atleast_2d(scores)
    usable = np.isfinite(scores).all(0)
    if not usable.any():
        return Interval(np.nan, np.nan, np.nan, 0)
    table = scores[:, usable]
    generator = np.random.default_rng(seed)
    models = generator.integers(table.shape[0], size=(resamples, table.shape[0]))
    examples = generator.integers(table.shape[1], size=(resamples, table.shape[1]))
    # What an example counts in a resample is its mean over the drawn models.
    if len(table) == 1:
        means = table[0][examples].mean(1)
    else:
        means = np.take_along_axis(counts(models, len(table)) / len(table) @ table, examples, 1).mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(table.mean()), float(low), float(high), int(usable.sum()))


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The area under the ROC curve; raises `InputError` where one class is absent or a score is NaN."""
    positive = labels > 0.5
    if positive.all() or not positive.any():
        raise InputError("AUROC needs both classes; all labels are the same here")
    if not np.isfinite(scores).all():
        raise InputError("the scores hold NaN or infinity; they cannot be ranked")
    ranks = rankdata(scores)
    inside = positive.sum()
    return float((ranks[positive].sum() - inside * (inside + 1) / 2) / (inside * (len(labels) - inside)))


def quality(labels: np.ndarray, scores: np.ndarray) -> float:
    """AUROC for 0/1 labels, R² for other numbers."""
    return auroc(labels, scores) if set(np.unique(labels)) <= {0.0, 1.0} else float(r2_score(labels, scores))


def prediction(labels: np.ndarray, scores: np.ndarray, *, resamples: int = 500, seed: int = 0) -> Interval:
    """Held-out quality: AUROC for 0/1 labels, R² for numbers, averaged over models (`scores`: one row each),
    bootstrapped over models, then examples (by class, so that both stay present)."""
    scores = np.atleast_2d(scores)
    generator = np.random.default_rng([seed, 19])
    classes = np.unique(labels)
    binary = set(classes) <= {0.0, 1.0}
    strata = [np.flatnonzero(labels == c) for c in classes] if binary else [np.arange(len(labels))]
    means = []
    for _ in range(resamples):
        chosen = np.concatenate([generator.choice(s, len(s)) for s in strata])
        models = generator.integers(len(scores), size=len(scores))
        each = {m: quality(labels[chosen], scores[m][chosen]) for m in set(models.tolist())}
        means.append(np.mean([each[m] for m in models.tolist()]))
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(np.mean([quality(labels, s) for s in scores])), float(low), float(high), len(labels))


def counts(drawn: np.ndarray, size: int) -> np.ndarray:
    """How often each index was drawn in each resample."""
    offset = np.arange(len(drawn))[:, None] * size
    return np.bincount((drawn + offset).ravel(), minlength=len(drawn) * size).reshape(len(drawn), size).astype(float)
