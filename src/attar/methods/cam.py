"""Class activation mapping."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from attar.core.attribution import Attribution
from attar.core.error import exact
from attar.core.errors import UnsupportedError
from attar.core.inputs import Inputs
from attar.core.model import Pooled
from attar.core.parts import Parts
from attar.core.target import Logit, Target


@dataclass(frozen=True, kw_only=True)
class CAM:
    """What each row of the last maps adds to the output: sum over channels of w_k · A_k.

    One value per row (atom, bond), of an image per position of the map (`Float[Tensor, "batch height width"]`); in
    units of the target; positive supports it. Complete up to the bias.
    Misleads on deep networks: a row of the last map has seen its whole receptive field.
    Source: Zhou et al. 2016, arXiv:1512.04150, eq. 2.
    """

    needs: ClassVar[type] = Pooled

    def __call__(self, model: Pooled, inputs: Inputs, target: Target) -> Attribution:
        if not isinstance(target, Logit):
            raise UnsupportedError(f"CAM explains one output's logit, the target is {target!r}; ask for attar.Logit")
        maps, weights = model.maps(inputs)
        index = torch.as_tensor(target.index).expand(len(inputs))
        by_class = weights.T[index]
        values = Parts(
            {n: torch.einsum("rc...,rc->r...", rows, by_class[inputs.owners[n]]) for n, rows in maps.items()}
        )
        output = target(model.predict(inputs))
        return Attribution(
            parts=values,
            owners=inputs.owners,
            output=output,
            reference=output - values.per_example(inputs.owners, len(inputs)).to(output.dtype),
            error=exact(len(inputs)),
            evaluations=torch.full((len(inputs),), 2),
        )
