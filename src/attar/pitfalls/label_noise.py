"""Label noise: what share of the labels is wrong, and which, by what a model says of examples it was not fitted on?"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit

from attar.core.errors import InputError
from attar.evaluation.intervals import Interval, prediction

SUREST = 0.2  # of each class


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelNoise:
    """`share` of the labels that are wrong, estimated where the model is surest; its `n` are the examples looked at.

    `joint` is confident learning's estimate of given label (rows) against true label (columns), summing to 1, and
    `confident` its share off the diagonal. `rows` are the examples whose label the model contradicts with confidence,
    the most likely wrong first. `told` is how well the held-out scores tell the given labels apart (AUROC): where its
    interval reaches 0.5 the share means nothing.
    """

    share: Interval
    joint: Float[np.ndarray, "2 2"]
    rows: Int[np.ndarray, " rows"]
    told: Interval

    @property
    def confident(self) -> float:
        return float(self.joint[0, 1] + self.joint[1, 0])


def label_noise(
    labels: Float[np.ndarray, " examples"],
    logits: Float[np.ndarray, " examples"],
    *,
    surest: float = SUREST,
    draws: int = 2000,
    seed: int = 0,
) -> LabelNoise:
    """How many 0/1 labels are wrong, from the logit of each example by a model that was fitted without it.

    The share: of the fifth that the model is surest of, on either side, those with the other label tell how often a
    label of that class is turned round, if labels are wrong by chance within a class and the model's surest examples
    are of one true class. It depends on the order of the logits alone, and is an upper bound where that fails: a model
    that is wrong where it is sure. It misleads where wrong labels are of a kind (one slice): a model learns them.
    Confident learning's joint also needs probabilities that are right, and counts classes that overlap as noise: on
    clean labels and classes two standard deviations apart it says 7%, the share above 1%.
    Raises: InputError for labels other than 0/1, of one class, and for NaN.
    Source: Northcutt, Jiang & Chuang 2021, arXiv:1911.00068 (joint, equations 1 to 3, and rows by normalised margin).
    The share: Scott, Blanchard & Handy 2013, "Classification with asymmetric label noise" (noise rates are the ends of
    the class probability); theirs are infima, ours means over a fifth of a class, so that an interval can be given
    (Jeffreys').
    """
    if not set(np.unique(labels)) == {0.0, 1.0}:
        raise InputError("the share of wrong labels is estimated for 0/1 labels of both classes")
    if not np.isfinite(logits).all():
        raise InputError("the logits hold NaN or infinity; they cannot be ranked")
    joint, rows = _confident(labels > 0.5, expit(logits))
    told = prediction(labels, logits, seed=seed)
    return LabelNoise(share=_share(labels > 0.5, logits, surest, draws, seed), joint=joint, rows=rows, told=told)


def _share(positive: np.ndarray, logits: np.ndarray, surest: float, draws: int, seed: int) -> Interval:
    sizes = [max(1, round(surest * float(side.sum()))) for side in (~positive, positive)]
    wrong = [
        float((_first(logits, sizes[0]) * positive).sum()),
        float((_first(-logits, sizes[1]) * ~positive).sum()),
    ]
    given = float(positive.mean())
    generator = np.random.default_rng([seed, 71])
    # Jeffreys' posterior of each rate; where nothing was found wrong, nothing may be wrong.
    drawn = [generator.beta(few + 0.5, size - few + 0.5, draws) for few, size in zip(wrong, sizes, strict=True)]
    lower, upper = np.quantile(_of_all(drawn[0], drawn[1], given), [0.025, 0.975])
    middle = float(_of_all(np.array(wrong[0] / sizes[0]), np.array(wrong[1] / sizes[1]), given))
    least = 0.0 if sum(wrong) == 0 else float(lower)
    return Interval(middle, min(least, middle), max(float(upper), middle), sum(sizes))


def _first(values: np.ndarray, size: int) -> np.ndarray:
    """What share of each example is among the `size` smallest: those that tie at the end share the room left."""
    ordered = np.sort(values)
    before, upto = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return np.clip((size - before) / (upto - before), 0.0, 1.0)


def _of_all(low: np.ndarray, high: np.ndarray, given: float) -> np.ndarray:
    """The share of all labels that is wrong, by the shares that are among true negatives and true positives."""
    positives = np.clip((given - low) / np.maximum(1 - low - high, 1e-3), 0, 1)
    return high * positives + low * (1 - positives)


def _confident(positive: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The joint of given and true label, and the rows off its diagonal by how clearly they are."""
    each = np.stack([1 - probability, probability], 1)
    enough = np.array([each[~positive, 0].mean(), each[positive, 1].mean()])
    confident = each >= enough
    likelier = np.where(confident, each, -1.0).argmax(1)
    counted = confident.any(1)
    counts = np.zeros((2, 2))
    np.add.at(counts, (positive[counted].astype(int), likelier[counted]), 1.0)
    empty = counts.sum(1) == 0
    counts[empty] = np.eye(2)[empty]
    members = np.array([(~positive).sum(), positive.sum()])
    joint = counts / counts.sum(1, keepdims=True) * members[:, None] / len(positive)
    margin = np.where(positive, 1, -1) * (2 * probability - 1)
    wrong = np.flatnonzero(counted & (likelier != positive))
    return joint, wrong[np.argsort(margin[wrong], kind="stable")]
