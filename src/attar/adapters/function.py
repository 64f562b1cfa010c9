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
            outputs = torch.as_tensor(np.asarray(outputs))
        return rows_of_outputs(outputs, len(inputs))


def rows_of_outputs(outputs: Tensor, count: int) -> Tensor:
    """`Float[Tensor, "batch outputs"]` from (batch,) or (batch, outputs); anything else is an `InputError`."""
    if outputs.ndim == 1:
        outputs = outputs[:, None]
    if outputs.ndim != 2 or len(outputs) != count:
        raise InputError(
            f"the model gave outputs of shape {tuple(outputs.shape)} for {count} examples, expected "
            f"({count}, outputs)"
        )
    return outputs
