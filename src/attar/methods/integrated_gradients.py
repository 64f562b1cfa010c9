"""Integrated Gradients, to a tolerance."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.baseline import Baseline, Zeros
from attar.core.error import Error
from attar.core.errors import InputError
from attar.core.inputs import Inputs
from attar.core.model import Differentiable
from attar.core.parts import Parts
from attar.core.target import Target

_FIRST = 8  # steps of the first rule; each further rule has three times as many and contains the last one
_PACKED = 1024  # examples x steps that are laid out at once
_JUMP = 1.96 / 12**0.5  # 95% of the error that a jump of 1 makes, which lies anywhere between two nodes


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients:
    """The gradient's mean on the straight path from the baseline to the input, times their difference.

    In units of the target; positive supports it. Complete: the values sum to output - reference as the error goes
    to 0. Steps are added, example by example, until the error is at most `tolerance` of the values' L1 norm or
    `budget` gradient evaluations are used. The error takes every change of the gradient from node to node for a kink
    that lies anywhere between them, and is 1.96 standard deviations of what those uniform errors sum to. It holds on
    kinked (ReLU) paths, where the completeness residual does not, and is far too wide on smooth ones.
    Misleads where the baseline is no neutral input. Source: Sundararajan et al. 2017, arXiv:1703.01365, eq. 1.
    """

    tolerance: float = 0.01
    budget: int = 216
    baseline: Baseline = field(default_factory=Zeros)

    needs: ClassVar[type] = Differentiable

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 1:
            raise InputError(f"tolerance is {self.tolerance}, expected between 0 and 1 (0.01 is one percent)")
        if self.budget < _FIRST:
            raise InputError(f"budget is {self.budget}, expected at least {_FIRST} gradient evaluations per example")

    def __call__(self, model: Differentiable, inputs: Inputs, target: Target) -> Attribution:
        count = len(inputs)
        start = self.baseline(inputs)
        path = _Path(inputs, start, inputs.parts - start, target, torch.arange(count))
        values = path.along.zeros()
        rows = {name: torch.arange(len(array)) for name, array in values.items()}
        bound = torch.zeros(count, dtype=torch.float64)
        used = torch.full((count,), 2)  # both ends of the path
        reached = torch.ones(count, dtype=torch.bool)
        total = path.along.zeros()
        steps = _FIRST
        while len(path.examples) and steps <= self.budget:
            # Node k of the last rule is node 3k + 1 of this one.
            fresh = [j for j in range(steps) if steps == _FIRST or j % 3 != 1]
            fresh_total, squared_jumps = path.gradients(model, steps, fresh)
            total = total + fresh_total
            found = total * path.along / steps
            # No two nodes enclose the half steps at both ends: as many jumps are supposed there as elsewhere.
            misplaced = squared_jumps.map(torch.sqrt) * path.along * (_JUMP / (steps * (steps - 1)) ** 0.5)
            for name, array in found.items():
                values[name][rows[name]] = array
            error, size = (p.abs().per_example(path.inputs.owners, len(path.examples)) for p in (misplaced, found))
            bound[path.examples] = error
            used[path.examples] += len(fresh)
            going = error > self.tolerance * size
            reached[path.examples] = ~going
            kept = {name: going[owner] for name, owner in path.inputs.owners.items()}
            rows = {name: r[kept[name]] for name, r in rows.items()}
            total, path = _only(total, kept), path.take(going, kept)
            steps *= 3
        return Attribution(
            parts=values,
            owners=inputs.owners,
            output=target(model.predict(inputs)),
            reference=target(model.predict(inputs.replace(start))),
            error=Error(bound, "95% of the sum of kinks that lie anywhere between two nodes", reached),
            evaluations=used,
        )


@dataclass(frozen=True, eq=False)
class _Path:
    """The straight paths of the examples that are still being refined; `examples` are their places in the batch."""

    inputs: Inputs
    start: Parts
    along: Parts
    target: Target
    examples: Tensor

    def take(self, going: Tensor, kept: dict[str, Tensor]) -> "_Path":
        index = going.nonzero()[:, 0]
        return _Path(
            self.inputs.take(index),
            _only(self.start, kept),
            _only(self.along, kept),
            self.target.take(index),
            self.examples[index],
        )

    def gradients(self, model: Differentiable, steps: int, nodes: list[int]) -> tuple[Parts, Parts]:
        """Over the nodes j, at (j + 1/2) / steps: the sum of the gradients, and of their squared changes from one node
        to the next."""
        count = len(self.examples)
        total, squares = self.along.zeros(), self.along.zeros()
        last: dict[str, Tensor] = {}
        group = max(1, _PACKED // count)
        for at in range(0, len(nodes), group):
            some = nodes[at : at + group]
            every = torch.arange(count).repeat(len(some))
            points = {
                n: torch.cat([self.start[n] + along * ((j + 0.5) / steps) for j in some])
                for n, along in self.along.items()
            }
            stacked = self.inputs.take(every).replace(Parts(points))
            _, gradient = model.differentiate(stacked, self.target.take(every))
            for name, array in gradient.items():
                for piece in array.chunk(len(some)):
                    total[name].add_(piece)
                    squares[name].add_((piece - last.get(name, piece)).square())
                    last[name] = piece
        return total, squares


def _only(parts: Parts, kept: dict[str, Tensor]) -> Parts:
    return Parts({name: array[kept[name]] for name, array in parts.items()})
