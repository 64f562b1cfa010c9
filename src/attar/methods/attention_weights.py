"""Attention weights, read as importance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from attar.core.attribution import Attribution
from attar.core.error import exact
from attar.core.inputs import Inputs
from attar.core.model import Attending
from attar.core.target import Target


@dataclass(frozen=True, kw_only=True)
class AttentionWeights:
    """How much attention each row (edge, token) gets, heads and layers averaged; between 0 and 1.

    Not in units of the target and the same whatever the target: attention says where the model looks, not what it
    makes of it. Kept because it is asked for; on the graph benchmark it scores at chance.
    Source: Velickovic et al. 2018, arXiv:1710.10903; as attribution, Sanchez-Lengeling et al. 2020.
    """

    needs: ClassVar[type] = Attending

    def __call__(self, model: Attending, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Attending, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        """The same for every target, asked once."""
        layers, outputs = model.attention(inputs), model.predict(inputs)
        total = layers[0]
        for other in layers[1:]:
            total = total + other
        return [
            Attribution(
                parts=total / len(layers),
                owners={n: inputs.owners[n] for n in total},
                output=target(outputs),
                error=exact(len(inputs), inputs.device),
                evaluations=torch.full((len(inputs),), 2, device=inputs.device),
            )
            for target in targets
        ]
