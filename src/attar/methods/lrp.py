"""Layer-wise relevance propagation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.error import exact
from attar.core.errors import InputError
from attar.core.inputs import Inputs
from attar.core.model import Propagating
from attar.core.parts import Parts
from attar.core.propagation import Layer, Operation, Propagation, RefusedError, divides, instead, secant
from attar.core.target import Target


class Share(Protocol):
    """How a layer with weights hands on what its outputs count."""

    def __call__(self, layer: Layer, output: Tensor) -> Tensor:
        """What of `output` goes to the layer's inputs, linear in `layer.x`; the rest goes to no part."""
        ...


@dataclass(frozen=True, kw_only=True)
class Epsilon:
    """By what each input adds, x·w; `epsilon` in the units of the output takes from what is hardly there.

    Gradient times input where all layers have it and epsilon and biases are 0 (eq. 58 of Bach et al. 2015).
    """

    epsilon: float = 1e-6

    def __call__(self, layer: Layer, output: Tensor) -> Tensor:
        return layer.linear(layer.x, layer.weight) * _over(output, output + self.epsilon * _sign(output))


@dataclass(frozen=True, kw_only=True)
class Gamma:
    """By what each input adds, and `gamma` times more for what has the sign of the output: less for and against.

    Montavon et al. 2019 (table 10.1), with inputs of either sign (Andéol et al. 2021, arXiv:2106.13970).
    """

    gamma: float = 0.25

    def __call__(self, layer: Layer, output: Tensor) -> Tensor:
        added, more, less = layer.linear(layer.x, layer.weight), _signed(layer, 1), _signed(layer, -1)
        with_sign = torch.where(output >= 0, more + _bias(layer, 1), less + _bias(layer, -1)).detach()
        favoured = added + self.gamma * torch.where(output >= 0, more, less)
        return favoured * _over(output, output + self.gamma * with_sign)


@dataclass(frozen=True, kw_only=True)
class AlphaBeta:
    """`alpha` times what speaks for the output less `beta` times what speaks against; z-plus is alpha 1, beta 0.

    Bach et al. 2015, eq. 60; alpha - beta is 1.
    """

    alpha: float = 1.0
    beta: float = 0.0

    def __post_init__(self) -> None:
        if abs(self.alpha - self.beta - 1) > 1e-9:
            raise InputError(f"alpha is {self.alpha} and beta {self.beta}, expected alpha - beta = 1")

    def __call__(self, layer: Layer, output: Tensor) -> Tensor:
        shares = output.new_zeros(())
        for weight, sign in ((self.alpha, 1), (-self.beta, -1)):
            if weight:
                added = _signed(layer, sign)
                shares = shares + weight * added * _over(output, added.detach() + _bias(layer, sign))
        return shares


class FirstShare(Protocol):
    """The same for a layer that takes the input as it is, which may then also be given to where the input is 0."""

    def __call__(self, layer: Layer, output: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What of `output` goes to the input, and what its gradient is wanted at: each times its own is given."""
        ...


@dataclass(frozen=True, kw_only=True)
class Box:
    """By how far each input is from the end of its range that would speak least for the output: pixels.

    Montavon et al. 2017, arXiv:1512.02479, eq. 15. Raises `InputError` for an input outside `low` to `high`.
    """

    low: float = 0.0
    high: float = 1.0

    def __call__(self, layer: Layer, output: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = layer.x
        if bool(((x < self.low) | (x > self.high)).any()):
            raise InputError(f"the input goes from {x.detach().min():g} to {x.detach().max():g}, Box has {self}")
        low, high = (torch.full_like(x, end).requires_grad_() for end in (self.low, self.high))
        added = layer.linear(x, layer.weight)
        added = added - layer.linear(low, layer.weight.clamp(min=0)) - layer.linear(high, layer.weight.clamp(max=0))
        return added * _over(output, added.detach()), [low, high]


@dataclass(frozen=True, kw_only=True)
class Squares:
    """By the squared weights, whatever the input (Montavon et al. 2017, arXiv:1512.02479, eq. 12)."""

    def __call__(self, layer: Layer, output: Tensor) -> tuple[Tensor, list[Tensor]]:
        ones = torch.ones_like(layer.x).requires_grad_()
        added = layer.linear(ones, layer.weight.square())
        return added * _over(output, added.detach()), [ones]


@dataclass(frozen=True, kw_only=True)
class LRP:
    """The output, handed back from layer to layer in shares that sum to what is shared out.

    In units of the target; positive supports it. `dense` shares out linear layers, `convolution` convolutions, `first`
    the layer that takes the input as it is (None: as the others). The values and `unassigned` sum to the output, where
    `unassigned` is what biases, constants and epsilon keep; that they keep just this is checked over the batch, to
    `tolerance`. Misleads where `unassigned` is as large as the output; and a sum of opposed contributions near 0 makes
    large values of either sign (Gamma tempers them). Raises `UnsupportedError` for an operation without a rule, and for
    `first` where no layer takes the input as it is.
    Source: Bach et al. 2015, doi:10.1371/journal.pone.0130140; the default shares are those of Montavon et al. 2019,
    doi:10.1007/978-3-030-28954-6_10, table 10.1. Attention and norms follow Achtibat et al. 2024, arXiv:2402.05602:
    half to each factor of a product, softmax by its gradient, divisors as constants. Ours: a function of one number
    keeps what it is at 0; batch norm is a layer of its own, not merged with the convolution before it.
    """

    dense: Share = field(default_factory=Epsilon)
    convolution: Share = field(default_factory=Gamma)
    first: FirstShare | None = None
    tolerance: float = 0.001

    needs: ClassVar[type] = Propagating

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise InputError(f"tolerance is {self.tolerance}, expected a positive share (0.001 is a thousandth)")

    def __call__(self, model: Propagating, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Propagating, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        attributions = []
        for found in model.propagate_each(inputs, targets, lambda: _Relevance(self)):
            given = found.values.per_example(inputs.owners, len(inputs)).to(found.output.dtype)
            attributions.append(
                Attribution(
                    parts=found.values,
                    owners=inputs.owners,
                    output=found.output,
                    reference=torch.zeros_like(found.output),
                    unassigned=found.output - given,
                    error=exact(len(inputs), inputs.device),
                    evaluations=torch.ones(len(inputs), dtype=torch.long, device=inputs.device),
                )
            )
        return attributions


class _Relevance(Propagation):
    """What an output counts is its value times the gradient there; `kept` collects what goes to no part."""

    def __init__(self, asked: LRP) -> None:
        self.asked = asked
        self.strict = math.isfinite(asked.tolerance)
        self._given: dict[str, Tensor] = {}
        self._first: list[tuple[str, Tensor]] = []
        self._kept = torch.ones(())

    def begin(self, given: Parts) -> None:
        self._given = dict(given)
        like = next(iter(given.values()))
        self._kept = torch.ones((), dtype=like.dtype, device=like.device).requires_grad_()

    def owns(self, name: str) -> bool:
        return name == "softmax"

    def own(self, operation: Operation) -> Tensor:
        """By the gradient; what the value has besides is kept."""
        (x,) = operation.inputs
        value = operation.call(x)
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            # A softmax's matrix of derivatives is symmetric: this is that matrix times x.
            (followed,) = torch.autograd.grad(operation.call(leaf), leaf, leaf.detach().nan_to_num(0.0, 0.0, 0.0))
        return self._with_kept(value, value, value.detach() - followed)

    def elementwise(self, operation: Operation) -> Tensor:
        (x,) = operation.inputs
        if divides(operation):
            return operation.call(x.detach())
        at_zero = operation.call(torch.zeros_like(x)).detach()
        if not bool(at_zero.isfinite().all()):
            raise RefusedError(f"LRP has no rule for {operation.name}, which is infinite at 0; use another method")
        value, slope = secant(operation, torch.zeros_like(x))
        return self._with_kept(value, x * slope, at_zero)

    def bilinear(self, operation: Operation) -> Tensor:
        a, b = operation.inputs
        value = operation.call(a.detach(), b.detach())
        # Halves are arrays of their own, which the model may go on to overwrite.
        return instead(value, operation.call(a, b.detach() / 2) + operation.call(a.detach() / 2, b))

    def affine(self, operation: Operation) -> Tensor:
        value = operation.call(*operation.inputs)
        at_zero = operation.call(*map(torch.zeros_like, operation.inputs)).detach()
        return self._with_kept(value, value, at_zero) if bool(at_zero.any()) else value

    def weighted(self, layer: Layer) -> Tensor:
        output = layer.operation.call(layer.x.detach())
        part = next((name for name, array in self._given.items() if array is layer.x), None)
        if self.asked.first is not None and part is not None:
            given, beside = self.asked.first(layer, output)
            self._first += [(part, each) for each in beside]
        else:
            share = self.asked.convolution if layer.operation.name.startswith("conv") else self.asked.dense
            given = share(layer, output)
        return self._with_kept(output, given, output - given.detach())

    def beside(self) -> list[Tensor]:
        if self.asked.first is not None and not self._first:
            raise RefusedError(f"no layer takes the input as it is, so that first={self.asked.first} has no place")
        return [self._kept, *[each for _, each in self._first]]

    def values(self, given: Parts, gradient: Parts, beside: list[Tensor], output: Tensor) -> Parts:
        arrays = dict(given * gradient)
        kept, *more = beside
        for (part, at), slope in zip(self._first, more, strict=True):
            arrays[part] = arrays[part] + at.detach() * slope
        values = Parts(arrays)
        wide = torch.promote_types(output.dtype, torch.float32)
        shares = [*values.values(), kept]
        size = sum(array.abs().sum(dtype=wide) for array in (*shares, output))
        missed = abs(output.sum(dtype=wide) - sum(array.sum(dtype=wide) for array in shares))
        allowed = max(self.asked.tolerance, 16 * torch.finfo(output.dtype).eps)
        if bool(missed > allowed * size):
            raise RefusedError(
                f"what LRP gives and keeps misses the outputs by {float(missed):.3g} of {float(size):.3g}: something "
                "in the model is not followed; use a method of gradients (IntegratedGradients), or tolerance=inf"
            )
        return values

    def _with_kept(self, value: Tensor, given: Tensor, kept: Tensor) -> Tensor:
        kept = kept.nan_to_num(0.0, 0.0, 0.0)  # -inf of a mask, which counts nothing
        return instead(value, given + self._kept.to(value.dtype) * kept)


def _signed(layer: Layer, sign: int) -> Tensor:
    """The contributions of one sign, summed."""
    up, down = (layer.weight.clamp(min=0), layer.weight.clamp(max=0))[::sign]
    x = layer.x
    found = layer.linear(x * (x > 0), up)
    return found + layer.linear(x * (x < 0), down) if bool((x < 0).any()) else found


def _bias(layer: Layer, sign: int) -> Tensor | float:
    if layer.bias is None:
        return 0.0
    return layer.bias.clamp(min=0) if sign > 0 else layer.bias.clamp(max=0)


def _over(output: Tensor, shared: Tensor) -> Tensor:
    """What is to be shared out for each unit of what it is shared by; nothing where there is nothing to share by."""
    return torch.where(shared == 0, 0.0, output / shared)


def _sign(output: Tensor) -> Tensor:
    return torch.where(output >= 0, 1.0, -1.0).to(output.dtype)
