"""A torch module, of any input: answers, gradients, layers, maps for CAM, attention weights."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from attar.adapters.function import rows_of_outputs
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Inputs
from attar.core.model import Activation, Attending, Layered, Pooled
from attar.core.parts import Parts
from attar.core.target import Target


@dataclass(frozen=True, eq=False)
class TorchModel:
    """Calls `module(*inputs.arguments())` in eval mode and puts the mode back.

    `layers` are submodules whose outputs have the rows of the input (first to last), for GradCAM. `pooled` names
    the submodule whose outputs are summed over rows (`mean=True`: averaged) and `head` the final `nn.Linear`,
    for CAM. `attention` are submodules that put out one weight per row and head.
    """

    module: nn.Module
    layers: tuple[str, ...] = ()
    pooled: str | None = None
    head: str | None = None
    mean: bool = False
    attention_layers: tuple[str, ...] = ()

    def missing(self, protocol: type) -> str | None:
        told = {Layered: self.layers, Pooled: self.pooled and self.head, Attending: self.attention_layers}
        say = {
            Layered: "name its layers: TorchModel(module, layers=('conv3',))",
            Pooled: "name the pooled layer and the head: TorchModel(module, pooled='features', head='fc')",
            Attending: "name its attention: TorchModel(module, attention_layers=('block.attention',))",
        }
        return say[protocol] if protocol in told and not told[protocol] else None

    def predict(self, inputs: Inputs) -> Tensor:
        with self._resting(), torch.no_grad():
            return self._outputs(inputs)

    def differentiate(self, inputs: Inputs, target: Target) -> tuple[Tensor, Parts]:
        with self._resting(), torch.enable_grad():
            leaves = Parts({n: a.detach().clone().requires_grad_() for n, a in inputs.parts.items()})
            asked = target(self._outputs(inputs.replace(leaves)))
            gradients = _gradients(asked, list(leaves.values()))
        return asked.detach(), Parts(dict(zip(leaves, gradients, strict=True)))

    def activations(self, inputs: Inputs, target: Target, layers: Sequence[str]) -> tuple[Tensor, list[Activation]]:
        with self._resting(), torch.enable_grad():
            # Leaves that require a gradient make every activation require one, frozen parameters or not.
            leaves = Parts({n: a.detach().clone().requires_grad_() for n, a in inputs.parts.items()})
            with self._recorded(layers) as seen:
                asked = target(self._outputs(inputs.replace(leaves)))
            outputs = [_as_parts(seen[name], inputs, name) for name in layers]
            flat = [array for parts in outputs for array in parts.values()]
            gradients = iter(_gradients(asked, flat))
        found = [
            Activation(parts.map(Tensor.detach), Parts({name: next(gradients) for name in parts})) for parts in outputs
        ]
        return asked.detach(), found

    def maps(self, inputs: Inputs) -> tuple[Parts, Tensor]:
        if reason := self.missing(Pooled):
            raise UnsupportedError(reason)
        head = self._submodule(str(self.head))
        if not isinstance(head, nn.Linear):
            raise UnsupportedError(f"the head {self.head!r} is a {type(head).__name__}, CAM needs an nn.Linear")
        with self._resting(), torch.no_grad(), self._recorded([str(self.pooled)]) as seen:
            self._outputs(inputs)
        maps = _as_parts(seen[str(self.pooled)], inputs, str(self.pooled))
        if self.mean:
            sizes = {n: torch.bincount(o, minlength=len(inputs)) for n, o in inputs.owners.items()}
            maps = Parts({n: a / _places(sizes[n][inputs.owners[n]], a) for n, a in maps.items()})
        return maps, head.weight.detach().T

    def attention(self, inputs: Inputs) -> list[Parts]:
        with self._resting(), torch.no_grad(), self._recorded(self.attention_layers) as seen:
            self._outputs(inputs)
        part = list(inputs.parts)[-1]  # edges, where there are nodes and edges
        rows = len(inputs.owners[part])
        for name in self.attention_layers:
            if len(seen[name]) != rows:
                raise UnsupportedError(f"{name} gave {len(seen[name])} attention weights, expected {rows} ({part})")
        heads = [
            seen[name] if seen[name].ndim == 1 else seen[name].flatten(1).mean(1) for name in self.attention_layers
        ]
        return [Parts({part: weights}) for weights in heads]

    def _outputs(self, inputs: Inputs) -> Tensor:
        outputs = self.module(*inputs.arguments())
        if not isinstance(outputs, Tensor):
            raise InputError(
                f"the module returns a {type(outputs).__name__}, expected a tensor of outputs; wrap it in a function "
                "or module that picks the tensor"
            )
        return rows_of_outputs(outputs, len(inputs))

    @contextmanager
    def _resting(self) -> Iterator[None]:
        """Eval mode inside, every submodule's own mode as it was afterwards."""
        modes = [(module, module.training) for module in self.module.modules()]
        self.module.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training

    @contextmanager
    def _recorded(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The outputs of the named submodules; the hooks are gone afterwards, whatever happens."""
        seen: dict[str, Any] = {}
        hooks = []
        try:
            for name in names:
                layer = self._submodule(name)
                hooks.append(layer.register_forward_hook(lambda _m, _i, out, name=name: seen.__setitem__(name, out)))
            yield seen
            if silent := [name for name in names if name not in seen]:
                raise InputError(f"layer {silent[0]!r} took no part in the answer; name one that is called")
        finally:
            for hook in hooks:
                hook.remove()

    def _submodule(self, name: str) -> nn.Module:
        try:
            return self.module.get_submodule(name)
        except AttributeError as problem:
            known = ", ".join(n for n, _ in self.module.named_children())
            raise InputError(f"the module has no layer {name!r}; its children are {known}") from problem


def _gradients(asked: Tensor, leaves: list[Tensor]) -> list[Tensor]:
    """The gradient of each example's target in one backward pass; zeros where the target does not depend on it.

    Summing is exact because in eval mode no example's output depends on another's.
    """
    if not asked.requires_grad:
        return [torch.zeros_like(leaf) for leaf in leaves]
    found = torch.autograd.grad(asked.sum(), leaves, allow_unused=True)
    return [torch.zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, found, strict=True)]


def _as_parts(output: Any, inputs: Inputs, layer: str) -> Parts:
    """A layer's output under the names of the input's parts: a tuple in their order, or one tensor for the first."""
    arrays = list(output) if isinstance(output, tuple | list) else [output]
    names = list(inputs.parts)
    if len(arrays) > len(names) or any(not isinstance(a, Tensor) for a in arrays):
        raise UnsupportedError(f"layer {layer} puts out {len(arrays)} things, the input has parts {', '.join(names)}")
    parts = dict(zip(names, arrays, strict=False))
    for name, array in parts.items():
        if len(array) != len(inputs.owners[name]):
            raise UnsupportedError(
                f"layer {layer} puts out {len(array)} rows for {len(inputs.owners[name])} {name}; "
                "only layers with the rows of the input can be attributed"
            )
    return Parts(parts)


def _places(rows: Tensor, maps: Tensor) -> Tensor:
    """How many rows and positions an example's maps are averaged over, laid out to divide them."""
    return (rows * math.prod(maps.shape[2:])).to(maps.dtype).reshape(-1, *[1] * (maps.ndim - 1))
