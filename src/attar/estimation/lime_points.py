"""The neighbourhood of LIME on tables: points drawn from a background, asked once for all examples."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.baseline import Rows
from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.core.model import Chunked
from attar.core.parts import Parts, precise
from attar.core.target import Target
from attar.estimation.bins import Bins, Held, below_the_largest
from attar.estimation.surrogate import Control

_STEPS = 32  # of one column that the control knows apart


@dataclass(frozen=True, eq=False, kw_only=True)
class Points:
    """Each column drawn on its own: one of the background's values, or normal with its mean and spread (`bins` None).

    A category has a bin for each level, and no normal draws: it is one of the background's, as is what is missing.
    `around` gives, for each example, the surrogate's regressors at the points and the points' weights.
    """

    model: Chunked
    inputs: Tensors
    background: Float[Tensor, "rows columns"]
    bins: int | None
    width: float
    seed: int
    drawn: list["Drawn"] = field(default_factory=list)

    @classmethod
    def of(
        cls, model: Chunked, inputs: object, background: Rows, *, bins: int | None, width: float, seed: int
    ) -> "Points":
        if not isinstance(inputs, Tensors) or inputs.values.ndim != 2:
            shape = tuple(inputs.values.shape) if isinstance(inputs, Tensors) else type(inputs).__name__
            raise InputError(f"a background of rows is for tables (rows, columns), not {shape}: give one baseline")
        rows = background.like(inputs)
        return cls(model=model, inputs=inputs, background=rows, bins=bins, width=width, seed=seed)

    def upto(self, count: int) -> "Drawn":
        """The first points and what the model says of them; only fresh ones are drawn and asked."""
        known = sum(len(some.values) for some in self.drawn)
        if known < count:
            values, bins = self._draw(np.random.default_rng([self.seed, known]), count - known)
            self.drawn.append(Drawn(values, bins, self.model.predict(self.inputs.replace(Parts({"input": values})))))
        every = zip(*((some.values, some.bins, some.outputs) for some in self.drawn), strict=True)
        return Drawn(*(torch.cat(arrays)[:count] for arrays in every))

    def _draw(self, generator: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        rows, columns = self.background.shape
        if self.bins is None:
            noise = torch.from_numpy(generator.standard_normal((count, columns))).to(self._mean)
            values = (self._mean + self._deviation * noise).to(self.background)
            if self.held.framed:
                row = torch.from_numpy(generator.integers(0, rows, (count, columns))).to(self.background.device)
                one = self.background.gather(0, row)
                values = torch.where(self.held.whole, values.round(), values)
                values = torch.where(self.held.apart(one), one, values)
            return values, torch.zeros_like(values, dtype=torch.long)
        row = torch.from_numpy(generator.integers(0, rows, (count, columns))).to(self.background.device)
        return self.background.gather(0, row), self._own.gather(0, row)

    def answers(
        self, examples: Int[Tensor, " batch"], targets: Sequence[Target], outputs: Float[Tensor, "points *outputs"]
    ) -> Float[Tensor, "batch points targets"]:
        """What each example's question makes of the outputs, in double precision."""
        example = examples.repeat_interleave(len(outputs))
        every = outputs.repeat(len(examples), *[1] * (outputs.ndim - 1))
        found = [precise(target.take(example)(every)) for target in targets]
        return torch.stack(found, -1).reshape(len(examples), len(outputs), len(targets))

    def around(self, examples: Int[Tensor, " batch"], points: "Drawn") -> tuple[Tensor, Tensor]:
        here = self.inputs.values[examples]
        if self.bins is None:
            place, own = self.standard(points.values), self.standard(here)
            regressors = place.expand(len(examples), -1, -1)
            squares = (place - own[:, None]).square()
            if self.held.framed:
                same = precise(points.values == here[:, None])
                regressors = torch.where(self.held.apart(here)[:, None], same, regressors)
                squares = torch.where(
                    self.held.apart(here)[:, None] | self.held.apart(points.values), 1 - same, squares
                )
            distance = squares.mean(2)
        else:
            regressors = precise(points.bins == self.bin(here)[:, None])
            distance = 1 - regressors.mean(2)  # squared: a column in another bin is 1 away
        return regressors, torch.exp(-distance / (2 * self.width**2))

    def control(self, examples: Int[Tensor, " batch"], points: "Drawn", answers: Tensor) -> Control | None:
        """What columns do one by one: a step for each bin and a slope within it. Their part of the surrogate is known
        without drawing, for columns are independent, under the weights as well: they are a product over columns.

        The rarest of very many levels share a step; what that leaves out is left to the fit."""
        if self.bins is None:
            return None
        there = self._steps_there
        if len(points.values) < 2 * int(there.sum()):
            return None
        columns, most = there.shape
        step = self._step.T.gather(0, points.bins)
        steps = precise(step[..., None] == torch.arange(1, most, device=step.device))[:, there[:, 1:]]
        within = self.standard(points.values) - self._centres.T.gather(0, points.bins)
        within = torch.where(self.held.gone(points.values), 0.0, within)[:, ~self.held.named]
        design = torch.cat([torch.ones_like(points.values[:, :1], dtype=steps.dtype), steps, within], 1)
        flat = answers.movedim(1, 0).flatten(1)
        gram = design.T @ design
        gram.diagonal().add_(1e-9 * len(design))
        effects = torch.linalg.solve(gram, design.T @ flat)
        rest = (flat - design @ effects).unflatten(1, answers.shape[::2]).movedim(0, 1).contiguous()
        level = effects.new_zeros(columns, most, effects.shape[1])
        level[:, 1:][there[:, 1:]] = effects[1 : 1 + steps.shape[1]]
        level = level.gather(1, self._step[..., None].expand(-1, -1, level.shape[2])).unflatten(2, answers.shape[::2])
        own = self.bin(self.inputs.values[examples]).T
        inside = level.gather(1, own[:, None, :, None].expand(-1, 1, -1, level.shape[3]))[:, 0]
        overall = (self._shares[..., None, None] * level).sum(1)
        held = self._shares.gather(1, own)[..., None]
        slopes = torch.where((held > 0) & (held < 1), (inside - overall) / (1 - held).clamp(min=1e-9), 0.0)
        return Control(slopes.permute(1, 2, 0), rest, int(there.sum()))

    def standard(self, values: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
        """In standard deviations from the mean; what is missing stands there."""
        found = (precise(values) - self._mean) / self._deviation
        return torch.where(self.held.gone(values), 0.0, found) if self.held.framed else found

    def reach(self, examples: Int[Tensor, " batch"]) -> Float[Tensor, "batch columns"]:
        """How far a slope reaches, `bins` None: to the example's distance from the mean, or whether it is the same."""
        here = self.inputs.values[examples]
        return torch.where(self.held.apart(here), 1.0, self.standard(here))

    def bin(self, values: Float[Tensor, "rows columns"]) -> Int[Tensor, "rows columns"]:
        return self._bins(precise(values))

    @cached_property
    def held(self) -> Held:
        return Held.by(self.inputs, self.background.shape[1])

    @cached_property
    def _mean(self) -> Tensor:
        rows, gone = precise(self.background), self.held.gone(self.background)
        if not bool(gone.any()):
            return rows.mean(0)
        return rows.masked_fill(gone, 0.0).sum(0) / (~gone).sum(0).clamp(min=1)

    @cached_property
    def _deviation(self) -> Tensor:
        rows, gone = precise(self.background), self.held.gone(self.background)
        spread = rows.std(0, correction=0)
        if bool(gone.any()):
            squares = (rows - self._mean).masked_fill(gone, 0.0).square()
            spread = (squares.sum(0) / (~gone).sum(0).clamp(min=1)).sqrt()
        return torch.where(spread > 0, spread, 1.0)

    @cached_property
    def _bins(self) -> Bins:
        ordered, count = self.held.ordered(precise(self.background))
        place = torch.arange(1, self.bins or 1, device=ordered.device) * (count[:, None] - 1) / (self.bins or 1)
        below, above = ordered.gather(1, place.floor().long()), ordered.gather(1, place.ceil().long())
        edges = below_the_largest(torch.lerp(below, above, (place % 1).to(ordered)), ordered)
        return Bins(held=self.held, edges=edges)

    @cached_property
    def _own(self) -> Int[Tensor, "rows columns"]:
        """The background's own bins."""
        return self.bin(self.background)

    @cached_property
    def _shares(self) -> Float[Tensor, "columns bins"]:
        """Of the background in each bin."""
        return self._summed(torch.ones_like(self._own, dtype=self._mean.dtype)) / len(self.background)

    @cached_property
    def _step(self) -> Int[Tensor, "columns bins"]:
        """The step of the control that each bin has: its own, unless levels are very many."""
        bins = torch.arange(self._bins.count, device=self.background.device).expand(self.background.shape[1], -1)
        if self._bins.count <= _STEPS:
            return bins
        rank = self._shares.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        return rank.clamp(max=_STEPS - 1)

    @cached_property
    def _steps_there(self) -> Bool[Tensor, "columns steps"]:
        """Which steps the background takes, of numbers all."""
        most = min(self._bins.count, _STEPS)
        taken = self._shares.new_zeros(len(self._step), most).scatter_add_(1, self._step, self._shares) > 0
        return taken | ~torch.tensor(self.held.framed, device=taken.device)

    @cached_property
    def _centres(self) -> Float[Tensor, "columns bins"]:
        """The mean of each bin, in standard deviations."""
        return self._summed(self.standard(self.background)) / (self._shares * len(self.background)).clamp(min=1)

    def _summed(self, values: Float[Tensor, "rows columns"]) -> Float[Tensor, "columns bins"]:
        total = values.new_zeros(values.shape[1], self._bins.count)
        return total.scatter_add_(1, self._own.T, values.T)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Points, the bin of each of their columns, and what the model says of them."""

    values: Float[Tensor, "points columns"]
    bins: Int[Tensor, "points columns"]
    outputs: Float[Tensor, "points *outputs"]
