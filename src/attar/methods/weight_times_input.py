"""W·x: the attribution of a linear model, and the reference that all others stand beside."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from attar.core.attribution import Attribution
from attar.core.error import exact
from attar.core.inputs import Inputs
from attar.core.model import Linear
from attar.core.target import Target


@dataclass(frozen=True, kw_only=True)
class WeightTimesInput:
    """What each entry adds to a linear model's output: w_i · x_i.

    In units of the target; positive supports it. Complete: the values and the intercept sum to the output.
    Misleads where columns are correlated: the model's weights are then one choice of many that predict as well.
    """

    needs: ClassVar[type] = Linear

    def __call__(self, model: Linear, inputs: Inputs, target: Target) -> Attribution:
        weights, bias = model.coefficients(inputs, target)
        return Attribution(
            parts=inputs.parts * weights,
            owners=inputs.owners,
            output=target(model.predict(inputs)),
            reference=bias,
            error=exact(len(inputs), inputs.device),
            evaluations=torch.ones(len(inputs), dtype=torch.long, device=inputs.device),
        )
