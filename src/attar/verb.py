"""The one verb: `attribute`. All that methods share happens here, once."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from attar.adapters import adapt
from attar.core.attribution import Attribution, chained
from attar.core.column import is_missing
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Inputs, Named, Tensors
from attar.core.method import Method, columns_of, needs_of, of_loss
from attar.core.model import Chunked, Differentiable, Linear, Predictor, require, told
from attar.core.parts import Parts, finite
from attar.core.target import Predicted, Target

_MOST = 8192  # examples in one model call
_NUMBERS = 2**22  # input numbers in one model call on an accelerator: 16 MB of single precision
_BEYOND, _FLAT = 0.05, 0.02  # shares of the span of a model's input: farther out is another scale, less is too
_CACHED = 2**17  # and on a processor, whose caches then hold what the layers make of them


@overload
def attribute(
    model: object,
    inputs: Any,
    method: Method,
    target: Target | None = None,
    *,
    at: str | None = None,
    batch_size: int | None = None,
) -> Attribution: ...
@overload
def attribute(
    model: object,
    inputs: Any,
    method: Method,
    target: Sequence[Target],
    *,
    at: str | None = None,
    batch_size: int | None = None,
) -> list[Attribution]: ...
@torch.inference_mode(mode=False)  # which would leave gradients out without a word
def attribute(
    model: object,
    inputs: Any,
    method: Method,
    target: Target | Sequence[Target] | None = None,
    *,
    at: str | None = None,
    batch_size: int | None = None,
) -> Attribution | list[Attribution]:
    """Which parts of each input made the model say what it said.

    `model` is a torch module, a scikit-learn estimator, a plain function over a batch, or anything that offers
    what the method needs. `inputs` is a batch-first float tensor or array, a data frame, a dict or tuple of tensors
    (floats are attributed, masks and token ids travel along), or any `Inputs`. `target` is the logit of the predicted
    class unless given; several targets give one attribution each, from the same forward passes where the method can.
    `at` names a layer of a torch module whose output is attributed in place of the input. `batch_size` bounds the
    examples in one model call and changes no result; left out, it follows the size of an example, and it is halved
    where memory ends.

    The model's mode, parameters' gradients and the random state are as found afterwards.
    Raises `UnsupportedError` where the model cannot do what the method needs, cuts the gradient that it needs, answers
    at random, or about an example by the others in its batch; `InputError` for integers, NaN or an empty batch.
    """
    asked, name = _targets(target), type(method).__name__
    if target is not None and of_loss(method):
        raise InputError(f"{name} explains the loss, and a target is given: leave it out")
    put = posed(model, inputs, asked, needs=needs_of(method), asker=name, at=at, batch_size=batch_size)
    found = explained(put, method, batch_size=batch_size)
    found = [replace(each, target=each.loss or repr(said)) for each, said in zip(found, asked, strict=True)]
    return found[0] if target is None or isinstance(target, Target) else found


@dataclass(frozen=True, eq=False, kw_only=True)
class Posed:
    """A question that is ready to be asked: of a model in chunks, about inputs that were checked, its targets fixed by
    what the model answers about them."""

    model: Chunked
    inputs: Inputs
    targets: Sequence[Target]
    outputs: Float[Tensor, "batch *outputs"]


@torch.inference_mode(mode=False)
def posed(
    model: object,
    inputs: Any,
    targets: Sequence[Target],
    *,
    needs: Iterable[type] = (Predictor,),
    asker: str = "the measure",
    at: str | None = None,
    batch_size: int | None = None,
) -> Posed:
    """What `attribute` does before a method is asked, for measures that ask the model themselves. Raises as it does."""
    if batch_size is not None and batch_size < 1:
        raise InputError(f"batch_size is {batch_size}, expected at least 1")
    adapted: Any = adapt(model)
    given = _given(inputs, adapted)
    if at is not None:
        adapted, given = _at_layer(adapted, given, at, batch_size)
    given = _checked(given)
    if odd := beyond(adapted, given):
        warnings.warn(odd, stacklevel=3)
    for need in needs:
        if issubclass(need, Differentiable) and not issubclass(need, Linear):
            _refuse_categories(given, asker)
        adapted = told(adapted, need, given)
        require(adapted, need, asker)
    bounded = Chunked(adapted, batch_size or _fitting(given))
    outputs = _finite(bounded.predict(given), "the model's output")
    _alone(bounded, given, outputs)
    by_class = getattr(adapted, "log_odds", False)
    fixed = [(each.of_log_odds() if by_class else each).resolve(outputs) for each in targets]
    return Posed(model=bounded, inputs=given, targets=fixed, outputs=outputs)


@torch.inference_mode(mode=False)
def explained(
    put: Posed,
    method: Method,
    *,
    inputs: Inputs | None = None,
    targets: Sequence[Target] | None = None,
    batch_size: int | None = None,
) -> list[Attribution]:
    """What the method answers, for each target: about the question's own inputs, or about others that were made from
    them (with targets fixed for these), of which the model is then asked no more than the method asks."""
    model, given = put.model, put.inputs if inputs is None else inputs
    if isinstance(given, Tensors):
        given = given.beside(columns_of(method))
    targets = put.targets if targets is None else targets
    pieces: list[list[Attribution]] = []
    together = len(given) if of_loss(method) else batch_size or _fitting(given)
    for index in torch.arange(len(given), device=given.device).split(together):
        chunk = given if len(index) == len(given) else given.take(index)
        model.answered = (chunk, put.outputs[index]) if inputs is None else None
        pieces.append(_each(method, model, chunk, [each.take(index) for each in targets]))
    before = 1 if inputs is None and not model.reused else 0
    return [
        _finished(chained(list(parts)), method, each, given, asked_before=before)
        for parts, each in zip(zip(*pieces, strict=True), targets, strict=True)
    ]


def _targets(target: Any) -> list[Target]:
    if target is None:
        return [Predicted()]
    if isinstance(target, Target):
        return [target]
    targets = list(target) if isinstance(target, list | tuple) else [target]
    if not targets:
        raise InputError("there is no target: the list is empty")
    if wrong := [each for each in targets if not isinstance(each, Target)]:
        raise InputError(
            f"the target is {wrong[0]!r}, expected an attar.Target: attar.Logit(3) for class 3, attar.Logit([0, 2]) "
            "for a class per example, a list of targets for several answers"
        )
    return targets


def _each(method: Method, model: Chunked, inputs: Inputs, targets: list[Target]) -> list[Attribution]:
    each = getattr(method, "each", None)
    if len(targets) > 1 and each is not None:
        return each(model, inputs, targets)
    return [method(model, inputs, target) for target in targets]


def _finished(found: Attribution, method: Method, target: Target, given: Inputs, *, asked_before: int) -> Attribution:
    name = type(method).__name__
    for part, array in found.parts.items():
        _finite(array, f"{name}'s attribution of {part}")
    if found.reference is not None:
        _finite(found.reference, f"{name}'s reference")
    own = found.parts.keys() == given.parts.keys()
    shaped = own and all(found.parts[part].shape == array.shape for part, array in given.parts.items())
    return replace(
        found,
        evaluations=found.evaluations + asked_before,
        method=repr(method),
        target=repr(target),
        single=own and given.single,
        entry_names=given.entry_names if shaped else None,
        names=found.names or (dict(given.row_names) if own else {}),
        table=given if shaped and isinstance(given, Tensors) and given.columns is not None else None,
    )


def _given(inputs: Any, model: Any) -> Inputs:
    """Whatever came, as `Inputs`. Arrays and frames say nothing of precision or device: they take the model's."""
    if isinstance(inputs, Inputs):
        return inputs
    if isinstance(inputs, Tensor):
        return Tensors(inputs)
    if isinstance(inputs, np.ndarray):
        return Tensors(_as_the_model(inputs, model))
    if hasattr(inputs, "columns") and hasattr(inputs, "shape"):
        table = Tensors.of_frame(inputs)
        return replace(table, values=_as_the_model(table.values.numpy(), model))
    if isinstance(inputs, Mapping):
        return Named({n: _as_the_model(a, model) if isinstance(a, np.ndarray) else a for n, a in inputs.items()})
    if isinstance(inputs, tuple) and inputs:
        arrays = [_as_the_model(a, model) if isinstance(a, np.ndarray) else a for a in inputs]
        return Named({f"input {k}": array for k, array in enumerate(arrays)}, in_order=True)
    raise InputError(
        f"inputs are a {type(inputs).__name__}, expected a tensor, an array, a data frame, a dict or tuple of them, or "
        "attar.Inputs"
    )


def _as_the_model(array: np.ndarray, model: Any) -> Tensor:
    if array.dtype.kind not in "fiub":
        raise InputError(f"the array holds {array.dtype}, expected numbers")
    # A copy: arrays may run backwards, be read-only or have the bytes of another machine.
    tensor = torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))
    dtype = getattr(model, "dtype", None) if tensor.is_floating_point() else None
    return tensor.to(device=getattr(model, "device", None), dtype=dtype)


def _at_layer(model: Any, inputs: Inputs, layer: str, batch_size: int | None) -> tuple[Any, Inputs]:
    from attar.adapters.layer import FromLayer
    from attar.adapters.torch import TorchModel

    if not isinstance(model, TorchModel):
        raise UnsupportedError(
            f"at={layer!r} names a layer, and a {type(model).__name__} has none: give a torch module"
        )
    if len(inputs) == 0:
        raise InputError("there are no examples to attribute")
    later = FromLayer(model, layer)
    return later, later.inputs(inputs, batch_size or _fitting(inputs))


def _checked(inputs: Inputs) -> Inputs:
    if len(inputs) == 0:
        raise InputError("there are no examples to attribute")
    if not inputs.parts:
        raise InputError(
            "none of the inputs holds floats: to attribute token ids name the embedding layer, as in at='embeddings'"
        )
    for name, array in inputs.parts.items():
        if not array.is_floating_point():
            raise InputError(
                f"{name} holds {array.dtype}, expected floats: convert with .float(), or give embeddings or name the "
                "layer that makes them with at="
            )
        _finite(array, name)
    if any(array.is_inference() for array in inputs.parts.values()):
        return inputs.take(torch.arange(len(inputs), device=inputs.device))
    return inputs.replace(inputs.parts.map(Tensor.detach))


def beyond(model: Any, inputs: Inputs) -> str | None:
    """Where a model says what the numbers of its input run from and to: in words, whether these plainly do not."""
    within = getattr(model, "within", None)
    if within is None:
        return None
    low, high = within
    span = high - low
    for name, array in inputs.parts.items():
        least, most = float(array.min()), float(array.max())
        of = f"{name} runs from {least:.4g} to {most:.4g}, and this model takes numbers from {low:g} to {high:g}"
        if least < low - _BEYOND * span or most > high + _BEYOND * span:
            return f"{of}: what it does to them first (scale, mean) is part of it; give them as they were read"
        if most - least < _FLAT * span and most > least:
            return f"{of}: were they divided twice?"
    return None


def _refuse_categories(inputs: Inputs, asker: str) -> None:
    """A step from one level to the next is none, and neither is one towards a missing value."""
    columns = inputs.columns if isinstance(inputs, Tensors) else None
    if columns is not None and (named := [column for column in columns.each if column.coded or column.gaps]):
        what = named[0].kind() if named[0].coded else "numbers with gaps"
        raise UnsupportedError(
            f"{asker} follows a gradient, and column {named[0].name!r} is {what}, along which there is none: take a "
            "method that only asks (Shapley, Lime, Occlusion, Anchors …)"
        )


def _fitting(inputs: Inputs) -> int:
    """As many examples as hold so many numbers between them, by the mean example."""
    numbers = sum(array.numel() for array in inputs.parts.values()) / len(inputs)
    most = _CACHED if inputs.device.type == "cpu" else _NUMBERS
    return int(min(_MOST, max(1, most // max(numbers, 1))))


def _alone(model: Chunked, inputs: Inputs, outputs: Tensor) -> None:
    """Refuse a model whose answer about an example depends on the others in its batch, or changes from call to call.

    Gradients are summed over a batch and copies of an example share one, so either would be silently wrong.
    """
    # The second is an example that the first was not asked with, if there may be one, and half of the first otherwise.
    last = len(inputs) - 1
    pair = inputs.take(torch.tensor([0, last if last > 1 else 0], device=inputs.device))
    if last < 2:
        share = torch.tensor([1.0, 0.5], device=inputs.device)
        owners = pair.owners
        half = {n: share[owners[n]].reshape(-1, *[1] * (a.ndim - 1)).to(a) for n, a in pair.parts.items()}
        pair = pair.replace(_only_numbers(pair, pair.parts * Parts(half)))
    by_two = Chunked(model.model, min(model.size, 2))  # where one is asked at a time no other can matter
    answers = by_two.predict(pair)
    # What differs by more than rounding (convolutions on an accelerator keep 10 bits of single precision).
    slack = max(torch.finfo(outputs.dtype).eps ** 0.5, 3e-3 if outputs.dtype == torch.float32 else 0.0)
    if float((answers[0] - outputs[0]).abs().max()) > slack * max(float(outputs.abs().max()), 1e-6):
        if torch.equal(by_two.predict(pair), answers):
            raise UnsupportedError(
                "the model's answer about an example depends on the others in its batch (batch statistics?): an "
                "attribution would too; use running statistics, or give a function that asks one example at a time"
            )
        raise UnsupportedError(
            "the model answers differently when asked again (dropout that does not heed eval(), sampling?): make it "
            "deterministic, or seed it"
        )


def _only_numbers(inputs: Inputs, changed: Parts) -> Parts:
    """Half a category is another one, which the model may never have seen: it stays, as does what is missing."""
    if not isinstance(inputs, Tensors) or inputs.columns is None:
        return changed
    here, numbers = inputs.values, torch.from_numpy(inputs.columns.numbers).to(inputs.device)
    return changed.map(lambda array: torch.where(numbers & ~is_missing(here), array, here))


def _finite(array: Tensor, what: str) -> Tensor:
    if not finite(array):
        where = (~torch.isfinite(array)).nonzero()[0].tolist()
        raise InputError(f"{what} holds NaN or infinity, first at {where}; an attribution of it would mean nothing")
    return array
