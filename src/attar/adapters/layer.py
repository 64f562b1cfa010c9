"""Attribution at a layer: the layer's output takes the place of the input, and every method works as it is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.adapters.attention import chosen_attention, places_of_attention, watched
from attar.adapters.operations import apart, propagated
from attar.adapters.torch import TorchModel, gradients_of, leaves_of
from attar.core.baseline import Baseline, Zeros
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Inputs, owned
from attar.core.model import Activation, SelfAttending
from attar.core.parts import Parts
from attar.core.propagation import Propagated, Propagation
from attar.core.target import Target


@dataclass(frozen=True, eq=False)
class LayerInputs(Inputs):
    """What a layer puts out for some inputs. They travel along, for whatever goes around the layer.

    `row_owners` are the examples of the rows of `values`: one row each, or as many as a graph has nodes.
    """

    origin: Inputs
    layer: str
    values: Float[Tensor, "rows *features"]
    row_owners: Int[Tensor, " rows"]
    source: "FromLayer"

    @property
    def parts(self) -> Parts:
        return Parts({self.layer: self.values})

    @property
    def owners(self) -> Mapping[str, Int[Tensor, " rows"]]:
        return {self.layer: self.row_owners}

    @property
    def single(self) -> bool:
        return self.origin.of_rows

    def __len__(self) -> int:
        return len(self.origin)

    def take(self, index: Int[Tensor, " examples"]) -> "LayerInputs":
        rows, owners = owned(self.row_owners, index)
        return replace(self, origin=self.origin.take(index), values=self.values[rows], row_owners=owners)

    def replace(self, parts: Parts) -> "LayerInputs":
        return replace(self, values=parts[self.layer])

    def arguments(self) -> tuple[Any, ...]:
        return self.origin.arguments()


@dataclass(frozen=True)
class FromLayer:
    """A module from one of its layers on: asked with `LayerInputs`, whose values stand where the layer's output would.

    Of a layer that puts out a tuple the first tensor is attributed, the rest stays as it is. Raises `UnsupportedError`
    for a layer that is called twice or whose rows are not those of the input.
    """

    host: TorchModel
    layer: str

    def inputs(self, origin: Inputs, size: int) -> LayerInputs:
        """The layer's output for these inputs, asked for `size` examples at a time."""
        pieces: list[Tensor] = []
        for index in torch.arange(len(origin), device=origin.device).split(size):
            with self.host.resting(), torch.no_grad(), self.host.recorded([self.layer]) as seen:
                self.host.outputs(origin.take(index))
            pieces.append(_first(seen[self.layer], self.layer).detach())
        values = torch.cat(pieces)
        everyone = torch.arange(len(origin), device=values.device)
        fitting = [owners for owners in (everyone, *origin.owners.values()) if len(owners) == len(values)]
        if fitting and all(torch.equal(owners, fitting[0]) for owners in fitting):
            return LayerInputs(origin, self.layer, values, fitting[0], self)
        if fitting:
            raise UnsupportedError(
                f"layer {self.layer!r} puts out {len(values)} rows; whether they are those of the "
                "examples or of a part cannot be told in this batch: give fewer or more examples"
            )
        raise UnsupportedError(
            f"layer {self.layer!r} puts out {len(values)} rows for {len(origin)} examples; only layers with a row for "
            "each example, or for each row of the input, can be attributed"
        )

    def predict(self, inputs: LayerInputs) -> Tensor:
        with self.host.resting(), torch.no_grad(), self._in_place(inputs.values):
            return self.host.outputs(inputs.origin)

    def differentiate(self, inputs: LayerInputs, target: Target) -> tuple[Tensor, Parts]:
        return self.differentiate_each(inputs, [target])[0]

    def differentiate_each(self, inputs: LayerInputs, targets: Sequence[Target]) -> list[tuple[Tensor, Parts]]:
        leaves = leaves_of(inputs.parts)

        def answer(parts: Parts) -> Tensor:
            with self._in_place(parts[self.layer]):
                return self.host.outputs(inputs.origin)

        with self.host.resting(), torch.enable_grad():
            return gradients_of(answer, targets, leaves)

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    def activations(
        self, inputs: LayerInputs, target: Target, layers: Sequence[str]
    ) -> tuple[Tensor, list[Activation]]:
        """The layer itself, read as maps."""
        asked, gradient = self.differentiate(inputs, target)
        first = [p.map(lambda a: self.host.channels_first(a, self.layer)) for p in (inputs.parts, gradient)]
        return asked, [Activation(*first) for _ in layers]

    def missing(self, protocol: type) -> str | None:
        return self.host.missing(protocol) if protocol is SelfAttending else None

    def told(self, protocol: type, inputs: LayerInputs) -> "FromLayer":
        if protocol is not SelfAttending or self.host.self_attention:
            return self
        seen = self._attention_seen(inputs.take(torch.zeros(1, dtype=torch.long, device=inputs.device)))
        return replace(self, host=replace(self.host, self_attention=places_of_attention(seen)))

    def attention_maps(self, inputs: LayerInputs) -> list[Tensor]:
        return chosen_attention(self._attention_seen(inputs), self.host.self_attention, len(inputs))

    def _attention_seen(self, inputs: LayerInputs) -> list[tuple[str, Tensor]]:
        with watched(self.host.module) as seen:
            self.predict(inputs)
        return seen

    def propagate_each(
        self,
        inputs: LayerInputs,
        targets: Sequence[Target],
        rules: Callable[[], Propagation],
        start: LayerInputs | None = None,
    ) -> list[Propagated]:
        def outputs(given: LayerInputs) -> Tensor:
            with self._in_place(given.values):
                return self.host.outputs(given.origin)

        with self.host.resting(), torch.enable_grad(), apart(self.host.module):
            return propagated(outputs, inputs, targets, rules(), start)

    @contextmanager
    def _in_place(self, values: Tensor) -> Iterator[None]:
        """`values` stand in the place of the layer's output."""
        calls = 0

        def stand_in(_module: object, _inputs: object, output: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > 1:
                raise UnsupportedError(
                    f"layer {self.layer!r} is called twice for one answer; name one that is called once"
                )
            if isinstance(output, Tensor):
                return values
            place = next(k for k, each in enumerate(output) if isinstance(each, Tensor))
            changed = [*output[:place], values, *output[place + 1 :]]
            named = getattr(output, "_make", None)
            return type(output)(changed) if named is None else named(changed)

        hook = self.host.submodule(self.layer).register_forward_hook(stand_in)
        try:
            yield
        finally:
            hook.remove()


@dataclass(frozen=True)
class OfInput:
    """The layer's output for a baseline of the input: what "absent" becomes on its way to the layer.

    For an attribution at a layer (`attribute(…, at=…)`); without one it is the baseline of the input itself.
    """

    baseline: Baseline = field(default_factory=Zeros)

    def __call__(self, inputs: Inputs) -> Parts:
        if not isinstance(inputs, LayerInputs):
            return self.baseline(inputs)
        absent = inputs.origin.replace(self.baseline(inputs.origin))
        return inputs.source.inputs(absent, len(absent)).parts


def _first(output: Any, layer: str) -> Tensor:
    """The first tensor of what a layer puts out."""
    found = output if isinstance(output, Tensor) else None
    if isinstance(output, tuple | list):
        found = next((each for each in output if isinstance(each, Tensor)), None)
    if found is None:
        raise UnsupportedError(
            f"layer {layer!r} puts out a {type(output).__name__}, expected a tensor or a tuple of them"
        )
    if not found.is_floating_point():
        raise InputError(f"layer {layer!r} puts out {found.dtype}, expected floats; name a layer after it")
    return found
