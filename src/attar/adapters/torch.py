"""A torch module, of any input: answers, gradients, layers, maps for CAM, attention weights."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from attar.adapters.function import chosen_output, rows_of_outputs
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Inputs
from attar.core.model import Activation, Attending, Layered, Pooled
from attar.core.parts import Parts
from attar.core.target import Target


@dataclass(frozen=True, eq=False)
class TorchModel:
    """Calls the module with the inputs in eval mode and puts the mode back.

    `output` names one of several outputs (a key, or a place in a tuple); the only one, or `logits`, needs no name.
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
    output: str | int | None = None

    def missing(self, protocol: type) -> str | None:
        told = {Layered: self.layers, Pooled: self.pooled and self.head, Attending: self.attention_layers}
        say = {
            Layered: "name its layers: TorchModel(module, layers=('conv3',))",
            Pooled: "name the pooled layer and the head: TorchModel(module, pooled='features', head='fc')",
            Attending: "name its attention: TorchModel(module, attention_layers=('block.attention',))",
        }
        return say[protocol] if protocol in told and not told[protocol] else None

    def predict(self, inputs: Inputs) -> Tensor:
        with self.resting(), torch.no_grad():
            return self.outputs(inputs)

    def differentiate(self, inputs: Inputs, target: Target) -> tuple[Tensor, Parts]:
        return self.differentiate_each(inputs, [target])[0]

    def differentiate_each(self, inputs: Inputs, targets: Sequence[Target]) -> list[tuple[Tensor, Parts]]:
        """The gradient of each target, all from one forward."""
        leaves = leaves_of(inputs.parts)
        with self.resting(), torch.enable_grad():
            outputs = self.outputs(inputs.replace(leaves.map(Tensor.clone)))
            return gradients_of(outputs, targets, leaves)

    def activations(self, inputs: Inputs, target: Target, layers: Sequence[str]) -> tuple[Tensor, list[Activation]]:
        with self.resting(), torch.enable_grad():
            # Leaves that require a gradient make every activation require one, frozen parameters or not.
            leaves = leaves_of(inputs.parts)
            with self.recorded(layers) as seen:
                asked = target(self.outputs(inputs.replace(leaves.map(Tensor.clone))))
            outputs = [_as_parts(seen[name], inputs, name) for name in layers]
            flat = [array for parts in outputs for array in parts.values()]
            gradients = iter(_gradients(asked, flat, keep=False))
        found = [
            Activation(parts.map(Tensor.detach), Parts({name: next(gradients) for name in parts})) for parts in outputs
        ]
        return asked.detach(), found

    def maps(self, inputs: Inputs) -> tuple[Parts, Tensor]:
        if reason := self.missing(Pooled):
            raise UnsupportedError(reason)
        head = self.submodule(str(self.head))
        if not isinstance(head, nn.Linear):
            raise UnsupportedError(f"the head {self.head!r} is a {type(head).__name__}, CAM needs an nn.Linear")
        with self.resting(), torch.no_grad(), self.recorded([str(self.pooled)]) as seen:
            self.outputs(inputs)
        maps = _as_parts(seen[str(self.pooled)], inputs, str(self.pooled))
        if self.mean:
            sizes = {n: torch.bincount(o, minlength=len(inputs)) for n, o in inputs.owners.items()}
            maps = Parts({n: a / _places(sizes[n][inputs.owners[n]], a) for n, a in maps.items()})
        return maps, head.weight.detach().T

    def attention(self, inputs: Inputs) -> list[Parts]:
        with self.resting(), torch.no_grad(), self.recorded(self.attention_layers) as seen:
            self.outputs(inputs)
        part = list(inputs.parts)[-1]  # edges, where there are nodes and edges
        rows = len(inputs.owners[part])
        for name in self.attention_layers:
            if len(seen[name]) != rows:
                raise UnsupportedError(f"{name} gave {len(seen[name])} attention weights, expected {rows} ({part})")
        heads = [
            seen[name] if seen[name].ndim == 1 else seen[name].flatten(1).mean(1) for name in self.attention_layers
        ]
        return [Parts({part: weights}) for weights in heads]

    def outputs(self, inputs: Inputs) -> Tensor:
        answer = chosen_output(
            inputs.call(self.module), self.output, "attar.adapters.torch.TorchModel(module, output=…)"
        )
        return rows_of_outputs(answer, len(inputs))

    @property
    def dtype(self) -> torch.dtype | None:
        """That of the first float parameter; None without any."""
        return next((p.dtype for p in self.module.parameters() if p.is_floating_point()), None)

    @property
    def device(self) -> torch.device | None:
        return next((p.device for p in self.module.parameters()), None)

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Eval mode inside, every submodule's own mode as it was afterwards."""
        modes = [(module, module.training) for module in self.module.modules()]
        for module, _ in modes:
            module.training = False
        # Its kernels for recurrent layers have no gradient in eval mode.
        plain = any(isinstance(module, nn.RNNBase) for module, _ in modes)
        try:
            with torch.backends.cudnn.flags(enabled=False) if plain else nullcontext():
                yield
        finally:
            for module, training in modes:
                module.training = training

    @contextmanager
    def recorded(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The outputs of the named submodules; the hooks are gone afterwards, whatever happens.

        A copy is recorded: what a layer only passes on may have been used before, which is not this layer's doing. And
        what comes after goes on with another, for it may work in place.
        """
        seen: dict[str, Any] = {}

        def record(name: str, output: Any) -> Any:
            seen[name] = _copied(output)
            return _copied(seen[name])

        hooks = []
        try:
            for name in names:
                layer = self.submodule(name)
                hooks.append(layer.register_forward_hook(lambda _m, _i, out, name=name: record(name, out)))
            yield seen
            if silent := [name for name in names if name not in seen]:
                raise InputError(f"layer {silent[0]!r} took no part in the answer; name one that is called")
        finally:
            for hook in hooks:
                hook.remove()

    def submodule(self, name: str) -> nn.Module:
        try:
            return self.module.get_submodule(name)
        except AttributeError as problem:
            known = ", ".join(n for n, _ in self.module.named_children())
            raise InputError(f"the module has no layer {name!r}; its children are {known}") from problem


def _copied(output: Any) -> Any:
    """The same with its tensors cloned; what is neither a tensor nor a plain tuple of some is left alone."""
    if isinstance(output, Tensor):
        return output.clone()
    if type(output) in (tuple, list):
        return type(output)(each.clone() if isinstance(each, Tensor) else each for each in output)
    return output


def leaves_of(parts: Parts) -> Parts:
    """The same values where gradients end. A module is given clones of them, which it may overwrite in place."""
    return parts.map(lambda array: array.detach().requires_grad_())


def gradients_of(outputs: Tensor, targets: Sequence[Target], leaves: Parts) -> list[tuple[Tensor, Parts]]:
    """Each target of the outputs, and its gradient at the leaves."""
    found = []
    for place, target in enumerate(targets):
        asked = target(outputs)
        gradients = _gradients(asked, list(leaves.values()), keep=place + 1 < len(targets))
        found.append((asked.detach(), Parts(dict(zip(leaves, gradients, strict=True)))))
    return found


def _gradients(asked: Tensor, leaves: list[Tensor], *, keep: bool) -> list[Tensor]:
    """The gradient of each example's target in one backward pass; zeros where the target does not depend on it.

    Summing is exact because no example's output depends on another's, which the verb has made sure of.
    """
    if not asked.requires_grad:
        return [torch.zeros_like(leaf) for leaf in leaves]
    found = torch.autograd.grad(asked.sum(), leaves, allow_unused=True, retain_graph=keep)
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
