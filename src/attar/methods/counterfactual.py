"""Counterfactuals: the least that would have had to be different for the model to say otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.baseline import Rows
from attar.core.column import medians
from attar.core.error import Error
from attar.core.errors import InputError
from attar.core.inputs import Inputs, Tensors
from attar.core.model import Chunked, Predictor
from attar.core.parts import Parts, precise
from attar.core.target import Target
from attar.estimation.bins import Held

_NUMBERS = 2**22  # numbers that the copies of one step may take


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """What undoing each change would give back, on the way from an example to a near one that is answered otherwise.

    For tables. `measured["counterfactual"]` is that near row and `measured["distance"]` its distance: the sum over
    columns of the change in units of the column's median absolute deviation in `background`; a category that changes,
    and a number that becomes missing or no longer is, count `per_change`. Otherwise means another
    class (the other sign, of a single output), or with `to` a target on the other side of that number, or at it: a
    yield of 50, say, or a probability of 0.5. A value, in units of the target, is the target with that one change
    undone less the target of the counterfactual: positive where the change lowered it, exactly 0 where nothing changed;
    what they do not sum to, because changes act together, is `unassigned`. `error.reached` is False, and all values are
    0, where every row of the background is answered alike.
    The search starts at the `neighbours` nearest rows of the background that are answered otherwise, undoes one change
    after another, always the one that leaves the answer safest, until each is needed, comes nearer by `bisections`
    along a straight line, and undoes what is not needed there; columns that hold only whole numbers in the background
    keep theirs, and a category changes whole or not at all. Of a data frame `found.frame("counterfactual")` is the near
    rows as one.
    Misleads as advice: nothing here knows what can be changed, or what else changes with it (of a class that is spelled
    in several columns one may change alone; in a data frame it is one column). A search, not a proof: there may be
    nearer ones. On the command line the file's other rows are the background; there is none by default.
    Raises `InputError` for anything but a table, and for outputs that say no class unless `to` is given.
    Source: Wachter et al. 2017, arXiv:1711.00399 (the question, the distance); the search is ours.
    """

    background: Rows
    to: float | None = None
    neighbours: int = 4
    bisections: int = 10
    per_change: float = 1.0

    needs: ClassVar[type] = Predictor

    def __post_init__(self) -> None:
        if not isinstance(self.background, Rows):
            raise InputError(f"background is a {type(self.background).__name__}, expected Rows(training_rows)")
        if self.neighbours < 1:
            raise InputError(f"neighbours is {self.neighbours}, expected 1 or more rows to start from")
        if self.bisections < 0:
            raise InputError(f"bisections is {self.bisections}, expected 0 or more")
        if not self.per_change > 0:
            raise InputError(f"per_change is {self.per_change}, expected more than 0 median absolute deviations")

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        """One search for all targets, but with `to`: another class is another class, whatever is asked about it."""
        if self.to is not None and len(targets) > 1:
            return [self(model, inputs, target) for target in targets]
        if not isinstance(inputs, Tensors) or inputs.values.ndim != 2:
            shapes = ", ".join(f"{name} {tuple(array.shape)}" for name, array in inputs.parts.items())
            raise InputError(
                f"counterfactuals are searched for rows of a table, not {type(inputs).__name__} ({shapes})"
            )
        outputs = model.predict(inputs)
        if self.to is None and outputs.ndim != 2:
            raise InputError(f"an output of shape {tuple(outputs.shape[1:])} says no class: give `to`")
        rows = self.background.like(inputs)
        known = model.predict(inputs.replace(Parts({"input": rows})))
        search = _Search(self, model, inputs, targets[0], rows, known, outputs)
        numbers = max(self.neighbours * rows.shape[1], rows.shape[0] * known[0].numel())
        found = [search.nearest(some) for some in search.every.split(max(1, _NUMBERS // numbers))]
        there, reached = (torch.cat(arrays) for arrays in zip(*found, strict=True))
        answered, distance = search.ask(there, search.every), search.distance(there, search.every)
        example, column = (there != inputs.values).nonzero().unbind(1)
        undone = search.without(there, example, column, example)

        def attribution(target: Target) -> Attribution:
            output, reference = target(outputs), target(answered)
            values = torch.zeros_like(inputs.values, dtype=output.dtype)
            if len(example):
                values[example, column] = target.take(example)(undone) - reference[example]
            return Attribution(
                parts=Parts({"input": values}),
                owners=inputs.owners,
                output=output,
                reference=reference,
                unassigned=output - reference - values.sum(1),
                error=Error(
                    precise(torch.zeros_like(output)),
                    "exact for the counterfactual that was found",
                    reached,
                    otherwise="no counterfactual was found",
                ),
                evaluations=search.used + 1,
                measured={"counterfactual": there, "distance": distance},
            )

        return [attribution(target) for target in targets]


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
        self.held = Held.by(self.inputs, self.rows.shape[1])
        gone = self.held.gone(self.rows)
        off = (precise(self.rows) - medians(precise(self.rows), gone)).abs().masked_fill(gone, 0.0)
        spread = medians(off, gone)
        wide = torch.where(spread > 0, spread, off.sum(0) / (~gone).sum(0).clamp(min=1))
        self.scale = torch.where(wide > 0, wide, 1.0)
        self.whole = (self.rows == self.rows.round()).all(0)

    def nearest(self, examples: Int[Tensor, " some"]) -> tuple[Tensor, Bool[Tensor, " some"]]:
        """The nearest counterfactual that was found, and whether any was."""
        here = self.inputs.values[examples]
        count, background = len(examples), len(self.rows)
        margin = self.margin(
            self.known.repeat(count, *[1] * (self.known.ndim - 1)), examples.repeat_interleave(background)
        )
        far = self._far(here)
        far = far.masked_fill(margin.reshape(count, background) <= 0, float("inf")).sort(dim=1, stable=True)
        kept = min(self.method.neighbours, background)
        example, valid = examples.repeat_interleave(kept), torch.isfinite(far.values[:, :kept].flatten())
        there = torch.where(valid[:, None], self.rows[far.indices[:, :kept].flatten()], self.inputs.values[example])
        there = self._nearer(self._undone(there, example, valid), example, valid)
        there = self._undone(there, example, valid)
        distance = self.distance(there, example).masked_fill(~valid, float("inf")).reshape(count, -1)
        best = distance.argmin(1)
        chosen = torch.arange(count, device=best.device) * distance.shape[1] + best
        return there[chosen], valid[chosen]

    def _far(self, here: Float[Tensor, "some columns"]) -> Float[Tensor, "some background"]:
        """The distance of every row."""
        apart = self.held.apart(self.rows).any(0) | self.held.apart(here).any(0)
        ours, theirs = (precise(each[:, ~apart]) / self.scale[~apart] for each in (here, self.rows))
        far = torch.cdist(ours, theirs, p=1)
        for column in apart.nonzero()[:, 0].tolist():
            one, other = here[:, column, None].expand_as(far), self.rows[None, :, column].expand_as(far)
            far = far + self._steps(one[..., None], other[..., None], slice(column, column + 1))[..., 0]
        return far

    def _steps(self, one: Tensor, other: Tensor, columns: slice = slice(None)) -> Float[Tensor, "*rows columns"]:
        """How far a column of the one is from that of the other."""
        named = self.held.named[columns]
        apart = named | (self.held.gone(one) | self.held.gone(other))
        change = precise(one != other) * self.method.per_change
        return torch.where(apart, change, precise(one - other).abs() / self.scale[columns])

    def _undone(self, there: Tensor, example: Tensor, valid: Tensor) -> Tensor:
        """One change after another, always the one that leaves the answer safest, until each is needed."""
        there, going = there.clone(), valid
        while bool(going.any()):
            changed = (there != self.inputs.values[example]) & going[:, None]
            path, column = changed.nonzero().unbind(1)
            margin = torch.full_like(precise(there), -torch.inf)
            if len(path):
                asked = self.without(there, path, column, example[path])
                margin[path, column] = self.margin(asked, example[path])
            safest = margin.max(1)
            going = going & (safest.values > 0)
            there[going, safest.indices[going]] = self.inputs.values[example[going], safest.indices[going]]
        return there

    def _nearer(self, there: Tensor, example: Tensor, valid: Tensor) -> Tensor:
        """As near as the answer allows, along the line to the example; what is whole stays."""
        here = self.inputs.values[example]
        still = self.whole | self.held.apart(there) | self.held.apart(here)
        way = torch.where(still, 0.0, there - here)
        share, step = way.new_zeros(len(way), 1), 0.5
        some = (valid & (way != 0).any(1)).nonzero()[:, 0]
        for _ in range(self.method.bisections if len(some) else 0):
            nearer = there[some] - (share[some] + step) * way[some]
            otherwise = self.margin(self.ask(nearer, example[some]), example[some]) > 0
            share[some[otherwise]] += step
            step /= 2
        return torch.where(share > 0, there - share * way, there)

    def without(self, there: Tensor, path: Tensor, column: Tensor, example: Tensor) -> Tensor:
        """The answers to these rows of `there`, in each of which one column is put back to the example's."""
        answers = []
        for some in torch.arange(len(path), device=there.device).split(self.model.size):
            copies, own = there[path[some]], self.inputs.values[example[some], column[some]]
            copies[torch.arange(len(some), device=there.device), column[some]] = own
            answers.append(self.ask(copies, example[some]))
        return torch.cat(answers)

    def ask(self, rows: Float[Tensor, "copies columns"], example: Int[Tensor, " copies"]) -> Tensor:
        if not len(rows):
            return self.outputs[:0]
        self.used += torch.bincount(example, minlength=len(self.used))
        return self.model.predict(self.inputs.replace(Parts({"input": rows})))

    def margin(self, outputs: Float[Tensor, "copies outputs"], example: Int[Tensor, " copies"]) -> Tensor:
        """Positive where an answer is otherwise than the example's, and by how much."""
        if self.method.to is not None:
            own = precise(self.target(self.outputs))[example] - self.method.to
            beyond = (self.method.to - precise(self.target.take(example)(outputs))) * torch.where(own < 0, -1.0, 1.0)
            return torch.where((beyond == 0) & (own != 0), torch.finfo(beyond.dtype).tiny, beyond)
        outputs, own = precise(outputs), precise(self.outputs)[example]
        if outputs.shape[1] == 1:
            return -(outputs * torch.where(own < 0, -1.0, 1.0))[:, 0]
        said = own.argmax(1, keepdim=True)
        return outputs.scatter(1, said, -torch.inf).max(1).values - outputs.gather(1, said)[:, 0]

    def distance(self, there: Tensor, example: Tensor) -> Float[Tensor, " copies"]:
        return self._steps(there, self.inputs.values[example]).sum(1)
