"""Counterfactuals: the least that would have had to be different for the model to say otherwise."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.baseline import Rows
from attar.core.error import Error
from attar.core.errors import InputError
from attar.core.inputs import Inputs, Tensors
from attar.core.model import Chunked, Predictor
from attar.core.parts import Parts, precise
from attar.core.target import Target

_NUMBERS = 2**22  # numbers that the copies of one step may take


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """What undoing each change would give back, on the way from an example to a near one that is answered otherwise.

    For tables. `measured["counterfactual"]` is that near row and `measured["distance"]` its distance: the sum over
    columns of the change in units of the column's median absolute deviation in `background`. Otherwise means another
    class (the other sign, of a single output), or with `to` a target of at most that. A value is the target with that
    one change undone less the target of the counterfactual: positive where the change was needed, exactly 0 where
    nothing changed. `error.reached` is False, and all values are 0, where every row of the background is answered
    alike.
    The search starts at the `neighbours` nearest rows of the background that are answered otherwise, undoes one change
    after another, always the one that leaves the answer safest, until each is needed, and then comes nearer by
    `bisections` along a straight line; columns that hold only whole numbers in the background keep theirs.
    Misleads as advice: nothing here knows what can be changed, or what else changes with it. A search, not a proof:
    there may be nearer ones. Not in the command line's list, because there is no background to start from by default.
    Source: Wachter et al. 2017, arXiv:1711.00399 (the question, the distance); the search is ours.
    """

    background: Rows
    to: float | None = None
    neighbours: int = 4
    bisections: int = 10

    needs: ClassVar[type] = Predictor

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise InputError(f"neighbours is {self.neighbours}, expected 1 or more rows to start from")
        if self.bisections < 0:
            raise InputError(f"bisections is {self.bisections}, expected 0 or more")

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        if not isinstance(inputs, Tensors) or inputs.values.ndim != 2:
            raise InputError(f"counterfactuals are searched for rows of a table, not {type(inputs).__name__}")
        rows = self.background.like(inputs)
        known = model.predict(inputs.replace(Parts({"input": rows})))
        search = _Search(self, model, inputs, target, rows, known, model.predict(inputs))
        numbers = max(self.neighbours * rows.shape[1] ** 2, rows.shape[0] * known[0].numel())
        found = [search.nearest(some) for some in search.every.split(max(1, _NUMBERS // numbers))]
        there, reached = (torch.cat(arrays) for arrays in zip(*found, strict=True))
        output = target(search.outputs)
        reference = target(search.ask(there, search.every))
        values = torch.zeros_like(inputs.values)
        example, column = (there != inputs.values).nonzero().unbind(1)
        undone = search.without(there, example, column)
        values[example, column] = (target.take(example)(search.ask(undone, example)) - reference[example]).to(values)
        return Attribution(
            parts=Parts({"input": values.to(output.dtype)}),
            owners=inputs.owners,
            output=output,
            reference=reference,
            unassigned=output - reference - values.sum(1).to(output.dtype),
            error=Error(precise(torch.zeros_like(output)), "exact for the counterfactual that was found", reached),
            evaluations=search.used + 1,
            measured={"counterfactual": there, "distance": search.distance(there, search.every)},
        )


@dataclass(eq=False)
class _Search:
    """Near rows that are answered otherwise, for many examples in step."""

    method: Counterfactual
    model: Chunked
    inputs: Tensors
    target: Target
    rows: Float[Tensor, "background columns"]
    known: Float[Tensor, "background outputs"]
    outputs: Float[Tensor, "batch outputs"]

    def __post_init__(self) -> None:
        self.every = torch.arange(len(self.inputs), device=self.rows.device)
        self.used = torch.full_like(self.every, len(self.rows))
        middle = self.rows.median(0).values
        spread = (self.rows - middle).abs().median(0).values
        wide = torch.where(spread > 0, spread, (self.rows - middle).abs().mean(0))
        self.scale = torch.where(wide > 0, wide, 1.0)
        self.whole = (self.rows == self.rows.round()).all(0)

    def nearest(self, examples: Int[Tensor, " some"]) -> tuple[Tensor, Bool[Tensor, " some"]]:
        """The nearest counterfactual that was found, and whether any was."""
        here = self.inputs.values[examples]
        count, background = len(examples), len(self.rows)
        margin = self.margin(
            self.known.repeat(count, *[1] * (self.known.ndim - 1)), examples.repeat_interleave(background)
        )
        far = torch.cdist(here / self.scale, self.rows / self.scale, p=1)
        far = far.masked_fill(margin.reshape(count, background) <= 0, float("inf"))
        near = far.topk(min(self.method.neighbours, background), largest=False)
        example = examples.repeat_interleave(near.values.shape[1])
        valid = torch.isfinite(near.values.flatten())
        there = torch.where(valid[:, None], self.rows[near.indices.flatten()], self.inputs.values[example])
        there = self._nearer(self._undone(there, example, valid), example, valid)
        distance = self.distance(there, example).masked_fill(~valid, float("inf")).reshape(count, -1)
        best = distance.argmin(1)
        chosen = torch.arange(count, device=best.device) * distance.shape[1] + best
        return there[chosen], valid[chosen]

    def _undone(self, there: Tensor, example: Tensor, valid: Tensor) -> Tensor:
        """One change after another, always the one that leaves the answer safest, until each is needed."""
        there, going = there.clone(), valid
        while bool(going.any()):
            changed = (there != self.inputs.values[example]) & going[:, None]
            path, column = changed.nonzero().unbind(1)
            asked = self.ask(self.without(there[path], example[path], column, own=True), example[path])
            margin = torch.full(there.shape, -1.0, dtype=precise(asked).dtype, device=there.device)
            margin[path, column] = self.margin(asked, example[path])
            safest = margin.max(1)
            going = going & (safest.values > 0)
            there[going, safest.indices[going]] = self.inputs.values[example[going], safest.indices[going]]
        return there

    def _nearer(self, there: Tensor, example: Tensor, valid: Tensor) -> Tensor:
        """As near as the answer allows, along the line to the example; what is whole stays."""
        way = torch.where(self.whole, 0.0, there - self.inputs.values[example])
        share, step = way.new_zeros(len(way), 1), 0.5
        some = (valid & (way != 0).any(1)).nonzero()[:, 0]
        for _ in range(self.method.bisections if len(some) else 0):
            nearer = there[some] - (share[some] + step) * way[some]
            otherwise = self.margin(self.ask(nearer, example[some]), example[some]) > 0
            share[some[otherwise]] += step
            step /= 2
        return torch.where(share > 0, there - share * way, there)

    def without(self, there: Tensor, example: Tensor, column: Tensor, *, own: bool = False) -> Tensor:
        """A copy of the example's row with one column put back; `own` where the rows are already one per copy."""
        copies = there.clone() if own else there[example]
        copies[torch.arange(len(copies), device=copies.device), column] = self.inputs.values[example, column]
        return copies

    def ask(self, rows: Float[Tensor, "copies columns"], example: Int[Tensor, " copies"]) -> Tensor:
        if not len(rows):
            return self.outputs[:0]
        self.used += torch.bincount(example, minlength=len(self.used))
        return self.model.predict(self.inputs.replace(Parts({"input": rows})))

    def margin(self, outputs: Float[Tensor, "copies outputs"], example: Int[Tensor, " copies"]) -> Tensor:
        """Positive where an answer is otherwise than the example's, and by how much."""
        if self.method.to is not None:
            margin = self.method.to - precise(self.target.take(example)(outputs))
            return torch.where(margin == 0, torch.finfo(margin.dtype).tiny, margin)
        outputs, own = precise(outputs), precise(self.outputs)[example]
        if outputs.shape[1] == 1:
            return -(outputs * torch.where(own < 0, -1.0, 1.0))[:, 0]
        said = own.argmax(1, keepdim=True)
        return outputs.scatter(1, said, -torch.inf).max(1).values - outputs.gather(1, said)[:, 0]

    def distance(self, there: Tensor, example: Tensor) -> Float[Tensor, " copies"]:
        return ((there - self.inputs.values[example]).abs() / self.scale).sum(1)
