"""Random values: the chance level that every score stands beside."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from attar.core.attribution import Attribution
from attar.core.draws import draw
from attar.core.error import exact
from attar.core.inputs import Inputs
from attar.core.model import Predictor
from attar.core.target import Target


@dataclass(frozen=True, kw_only=True)
class RandomValues:
    """Standard normal numbers, one per entry: knows nothing of the model. No units; the sign means nothing.

    An example's numbers depend on the seed and its own rows alone, not on the batch it stands in.
    """

    seed: int = 0

    needs: ClassVar[type] = Predictor

    def __call__(self, model: Predictor, inputs: Inputs, target: Target) -> Attribution:
        return Attribution(
            parts=draw(inputs, seed=(self.seed,), law="normal"),
            owners=inputs.owners,
            output=target(model.predict(inputs)),
            error=exact(len(inputs), inputs.device),
            evaluations=torch.ones(len(inputs), dtype=torch.long, device=inputs.device),
        )
