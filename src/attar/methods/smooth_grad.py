"""SmoothGrad: any method, averaged over noisy copies of the input."""

from dataclasses import dataclass, field

from torch import Tensor

from attar.core.method import Method
from attar.estimation.over_noise import Moments, OverNoise, Pairs
from attar.methods.grad_input import GradInput


@dataclass(frozen=True, kw_only=True)
class SmoothGrad(OverNoise):
    """The mean of `base` over `samples` copies of the input with Gaussian noise, in antithetic pairs.

    `noise` is the standard deviation in units of the example's own (each part's spread over its rows and
    features). Values have the units and sign of `base`. The error is the sum of 95% half-widths (Student's t) from
    the standard errors over pairs; it leaves out the error of the base itself. With a `tolerance`, copies are doubled
    for each example until its error is at most that share of the values' L1 norm, or `budget` copies are used.
    Misleads where noise leaves the data: a one-hot atom plus noise is no atom.
    Source: Smilkov et al. 2017, arXiv:1706.03825, eq. 2; antithetic pairs are ours (x + n and x - n together).
    """

    base: Method = field(default_factory=GradInput)

    def terms(self, pairs: Pairs) -> list[Tensor]:
        return [(pairs.up + pairs.down) / 2]

    def estimate(self, moments: Moments) -> tuple[Tensor, list[Tensor | float]]:
        return moments.plain + moments.means[0], [1.0]
