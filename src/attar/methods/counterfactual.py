"""Counterfactuals: the least that would have had to be different for the model to say otherwise."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.baseline import Rows
from attar.core.error import Error
from attar.core.errors import InputError
from attar.core.feasible import Feasible
from attar.core.inputs import Inputs, Tensors
from attar.core.model import Chunked, Predictor
from attar.core.parts import Parts, precise
from attar.core.target import Target
from attar.estimation.near_rows import Effort, NearRows

_AWAY = 8  # of a row with many changes, those that another row is asked to do without


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
    along a straight line, and undoes what is not needed there. Of what was found so the one with the fewest changes is
    taken, of equals the nearest; with `few` False the nearest. Columns that hold only whole numbers in the background
    keep theirs, and a category changes whole or not at all. Of a data frame `found.frame("counterfactual")` is the near
    rows as one.
    `feasible` says what can be changed (`Feasible(immutable=["sex"], increasing=["age"], allowed={"hours": (0, 40)})`):
    rows of the background then start with the example's own value wherever theirs is none that it can become.
    `measured["plausibility"]` is the share of background rows that are at least as far from their nearest other row as
    the near row is from its own nearest: at 0 no real row lies as far from all others. `several` asks for as many
    different ones, none of which changes all columns that one found before it changes. They stand, in that order, in
    `measured["counterfactuals"]` (batch, several, columns) with their `measured["distances"]`, the example itself where
    there are no more; values are about the first. `seconds` ends the search early: what was found by then is answered
    otherwise all the same, but may be farther or change more than it had to (`measured["finished"]` is 0 there), and
    depends on how fast the machine is.
    Misleads as advice without `feasible`, and with it where changes bring others along (of a class that is spelled
    in several columns one may change alone; in a data frame it is one column). A search, not a proof: there may be
    nearer ones. On the command line the file's other rows are the background; there is none by default.
    Raises `InputError` for anything but a table, and for outputs that say no class unless `to` is given.
    Source: Wachter et al. 2017, arXiv:1711.00399 (the question, the distance); what can be done and how different rows
    are: Mothilal et al. 2020, doi:10.1145/3351095.3372850; the search is ours.
    """

    background: Rows
    to: float | None = None
    feasible: Feasible | None = None
    several: int = 1
    few: bool = True
    neighbours: int = 32
    bisections: int = 10
    per_change: float = 1.0
    seconds: float | None = None

    needs: ClassVar[type] = Predictor

    def __post_init__(self) -> None:
        if not isinstance(self.background, Rows):
            raise InputError(f"background is a {type(self.background).__name__}, expected Rows(training_rows)")
        if self.feasible is not None and not isinstance(self.feasible, Feasible):
            raise InputError(
                f"feasible is a {type(self.feasible).__name__}, expected Feasible(immutable=…, increasing=…, allowed=…)"
            )
        if self.several < 1:
            raise InputError(f"several is {self.several}, expected 1 or more different counterfactuals")
        if self.neighbours < 1:
            raise InputError(f"neighbours is {self.neighbours}, expected 1 or more rows to start from")
        if self.bisections < 0:
            raise InputError(f"bisections is {self.bisections}, expected 0 or more")
        if not self.per_change > 0:
            raise InputError(f"per_change is {self.per_change}, expected more than 0 median absolute deviations")
        if self.seconds is not None and not self.seconds > 0:
            raise InputError(f"seconds is {self.seconds}, expected more than 0, or None to search to the end")

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
        until = None if self.seconds is None else time.monotonic() + self.seconds
        outputs = model.predict(inputs)
        if self.to is None and outputs.ndim != 2:
            raise InputError(f"an output of shape {tuple(outputs.shape[1:])} says no class: give `to`")
        rows = self.background.like(inputs)
        search = NearRows(
            model=model,
            inputs=inputs,
            rows=rows,
            known=model.predict(inputs.replace(Parts({"input": rows}))) if self.feasible is None else None,
            outputs=outputs,
            margin=_Otherwise(targets[0], self.to, outputs),
            effort=Effort(neighbours=self.neighbours, bisections=self.bisections, until=until),
            per_change=self.per_change,
            limits=None if self.feasible is None else self.feasible.of(inputs),
            few=self.few,
        )
        every = torch.arange(len(inputs), device=rows.device)
        found = _Several.of(search, every, self.several)
        there, reached = found.first, found.reached
        answered = search.ask(there, every)
        example, column = (there != inputs.values).nonzero().unbind(1)
        undone = search.without(there, example, column, example)
        measured = {
            "counterfactual": there,
            "distance": search.distance(there, every),
        }
        if len(rows) > 1:
            measured["plausibility"] = search.plausibility(there)
        if self.several > 1:
            measured |= {"counterfactuals": found.there, "distances": found.distance}
        if self.seconds is not None:
            measured["finished"] = precise(~search.unfinished)

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
                    otherwise="no counterfactual was found" + ("" if until is None else " in time"),
                ),
                evaluations=search.used + (len(rows) if search.known is not None else 0) + 1,
                measured=measured,
            )

        return [attribution(target) for target in targets]


@dataclass(frozen=True, eq=False)
class _Otherwise:
    """Positive where an answer is otherwise than the example's own, and by how much."""

    target: Target
    to: float | None
    outputs: Float[Tensor, "batch outputs"]

    def __call__(self, outputs: Float[Tensor, "copies outputs"], example: Int[Tensor, " copies"]) -> Tensor:
        if self.to is not None:
            own = precise(self.target(self.outputs))[example] - self.to
            beyond = (self.to - precise(self.target.take(example)(outputs))) * torch.where(own < 0, -1.0, 1.0)
            return torch.where((beyond == 0) & (own != 0), torch.finfo(beyond.dtype).tiny, beyond)
        outputs, own = precise(outputs), precise(self.outputs)[example]
        if outputs.shape[1] == 1:
            return -(outputs * torch.where(own < 0, -1.0, 1.0))[:, 0]
        said = own.argmax(1, keepdim=True)
        return outputs.scatter(1, said, -torch.inf).max(1).values - outputs.gather(1, said)[:, 0]


@dataclass(frozen=True, eq=False)
class _Several:
    """Different near rows of each example, the cheapest first; the example itself where there are no more."""

    first: Float[Tensor, "batch columns"]
    reached: Bool[Tensor, " batch"]
    there: Float[Tensor, "batch several columns"]
    distance: Float[Tensor, "batch several"]

    @classmethod
    def of(cls, search: NearRows, every: Int[Tensor, " batch"], several: int) -> "_Several":
        """After each that is taken, the search is repeated without one of the columns that it changes, for each of
        these columns; the cheapest of all that were found so is next, unless it changes all that a cheaper one does."""
        here = search.inputs.values
        first, reached = search.nearest(every)
        there = here[:, None].repeat(1, several, 1)
        cost = torch.full_like(precise(there[..., 0]), math.inf)
        there[reached, 0] = first[reached]
        cost[reached, 0] = search.cost(first, every)[reached]
        waiting: list[list[_Found]] = [[] for _ in every]
        last = [_Found(0.0, row, torch.ones_like(row, dtype=torch.bool)) for row in first]
        going = reached.nonzero()[:, 0].tolist()
        for taken in range(1, several):
            asked = [(k, free) for k in going for free in last[k].without_one(here[k], search.scale)]
            if not asked:
                break
            example, free = torch.tensor([k for k, _ in asked], device=every.device), torch.stack([f for _, f in asked])
            rows, valid = search.nearest(example, free)
            costs = search.cost(rows, example)
            for place, (k, allowed) in enumerate(asked):
                if bool(valid[place]):
                    waiting[k].append(_Found(float(costs[place]), rows[place], allowed))
            still = []
            for k in going:
                before = there[k, :taken] != here[k]
                new = [w for w in waiting[k] if not bool((before <= (w.there != here[k])).all(1).any())]
                if new:
                    last[k] = min(new, key=lambda found: found.cost)
                    waiting[k] = [w for w in new if w is not last[k]]
                    there[k, taken], cost[k, taken] = last[k].there, last[k].cost
                    still.append(k)
            going = still
        there = there.gather(1, cost.argsort(dim=1, stable=True)[..., None].expand_as(there))
        distance = search.distance(there.flatten(0, 1), every.repeat_interleave(several)).reshape(cost.shape)
        return cls(there[:, 0], reached, there, distance)


@dataclass(frozen=True, eq=False)
class _Found:
    cost: float
    there: Float[Tensor, " columns"]
    free: Bool[Tensor, " columns"]

    def without_one(self, here: Tensor, scale: Tensor) -> list[Bool[Tensor, " columns"]]:
        """What may change where one of its changes may not, for each; of many, for the largest."""
        step = precise(self.there - here).abs() / scale
        changed = torch.argsort(step, descending=True, stable=True)[: min(_AWAY, int((self.there != here).sum()))]
        masks = []
        for column in changed.tolist():
            mask = self.free.clone()
            mask[column] = False
            masks.append(mask)
        return masks
