"""Expected gradients (GradientShap): Integrated Gradients on average over a background, by sampling."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.baseline import Baseline, Rows, Zeros
from attar.core.error import Error, check_tolerance, half_widths
from attar.core.errors import InputError
from attar.core.inputs import Inputs
from attar.core.model import Chunked, Differentiable
from attar.core.parts import Parts, precise
from attar.core.target import Target

_FIRST = 32  # gradient evaluations of the first round; each further round doubles all that were made
_STRATUM = 4  # evaluations in one stratum: two pairs, whose difference says how far off their sum is
_ROUNDS = 2  # times that the budget must allow every row a stratum, for each to have its own
_ANSWERS = 2**22  # outputs that are laid out at once for the reference


@dataclass(frozen=True, kw_only=True)
class ExpectedGradients:
    """The gradient at random points on the way from a random background row, times their difference, on average.

    In units of the target; positive supports it. Complete but for the error: the values sum to output - reference, the
    mean output over the background. `background` is one baseline (then these are Integrated Gradients by sampling, for
    which that method needs fewer evaluations) or `Rows` of examples, each of which is used in turn.
    Points come in antithetic pairs, at the shares a and 1 - a of the way, two pairs to a stratum of shares (and to a
    row, where there are few). Evaluations are doubled for each example until the error is at most `tolerance` of the
    values' L1 norm or `budget` are used. The error is the sum of the values' 95% half-widths (Student's t); it does not
    speak of the choice of background.
    Misleads where the background is unlike what the question compares with, and where the way leads through what
    cannot be.
    Source: Erion et al. 2021, arXiv:1906.10670, eq. 3; Lundberg's GradientExplainer. Strata and pairs are ours.
    """

    background: Baseline | Rows = field(default_factory=Zeros)
    tolerance: float = 0.05
    budget: int = 1024
    seed: int = 0

    needs: ClassVar[type] = Differentiable

    def __post_init__(self) -> None:
        check_tolerance(self.tolerance)
        if self.budget < 2 * _STRATUM:
            raise InputError(
                f"budget is {self.budget}, expected at least {2 * _STRATUM} gradient evaluations per example"
            )

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        """Several targets at the same points; each example of each stops by itself, as if asked alone."""
        outputs = model.predict(inputs)
        references, asked = self._references(model, inputs, targets)
        sums = [_Sums.of(inputs) for _ in targets]
        for share, row in self._rounds():
            going = torch.stack([one.going for one in sums]).any(0)
            if not bool(going.any()):
                break
            here = going.nonzero()[:, 0]
            some = inputs.take(here)
            group = max(1, model.size // (_STRATUM * len(here)))
            for at in range(0, len(share), group):
                few = slice(at, at + group)
                along, points = self._on_the_way(some, share[few], row[few])
                index = torch.arange(len(here), device=here.device).repeat(_STRATUM * len(share[few]))
                gradients = model.differentiate_each(
                    some.take(index).replace(points), [target.take(here[index]) for target in targets]
                )
                for one, (_, gradient) in zip(sums, gradients, strict=True):
                    one.add(gradient, along, len(share[few]), going)
            for one in sums:
                one.stop(self.tolerance)
        return [
            Attribution(
                parts=Parts({n: a.to(inputs.parts[n].dtype) for n, a in one.values().items()}),
                owners=inputs.owners,
                output=target(outputs),
                reference=reference,
                error=Error(one.bound(), "sum of the values' 95% half-widths over strata of pairs", ~one.going),
                evaluations=one.strata * _STRATUM + asked + 1,
                standard_error=one.standard_error(),
            )
            for one, target, reference in zip(sums, targets, references, strict=True)
        ]

    def _references(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> tuple[list[Tensor], int]:
        """The mean of each target over the background, and how many evaluations that is for an example."""
        if not isinstance(self.background, Rows):
            outputs = model.predict(inputs.replace(self.background(inputs)))
            return [target(outputs) for target in targets], 1
        rows = self.background.like(inputs)
        everyone = torch.zeros(len(rows), dtype=torch.long, device=inputs.device)
        outputs = model.predict(inputs.take(everyone).replace(Parts({"input": rows})))
        count = len(inputs)
        totals = [precise(outputs.new_zeros(count)) for _ in targets]
        for some in outputs.split(max(1, _ANSWERS // (count * outputs[0].numel()))):
            index = torch.arange(count, device=inputs.device).repeat(len(some))
            answers = some.repeat_interleave(count, 0)
            for total, target in zip(totals, targets, strict=True):
                total += target.take(index)(answers).reshape(len(some), count).sum(0)
        return [(total / len(rows)).to(outputs.dtype) for total in totals], len(rows)

    def _rounds(self) -> Iterator[tuple[Float[np.ndarray, "strata 2"], Int[np.ndarray, "strata 2"]]]:
        """For each round the shares of the way, below a half, and the background rows: the same for all examples."""
        rows = len(self.background) if isinstance(self.background, Rows) else 1
        generator = np.random.default_rng(self.seed)
        few = _ROUNDS * _STRATUM * rows <= self.budget
        turn = np.empty(0, dtype=int)
        done = 0
        while most := min(done or max(_FIRST, few * _STRATUM * rows), self.budget - done) // _STRATUM:
            if few:  # every row at every level of the way
                levels = most // rows
                level, row = np.divmod(np.arange(levels * rows), rows)
                row = np.stack([row, row], 1)
            else:  # no draw of a row before all others have had theirs
                level, levels = np.arange(most), most
                while len(turn) < 2 * most:
                    turn = np.concatenate([turn, generator.permutation(rows)])
                row, turn = turn[: 2 * most].reshape(-1, 2), turn[2 * most :]
            if not levels:
                break
            yield (level[:, None] + generator.random((len(level), 2))) / (2 * levels), row
            done += _STRATUM * len(level)

    def _on_the_way(self, inputs: Inputs, share: np.ndarray, row: np.ndarray) -> tuple[Parts, Parts]:
        """The way from the background, draw by draw, and points on it: at the shares, then at one less them."""
        if isinstance(self.background, Rows):
            picked = self.background.like(inputs)[torch.from_numpy(row.ravel()).to(inputs.device)]
            start = Parts({"input": picked[:, None]})
        else:
            start = self.background(inputs).map(lambda array: array[None])
        along = inputs.parts.map(lambda array: array[None]) - start

        def points(name: str) -> Tensor:
            shares = torch.from_numpy(np.concatenate([share.ravel(), 1 - share.ravel()])).to(along[name])
            shares = shares.reshape(2, -1, *[1] * (along[name].ndim - 1))
            return (start[name] + shares * along[name]).flatten(0, 2)

        return along, Parts({name: points(name) for name in along})


@dataclass(eq=False)
class _Sums:
    """Of one target: the sum over pairs, and of the squared differences within strata; `going` need more of them."""

    first: Parts
    second: Parts
    owners: dict[str, Int[Tensor, " rows"]]
    strata: Int[Tensor, " batch"]
    going: Bool[Tensor, " batch"]

    @classmethod
    def of(cls, inputs: Inputs) -> "_Sums":
        nothing = inputs.parts.map(lambda array: precise(torch.zeros_like(array)))
        none = torch.zeros(len(inputs), dtype=torch.long, device=inputs.device)
        return cls(nothing, nothing.map(Tensor.clone), dict(inputs.owners), none, none == 0)

    def add(self, gradient: Parts, along: Parts, strata: int, present: Tensor) -> None:
        """Of the examples that are present in the gradient, those that are still going."""
        for part, total in self.first.items():
            owner = self.owners[part]
            rows = self.going[owner].nonzero()[:, 0]
            mine = self.going[owner[present[owner]]]
            pairs = precise(gradient[part]).reshape(2, 2 * strata, len(mine), *total.shape[1:]).mean(0)
            values = (pairs * along[part])[:, mine].unflatten(0, (strata, 2))
            total.index_add_(0, rows, values.sum((0, 1)))
            self.second[part].index_add_(0, rows, (values[:, 0] - values[:, 1]).square().sum(0))
        self.strata = self.strata + self.going * strata

    def values(self) -> Parts:
        return self._per_draw(self.first)

    def standard_error(self) -> Parts:
        return self._per_draw(self.second.map(torch.sqrt))

    def bound(self) -> Float[Tensor, " batch"]:
        total = self.standard_error().per_example(self.owners, len(self.strata))
        return half_widths(total, self.strata)

    def stop(self, tolerance: float) -> None:
        size = self.values().abs().per_example(self.owners, len(self.strata))
        self.going = self.going & (self.bound() > tolerance * size)

    def _per_draw(self, sums: Parts) -> Parts:
        draws = {part: 2 * self.strata[owner] for part, owner in self.owners.items()}
        return Parts({part: a / draws[part].reshape(-1, *[1] * (a.ndim - 1)) for part, a in sums.items()})
