"""A plain function over a batch: it can be asked for outputs, nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attar.core.errors import InputError
from attar.core.inputs import Inputs, Tensors


@dataclass(frozen=True)
class Function:
    """`call(values) -> outputs`, arrays or tensors, (batch,) or (batch, outputs); outputs are taken as they are."""

    call: Callable[[Any], Any]

    def predict(self, inputs: Inputs) -> Tensor:
        argument = inputs.values if isinstance(inputs, Tensors) else inputs
        with torch.no_grad():
            outputs = self.call(argument)
        if not isinstance(outputs, Tensor):
            array = np.asarray(outputs)
            if array.dtype.kind not in "fiub":
                raise InputError(
                    f"the function returns a {type(outputs).__name__}, expected numbers: one, or one row of outputs, "
                    "per example"
                )
            outputs = torch.as_tensor(array)
        return rows_of_outputs(outputs, len(inputs))


def rows_of_outputs(outputs: Tensor, count: int) -> Tensor:
    """`Float[Tensor, "batch outputs"]` from (batch,) or (batch, outputs); anything else is an `InputError`.

    Counts and yes-or-no answers become doubles, so that differences of them are numbers.
    """
    if outputs.ndim == 1:
        outputs = outputs[:, None]
    if outputs.ndim != 2 or len(outputs) != count or not outputs.shape[1]:
        raise InputError(
            f"the model gave outputs of shape {tuple(outputs.shape)} for {count} examples, expected ({count}, outputs)"
        )
    return outputs if outputs.is_floating_point() else outputs.double()
