"""Slices: kinds of held-out examples on which the model is worse than on the rest."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import pearson3, rankdata, t

from attar.core.errors import InputError
from attar.evaluation.intervals import Interval
from attar.pitfalls.holm import holm
from attar.pitfalls.traits import Traits

AT_LEAST = 10  # examples of a class in a slice, and outside it
SIGNIFICANT = 0.01
OVERLAP = 0.5  # of two slices that share more than this, the surer is told of

Kind = Literal["positives", "negatives", "examples"]


@dataclass(frozen=True)
class Slice:
    """Held-out examples of one kind (`of`: its positives, its negatives, or all where labels are numbers).

    `quality`: the share of them that the model has on the right side, as many being called positive over all held-out
    examples as are (recall of the positives, specificity of the negatives, at the break-even point, so that neither
    rare classes nor a shifted logit matter); for numbers the chance that its error is smaller than another example's
    (0.5: as elsewhere). Its interval holds for all slices at once. `elsewhere` is the same outside the slice; `p`,
    corrected for all slices, that of a slice so low by chance.
    """

    name: str
    of: Kind
    count: int
    quality: Interval
    elsewhere: float
    p: float


def worse_slices(
    traits: Traits,
    labels: Float[np.ndarray, " examples"],
    predictions: Float[np.ndarray, " examples"],
    *,
    at_least: int = AT_LEAST,
) -> list[Slice]:
    """The slices on which held-out quality is significantly worse than elsewhere, the surest first.

    A slice is a quarter of a property, or the examples with or without a group, with at least so many of each class
    inside and outside: a trait that says the label is the question, and no slice of it. What is tested is the mean of
    one number per example against as many examples of that class drawn at random, whose moments are known, and
    Pearson's type III curve has them. Two numbers are asked: `Slice.quality`'s, and the share of the other class that
    an example is ranked on the right side of, which sees smaller differences. It misleads where examples of a kind are
    harder by nature (near a rule's threshold): worse is not yet wrong. Where the rule is known, give traits
    `apart_from` it.
    Raises: InputError where a class is missing or a prediction is NaN.
    Source: Chung et al. 2019, "Slice Finder" (slices by traits, tested one by one with a correction). Mielke & Berry
    2007, "Permutation methods", for the curve.
    """
    if not np.isfinite(predictions).all():
        raise InputError("the predictions hold NaN or infinity; they cannot be ranked")
    names, masks = _masks(traits)
    if not names:
        return []
    numbers = _numbers(labels, predictions)
    sizes = [(masks[:, there].sum(1), len(there)) for _, there, _, _ in numbers]
    able = np.flatnonzero(np.all([(n >= at_least) & (size - n >= at_least) for n, size in sizes], 0))
    found, of = [], []
    for (kind, there, values, ranked), (counts, _) in zip(numbers, sizes, strict=True):
        inside = masks[able][:, there].astype(float)
        tests = [_by_chance(each, inside) for each in (values, ranked)]
        found.append((able, counts[able], *_means(values, inside), *tests))
        of += [kind] * len(able)
    columns = [np.concatenate(each) for each in zip(*found, strict=True)]
    which, counts, mean, elsewhere, deviation, *tested = columns
    if not len(which):
        return []
    corrected = holm(np.concatenate(tested)).reshape(2, -1).min(0)
    p = np.minimum(*tested)
    half = t.ppf(1 - 0.025 / len(p), counts - 1) * deviation / np.sqrt(counts)
    each = [
        Slice(
            names[which[k]],
            of[k],
            int(counts[k]),
            Interval(
                float(mean[k]), max(0.0, float(mean[k] - half[k])), min(1.0, float(mean[k] + half[k])), len(labels)
            ),
            float(elsewhere[k]),
            float(corrected[k]),
        )
        for k in range(len(p))
    ]
    kept: list[int] = []
    for k in sorted(
        np.flatnonzero(corrected < SIGNIFICANT).tolist(), key=lambda k: (p[k], -counts[k], names[which[k]])
    ):
        if all(of[k] != of[other] or _alike(masks[which[k]], masks[which[other]]) <= OVERLAP for other in kept):
            kept.append(k)
    return [each[k] for k in kept]


def _masks(traits: Traits) -> tuple[list[str], Bool[np.ndarray, "slices examples"]]:
    names, masks = [], []
    for name, values in zip(traits.properties, traits.values.T, strict=True):
        edges = np.unique(np.quantile(values, [0.25, 0.5, 0.75]))
        place = np.searchsorted(edges, values, side="left")
        for k in range(len(edges) + 1):
            low = f"{edges[k - 1]:.3g} < " if k else ""
            high = f" ≤ {edges[k]:.3g}" if k < len(edges) else ""
            names.append(f"{low}{name}{high}")
            masks.append(place == k)
    for name, has in zip(traits.groups, traits.present.T, strict=True):
        names += [f"with {name}", f"without {name}"]
        masks += [has, ~has]
    return names, np.array(masks, dtype=bool).reshape(len(names), len(traits))


def _numbers(labels: np.ndarray, predictions: np.ndarray) -> list[tuple[Kind, np.ndarray, np.ndarray, np.ndarray]]:
    """Which examples are looked at together, a number for each whose mean is the quality, and a finer one."""
    if not set(np.unique(labels)) <= {0.0, 1.0}:
        error = np.abs(labels - predictions)
        smaller = 1 - (rankdata(error) - 0.5) / len(error)
        return [("examples", np.arange(len(labels)), smaller, smaller)]
    positive, negative = np.flatnonzero(labels > 0.5), np.flatnonzero(labels < 0.5)
    if not len(positive) or not len(negative):
        raise InputError("all held-out labels are the same: slices need both classes")
    called = _called(predictions, len(positive))
    above = _share_below(predictions[positive], predictions[negative])
    below = 1 - _share_below(predictions[negative], predictions[positive])
    return [("positives", positive, called[positive], above), ("negatives", negative, 1 - called[negative], below)]


def _share_below(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each value the share of the others that lie below it, ties counting one half."""
    ordered = np.sort(others)
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / (2 * len(others))


def _called(values: np.ndarray, size: int) -> np.ndarray:
    """Whether each is among the `size` largest; those that tie at the end share the room left."""
    ordered = np.sort(-values)
    before, upto = np.searchsorted(ordered, -values, "left"), np.searchsorted(ordered, -values, "right")
    return np.clip((size - before) / (upto - before), 0.0, 1.0)


def _means(values: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each slice: its mean, the mean elsewhere, and the standard deviation within it."""
    counts = inside.sum(1)
    total = inside @ values
    mean = total / counts
    deviation = np.sqrt(np.maximum(inside @ values**2 - counts * mean**2, 0) / (counts - 1))
    return mean, (values.sum() - total) / (len(values) - counts), deviation


def _by_chance(
    values: Float[np.ndarray, " members"], inside: Float[np.ndarray, "slices members"]
) -> Float[np.ndarray, " slices"]:
    """How likely the mean of as many members, drawn at random, is as low as each slice's."""
    size, counts = len(values), inside.sum(1)
    spread = values.std()
    if spread == 0:
        return np.ones(len(counts))
    skew = ((values - values.mean()) ** 3).mean() / spread**3
    of_mean = spread * np.sqrt((size - counts) / (counts * (size - 1)))
    skew_of_mean = skew * (size - 2 * counts) / np.sqrt(counts * (size - counts)) * np.sqrt(size - 1) / (size - 2)
    p = pearson3.cdf((inside @ values / counts - values.mean()) / of_mean, skew_of_mean)
    return np.clip(p, 0.0, 1.0)


def _alike(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))
