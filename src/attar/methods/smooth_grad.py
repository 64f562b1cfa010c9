"""SmoothGrad: any method, averaged over noisy copies of the input."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.draws import draw
from attar.core.error import Error
from attar.core.errors import InputError
from attar.core.inputs import Inputs
from attar.core.method import Method
from attar.core.model import Differentiable
from attar.core.parts import Parts
from attar.core.target import Target
from attar.methods.grad_input import GradInput


@dataclass(frozen=True, kw_only=True)
class SmoothGrad:
    """The mean of `base` over `samples` copies of the input with Gaussian noise, in antithetic pairs.

    `noise` is the standard deviation in units of the example's own (each part's spread over its rows and
    features). Values have the units and sign of `base`. The error is the standard error over pairs, summed over
    entries. Misleads where noise leaves the data: a one-hot atom plus noise is no atom.
    Source: Smilkov et al. 2017, arXiv:1706.03825, eq. 2; antithetic pairs are ours (x + n and x - n together).
    """

    base: Method = field(default_factory=GradInput)
    samples: int = 20
    noise: float = 0.15
    seed: int = 0

    needs: ClassVar[type] = Differentiable

    def __post_init__(self) -> None:
        if self.samples < 4 or self.samples % 2:
            raise InputError(f"samples is {self.samples}, expected an even number of at least 4 (antithetic pairs)")
        if self.noise <= 0:
            raise InputError(f"noise is {self.noise}, expected a positive share of the input's spread")

    def __call__(self, model: Any, inputs: Inputs, target: Target) -> Attribution:
        scale = Parts({n: _spread(a, inputs.owners[n], len(inputs)) for n, a in inputs.parts.items()}) * self.noise
        pairs = self.samples // 2
        mean = squares = Parts({})
        evaluations = torch.zeros(len(inputs), dtype=torch.long)
        plain = self.base(model, inputs, target)
        for k in range(pairs):
            step = draw(inputs, seed=(self.seed, k), law="normal") * scale
            up = self.base(model, inputs.replace(inputs.parts + step), target)
            down = self.base(model, inputs.replace(inputs.parts - step), target)
            evaluations = evaluations + up.evaluations + down.evaluations
            pair = ((up.parts + down.parts) / 2).map(Tensor.double)
            if k == 0:
                mean, squares = pair, pair.zeros()
            else:  # Welford: no difference of large squares
                step_from_mean = pair - mean
                mean = mean + step_from_mean / (k + 1)
                squares = squares + step_from_mean * (pair - mean)
        standard_error = (squares / (pairs - 1) / pairs).map(torch.sqrt)
        values = Parts({n: a.to(plain.parts[n].dtype) for n, a in mean.items()})
        bound = standard_error.per_example(plain.owners, len(inputs))
        return replace(
            plain,
            parts=values,
            error=Error(bound, f"standard error over {pairs} antithetic pairs"),
            evaluations=evaluations + plain.evaluations,
            reference=None,
            unassigned=None,
        )


def _spread(values: Tensor, owner: Tensor, count: int) -> Tensor:
    """The standard deviation of an example's own entries in this part, laid out like the part."""
    flat = values.double().flatten(1) if values.ndim > 1 else values.double()[:, None]

    def mean(rows: Tensor) -> Tensor:
        sums = torch.zeros(count, dtype=torch.float64).index_add_(0, owner, rows.sum(1))
        return sums / (torch.bincount(owner, minlength=count).clamp(min=1) * max(rows.shape[1], 1))

    centred = flat - mean(flat)[owner][:, None]
    spread = mean(centred**2).sqrt()[owner]
    return spread.to(values.dtype).reshape(-1, *[1] * (values.ndim - 1)).expand_as(values)
