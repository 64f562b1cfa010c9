"""A second device without the hardware: catches on any machine what would fail on an accelerator.

Inside `with elsewhere():` a tensor may live on the device `HERE`. It computes on the processor, but what mixes it with
the processor's own tensors raises, as on an accelerator. Two things there may come from the processor, as they may on
CUDA: a single number in arithmetic, and the index that takes rows of a tensor. With `double=False` nothing there is in
double precision, as on Apple's devices.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map

HERE = torch.device("meta")
APPLE = torch.device("mps", 0)  # what `double=False` is called: code that asks for the type of a device must see one
_aten = torch.ops.aten
_INDEXED = {_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default, _aten._index_put_impl_.default}
_CROSSING = {_aten._to_copy.default, _aten.copy_.default, _aten._local_scalar_dense.default}
_NUMBER_TOO = {_aten.fill.Tensor, _aten.fill_.Tensor, _aten.masked_fill.Tensor, _aten.masked_fill_.Tensor}


class Away(Tensor):
    """A tensor on `HERE`; `held` is where its numbers are."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "Away":
        made = Tensor._make_wrapper_subclass(
            cls, held.shape, held.stride(), held.storage_offset(), dtype=held.dtype, device=HERE
        )
        made.held = held
        return made

    @property
    def device(self) -> torch.device:
        return _Mode.name

    def tolist(self) -> Any:
        return self.held.tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"can't convert {self.device} tensor to numpy. Use Tensor.cpu() first.")

    __array__ = numpy

    def __repr__(self, **_: Any) -> str:
        return f"Away({self.held!r})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Away, (self.held.detach(),)

    def __deepcopy__(self, memo: Any) -> "Away":
        return away(self.held)

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        return _done(function, arguments, options or {})


class _Mode(TorchDispatchMode):
    name = HERE
    double = True

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        return _done(function, arguments, options or {})


class _FromNumbers(TorchFunctionMode):
    """`torch.tensor` and its like look past a dispatch mode: their numbers are sent once they are a tensor."""

    def __torch_function__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        options = dict(options or {})
        if function not in (torch.tensor, torch.as_tensor, torch.asarray):
            return function(*arguments, **options)
        numbers = tree_map(_held, arguments[0]) if isinstance(arguments[0], list | tuple) else arguments[0]
        if not _is_there(options.get("device")):
            return function(numbers, *arguments[1:], **options)
        del options["device"]
        return sent(function(numbers, *arguments[1:], **options))


@contextmanager
def elsewhere(*, double: bool = True) -> Iterator[torch.device]:
    """Tensors made on the device that this gives are `Away`."""
    _Mode.name, _Mode.double = HERE if double else APPLE, double
    try:
        with _Mode(), _FromNumbers():
            yield _Mode.name
    finally:
        _Mode.name, _Mode.double = HERE, True


def _done(function: Any, arguments: Any, options: dict[str, Any]) -> Any:
    """The operation on the numbers themselves, once it is known to be allowed."""
    tensors = [leaf for leaf in tree_leaves((arguments, options)) if isinstance(leaf, Tensor)]
    there = any(isinstance(each, Away) for each in tensors)
    asked = options.get("device")
    wanted_there = _is_there(asked)
    if there:
        _refuse_mixture(function, arguments, tensors)
    generator = options.get("generator")
    if generator is not None and (there or wanted_there) and generator.device.type == "cpu":
        raise RuntimeError(f"{function}: expected a generator on {_Mode.name}, found one on cpu")
    plain_arguments, plain_options = tree_map(_held, (arguments, options))
    if wanted_there:
        plain_options["device"] = torch.device("cpu")
    found = function(*plain_arguments, **plain_options)
    if function is _aten._local_scalar_dense.default:
        return found
    lands_there = wanted_there or (there and asked is None)
    if function is _aten.copy_.default:
        lands_there = isinstance(arguments[0], Away)
    if not lands_there:
        return found
    return _put_back(function, found, arguments, plain_arguments)


def _is_there(device: Any) -> bool:
    return device is not None and torch.device(device).type in (HERE.type, APPLE.type)


def _put_back(function: Any, found: Any, arguments: Any, plain_arguments: Any) -> Any:
    """What was written on in place is the same object again; all else is new."""
    known = {
        id(plain): whole
        for plain, whole in zip(tree_flatten(plain_arguments)[0], tree_flatten(arguments)[0], strict=True)
        if isinstance(whole, Away)
    }
    return tree_map(lambda each: known.get(id(each), away(each)) if isinstance(each, Tensor) else each, found)


def _refuse_mixture(function: Any, arguments: Any, tensors: list[Tensor]) -> None:
    if function in _CROSSING:
        return
    if function in _INDEXED:
        if not isinstance(arguments[0], Away):
            raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
        tensors = [each for each in arguments[2:3] if isinstance(each, Tensor)]
    numbers_too = torch.Tag.pointwise in function.tags or function in _NUMBER_TOO or function in _INDEXED
    strangers = [each for each in tensors if not isinstance(each, Away) and not (numbers_too and each.ndim == 0)]
    if strangers:
        shapes = [tuple(each.shape) for each in strangers]
        raise RuntimeError(
            f"{function}: expected all tensors to be on the same device, found {_Mode.name} and "
            f"{strangers[0].device} (of shape {shapes[0]})"
        )


def _held(leaf: Any) -> Any:
    return leaf.held if isinstance(leaf, Away) else leaf


def away(tensor: Tensor) -> Tensor:
    if not _Mode.double and tensor.dtype in (torch.float64, torch.complex128):
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64.")
    return Away(tensor.detach())


def sent(thing: Any) -> Any:
    """The same thing elsewhere: a tensor, a module, or any dataclass, mapping or tuple of them."""
    if isinstance(thing, nn.Module):
        return _sent_module(thing)
    if isinstance(thing, Tensor):
        return thing if isinstance(thing, Away) else away(thing)
    if is_dataclass(thing) and not isinstance(thing, type):
        return replace(thing, **{each.name: sent(getattr(thing, each.name)) for each in fields(thing) if each.init})
    if isinstance(thing, dict):
        return {name: sent(each) for name, each in thing.items()}
    return thing


def _sent_module(module: nn.Module) -> nn.Module:
    moved = deepcopy(module)
    for each in moved.modules():
        for name, parameter in each._parameters.items():
            if parameter is not None:
                each._parameters[name] = nn.Parameter(away(parameter.data), requires_grad=parameter.requires_grad)
        for name, buffer in each._buffers.items():
            if buffer is not None:
                each._buffers[name] = away(buffer)
        if isinstance(each, nn.RNNBase):
            each._init_flat_weights()
    return moved


def brought_back(thing: Any) -> Any:
    """The same thing on the processor."""
    if isinstance(thing, Away):
        return thing.held
    if is_dataclass(thing) and not isinstance(thing, type):
        back = {each.name: brought_back(getattr(thing, each.name)) for each in fields(thing) if each.init}
        return replace(thing, **back)
    if isinstance(thing, dict):
        return {name: brought_back(each) for name, each in thing.items()}
    return thing
