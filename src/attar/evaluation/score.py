"""What a measure says of attributions, beside what the same measure says of random ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from attar.core.errors import InputError
from attar.evaluation.intervals import Interval, counts, two_level

BETTER, SAME, WORSE = "better than chance", "indistinguishable from chance", "worse than chance"
NOTHING, UNKNOWN = "there was nothing to score", "chance was not measured"


@dataclass(frozen=True, eq=False, kw_only=True)
class Score:
    """A measure's value for each example, its mean with a 95% interval, and chance under the same measure.

    `values` are those of each model's attributions, `random` those of random ones of the same examples; nan where there
    is nothing to score, which is left out and counted (`mean.n` are the others). `worst` and `best` are the ends of the
    scale, infinite where none is known; the better end says which way is up. `noun` is what `mean.n` counts. `known`
    are the intervals of what is no mean over examples; all others are bootstrapped when they are first asked for, and
    do not depend on the examples' order.
    """

    measure: str
    values: Float[np.ndarray, "models examples"]
    random: Float[np.ndarray, "draws examples"]
    worst: float
    best: float
    noun: str = "examples"
    known: "Intervals | None" = None

    @property
    def mean(self) -> Interval:
        """Over models, then examples."""
        return self.intervals.mean

    @property
    def chance(self) -> Interval:
        """The mean of the random ones, and where that of one more set of them would lie in 95 of 100 cases."""
        return self.intervals.chance

    @property
    def margin(self) -> Interval:
        """The mean less chance, example by example, with its interval over models, examples and random draws."""
        return self.intervals.margin

    @cached_property
    def intervals(self) -> "Intervals":
        return _bootstrapped(self.values, self.random) if self.known is None else self.known

    @property
    def verdict(self) -> str:
        """Better or worse than chance only if both hold: the mean lies outside what random attributions of these very
        examples score, and the margin's interval, which is about other examples and models, leaves 0 out. So a single
        example can tell, and a lucky set of examples cannot. Wrong about random attributions in at most 5 of 100."""
        if not self.mean.n or not np.isfinite(self.chance.score):
            return UNKNOWN if self.mean.n else NOTHING
        outside = not self.chance.low <= self.mean.score <= self.chance.high
        if not (outside and (self.margin.low > 0 or self.margin.high < 0)):
            return SAME
        return BETTER if self._closer() else WORSE

    def _closer(self) -> bool:
        """To the best end than chance is."""
        if np.isinf(self.best):
            return (self.margin.score > 0) == (self.best > 0)
        return abs(self.mean.score - self.best) < abs(self.chance.score - self.best)

    def __str__(self) -> str:
        left_out = int(np.isnan(self.values).all(0).sum())
        counted = f"{self.mean.n} of {self.mean.n + left_out}" if left_out else f"{self.mean.n}"
        known = f"{self.worst:g} worst, {self.best:g} best"
        scale = f"{'higher' if self.best > self.worst else 'lower'} is better" if np.isinf(self.best) else known
        chance = f"; chance {_ends(self.chance)}" if np.isfinite(self.chance.score) else ""
        return f"{self.measure} {_ends(self.mean)} over {counted} {self.noun} ({scale}){chance}: {self.verdict}"


@dataclass(frozen=True)
class Intervals:
    """Those of a score."""

    mean: Interval
    chance: Interval
    margin: Interval


def scored(
    measure: str,
    values: Float[np.ndarray, "models examples"],
    random: Float[np.ndarray, "draws examples"],
    *,
    worst: float,
    best: float,
) -> Score:
    """The score of such values.

    Raises `InputError` for infinity, and where one draw or model has a value for an example and another has none.
    """
    values, random = np.atleast_2d(values), np.asarray(random, dtype=float).reshape(-1, np.shape(values)[-1])
    table = np.concatenate([values, random])
    undefined = np.isnan(table)
    if np.isinf(table).any() or (undefined.any(0) & ~undefined.all(0)).any():
        raise InputError(
            f"{measure} came out infinite, or undefined for some attributions of an example and not others"
        )
    return Score(measure=measure, values=values, random=random, worst=worst, best=best)


def _bootstrapped(values: np.ndarray, random: np.ndarray) -> Intervals:
    table = np.concatenate([values, random])
    table = table[:, ~np.isnan(table).any(0)]
    table = table[:, np.lexsort(table[::-1])]  # by the values, and where these tie by the random ones
    own, other = table[: len(values)], table[len(values) :]
    mean = two_level(own)
    if not len(random) or not mean.n:
        nothing = Interval(np.nan, np.nan, np.nan, mean.n)
        return Intervals(mean, nothing, nothing)
    return Intervals(mean, _chance(other), _margin(own, other))


def together(scores: Sequence[Score]) -> Score:
    """The scores of several models on the same examples as one, whose interval is over models, then examples.

    Raises `InputError` where they are not of one measure and as many examples.
    """
    if len({(score.measure, score.values.shape[1], score.random.shape) for score in scores}) != 1:
        raise InputError(
            f"scores to be put together are of one measure and the same examples, got {len(scores)} others"
        )
    first = scores[0]
    values = np.concatenate([score.values for score in scores])
    random = np.mean([score.random for score in scores], 0)
    hole = np.isnan(values).any(0)
    return scored(
        first.measure,
        np.where(hole, np.nan, values),
        np.where(hole, np.nan, random),
        worst=first.worst,
        best=first.best,
    )


def change(before: Score, after: Score) -> Score:
    """What was gained from one score to another of the same examples: 0 is best, and a loss is negative.

    For stability: the accuracy on perturbed examples less that on the examples themselves.
    """
    if before.values.shape != after.values.shape or before.random.shape != after.random.shape:
        raise InputError(f"a change is between scores of the same examples, got {before.values.shape[1]} examples")
    values, random = after.values - before.values, after.random - before.random
    hole = np.isnan(values).any(0)
    values, random = np.where(hole, np.nan, values), np.where(hole, np.nan, random)
    return scored(f"change of {before.measure}", values, random, worst=-np.inf, best=0.0)


def _chance(random: Float[np.ndarray, "draws examples"]) -> Interval:
    """Between two of the drawn means, so far from the ends that a further one falls outside in at most 5 of 100 cases,
    whatever their law; with fewer than 39 draws by Student's t, which trusts it to be normal."""
    means = np.sort(random.mean(1))
    draws, middle = len(means), float(means.mean())
    if outside := int(0.025 * (draws + 1)):
        return Interval(middle, float(means[outside - 1]), float(means[-outside]), random.shape[1])
    spread = float(means.std(ddof=1)) * (1 + 1 / draws) ** 0.5 if draws > 1 else np.inf
    half = float(stdtrit(max(draws - 1, 1), 0.975)) * spread
    return Interval(middle, middle - half, middle + half, random.shape[1])


def _margin(values: np.ndarray, random: np.ndarray, *, resamples: int = 2000) -> Interval:
    """Over models, examples and draws; the same examples for both."""
    generator = np.random.default_rng(29)
    examples = generator.integers(values.shape[1], size=(resamples, values.shape[1]))
    models, draws = (
        counts(generator.integers(len(t), size=(resamples, len(t))), len(t)) / len(t) for t in (values, random)
    )
    means = np.take_along_axis(models @ values - draws @ random, examples, 1).mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean() - random.mean()), float(low), float(high), values.shape[1])


def _ends(interval: Interval) -> str:
    return f"{interval.score:.3g} [{interval.low:.3g}, {interval.high:.3g}]"
