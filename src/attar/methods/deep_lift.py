"""DeepLIFT: what each change from the baseline to the input contributes, operation by operation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from attar.core.attribution import Attribution
from attar.core.baseline import Baseline, Zeros
from attar.core.error import exact
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Inputs
from attar.core.model import Propagating
from attar.core.propagation import Operation, Propagation, divides, instead, secant
from attar.core.target import Target


@dataclass(frozen=True, kw_only=True)
class DeepLift:
    """The change from the baseline to the input, times a multiplier that is passed back through every operation.

    In units of the target; positive supports it. Complete: the values sum to output - reference, which is checked, and
    refused where they miss it by more than `tolerance` of their L1 norm; what was not followed is named (inf: take what
    comes, with the gradient for what has no rule). One run on the baseline, one forward and backward on the input.
    Misleads where the baseline is no neutral input; and the answer depends on how a function is written, as the rules
    go by operation. Raises `UnsupportedError` for an operation without a rule, and where the model takes another path
    for the baseline. Source: Shrikumar et al. 2017, arXiv:1704.02685, the rescale rule (eq. 13-15). Ours: rules for
    products (each factor's change at the other's mean; the scale of a norm at zeros, which is a thousandfold, is kept
    out), for maxima (a rise goes to the place that wins now, a fall to the one that won before), and softmax, norms and
    attention as the operations they are made of.
    """

    baseline: Baseline = field(default_factory=Zeros)
    tolerance: float = 0.001

    needs: ClassVar[type] = Propagating

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise InputError(f"tolerance is {self.tolerance}, expected a positive share (0.001 is a thousandth)")

    def __call__(self, model: Propagating, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Propagating, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        start = inputs.replace(self.baseline(inputs))
        moved = inputs.parts - start.parts
        attributions = []
        for found in model.propagate_each(inputs, targets, lambda: Differences(math.isfinite(self.tolerance)), start):
            attribution = Attribution(
                parts=moved * found.values,
                owners=inputs.owners,
                output=found.output,
                reference=found.reference,
                error=exact(len(inputs), inputs.device),
                evaluations=torch.full((len(inputs),), 2, device=inputs.device),
            )
            self._check(attribution, found.doubts)
            attributions.append(attribution)
        return attributions

    def _check(self, found: Attribution, doubts: tuple[str, ...]) -> None:
        """Completeness, to what rounding in the model's own precision leaves of it."""
        assert found.reference is not None  # noqa: S101 - a comparison has one
        size = found.parts.abs().per_example(found.owners, len(found)) + found.output.abs() + found.reference.abs()
        allowed = max(self.tolerance, 16 * torch.finfo(found.output.dtype).eps) * size
        missed = found.residual().abs()  # type: ignore[union-attr]
        if bool((missed > allowed).any()):
            worst = int((missed - allowed).argmax())
            raise UnsupportedError(
                f"the values of example {worst} miss output - reference by {float(missed[worst]):.3g} of "
                f"{float(size[worst]):.3g}; not followed: {', '.join(doubts) or 'something outside torch'}; use a "
                "method of gradients (IntegratedGradients), or tolerance=inf to take the values as they are"
            )


@dataclass(eq=False)
class Differences(Propagation):
    """Each operation's change, shared among its inputs' changes."""

    strict: bool = True
    _divisors: WeakIdKeyDictionary = field(default_factory=WeakIdKeyDictionary)

    def owns(self, name: str) -> bool:
        return name == "detach"

    def own(self, operation: Operation) -> Tensor:
        """Kept from the gradient, but not from the difference."""
        (x,) = operation.inputs
        return x.view_as(x)

    def elementwise(self, operation: Operation) -> Tensor:
        value, slope = secant(operation, operation.start[0])
        found = instead(value, operation.inputs[0] * slope)
        if divides(operation):
            self._divisors[found] = None
        return found

    def bilinear(self, operation: Operation) -> Tensor:
        """Each factor's change at the other's mean: the two may change in either order."""
        (a, b), (a_start, b_start) = operation.inputs, operation.start
        a_now, b_now = a.detach(), b.detach()
        a_first: Tensor | float = 0.5
        if operation.name in ("mul", "multiply") and (a in self._divisors or b in self._divisors):
            a_first = _order(a_now, b_now, a_start, b_start)
        b_meanwhile = b_start * a_first + b_now * (1 - a_first)
        a_meanwhile = a_now * a_first + a_start * (1 - a_first)
        return instead(operation.call(a_now, b_now), operation.call(a, b_meanwhile) + operation.call(a_meanwhile, b))

    def largest(self, operation: Operation) -> Tensor:
        (flat,), (start,) = operation.inputs, operation.start
        (value, at), (before, at_before) = operation.call(flat.detach()), operation.call(start)
        at = torch.where((value >= before) | (start.gather(-1, at) == before), at, at_before)
        moved = (flat.detach() - start).gather(-1, at)
        share = torch.where(moved == 0, 1.0, (value - before) / moved).nan_to_num(0.0, 0.0, 0.0)
        return instead(value, flat.gather(-1, at) * share)


def _order(a: Tensor, b: Tensor, a_start: Tensor, b_start: Tensor) -> Tensor:
    """How far `a` is to change first, where one of two factors is a divisor.

    The scale of a norm falls from thousands at a baseline of zeros, and either change alone would make a product that
    neither run has seen. Each order counts by what the other goes to and fro.
    """
    a_then_b = ((a - a_start) * b_start).abs() + (a * (b - b_start)).abs()
    b_then_a = (a_start * (b - b_start)).abs() + ((a - a_start) * b).abs()
    both = a_then_b + b_then_a
    return torch.where(both > 0, b_then_a / both, 0.5).nan_to_num(0.5)
