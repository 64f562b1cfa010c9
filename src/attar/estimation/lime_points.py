"""The neighbourhood of LIME on tables: points drawn from a background, asked once for all examples."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.baseline import Rows
from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.core.model import Chunked
from attar.core.parts import Parts, precise
from attar.core.target import Target
from attar.estimation.bins import below_the_largest
from attar.estimation.surrogate import Control


@dataclass(frozen=True, eq=False, kw_only=True)
class Points:
    """Each column drawn on its own: one of the background's values, or normal with its mean and spread (`bins` None).

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
            distance = (place - own[:, None]).square().mean(2)
            regressors = place.expand(len(examples), -1, -1)
        else:
            regressors = precise(points.bins == self.bin(here)[:, None])
            distance = 1 - regressors.mean(2)  # squared: a column in another bin is 1 away
        return regressors, torch.exp(-distance / (2 * self.width**2))

    def control(self, examples: Int[Tensor, " batch"], points: "Drawn", answers: Tensor) -> Control | None:
        """What columns do one by one: a step for each bin and a slope within it. Their part of the surrogate is known
        without drawing, for columns are independent, under the weights as well: they are a product over columns."""
        if self.bins is None or len(points.values) < 2 * points.values.shape[1] * self.bins:
            return None
        columns = points.values.shape[1]
        steps = precise(points.bins[..., None] == torch.arange(1, self.bins, device=points.bins.device)).flatten(1)
        within = self.standard(points.values) - self._centres.T.gather(0, points.bins)
        design = torch.cat([torch.ones_like(steps[:, :1]), steps, within], 1)
        flat = answers.movedim(1, 0).flatten(1)
        gram = design.T @ design
        gram.diagonal().add_(1e-9 * len(design))
        effects = torch.linalg.solve(gram, design.T @ flat)
        rest = (flat - design @ effects).unflatten(1, answers.shape[::2]).movedim(0, 1).contiguous()
        level = effects[1 : 1 + steps.shape[1]].reshape(columns, self.bins - 1, *answers.shape[::2])
        level = torch.cat([torch.zeros_like(level[:, :1]), level], 1)
        own = self.bin(self.inputs.values[examples]).T
        inside = level.gather(1, own[:, None, :, None].expand(-1, 1, -1, level.shape[3]))[:, 0]
        overall = (self._shares[..., None, None] * level).sum(1)
        held = self._shares.gather(1, own)[..., None]
        slopes = torch.where((held > 0) & (held < 1), (inside - overall) / (1 - held).clamp(min=1e-9), 0.0)
        return Control(slopes.permute(1, 2, 0), rest, columns * self.bins)

    def standard(self, values: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
        return (precise(values) - self._mean) / self._deviation

    def bin(self, values: Float[Tensor, "rows columns"]) -> Int[Tensor, "rows columns"]:
        return torch.searchsorted(self._edges, precise(values).T.contiguous()).T

    @cached_property
    def _mean(self) -> Tensor:
        return precise(self.background).mean(0)

    @cached_property
    def _deviation(self) -> Tensor:
        spread = precise(self.background).std(0, correction=0)
        return torch.where(spread > 0, spread, 1.0)

    @cached_property
    def _edges(self) -> Float[Tensor, "columns edges"]:
        ordered, bins = precise(self.background).T.contiguous().sort(1).values, self.bins or 1
        place = torch.arange(1, bins, device=ordered.device) * (ordered.shape[1] - 1) / bins
        below, above = ordered[:, place.floor().long()], ordered[:, place.ceil().long()]
        return below_the_largest(torch.lerp(below, above, (place % 1).to(ordered)), ordered)

    @cached_property
    def _own(self) -> Int[Tensor, "rows columns"]:
        """The background's own bins."""
        return self.bin(self.background)

    @cached_property
    def _shares(self) -> Float[Tensor, "columns bins"]:
        """Of the background in each bin."""
        return self._summed(torch.ones_like(self._own, dtype=self._mean.dtype)) / len(self.background)

    @cached_property
    def _centres(self) -> Float[Tensor, "columns bins"]:
        """The mean of each bin, in standard deviations."""
        return self._summed(self.standard(self.background)) / (self._shares * len(self.background)).clamp(min=1)

    def _summed(self, values: Float[Tensor, "rows columns"]) -> Float[Tensor, "columns bins"]:
        total = values.new_zeros(values.shape[1], self.bins or 1)
        return total.scatter_add_(1, self._own.T, values.T)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Points, the bin of each of their columns, and what the model says of them."""

    values: Float[Tensor, "points columns"]
    bins: Int[Tensor, "points columns"]
    outputs: Float[Tensor, "points *outputs"]
