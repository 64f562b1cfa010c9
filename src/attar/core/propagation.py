"""Passing back what a model's output counts, by other rules than the gradient's: what a set of rules is asked.

A rule replaces an operation by a *stand-in* that is linear in the operation's inputs. The forward pass keeps the
operation's own value, the backward pass goes through the stand-in, so that one ordinary backward pass over the whole
model applies every rule.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from attar.core.parts import Parts, joined


@dataclass(frozen=True, eq=False, kw_only=True)
class Operation:
    """One torch operation of a forward pass, as a function of those of its arguments that depend on the input.

    `call` writes on none of its arguments. `start` is what the arguments were in the run on the baseline, empty where
    there was none.
    """

    name: str
    call: Callable[..., Any]
    inputs: tuple[Tensor, ...]
    start: tuple[Tensor, ...]


class RefusedError(Exception):
    """What cannot be passed back, in words. No `AttarError`: on its way through a model an operator would take a
    `TypeError` for its own, and say that it cannot multiply."""


class Propagation:
    """The rules of one pass, by kind of operation. The gradient's own, unless a method says otherwise.

    An operation made of others (softmax, layer norm, attention) is taken apart first, unless `owns` its name.
    `strict`: an operation without a rule is refused unless it proves to be affine from the start to the input.
    """

    strict: bool = True

    def owns(self, name: str) -> bool:  # noqa: ARG002
        return False

    def own(self, operation: Operation) -> Any:
        return operation.call(*operation.inputs)

    def elementwise(self, operation: Operation) -> Tensor:
        """A function of each entry of its one input."""
        return operation.call(*operation.inputs)

    def bilinear(self, operation: Operation) -> Tensor:
        """Linear in either of its two inputs: products, matmul, einsum."""
        return operation.call(*operation.inputs)

    def largest(self, operation: Operation) -> Tensor:
        """`call(flat)` gives the largest entries and their places, both `(..., outputs)`, in the last axis."""
        return operation.call(*operation.inputs)[0]

    def weighted(self, layer: "Layer") -> Tensor:
        """A layer with weights of its own."""
        return layer.operation.call(layer.x)

    def affine(self, operation: Operation) -> Any:
        """Affine in all its inputs together."""
        return operation.call(*operation.inputs)

    def begin(self, given: Parts) -> None:
        """The pass over the model starts, on these."""

    def beside(self) -> list[Tensor]:
        """Further tensors whose gradient is wanted after the forward pass."""
        return []

    def values(self, given: Parts, gradient: Parts, beside: list[Tensor], output: Tensor) -> Parts:  # noqa: ARG002
        """What the parts are given, from the gradient of the stand-ins there and at what stands beside them."""
        return gradient


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """`linear(x, weight) + bias`, the bias laid out to be added."""

    operation: Operation
    linear: Callable[[Tensor, Tensor], Tensor]
    weight: Tensor
    bias: Tensor | None

    @property
    def x(self) -> Tensor:
        return self.operation.inputs[0]


@dataclass(frozen=True, eq=False, kw_only=True)
class Propagated:
    """What the parts were given. `doubts` names what in the model was not followed: decisions that fell differently
    for the baseline and the input, and operations without a rule."""

    output: Tensor
    reference: Tensor | None
    values: Parts
    doubts: tuple[str, ...]


def together(pieces: Sequence[Propagated]) -> Propagated:
    """Consecutive chunks of examples as one."""
    references = [piece.reference for piece in pieces if piece.reference is not None]
    return Propagated(
        output=torch.cat([piece.output for piece in pieces]),
        reference=torch.cat(references) if references else None,
        values=joined([piece.values for piece in pieces]),
        doubts=tuple(dict.fromkeys(doubt for piece in pieces for doubt in piece.doubts)),
    )


def instead(value: Tensor, stand_in: Tensor) -> Tensor:
    """This value, with the gradient of the stand-in."""
    return _Instead.apply([value.detach()], stand_in)  # type: ignore[return-value]


class _Instead(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, value: list[Tensor], _stand_in: Tensor) -> Tensor:
        # In a list: a tensor argument that is returned would count as a view, which nothing may write on.
        return value[0]

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:  # type: ignore[override]
        return None, gradient


@torch.no_grad()
def secant(operation: Operation, start: Tensor) -> tuple[Tensor, Tensor]:
    """The value of an elementwise operation, and its slope from the start to the input: Δout / Δin.

    Where Δin is so small that rounding blurs the quotient, the derivative halfway, which agrees with it there and is
    sharper; but never against what the quotient shows beyond its rounding error (a kink), so that slope times Δin is
    Δout everywhere, to rounding.
    """
    (x,) = operation.inputs
    value, before = operation.call(x), operation.call(start)
    moved, change = x - start, value - before
    quotient = change / moved
    if operation.name in _PIECEWISE and not bool((moved == 0).any()):
        return value, quotient.nan_to_num(0.0, 0.0, 0.0)  # differences of pieces without curvature do not blur
    halfway = _derivative(operation.call, start + moved / 2, value)
    sizes = value.abs() + before.abs() + x.abs() + start.abs()
    blur = 4 * torch.finfo(value.dtype).eps * sizes / moved.abs()
    slope = torch.where((moved == 0) | ((quotient - halfway).abs() <= blur), halfway, quotient)
    return value, slope.nan_to_num(0.0, 0.0, 0.0)  # -inf - (-inf): masked in both, nothing moved


@torch.no_grad()
def divides(operation: Operation) -> bool:
    """Whether it is 1 / x or its like, which a norm or a share is scaled by: infinite at 0."""
    if operation.name not in ("reciprocal", "rsqrt", "pow", "float_power"):
        return False
    return bool(operation.call(torch.zeros_like(operation.inputs[0])).isinf().all())


_PIECEWISE = frozenset({"relu", "relu6", "leaky_relu", "prelu", "abs", "hardtanh", "clamp", "clamp_min", "clamp_max"})


def _derivative(call: Callable[[Tensor], Tensor], at: Tensor, like: Tensor) -> Tensor:
    with torch.enable_grad():
        leaf = at.expand_as(like).detach().clone().requires_grad_()
        value = call(leaf)
        return torch.autograd.grad(value.sum(), leaf)[0] if value.requires_grad else torch.zeros_like(leaf)
