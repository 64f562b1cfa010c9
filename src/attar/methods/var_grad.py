"""VarGrad: the variance of any method over noisy copies of the input."""

from dataclasses import dataclass, field

from torch import Tensor

from attar.core.method import Method
from attar.estimation.over_noise import Moments, OverNoise, Pairs
from attar.methods.grad_input import GradInput


@dataclass(frozen=True, kw_only=True)
class VarGrad(OverNoise):
    """The variance of `base` over `samples` copies of the input with Gaussian noise, in antithetic pairs.

    In squared units of `base`, never negative: it says where the base changes when the input is shaken, not what
    counts. Unbiased: over each pair's mean and half difference, which are uncorrelated, variances add up. Options and
    error are SmoothGrad's. Misleads where it is read as an attribution: of a linear model, whose gradient never
    changes, `base=Gradient()` gives 0 everywhere.
    Source: Adebayo et al. 2018, arXiv:1810.03307, section 2; the base is `Gradient()` there.
    """

    base: Method = field(default_factory=GradInput)

    def terms(self, pairs: Pairs) -> list[Tensor]:
        return [(pairs.up + pairs.down) / 2, (pairs.up**2 + pairs.down**2) / 2]

    def estimate(self, moments: Moments) -> tuple[Tensor, list[Tensor | float]]:
        centre, square = moments.means
        return (square - centre**2 + moments.variance / moments.pairs).clamp(min=0), [-2 * centre, 1.0]
