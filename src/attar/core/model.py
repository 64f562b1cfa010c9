"""What may be asked of a model, as small protocols; a method names the one it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from attar.core.errors import UnsupportedError
from attar.core.inputs import Inputs
from attar.core.parts import Parts, joined
from attar.core.target import Target


@runtime_checkable
class Predictor(Protocol):
    """Answers."""

    def predict(self, inputs: Inputs) -> Float[Tensor, "batch outputs"]:
        """One row of outputs per example: logits for a classifier, values for a regression."""
        ...


@runtime_checkable
class Differentiable(Predictor, Protocol):
    """Answers, and has a gradient with the shape of its input."""

    def differentiate(self, inputs: Inputs, target: Target) -> tuple[Float[Tensor, " batch"], Parts]:
        """The target of each example and its gradient with respect to the parts."""
        ...


@dataclass(frozen=True, eq=False)
class Activation:
    """What a layer puts out, row by row of the input's parts, and the target's gradient there."""

    values: Parts
    gradient: Parts


@runtime_checkable
class Layered(Differentiable, Protocol):
    """Has named layers whose outputs have the rows of the input."""

    @property
    def layers(self) -> tuple[str, ...]: ...

    def activations(
        self, inputs: Inputs, target: Target, layers: Sequence[str]
    ) -> tuple[Float[Tensor, " batch"], list[Activation]]:
        """The target of each example, and each named layer's output with the target's gradient."""
        ...


@runtime_checkable
class Pooled(Predictor, Protocol):
    """Its output is a weighted sum of maps that have the rows of the input, as class activation mapping needs."""

    def maps(self, inputs: Inputs) -> tuple[Parts, Float[Tensor, "channels outputs"]]:
        """The maps (`Float[Tensor, "rows channels *positions"]` each) and the weights such that, summed over an
        example's rows and their positions, maps times weights is its output less the bias."""
        ...


@runtime_checkable
class Attending(Predictor, Protocol):
    """Weighs its parts by attention."""

    def attention(self, inputs: Inputs) -> list[Parts]:
        """For each layer the attention weight of every row, heads averaged."""
        ...


@runtime_checkable
class Linear(Differentiable, Protocol):
    """Its output is W·x + b."""

    def coefficients(self, inputs: Inputs, target: Target) -> tuple[Parts, Float[Tensor, " batch"]]:
        """W laid out like the parts, and b for each example."""
        ...


@runtime_checkable
class TreeEnsemble(Predictor, Protocol):
    """Answers by walking down trees."""

    def walk(self, inputs: Inputs, target: Target) -> "Walk":
        """What each split on the way changed the target by."""
        ...


@dataclass(frozen=True, eq=False)
class Walk:
    """A walk down the trees: the root's value, what the splits on each part added, and the rest.

    `absent` is the sum of the splits on columns that the example has no entry for (zeros of a sparse row).
    """

    output: Float[Tensor, " batch"]
    root: Float[Tensor, " batch"]
    steps: Parts
    absent: Float[Tensor, " batch"]


def require(model: object, protocol: type, asker: str) -> None:
    """Raise `UnsupportedError`, naming what is missing, unless the model offers the protocol."""
    if reason := lacks(model, protocol):
        raise UnsupportedError(f"{asker} needs a {protocol.__name__} model: {reason}")


def lacks(model: object, protocol: type) -> str | None:
    """Why the model does not offer the protocol, or None if it does.

    An adapter that can do a thing only when it was told more (which layer, say) has a method `missing(protocol)`.
    """
    if not isinstance(model, protocol):
        offered = [p.__name__ for p in PROTOCOLS if isinstance(model, p)]
        return f"{type(model).__name__} offers {', '.join(offered) or 'none of the protocols'}"
    missing = getattr(model, "missing", None)
    return missing(protocol) if missing is not None else None


PROTOCOLS = (Predictor, Differentiable, Layered, Pooled, Attending, Linear, TreeEnsemble)


@dataclass(frozen=True)
class Chunked:
    """Any model, asked for at most `size` examples at a time. Results do not depend on `size`."""

    model: object
    size: int

    def predict(self, inputs: Inputs) -> Tensor:
        return torch.cat([self.model.predict(chunk) for chunk, _ in self._chunks(inputs)])  # type: ignore[attr-defined]

    def differentiate(self, inputs: Inputs, target: Target) -> tuple[Tensor, Parts]:
        pieces = [self.model.differentiate(c, target.take(i)) for c, i in self._chunks(inputs)]  # type: ignore[attr-defined]
        return torch.cat([output for output, _ in pieces]), joined([gradient for _, gradient in pieces])

    @property
    def layers(self) -> tuple[str, ...]:
        return self.model.layers  # type: ignore[attr-defined]

    def activations(self, inputs: Inputs, target: Target, layers: Sequence[str]) -> tuple[Tensor, list[Activation]]:
        pieces = [self.model.activations(c, target.take(i), layers) for c, i in self._chunks(inputs)]  # type: ignore[attr-defined]
        by_layer = zip(*[activations for _, activations in pieces], strict=True)
        return torch.cat([output for output, _ in pieces]), [
            Activation(joined([a.values for a in layer]), joined([a.gradient for a in layer])) for layer in by_layer
        ]

    def maps(self, inputs: Inputs) -> tuple[Parts, Tensor]:
        pieces = [self.model.maps(chunk) for chunk, _ in self._chunks(inputs)]  # type: ignore[attr-defined]
        return joined([maps for maps, _ in pieces]), pieces[0][1]

    def attention(self, inputs: Inputs) -> list[Parts]:
        pieces = [self.model.attention(chunk) for chunk, _ in self._chunks(inputs)]  # type: ignore[attr-defined]
        return [joined(list(layer)) for layer in zip(*pieces, strict=True)]

    def coefficients(self, inputs: Inputs, target: Target) -> tuple[Parts, Tensor]:
        pieces = [self.model.coefficients(c, target.take(i)) for c, i in self._chunks(inputs)]  # type: ignore[attr-defined]
        return joined([weights for weights, _ in pieces]), torch.cat([bias for _, bias in pieces])

    def walk(self, inputs: Inputs, target: Target) -> Walk:
        pieces = [self.model.walk(c, target.take(i)) for c, i in self._chunks(inputs)]  # type: ignore[attr-defined]
        return Walk(
            output=torch.cat([p.output for p in pieces]),
            root=torch.cat([p.root for p in pieces]),
            steps=joined([p.steps for p in pieces]),
            absent=torch.cat([p.absent for p in pieces]),
        )

    def _chunks(self, inputs: Inputs) -> list[tuple[Inputs, Tensor]]:
        if len(inputs) <= self.size:
            return [(inputs, torch.arange(len(inputs)))]
        return [(inputs.take(index), index) for index in torch.arange(len(inputs)).split(self.size)]
