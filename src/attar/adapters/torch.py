"""A torch module, of any input: answers, gradients, layers, maps for CAM, attention weights."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from attar.adapters.attention import chosen_attention, places_of_attention, watched
from attar.adapters.found import adds_up, as_parts, averaged, channel_axis, last_layer, pooled_and_head
from attar.adapters.function import chosen_output, rows_of_outputs
from attar.adapters.operations import apart, propagated
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Inputs
from attar.core.model import Activation, Attending, Layered, Pooled, SelfAttending
from attar.core.parts import Parts
from attar.core.propagation import Propagated, Propagation
from attar.core.target import Target

_SCRIPT = "the layers of a TorchScript module cannot be seen; give the module it was made from"


@dataclass(frozen=True, eq=False)
class TorchModel:
    """Calls the module with the inputs in eval mode and puts the mode back.

    `output` names one of several outputs (a key, or a place in a tuple); the only one, or `logits`, needs no name.
    `layers` are submodules whose outputs have the rows of the input (first to last), for GradCAM and its kin;
    `channels` is the axis of their outputs that holds the channels (1, or -1 for tokens). `pooled` names the submodule
    whose outputs are summed over rows and positions (`mean=True`: averaged) and `head` the final `nn.Linear`, for CAM.
    `self_attention` are the submodules whose attention of tokens over tokens counts. All of these are found where they
    are not told. `attention_layers` are submodules that put out one weight per row and head. `within` is what the
    numbers of an input run from and to: `attribute` warns where those that it is given do not.
    """

    module: nn.Module
    layers: tuple[str, ...] = ()
    pooled: str | None = None
    head: str | None = None
    mean: bool = False
    attention_layers: tuple[str, ...] = ()
    self_attention: tuple[str, ...] = ()
    channels: int | None = None
    output: str | int | None = None
    within: tuple[float, float] | None = None

    def missing(self, protocol: type) -> str | None:
        has = {
            Layered: self.layers,
            Pooled: self.pooled and self.head,
            Attending: self.attention_layers,
            SelfAttending: self.self_attention,
        }
        say = {
            Layered: "name its layers, for none was found that keeps positions apart: "
            "TorchModel(module, layers=('conv3',))",
            Pooled: "name the pooled layer and the head, for none were found that add up to the output: "
            "TorchModel(module, pooled='features', head='fc')",
            Attending: "name its attention: TorchModel(module, attention_layers=('block.attention',))",
            SelfAttending: "no attention of tokens over tokens was seen in it; of a kernel that hides its weights ask "
            "for the eager or sdpa kind",
        }
        if protocol in has and isinstance(self.module, torch.jit.ScriptModule):
            return _SCRIPT
        return say[protocol] if protocol in has and not has[protocol] else None

    def told(self, protocol: type, inputs: Inputs) -> "TorchModel":
        """The same, with what it was not told and can find out by answering about one of these inputs."""
        if self.missing(protocol) in (None, _SCRIPT):
            return self
        if protocol is Layered and (layer := last_layer(self, inputs)):
            return replace(self, layers=(layer,))
        if protocol is Pooled and not self.pooled and not self.head and (found := pooled_and_head(self, inputs)):
            pooled, head, mean = found
            return replace(self, pooled=pooled, head=head, mean=mean)
        if protocol is SelfAttending:
            seen = self._attention_seen(inputs.take(torch.zeros(1, dtype=torch.long, device=inputs.device)))
            return replace(self, self_attention=places_of_attention(seen))
        return self

    def predict(self, inputs: Inputs) -> Tensor:
        with self.resting(), torch.no_grad():
            return self.outputs(inputs)

    def differentiate(self, inputs: Inputs, target: Target) -> tuple[Tensor, Parts]:
        return self.differentiate_each(inputs, [target])[0]

    def differentiate_each(self, inputs: Inputs, targets: Sequence[Target]) -> list[tuple[Tensor, Parts]]:
        """The gradient of each target, all from one forward."""
        leaves = leaves_of(inputs.parts)
        with self.resting(), torch.enable_grad():
            return gradients_of(lambda parts: self.outputs(inputs.replace(parts)), targets, leaves)

    def propagate_each(
        self, inputs: Inputs, targets: Sequence[Target], rules: Callable[[], Propagation], start: Inputs | None = None
    ) -> list[Propagated]:
        with self.resting(), torch.enable_grad(), apart(self.module):
            return propagated(self.outputs, inputs, targets, rules(), start)

    def activations(self, inputs: Inputs, target: Target, layers: Sequence[str]) -> tuple[Tensor, list[Activation]]:
        return self.activations_each(inputs, [target], layers)[0]

    def activations_each(
        self, inputs: Inputs, targets: Sequence[Target], layers: Sequence[str]
    ) -> list[tuple[Tensor, list[Activation]]]:
        """The layers' outputs with the gradient of each target, all from one forward."""
        with self.resting(), torch.enable_grad():
            # Leaves that require a gradient make every activation require one, frozen parameters or not.
            leaves = leaves_of(inputs.parts)
            with self.recorded(layers) as seen:
                answer = self.outputs(inputs.replace(leaves.map(Tensor.clone)))
            outputs = [as_parts(seen[name], inputs, name) for name in layers]
            flat = [array for parts in outputs for array in parts.values()]
            found = []
            for place, target in enumerate(targets):
                asked = target(answer)
                gradients = iter(_zeros_for_none(_gradients(asked, flat, keep=place + 1 < len(targets)), flat))
                by_layer = [Parts({name: next(gradients) for name in parts}) for parts in outputs]
                found.append((asked.detach(), by_layer))
        values = [self._maps(parts.map(Tensor.detach), name) for parts, name in zip(outputs, layers, strict=True)]
        return [
            (asked, [Activation(v, self._maps(g, n)) for v, g, n in zip(values, by_layer, layers, strict=True)])
            for asked, by_layer in found
        ]

    def maps(self, inputs: Inputs) -> tuple[Parts, Tensor]:
        if reason := self.missing(Pooled):
            raise UnsupportedError(reason)
        name, head = str(self.pooled), self.submodule(str(self.head))
        if not isinstance(head, nn.Linear):
            raise UnsupportedError(f"the head {self.head!r} is a {type(head).__name__}, CAM needs an nn.Linear")
        with self.resting(), torch.no_grad():
            with self.recorded([name]) as seen:
                outputs = self.outputs(inputs)
            maps = self._maps(as_parts(seen[name], inputs, name), name)
            maps = averaged(maps, inputs) if self.mean else maps
            if not adds_up(maps, head, inputs, outputs):
                raise UnsupportedError(
                    f"the {'mean' if self.mean else 'sum'} of what {name!r} puts out, under the head {self.head!r}, is "
                    f"not the model's output: name the layer that is pooled, with mean={not self.mean} if that is how"
                )
        return maps, head.weight.detach().T

    def attention_maps(self, inputs: Inputs) -> list[Tensor]:
        return chosen_attention(self._attention_seen(inputs), self.self_attention, len(inputs))

    def _attention_seen(self, inputs: Inputs) -> list[tuple[str, Tensor]]:
        with self.resting(), torch.no_grad(), watched(self.module) as seen:
            self.outputs(inputs)
        return seen

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
        awake, plain = [], False
        for module in self.module.modules():
            if getattr(module, "training", False):  # one of frozen TorchScript has no mode
                awake.append(module)
            plain = plain or isinstance(module, nn.RNNBase)  # whose kernels have no gradient in eval mode
        for module in awake:
            module.training = False
        try:
            with torch.backends.cudnn.flags(enabled=False) if plain else nullcontext():
                yield
        finally:
            for module in awake:
                module.training = True

    def channels_first(self, array: Tensor, layer: str) -> Tensor:
        """A layer's output as (rows, channels, *positions)."""
        axis = (
            channel_axis(self.module, layer, array.shape) if self.channels is None or array.ndim < 3 else self.channels
        )
        if not -array.ndim < axis < array.ndim or axis == 0:
            raise InputError(f"channels is {axis}, and layer {layer!r} puts out {array.ndim} axes with the batch first")
        return array.movedim(axis, 1) if array.ndim > 2 else array

    def _maps(self, parts: Parts, layer: str) -> Parts:
        return parts.map(lambda array: self.channels_first(array, layer))

    @contextmanager
    def recorded(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The outputs of the named submodules. Raises `InputError` for one that is not called."""
        with self.recording(names) as seen:
            yield seen
            if silent := [name for name in names if name not in seen]:
                raise InputError(f"layer {silent[0]!r} took no part in the answer; name one that is called")

    @contextmanager
    def recording(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The outputs of the named submodules that are called; the hooks are gone afterwards, whatever happens.

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
        finally:
            for hook in hooks:
                hook.remove()

    def submodule(self, name: str) -> nn.Module:
        if isinstance(self.module, torch.jit.ScriptModule):
            raise UnsupportedError(_SCRIPT)
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


def gradients_of(
    answer: Callable[[Parts], Tensor], targets: Sequence[Target], leaves: Parts
) -> list[tuple[Tensor, Parts]]:
    """Each target of the answer about the leaves, and its gradient there.

    Raises `UnsupportedError` where a target changes with the leaves and has no gradient: zeros would mislead.
    """
    outputs = answer(leaves.map(Tensor.clone))
    found = []
    for place, target in enumerate(targets):
        asked = target(outputs)
        gradients = _gradients(asked, list(leaves.values()), keep=place + 1 < len(targets))
        if all(g is None for g in gradients) and not torch.equal(asked, target(answer(leaves.map(Tensor.detach) / 2))):
            raise UnsupportedError(
                f"the target changes with {', '.join(leaves)} and has no gradient there (no_grad, detach, rounding or "
                "argmax on the way?): take that out, or ask a method that needs outputs alone, such as Occlusion"
            )
        whole = _zeros_for_none(gradients, leaves.values())
        found.append((asked.detach(), Parts(dict(zip(leaves, whole, strict=True)))))
    return found


def _gradients(asked: Tensor, leaves: list[Tensor], *, keep: bool) -> Sequence[Tensor | None]:
    """The gradient of each example's target in one backward pass; None where the target does not depend on it.

    Summing is exact because no example's output depends on another's, which the verb has made sure of.
    """
    if not asked.requires_grad:
        return [None for _ in leaves]
    return torch.autograd.grad(asked.sum(), leaves, allow_unused=True, retain_graph=keep)


def _zeros_for_none(gradients: Iterable[Tensor | None], leaves: Iterable[Tensor]) -> list[Tensor]:
    return [torch.zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, gradients, strict=True)]
