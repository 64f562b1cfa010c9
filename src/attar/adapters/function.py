"""A plain function over a batch: it can be asked for outputs, nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attar.adapters.frames import refusals
from attar.core.errors import InputError
from attar.core.inputs import Inputs, Named, Tensors
from attar.core.parts import placed, precise


@dataclass(frozen=True)
class Function:
    """`call(values) -> outputs`, arrays or tensors, (batch,) or (batch, outputs); outputs are taken as they are.

    A data frame is given as a data frame, several inputs by name or in order; `output` names one of several outputs.
    """

    call: Callable[..., Any]
    output: str | int | None = None

    def predict(self, inputs: Inputs) -> Tensor:
        with torch.no_grad():
            if isinstance(inputs, Tensors):
                with refusals(inputs, "the function"):
                    outputs = self.call(inputs.frame() if inputs.columns is not None else inputs.values)
            elif isinstance(inputs, Named):
                outputs = inputs.call(self.call)
            else:
                outputs = self.call(inputs)
        outputs = chosen_output(outputs, self.output, "attar.adapters.function.Function(call, output=…)")
        return placed(rows_of_outputs(outputs, len(inputs)), inputs.device)


def chosen_output(outputs: Any, name: str | int | None, way_out: str) -> Any:
    """One of a model's outputs: the named one, or the only one, or the logits of several (as Hugging Face calls them).

    Raises `InputError` that lists them where the choice is open.
    """
    if isinstance(outputs, Mapping):
        known: dict[str | int, Any] = dict(outputs)
    elif isinstance(outputs, tuple | list) and any(isinstance(each, Tensor | np.ndarray) for each in outputs):
        known = dict(enumerate(outputs))
    else:
        return outputs
    if name is not None:
        if name not in known:
            raise InputError(f"the model has no output {name!r}; it has {_listed(known)}")
        return known[name]
    if len(known) == 1:
        return next(iter(known.values()))
    if "logits" in known:
        return known["logits"]
    raise InputError(f"the model has outputs {_listed(known)}; name the one to explain with {way_out}")


def _listed(names: Mapping[str | int, Any]) -> str:
    return ", ".join(map(repr, names))


def rows_of_outputs(outputs: Any, count: int) -> Tensor:
    """`Float[Tensor, "batch *outputs"]`; (batch,) becomes (batch, 1). Anything else is an `InputError`.

    Counts and yes-or-no answers become doubles, so that differences of them are numbers.
    """
    if not isinstance(outputs, Tensor):
        array = np.asarray(outputs)
        if array.dtype.kind not in "fiub":
            raise InputError(
                f"the model returns a {type(outputs).__name__}, expected numbers: one or one row of outputs per example"
            )
        # A copy: arrays may run backwards, be read-only, have the bytes of another machine, or be written on again.
        outputs = torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))
    if outputs.ndim == 1:
        outputs = outputs[:, None]
    if outputs.ndim < 2 or len(outputs) != count or not outputs.numel():
        raise InputError(
            f"the model gave outputs of shape {tuple(outputs.shape)} for {count} examples, expected ({count}, outputs)"
        )
    return outputs if outputs.is_floating_point() else precise(outputs)
