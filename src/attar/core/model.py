"""What may be asked of a model, as small protocols; a method names the one it needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core import watch
from attar.core.baseline import Rows
from attar.core.errors import UnsupportedError
from attar.core.inputs import Inputs
from attar.core.parts import Parts, joined
from attar.core.propagation import Propagated, Propagation, together
from attar.core.target import Target


@runtime_checkable
class Predictor(Protocol):
    """Answers."""

    def predict(self, inputs: Inputs) -> Float[Tensor, "batch *outputs"]:
        """One row of outputs per example: logits for a classifier, values for a regression; some have more axes."""
        ...


@runtime_checkable
class Differentiable(Predictor, Protocol):
    """Answers, and has a gradient with the shape of its input."""

    def differentiate(self, inputs: Inputs, target: Target) -> tuple[Float[Tensor, " batch"], Parts]:
        """The target of each example and its gradient with respect to the parts."""
        ...


@dataclass(frozen=True, eq=False)
class Activation:
    """What a layer puts out, row by row of the input's parts, and the target's gradient there.

    `Float[Tensor, "rows channels *positions"]` each, whichever axis the layer itself keeps its channels in.
    """

    values: Parts
    gradient: Parts


@runtime_checkable
class Exchanging(Predictor, Protocol):
    """Answers about examples with one letter exchanged, at less than the cost of whole copies."""

    def exchanged(
        self,
        inputs: Inputs,
        owner: Int[Tensor, " changes"],
        place: Int[Tensor, " changes"],
        other: Int[Tensor, " changes"],
    ) -> Float[Tensor, "changes *outputs"]:
        """One row of outputs for each change: example `owner` with letter `other` alone at position `place`."""
        ...


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
class Propagating(Differentiable, Protocol):
    """Can pass back what its output counts by other rules than the gradient's, operation by operation."""

    def propagate_each(
        self, inputs: Inputs, targets: Sequence[Target], rules: Callable[[], Propagation], start: Inputs | None = None
    ) -> list[Propagated]:
        """For each target what the rules give the parts, from one forward pass (and one on the start, if given)."""
        ...


@runtime_checkable
class Pooled(Predictor, Protocol):
    """Its output is a weighted sum of maps that have the rows of the input, as class activation mapping needs."""

    @property
    def pooled(self) -> str | None:
        """The layer that puts out the maps."""
        ...

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
class SelfAttending(Predictor, Protocol):
    """Weighs every token by every other, layer after layer."""

    def attention_maps(self, inputs: Inputs) -> list[Float[Tensor, "batch heads tokens tokens"]]:
        """For each layer, first to last, how much each token (third axis) looks at each (last axis, sums to 1)."""
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


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each column adds to each output, and what the outputs are when no column is known."""

    values: Float[Tensor, "batch columns outputs"]
    reference: Float[Tensor, " outputs"]


@runtime_checkable
class Forest(Predictor, Protocol):
    """Its outputs are sums or means over trees."""

    def contributions(self, inputs: Inputs, background: Rows | None) -> Contributions:
        """Shapley values of every output, in the units of `predict`: over the background's rows or, without any,
        over the training examples that each node saw."""
        ...


@dataclass(frozen=True, eq=False)
class Terms:
    """What each term adds to each output, the columns that each is a function of, and the outputs without any term."""

    values: Float[Tensor, "batch terms outputs"]
    columns: tuple[tuple[int, ...], ...]
    reference: Float[Tensor, " outputs"]


@runtime_checkable
class Additive(Predictor, Protocol):
    """Its outputs are sums of functions of one column each, or of a few."""

    def terms(self, inputs: Inputs) -> Terms:
        """The values of all terms; with the reference they sum to what it answers."""
        ...


def require(model: object, protocol: type, asker: str) -> None:
    """Raise `UnsupportedError`, naming what is missing, unless the model offers the protocol."""
    if reason := lacks(model, protocol):
        article = "an" if protocol.__name__[0] in "AEIOU" else "a"
        raise UnsupportedError(f"{asker} needs {article} {protocol.__name__} model: {reason}")


def lacks(model: object, protocol: type) -> str | None:
    """Why the model does not offer the protocol, or None if it does.

    An adapter that can do a thing only when it was told more (which layer, say) has a method `missing(protocol)`; one
    that knows another way to the same end says so in `hint`.
    """
    if not isinstance(model, protocol):
        offered = [p.__name__ for p in PROTOCOLS if isinstance(model, p)]
        found = f"{type(model).__name__} offers {', '.join(offered) or 'none of the protocols'}"
        gradients = issubclass(protocol, Differentiable) and not isinstance(model, Differentiable)
        if protocol in (Linear, TreeEnsemble, Forest) and (hint := getattr(model, "hint", "")):
            return f"{found}; {hint}"
        if protocol is Additive and isinstance(model, Linear):
            return f"{found}; a sum of weights times inputs is what WeightTimesInput reads off"
        return f"{found}; for gradients give a torch.nn.Module" if gradients else found
    missing = getattr(model, "missing", None)
    return missing(protocol) if missing is not None else None


def told(model: Any, protocol: type, inputs: Inputs) -> Any:
    """The model, told what it can find out itself by answering about one of these inputs: its layers, say."""
    find = getattr(model, "told", None)
    return model if find is None else find(protocol, inputs)


PROTOCOLS = (
    *(Predictor, Differentiable, Propagating, Layered, Pooled, Attending, SelfAttending),
    *(Linear, TreeEnsemble, Forest, Additive),
)
Answer = TypeVar("Answer")


@dataclass
class Chunked:
    """Any model, asked for at most `size` examples at a time. Results do not depend on `size`.

    Where memory ends first, `size` is halved for good and the question asked again. What the model has `answered` about
    some inputs it is not asked again; `reused` says whether that came up.
    """

    model: Any
    size: int
    answered: tuple[Inputs, Tensor] | None = None
    reused: bool = False

    def predict(self, inputs: Inputs) -> Tensor:
        if self.answered is not None and self.answered[0] is inputs:
            self.reused = True
            return self.answered[1]
        return _cat(self._asked(inputs, lambda chunk, _: self.model.predict(chunk)))

    def differentiate(self, inputs: Inputs, target: Target) -> tuple[Tensor, Parts]:
        return self.differentiate_each(inputs, [target])[0]

    def differentiate_each(self, inputs: Inputs, targets: Sequence[Target]) -> list[tuple[Tensor, Parts]]:
        """Several targets, from one forward where the model can."""

        def ask(chunk: Inputs, index: Tensor) -> list[tuple[Tensor, Parts]]:
            asked = [target.take(index) for target in targets]
            if len(asked) > 1 and hasattr(self.model, "differentiate_each"):
                return self.model.differentiate_each(chunk, asked)
            return [self.model.differentiate(chunk, target) for target in asked]

        by_target = zip(*self._asked(inputs, ask), strict=True)
        return [
            (_cat([output for output, _ in each]), joined([gradient for _, gradient in each])) for each in by_target
        ]

    def propagate_each(
        self, inputs: Inputs, targets: Sequence[Target], rules: Callable[[], Propagation], start: Inputs | None = None
    ) -> list[Propagated]:
        def ask(chunk: Inputs, index: Tensor) -> list[Propagated]:
            asked = [target.take(index) for target in targets]
            return self.model.propagate_each(chunk, asked, rules, None if start is None else start.take(index))

        return [together(of_target) for of_target in zip(*self._asked(inputs, ask), strict=True)]

    def exchanged(self, inputs: Inputs, owner: Tensor, place: Tensor, other: Tensor) -> Tensor:
        watch.asked(len(owner))
        return self.model.exchanged(inputs, owner, place, other)

    @property
    def layers(self) -> tuple[str, ...]:
        return self.model.layers

    def activations(self, inputs: Inputs, target: Target, layers: Sequence[str]) -> tuple[Tensor, list[Activation]]:
        return self.activations_each(inputs, [target], layers)[0]

    def activations_each(
        self, inputs: Inputs, targets: Sequence[Target], layers: Sequence[str]
    ) -> list[tuple[Tensor, list[Activation]]]:
        """Several targets, from one forward where the model can."""

        def ask(chunk: Inputs, index: Tensor) -> list[tuple[Tensor, list[Activation]]]:
            asked = [target.take(index) for target in targets]
            if len(asked) > 1 and hasattr(self.model, "activations_each"):
                return self.model.activations_each(chunk, asked, layers)
            return [self.model.activations(chunk, target, layers) for target in asked]

        return [_joined_activations(list(pieces)) for pieces in zip(*self._asked(inputs, ask), strict=True)]

    @property
    def pooled(self) -> str | None:
        return self.model.pooled

    def maps(self, inputs: Inputs) -> tuple[Parts, Tensor]:
        pieces = self._asked(inputs, lambda chunk, _: self.model.maps(chunk))
        return joined([maps for maps, _ in pieces]), pieces[0][1]

    def attention(self, inputs: Inputs) -> list[Parts]:
        pieces = self._asked(inputs, lambda chunk, _: self.model.attention(chunk))
        return [joined(list(layer)) for layer in zip(*pieces, strict=True)]

    def attention_maps(self, inputs: Inputs) -> list[Tensor]:
        pieces = self._asked(inputs, lambda chunk, _: self.model.attention_maps(chunk))
        return [_cat(layer) for layer in zip(*pieces, strict=True)]

    def coefficients(self, inputs: Inputs, target: Target) -> tuple[Parts, Tensor]:
        pieces = self._asked(inputs, lambda chunk, index: self.model.coefficients(chunk, target.take(index)))
        return joined([weights for weights, _ in pieces]), _cat([bias for _, bias in pieces])

    def walk(self, inputs: Inputs, target: Target) -> Walk:
        pieces = self._asked(inputs, lambda chunk, index: self.model.walk(chunk, target.take(index)))
        return Walk(
            output=_cat([p.output for p in pieces]),
            root=_cat([p.root for p in pieces]),
            steps=joined([p.steps for p in pieces]),
            absent=_cat([p.absent for p in pieces]),
        )

    def contributions(self, inputs: Inputs, background: Rows | None) -> Contributions:
        pieces = self._asked(inputs, lambda chunk, _: self.model.contributions(chunk, background))
        return Contributions(_cat([p.values for p in pieces]), pieces[0].reference)

    def terms(self, inputs: Inputs) -> Terms:
        pieces = self._asked(inputs, lambda chunk, _: self.model.terms(chunk))
        return Terms(_cat([p.values for p in pieces]), pieces[0].columns, pieces[0].reference)

    def _asked(self, inputs: Inputs, ask: Callable[[Inputs, Tensor], Answer]) -> list[Answer]:
        """The answers about consecutive chunks of the examples."""
        answers: list[Answer] = []
        first = 0
        while first < len(inputs):
            index = torch.arange(first, min(first + self.size, len(inputs)), device=inputs.device)
            # A copy either way: a model may write on what it is asked about.
            whole = len(index) == len(inputs)
            chunk = inputs.replace(inputs.parts.map(Tensor.clone)) if whole else inputs.take(index)
            try:
                answers.append(ask(chunk, index))
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as problem:
                if not _out_of_memory(problem) or len(index) == 1:
                    raise
            else:
                first += len(index)
                watch.asked(len(index))
                continue
            self.size = (len(index) + 1) // 2  # here, where the traceback no longer holds what filled the memory
        return answers


def _out_of_memory(problem: Exception) -> bool:
    """torch says so by class on CUDA, and on a processor and Apple's devices only in words."""
    said = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(problem, torch.OutOfMemoryError | MemoryError) or any(words in str(problem) for words in said)


def _joined_activations(pieces: list[tuple[Tensor, list[Activation]]]) -> tuple[Tensor, list[Activation]]:
    by_layer = zip(*[activations for _, activations in pieces], strict=True)
    return _cat([output for output, _ in pieces]), [
        Activation(joined([a.values for a in layer]), joined([a.gradient for a in layer])) for layer in by_layer
    ]


def _cat(pieces: Sequence[Tensor]) -> Tensor:
    return pieces[0] if len(pieces) == 1 else torch.cat(list(pieces))
