"""The one verb: `attribute`. All that methods share happens here, once."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from attar.adapters import adapt
from attar.core.attribution import Attribution, chained
from attar.core.errors import InputError
from attar.core.inputs import Inputs, Tensors
from attar.core.method import Method
from attar.core.model import Chunked, require
from attar.core.parts import Parts
from attar.core.target import Predicted, Target


def attribute(
    model: object,
    inputs: Inputs | Tensor | np.ndarray,
    method: Method,
    target: Target | None = None,
    *,
    batch_size: int = 256,
) -> Attribution:
    """Which parts of each input made the model say what it said.

    `model` is a torch module, a scikit-learn estimator, a plain function over a batch, or anything that offers
    what the method needs. `inputs` is a batch-first float tensor or any `Inputs`. `target` is the logit of the
    predicted class unless given. `batch_size` bounds the examples in one model call and changes no result.

    The model's mode, parameters' gradients and the random state are as found afterwards.
    Raises `UnsupportedError` where the model cannot do what the method needs, `InputError` for integers, NaN or an
    empty batch.
    """
    given = _checked(inputs)
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}, expected at least 1")
    adapted = adapt(model)
    require(adapted, method.needs, type(method).__name__)
    bounded = Chunked(adapted, batch_size)
    asked = (target or Predicted()).resolve(_finite(bounded.predict(given), "the model's output"))
    pieces = [
        method(bounded, given.take(index), asked.take(index)) for index in torch.arange(len(given)).split(batch_size)
    ]
    found = chained(pieces)
    for name, array in found.parts.items():
        _finite(array, f"{type(method).__name__}'s attribution of {name}")
    if found.reference is not None:
        _finite(found.reference, f"{type(method).__name__}'s reference")
    return replace(
        found,
        evaluations=found.evaluations + 1,
        method=repr(method),
        target=repr(target or Predicted()),
        single=isinstance(given, Tensors) and found.parts.keys() == given.parts.keys(),
    )


def _checked(inputs: Inputs | Tensor | np.ndarray) -> Inputs:
    if isinstance(inputs, np.ndarray):
        inputs = torch.from_numpy(inputs)
    if isinstance(inputs, Tensor):
        inputs = Tensors(inputs)
    if not isinstance(inputs, Inputs):
        raise InputError(f"inputs are a {type(inputs).__name__}, expected a tensor, an array or attar.Inputs")
    if len(inputs) == 0:
        raise InputError("there are no examples to attribute")
    for name, array in inputs.parts.items():
        if not array.is_floating_point():
            raise InputError(f"{name} holds {array.dtype}, expected floats: convert with .float(), or give embeddings")
        _finite(array, name)
    return inputs.replace(Parts({n: a.detach() for n, a in inputs.parts.items()}))


def _finite(array: Tensor, what: str) -> Tensor:
    if not bool(torch.isfinite(array).all()):
        where = (~torch.isfinite(array)).nonzero()[0].tolist()
        raise InputError(f"{what} holds NaN or infinity, first at {where}; an attribution of it would mean nothing")
    return array
