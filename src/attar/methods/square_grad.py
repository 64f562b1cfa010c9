"""SquareGrad: the mean square of any method over noisy copies of the input."""

from dataclasses import dataclass, field

from torch import Tensor

from attar.core.method import Method
from attar.estimation.over_noise import Moments, OverNoise, Pairs
from attar.methods.grad_input import GradInput


@dataclass(frozen=True, kw_only=True)
class SquareGrad(OverNoise):
    """The mean square of `base` over `samples` copies of the input with Gaussian noise, in antithetic pairs.

    In squared units of `base`, never negative: it has no sign, and says that an entry counts, not which way. Options
    and error are SmoothGrad's. Misleads where it is called SmoothGrad (in some libraries it is): squaring alone makes
    maps look sharper, whatever the model.
    Source: Hooker et al. 2019, arXiv:1806.10758, section 4.2 (SmoothGrad-Squared); the base is `Gradient()` there.
    """

    base: Method = field(default_factory=GradInput)

    def terms(self, pairs: Pairs) -> list[Tensor]:
        """Squares, less that of the value without noise."""
        return [(pairs.up**2 + pairs.down**2) / 2 + pairs.plain * (pairs.up + pairs.down)]

    def estimate(self, moments: Moments) -> tuple[Tensor, list[Tensor | float]]:
        return (moments.plain**2 + moments.means[0]).clamp(min=0), [1.0]
