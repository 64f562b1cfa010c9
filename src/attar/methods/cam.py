"""Class activation mapping."""

from collections.abc import Sequence
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
    The layer and the head are found where the model was not told; that they add up to the output is tried out either
    way, and `UnsupportedError` raised where they do not.
    Misleads on deep networks: a row of the last map has seen its whole receptive field.
    Source: Zhou et al. 2016, arXiv:1512.04150, eq. 2.
    """

    needs: ClassVar[type] = Pooled

    def __call__(self, model: Pooled, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Pooled, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        if wrong := [target for target in targets if not isinstance(target, Logit)]:
            raise UnsupportedError(f"CAM explains one output's logit, the target is {wrong[0]!r}; ask for attar.Logit")
        asked = [target for target in targets if isinstance(target, Logit)]
        maps, weights = model.maps(inputs)
        outputs = model.predict(inputs)
        found = []
        for target in asked:
            of_class = weights.T[torch.as_tensor(target.index, device=inputs.device).expand(len(inputs))]
            values = Parts(
                {n: torch.einsum("rc...,rc->r...", rows, of_class[inputs.owners[n]]) for n, rows in maps.items()}
            )
            output = target(outputs)
            found.append(
                Attribution(
                    parts=values,
                    owners={n: inputs.owners[n] for n in values},
                    output=output,
                    reference=output - values.per_example(inputs.owners, len(inputs)).to(output.dtype),
                    error=exact(len(inputs), inputs.device),
                    evaluations=torch.full((len(inputs),), 2, device=inputs.device),
                    layers=(model.pooled,) if model.pooled else (),
                )
            )
        return found
