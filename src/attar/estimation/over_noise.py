"""A statistic of any method over noisy copies of the input: what SmoothGrad, VarGrad and SquareGrad share."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.draws import draws
from attar.core.error import Error, check_tolerance, half_widths
from attar.core.errors import InputError
from attar.core.inputs import Inputs
from attar.core.method import Method
from attar.core.model import Chunked, Differentiable
from attar.core.parts import Parts, precise
from attar.core.target import Target


@dataclass(frozen=True, kw_only=True)
class OverNoise(ABC):
    """Copies come in antithetic pairs, x + n and x - n, whose mean cancels the part of a value that is odd in n.

    What is summed of each pair is counted from the value without noise, so that a small spread is no difference of
    large squares.
    """

    base: Method
    samples: int = 20
    noise: float = 0.15
    tolerance: float | None = None
    budget: int = 1280
    seed: int = 0

    needs: ClassVar[type] = Differentiable

    def __post_init__(self) -> None:
        if self.samples < 4 or self.samples % 2:
            raise InputError(f"samples is {self.samples}, expected an even number of at least 4 (antithetic pairs)")
        if self.noise <= 0:
            raise InputError(f"noise is {self.noise}, expected a positive share of the input's spread")
        if self.tolerance is not None:
            check_tolerance(self.tolerance)
        if self.tolerance is not None and self.budget < self.samples:
            raise InputError(f"budget is {self.budget}, expected at least the {self.samples} copies of `samples`")
        object.__setattr__(self, "needs", self.base.needs)  # of a model no more is asked than by the base

    @abstractmethod
    def terms(self, pairs: "Pairs") -> list[Tensor]:
        """What is averaged over pairs."""

    @abstractmethod
    def estimate(self, moments: "Moments") -> tuple[Tensor, list[Tensor | float]]:
        """The statistic, and its derivative by the mean of each term."""

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        """Several targets over the same copies; each example of each stops by itself, as if asked alone."""
        scale = Parts({n: _spread(a, inputs.owners[n], len(inputs)) * self.noise for n, a in inputs.parts.items()})
        sums = [_Sums.of(plain, len(inputs)) for plain in _asked(self.base, model, inputs, targets)]
        for first, last in self._rounds():
            going = torch.stack([one.going for one in sums]).any(0)
            if not bool(going.any()):
                break
            here = going.nonzero()[:, 0]
            some = inputs.take(here)
            width = Parts({n: a[going[inputs.owners[n]]] for n, a in scale.items()})
            group = max(1, model.size // (2 * len(here)))
            for at in range(first, last, group):
                seeds = [(self.seed, pair) for pair in range(at, min(at + group, last))]
                copies, index = _pairs(some, width, seeds)
                asked = [target.take(here[index]) for target in targets]
                for one, found in zip(sums, _asked(self.base, model, copies, asked), strict=True):
                    one.add(self, found, len(seeds), going)
            if self.tolerance is not None:
                for one in sums:
                    one.stop(self, self.tolerance)
        return [self._attribution(one) for one in sums]

    def _rounds(self) -> Iterator[tuple[int, int]]:
        """The first and last pair of each round; all that were drawn double until the budget ends."""
        done, most = 0, (self.samples if self.tolerance is None else self.budget) // 2
        while done < most:
            last = min(max(2 * done, self.samples // 2), most)
            yield done, last
            done = last

    def _attribution(self, sums: "_Sums") -> Attribution:
        values, standard_error = sums.statistic(self)
        pairs = "as many antithetic pairs as each needed" if self.tolerance else f"{self.samples // 2} antithetic pairs"
        return replace(
            sums.plain,
            parts=Parts({n: a.to(sums.plain.parts[n].dtype) for n, a in values.items()}),
            standard_error=standard_error,
            error=Error(
                sums.bound(standard_error),
                f"sum of 95% half-widths over {pairs}",
                None if self.tolerance is None else ~sums.going,
            ),
            evaluations=sums.evaluations,
            reference=None,
            unassigned=None,
        )


@dataclass(frozen=True, eq=False)
class Pairs:
    """The value without noise, and by how much those of the pairs' copies differ from it."""

    plain: Tensor
    up: Float[Tensor, "pairs *rows"]
    down: Float[Tensor, "pairs *rows"]


@dataclass(frozen=True, eq=False)
class Moments:
    """The value without noise, the means of the terms over so many pairs, and the variance of the first term."""

    plain: Tensor
    means: list[Tensor]
    variance: Tensor
    pairs: Tensor


@dataclass(eq=False)
class _Sums:
    """The terms of the pairs and their products, summed, for one target; `going` are examples that need more pairs."""

    plain: Attribution
    first: dict[str, list[Tensor]]
    second: dict[str, list[list[Tensor]]]
    pairs: Int[Tensor, " batch"]
    evaluations: Int[Tensor, " batch"]
    going: Bool[Tensor, " batch"]

    @classmethod
    def of(cls, plain: Attribution, count: int) -> "_Sums":
        none = torch.zeros(count, dtype=torch.long, device=plain.output.device)
        return cls(plain, {}, {}, none, plain.evaluations.to(none), none == 0)

    def add(self, statistic: OverNoise, found: Attribution, pairs: int, present: Tensor) -> None:
        """Of the examples that are present in `found`, pair after pair, those that are still going."""
        here = self.going[present]
        spent = found.evaluations.to(self.pairs).reshape(2 * pairs, -1).sum(0)
        self.evaluations = self.evaluations.index_add(0, self.going.nonzero()[:, 0], spent[here])
        self.pairs = self.pairs + self.going * pairs
        for part, plain in self.plain.parts.items():
            owner = self.plain.owners[part]
            rows = self.going[owner].nonzero()[:, 0]
            mine = self.going[owner[present[owner]]]
            centre = precise(plain[rows])
            shape = (2, pairs, len(mine), *plain.shape[1:])
            up, down = precise(found.parts[part]).reshape(shape)[:, :, mine] - centre
            terms = statistic.terms(Pairs(centre, up, down))
            nothing = precise(torch.zeros_like(plain))
            first = self.first.setdefault(part, [nothing.clone() for _ in terms])
            second = self.second.setdefault(part, [[nothing.clone() for _ in terms] for _ in terms])
            for a, one in enumerate(terms):
                first[a].index_add_(0, rows, one.sum(0))
                for b, other in enumerate(terms[: a + 1]):
                    second[a][b].index_add_(0, rows, (one * other).sum(0))

    def statistic(self, statistic: OverNoise) -> tuple[Parts, Parts]:
        """Its value, and the standard error to first order in those of the means (the delta method)."""
        values, errors = {}, {}
        for part, plain in self.plain.parts.items():
            pairs = precise(self.pairs[self.plain.owners[part]]).reshape(-1, *[1] * (plain.ndim - 1))
            mean = [total / pairs for total in self.first[part]]

            def covariance(a: int, b: int, part: str = part, pairs: Tensor = pairs, mean: list = mean) -> Tensor:
                return (self.second[part][a][b] - pairs * mean[a] * mean[b]) / (pairs - 1)

            moments = Moments(precise(plain), mean, covariance(0, 0).clamp(min=0), pairs)
            values[part], slopes = statistic.estimate(moments)
            variance = sum(
                (1 if a == b else 2) * slopes[a] * slopes[b] * covariance(a, b)
                for a in range(len(mean))
                for b in range(a + 1)
            )
            errors[part] = (torch.as_tensor(variance).clamp(min=0) / pairs).sqrt()
        return Parts(values), Parts(errors)

    def stop(self, statistic: OverNoise, tolerance: float) -> None:
        values, error = self.statistic(statistic)
        size = values.abs().per_example(self.plain.owners, len(self.plain))
        self.going = self.going & (self.bound(error) > tolerance * size)

    def bound(self, standard_error: Parts) -> Float[Tensor, " batch"]:
        return half_widths(standard_error.per_example(self.plain.owners, len(self.plain)), self.pairs - 1)


def _asked(base: Method, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
    each = getattr(base, "each", None)
    return each(model, inputs, targets) if each is not None else [base(model, inputs, target) for target in targets]


def _pairs(inputs: Inputs, width: Parts, seeds: list[tuple[int, ...]]) -> tuple[Inputs, Int[Tensor, " copies"]]:
    """Every example with the noise of each seed added, then with it taken away; and whose each copy is."""
    step = Parts({n: a * width[n] for n, a in draws(inputs, seeds=seeds, law="normal").items()})
    points = {n: torch.cat([a + step[n], a - step[n]]).flatten(0, 1) for n, a in inputs.parts.items()}
    index = torch.arange(len(inputs), device=inputs.device).repeat(2 * len(seeds))
    return inputs.take(index).replace(Parts(points)), index


def _spread(values: Tensor, owner: Tensor, count: int) -> Float[Tensor, "rows *ones"]:
    """The standard deviation of an example's own entries in this part, for each of its rows."""
    flat = precise(values).flatten(1) if values.ndim > 1 else precise(values)[:, None]
    size = torch.bincount(owner, minlength=count).clamp(min=1) * max(flat.shape[1], 1)

    def mean(rows: Tensor) -> Tensor:
        return rows.new_zeros(count).index_add_(0, owner, rows.sum(1)) / size

    centred = flat - mean(flat)[owner][:, None]
    return mean(centred**2).sqrt()[owner].to(values.dtype).reshape(-1, *[1] * (values.ndim - 1))
