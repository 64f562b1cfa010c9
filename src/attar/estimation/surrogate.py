"""Weighted ridge regressions, all at once, with what their slopes may be off by."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Fit:
    """`errors` are sandwich standard errors; `explained` is the share of the answers' weighted variance."""

    slopes: Float[Tensor, "systems answers features"]
    errors: Float[Tensor, "systems answers features"]
    explained: Float[Tensor, "systems answers"]


@dataclass(frozen=True, eq=False)
class Control:
    """What is known of the answers beforehand: the slopes of a part of them, and the rest that is left to fit.

    The known part cost `freedom` degrees of freedom. Slopes of both together are those of the answers, with the
    scatter of the rest alone.
    """

    slopes: Float[Tensor, "systems answers features"]
    rest: Float[Tensor, "systems samples answers"]
    freedom: int


def fitted(
    x: Float[Tensor, "systems samples features"],
    weights: Float[Tensor, "systems samples"],
    y: Float[Tensor, "systems samples answers"],
    *,
    ridge: float = 0.0,
    paired: bool = False,
    control: Control | None = None,
) -> Fit:
    """The slopes that minimise weighted squares + ridge · slopes², with an intercept that is not shrunk.

    A feature that never changes has slope 0. Where `paired`, sample k of the first half was drawn with sample k of
    the second, and only pairs are independent. Source of the errors: White 1980 (HC1, clustered by pair).
    """
    total = weights.sum(1)[:, None, None]
    centre = (weights[:, None] @ x) / total
    centred = x - centre
    weighed = weights[..., None] * centred
    gram = weighed.mT @ centred
    spread = gram.diagonal(dim1=1, dim2=2)
    varies = (spread > 1e-10 * (spread + total[..., 0] * centre[:, 0].square())).to(x)
    both = varies[:, None] * varies[..., None]
    inverse = both * torch.linalg.inv(both * gram + torch.diag_embed(ridge + 1 - varies))
    around = y - (weights[:, None] @ y) / total
    rest = around if control is None else control.rest - (weights[:, None] @ control.rest) / total
    slopes = inverse @ (weighed.mT @ rest)
    influence, residual = weighed @ inverse, rest - centred @ slopes
    squares = influence.square().mT @ residual.square()
    independent = y.shape[1]
    if paired:
        independent //= 2
        (one, other), (here, there) = influence.chunk(2, 1), residual.chunk(2, 1)
        squares = squares + 2 * (one * other).mT @ (here * there)
    freedom = independent - x.shape[2] - 1 - (0 if control is None else control.freedom)
    errors = (squares.clamp(min=0) * (independent / max(freedom, 1))).sqrt()
    if control is not None:
        slopes = slopes + control.slopes.mT
        residual = around - centred @ slopes
    return Fit(slopes.mT, errors.mT, _explained(residual, around, weights, y))


def _explained(residual: Tensor, around: Tensor, weights: Tensor, y: Tensor) -> Tensor:
    """1 where there is nothing to explain."""
    left, whole = ((weights[:, None] @ array.square())[:, 0] for array in (residual, around))
    rounding = weights.sum(1)[:, None] * (64 * torch.finfo(y.dtype).eps * y.abs().amax(1)).square()
    varies = whole > rounding
    return torch.where(varies, 1 - left / torch.where(varies, whole, 1), 1.0)
