"""How far off an attribution may be, and how that was found."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from scipy.special import stdtrit
from torch import Tensor

from attar.core.errors import InputError


@dataclass(frozen=True, eq=False)
class Error:
    """The error of the values, per example: an L1 norm over all its entries, in units of the target.

    `bound` is meant to hold in 95% of the examples, and is 0 where nothing was estimated. Where values are sampled it
    is the sum of their 95% half-widths; `how` says what it is elsewhere. `reached` is False for an example whose
    budget ended before its tolerance. The completeness residual is never used as an error (it is no bound on it).
    """

    bound: Float[Tensor, " batch"]
    how: str
    reached: Tensor | None = None
    otherwise: str = "the budget ended before the tolerance was reached"  # what is said where `reached` is False

    def take(self, index: Int[Tensor, " examples"]) -> "Error":
        return replace(self, bound=self.bound[index], reached=None if self.reached is None else self.reached[index])


def exact(count: int, device: torch.device | None = None) -> Error:
    """Nothing was estimated: the values are what the definition says, to rounding."""
    return Error(torch.zeros(count, device=device), "exact: nothing was estimated")


def half_widths(errors: Float[Tensor, "*any"], freedom: int | Int[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Half the 95% interval (Student's t) of what has these standard errors, with so many degrees of freedom."""
    width = stdtrit(torch.as_tensor(freedom).cpu().double().numpy(), 0.975)
    return errors * torch.as_tensor(width).to(errors)


def check_tolerance(tolerance: float) -> None:
    """Raise `InputError` for a tolerance that is no share of the values."""
    if not 0 < tolerance < 1:
        raise InputError(f"tolerance is {tolerance}, expected between 0 and 1 (0.05 is five percent of the values)")
