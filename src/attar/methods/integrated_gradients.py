"""Integrated Gradients, to a tolerance."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from attar.core.attribution import Attribution
from attar.core.baseline import Baseline, Zeros
from attar.core.error import check_tolerance
from attar.core.errors import InputError
from attar.core.inputs import Inputs
from attar.core.model import Chunked, Differentiable
from attar.core.target import Target
from attar.estimation.path_integral import FEWEST, Straight, path_integral


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients:
    """The gradient's mean on the straight path from the baseline to the input, times their difference.

    In units of the target; positive supports it. Complete: the values sum to output - reference as the error goes
    to 0. Steps are added, example by example and target by target, until the error is at most `tolerance` of the
    values' L1 norm or `budget` gradient evaluations are used (where, and how the error is found, says
    `estimation/path_integral.py`). It covers the true error in 95% of the examples, on smooth and on kinked (ReLU)
    paths.
    Misleads where the baseline is no neutral input. Source: Sundararajan et al. 2017, arXiv:1703.01365, eq. 1.
    """

    tolerance: float = 0.01
    budget: int = 216
    baseline: Baseline = field(default_factory=Zeros)

    needs: ClassVar[type] = Differentiable

    def __post_init__(self) -> None:
        check_tolerance(self.tolerance)
        if self.budget < FEWEST:
            raise InputError(f"budget is {self.budget}, expected at least {FEWEST} gradient evaluations per example")

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        path = Straight.between(self.baseline(inputs), inputs)
        return path_integral(model, path, targets, tolerance=self.tolerance, budget=self.budget)
