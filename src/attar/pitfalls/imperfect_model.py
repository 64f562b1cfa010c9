"""The imperfect model: how much attribution does this much prediction buy?

A ladder of models is fitted to ever noisier labels; each rung gives prediction (on clean held-out labels) and
attribution accuracy together. A model's place on the ladder says what to expect of its attributions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attar.core.recipe import Recipe
from attar.evaluation.accuracy import accuracies
from attar.evaluation.intervals import Interval, quality, two_level
from attar.evaluation.truth import Truth

FLIPS = (0.0, 0.1, 0.2, 0.3, 0.33, 0.4, 0.45, 0.5)


@dataclass(frozen=True)
class Rung:
    """`flip` of the training labels are turned round; `prediction` is the held-out AUROC (R²), `attribution` its score
    on held-out positives with a 95% interval over seeds, then examples."""

    flip: float
    prediction: float
    attribution: Interval


def flipped(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """The 0/1 labels with exactly that share of them, chosen at random, turned round; at one half they say nothing.

    Other numbers are shuffled among twice that share of the examples, so that one half says nothing there too.
    """
    generator = np.random.default_rng([seed, 7])
    noisy = labels.copy()
    if set(np.unique(labels)) <= {0.0, 1.0}:
        chosen = generator.permutation(len(labels))[: round(share * len(labels))]
        noisy[chosen] = 1 - noisy[chosen]
    else:
        chosen = generator.permutation(len(labels))[: round(min(1.0, 2 * share) * len(labels))]
        noisy[chosen] = noisy[generator.permutation(chosen)]
    return noisy


def rung(
    recipe: Recipe,
    flip: float,
    *,
    train: tuple[Sequence[Any], np.ndarray],
    test: tuple[Sequence[Any], np.ndarray],
    scored: Sequence[Any],
    truths: Sequence[Truth],
    method: str,
    seeds: Sequence[int] = (0, 1, 2),
) -> Rung:
    """One step of the ladder: fit on flipped labels, predict the clean test, score the attributions.

    `scored` are held-out examples with known `truths`; with none the attribution is nan.
    """
    predictions, scores = [], []
    for seed in seeds:
        fitted = recipe.fit(train[0], flipped(train[1], flip, seed), seed)
        predictions.append(quality(test[1], fitted.predict(test[0])))
        if truths:
            scores.append([a.best for a in accuracies(fitted.explain(scored, method), truths)])
    attribution = two_level(np.array(scores)) if truths else Interval(np.nan, np.nan, np.nan, 0)
    return Rung(flip, float(np.mean(predictions)), attribution)


def expected(rungs: Sequence[Rung], prediction: float) -> tuple[float, float]:
    """The attribution score the ladder gives at this prediction, and half the width of its interval there.

    Linear between rungs, the nearest rung's outside them.
    """
    ordered = sorted(rungs, key=lambda r: r.prediction)
    at = [r.prediction for r in ordered]
    middle = np.interp(prediction, at, [r.attribution.score for r in ordered])
    half = np.interp(prediction, at, [(r.attribution.high - r.attribution.low) / 2 for r in ordered])
    return float(middle), float(half)
