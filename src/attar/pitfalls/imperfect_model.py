"""The imperfect model: how much attribution does this much prediction buy?

A ladder of models, each made worse in a known way (noisier labels, fewer examples, a smaller model, one stopped early);
each rung gives prediction (on clean held-out labels) and attribution accuracy together. A model's place among all rungs
says what to expect of its attributions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from attar.core.errors import InputError
from attar.core.recipe import Recipe
from attar.evaluation.accuracy import accuracies
from attar.evaluation.intervals import Interval, quality, two_level
from attar.evaluation.parc import parc
from attar.evaluation.score import Score
from attar.evaluation.truth import Truth

NOISE, LESS = "label noise", "less data"
FLIPS = (0.0, 0.1, 0.2, 0.3, 0.33, 0.4, 0.45, 0.5)
SHARES = (0.5, 0.25, 0.1, 0.05)


@dataclass(frozen=True, kw_only=True)
class Step:
    """How one rung is made: what it is called, the recipe (smaller, or with fewer epochs), the share of the training
    examples that it is given, and the share of their labels that is turned round. Raises `InputError` for shares that
    are none."""

    name: str
    recipe: Recipe
    share: float = 1.0
    flip: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or not 0 <= self.flip <= 1:
            raise InputError(
                f"{self.name}: share is {self.share} and flip {self.flip}, expected above 0 to 1, and 0 to 1"
            )


def noisier(recipe: Recipe, flips: Sequence[float] = FLIPS) -> list[Step]:
    return [Step(name=NOISE, recipe=recipe, flip=flip) for flip in flips]


def fewer(recipe: Recipe, shares: Sequence[float] = SHARES) -> list[Step]:
    return [Step(name=LESS, recipe=recipe, share=share) for share in shares]


@dataclass(frozen=True)
class Rung:
    """`flip` of the training labels are turned round; `prediction` is the held-out AUROC (R²), `attribution` its score
    on held-out positives with a 95% interval over seeds, then examples. `name` says how the model was made worse,
    `share` on how much of the data, `values` are the attribution scores by example."""

    flip: float
    prediction: float
    attribution: Interval
    name: str = NOISE
    share: float = 1.0
    values: Float[np.ndarray, "seeds examples"] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Place:
    """What the rungs say of a model of this quality: `expected` attribution, `half` the width of the interval in which
    19 of 20 such models lie, of a possible `top`. `between`: the standard deviation between rungs beyond what examples
    and seeds explain, part of `half`. `outside`: the quality is beyond the rungs', and the nearest one's is given."""

    expected: float
    half: float
    top: float
    between: float
    outside: bool


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


def thinned(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which examples are left when that share of each class is kept, two at least; a smaller share is part of a larger.

    Labels that are other numbers are one class.
    """
    generator = np.random.default_rng([seed, 73])
    binary = set(np.unique(labels)) <= {0.0, 1.0}
    classes = [np.flatnonzero(labels == c) for c in (0.0, 1.0)] if binary else [np.arange(len(labels))]
    kept = [generator.permutation(members)[: max(2, round(share * len(members)))] for members in classes]
    return np.sort(np.concatenate(kept))


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
    """One step of the ladder of label noise."""
    (step,) = noisier(recipe, (flip,))
    return stepped(step, train=train, test=test, scored=scored, truths=truths, method=method, seeds=seeds)


def stepped(
    step: Step,
    *,
    train: tuple[Sequence[Any], np.ndarray],
    test: tuple[Sequence[Any], np.ndarray],
    scored: Sequence[Any],
    truths: Sequence[Truth],
    method: str,
    seeds: Sequence[int] = (0, 1, 2),
) -> Rung:
    """One rung: fit what the step says, predict the clean test, score the attributions.

    `scored` are held-out examples with known `truths`; with none the attribution is nan.
    """
    examples, labels = train
    predictions, scores = [], []
    for seed in seeds:
        kept = thinned(labels, step.share, seed) if step.share < 1 else np.arange(len(labels))
        noisy = flipped(labels[kept], step.flip, seed)
        fitted = step.recipe.fit([examples[k] for k in kept.tolist()], noisy, seed)
        predictions.append(quality(test[1], fitted.predict(test[0])))
        if truths:
            scores.append([a.best for a in accuracies(fitted.explain(scored, method), truths)])
    values = np.array(scores) if truths else None
    attribution = Interval(np.nan, np.nan, np.nan, 0) if values is None else two_level(values)
    return Rung(step.flip, float(np.mean(predictions)), attribution, step.name, step.share, values)


def expected(rungs: Sequence[Rung], prediction: float) -> tuple[float, float]:
    """The attribution score the ladder gives at this prediction, and half the width of its interval there.

    Linear between rungs, the nearest rung's outside them. That of a *model* at this prediction is wider: `placed`.
    """
    ordered = sorted(rungs, key=lambda r: r.prediction)
    at = [r.prediction for r in ordered]
    middle = np.interp(prediction, at, [r.attribution.score for r in ordered])
    half = np.interp(prediction, at, [(r.attribution.high - r.attribution.low) / 2 for r in ordered])
    return float(middle), float(half)


def placed(rungs: Sequence[Rung], prediction: float) -> Place:
    """Where a model of that held-out quality stands among the rungs, however each of them was made worse.

    Linear between the nearest rungs, as `expected`. Rungs scatter about such a line more than their intervals allow,
    since equal predictions need not be equal models: the scatter is taken from what each inner rung differs from the
    line through its neighbours, less what the intervals explain (moments, as in a meta-analysis with random effects),
    and a new model scatters by as much again. Student's quantile, by the number of inner rungs. It misleads with fewer
    than three rungs, where no scatter can be seen (`between` 0), and where the line bends sharply between rungs, which
    counts as scatter. Raises `InputError` for no rung, and for NaN.
    """
    if not rungs or not all(np.isfinite([r.prediction, r.attribution.score]).all() for r in rungs):
        raise InputError("a place needs rungs with a prediction and an attribution score; leave others out")
    ordered = sorted(rungs, key=lambda r: (r.prediction, r.attribution.score))
    at = np.array([r.prediction for r in ordered])
    scores = np.array([r.attribution.score for r in ordered])
    error = np.array([(r.attribution.high - r.attribution.low) / 2 / 1.96 for r in ordered])
    between, inner = _between(at, scores, error)
    left, right = _weights(at, prediction)
    beside = left**2 + right**2
    variance = float((left**2 + right**2) @ error**2) + between**2 * (1 + float(beside.sum()))
    quantile = 1.96 if between == 0 else float(stdtrit(max(inner, 1), 0.975))
    return Place(
        expected=float((left + right) @ scores),
        half=quantile * variance**0.5,
        top=float(scores.max()),
        between=between,
        outside=bool(prediction < at[0] or prediction > at[-1]),
    )


def faithful(rungs: Sequence[Rung], *, seed: int = 0) -> Score:
    """PARC over all rungs: whether better models explain themselves better. Raises `InputError` as `parc` does."""
    scored = [r for r in rungs if r.values is not None]
    table = np.stack([r.values.mean(0) for r in scored if r.values is not None]) if scored else np.zeros((0, 0))
    return parc(np.array([r.prediction for r in scored]), table, seed=seed)


def _weights(at: np.ndarray, where: float) -> tuple[np.ndarray, np.ndarray]:
    """What each rung counts for a place on the line: the one on the left of it, and the one on the right."""
    left, right = np.zeros(len(at)), np.zeros(len(at))
    after = int(np.searchsorted(at, where))
    if after in (0, len(at)):
        left[min(after, len(at) - 1)] = 1.0
        return left, right
    share = (where - at[after - 1]) / (at[after] - at[after - 1])
    left[after - 1], right[after] = 1 - share, share
    return left, right


def _between(at: np.ndarray, scores: np.ndarray, error: np.ndarray) -> tuple[float, int]:
    """The standard deviation between rungs beyond their errors, and how many rungs it was seen on."""
    if len(at) < 3:
        return 0.0, 0
    width = at[2:] - at[:-2]
    share = np.where(width > 0, (at[1:-1] - at[:-2]) / np.where(width > 0, width, 1), 0.5)
    off = scores[1:-1] - (1 - share) * scores[:-2] - share * scores[2:]
    known = error[1:-1] ** 2 + (1 - share) ** 2 * error[:-2] ** 2 + share**2 * error[2:] ** 2
    scale = 1 + (1 - share) ** 2 + share**2
    beyond = float((off**2 - known).sum() / scale.sum())
    return max(0.0, beyond) ** 0.5, len(off)
