"""Near rows of a table that are answered otherwise, for many examples in step."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.column import medians
from attar.core.feasible import Limits
from attar.core.inputs import Tensors
from attar.core.model import Chunked
from attar.core.parts import Parts, precise
from attar.estimation.bins import Held

NUMBERS = 2**22  # numbers that the copies of one step may take
_AT_ONCE = 256  # rows of the background that an example is first tried with, where they are not its own
_KNOWN_BY = 1000  # rows of the background whose nearest others say what is near
_ONE_BY_ONE = 12  # changes up to which each is tried by itself; of more, groups of them first


@dataclass(frozen=True, eq=False, kw_only=True)
class Effort:
    """How hard is looked: from so many rows, with so many steps nearer, and until when (None: to the end)."""

    neighbours: int
    bisections: int
    until: float | None = None

    @property
    def over(self) -> bool:
        return self.until is not None and time.monotonic() >= self.until


@dataclass(eq=False)
class NearRows:
    """The search. `known` are the answers to the `rows` as they are (None where no example may become one of them as it
    is); `margin` says of answers to copies of examples by how much they are otherwise, positive where they are;
    `limits` (None: none) what a column may become; `per_change` what a change of kind counts; `few` that fewer changes
    come before a smaller distance."""

    model: Chunked
    inputs: Tensors
    rows: Float[Tensor, "background columns"]
    known: Float[Tensor, "background outputs"] | None
    outputs: Float[Tensor, "batch outputs"]
    margin: Callable[[Tensor, Int[Tensor, " copies"]], Float[Tensor, " copies"]]
    effort: Effort
    per_change: float
    limits: Limits | None = None
    few: bool = False

    def __post_init__(self) -> None:
        self.used = torch.zeros(len(self.inputs), dtype=torch.long, device=self.rows.device)
        self.unfinished = torch.zeros(len(self.inputs), dtype=torch.bool, device=self.rows.device)
        self.held = Held.by(self.inputs, self.rows.shape[1])
        gone = self.held.gone(self.rows)
        off = (precise(self.rows) - medians(precise(self.rows), gone)).abs().masked_fill(gone, 0.0)
        spread = medians(off, gone)
        wide = torch.where(spread > 0, spread, off.sum(0) / (~gone).sum(0).clamp(min=1))
        self.scale = torch.where(wide > 0, wide, 1.0)
        self.whole = (self.rows == self.rows.round()).all(0)

    def nearest(
        self, example: Int[Tensor, " asked"], free: Bool[Tensor, "asked columns"] | None = None
    ) -> tuple[Float[Tensor, "asked columns"], Bool[Tensor, " asked"]]:
        """For each of these examples the nearest that was found, and whether any was; only `free` columns change."""
        if free is None and self.known is not None:
            numbers = max(self.effort.neighbours * self.rows.shape[1], len(self.rows) * self.known[0].numel())
        else:
            numbers = self.rows.shape[1] * max(self.effort.neighbours, min(len(self.rows), _AT_ONCE))
        found = [
            self._nearest(example[some], None if free is None else free[some])
            for some in torch.arange(len(example), device=example.device).split(max(1, NUMBERS // numbers))
        ]
        there, reached = (torch.cat(arrays) for arrays in zip(*found, strict=True))
        return there, reached

    def _nearest(self, asked: Tensor, free: Tensor | None) -> tuple[Tensor, Tensor]:
        if free is None and self.known is not None:
            there, valid = self._rows_as_they_are(asked, self.known)
        else:
            anything = torch.ones_like(self.inputs.values[asked], dtype=torch.bool)
            there, valid = self._rows_as_they_may_be(asked, anything if free is None else free)
        kept = there.shape[1]
        example, there, valid = asked.repeat_interleave(kept), there.flatten(0, 1), valid.flatten()
        there = torch.where(valid[:, None], there, self.inputs.values[example])
        there = self._nearer(self._undone(there, example, valid), example, valid)
        there = self._undone(there, example, valid)
        best = self.cost(there, example).masked_fill(~valid, math.inf).reshape(len(asked), kept).argmin(1)
        chosen = torch.arange(len(asked), device=best.device) * kept + best
        return there[chosen], valid[chosen]

    def _rows_as_they_are(self, asked: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest rows of the background that are answered otherwise, and which there are."""
        here, background = self.inputs.values[asked], len(self.rows)
        margin = self.margin(known.repeat(len(asked), *[1] * (known.ndim - 1)), asked.repeat_interleave(background))
        far = self.far(here).masked_fill(margin.reshape(len(asked), background) <= 0, math.inf)
        far = far.sort(dim=1, stable=True)
        kept = min(self.effort.neighbours, background)
        return self.rows[far.indices[:, :kept]], torch.isfinite(far.values[:, :kept])

    def _rows_as_they_may_be(self, asked: Tensor, free: Tensor) -> tuple[Tensor, Tensor]:
        """The same, of rows that have the example's own value wherever theirs may not be taken: each is asked about,
        the nearest first, until enough are answered otherwise."""
        here, background = self.inputs.values[asked], len(self.rows)

        def moved(row: Int[Tensor, "asked some"]) -> Float[Tensor, "asked some columns"]:
            rows, own = self.rows[row], here[:, None].expand(-1, row.shape[1], -1)
            if self.limits is not None:
                rows = self.limits.nearest(rows, own, self.whole, framed=self.held.framed)
            return torch.where(free[:, None], rows, own)

        every = torch.arange(background, device=here.device)
        far = torch.cat(
            [
                self._steps(here[:, None], moved(some.expand(len(asked), -1))).sum(-1)
                for some in every.split(min(background, _AT_ONCE))
            ],
            1,
        )
        nearest_first = far.argsort(dim=1, stable=True)
        kept = min(self.effort.neighbours, background)
        there, found = here[:, None].repeat(1, kept, 1), torch.zeros_like(asked)
        for some in every.split(min(background, _AT_ONCE)):
            short = (found < kept).nonzero()[:, 0]
            if not len(short):
                break
            if self.effort.over:
                self.unfinished[asked[short]] = True
                break
            row = nearest_first[short][:, some]
            rows = moved(nearest_first[:, some])[short]
            example = asked[short].repeat_interleave(row.shape[1])
            well = self.margin(self.ask(rows.flatten(0, 1), example), example).reshape(row.shape) > 0
            place = found[short, None] + well.cumsum(1) - 1
            taken, which = (well & (place < kept)).nonzero().unbind(1)
            there[short[taken], place[taken, which]] = rows[taken, which]
            found[short] = (found[short] + well.sum(1)).clamp(max=kept)
        return there, torch.arange(kept, device=here.device) < found[:, None]

    def far(self, here: Float[Tensor, "some columns"]) -> Float[Tensor, "some background"]:
        """The distance of every row of the background."""
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
        change = precise(one != other) * self.per_change
        return torch.where(apart, change, precise(one - other).abs() / self.scale[columns])

    def _undone(self, there: Tensor, example: Tensor, valid: Tensor) -> Tensor:
        """One change after another, always the one that leaves the answer safest, until each is needed; where there are
        many, many at once before one by one."""
        own, groups = self.inputs.values[example], 8
        count = (there != own).sum(1)
        while bool((going := valid & (count > max(groups, _ONE_BY_ONE))).any()):
            place = ((there != own).cumsum(1) - 1) * groups // count[:, None].clamp(min=1)
            there = self._undone_by(place, there, example, going)
            before, count = count, (there != own).sum(1)
            groups *= 1 if bool((count < before)[going].any()) else 4
        return self._undone_by(
            torch.arange(there.shape[1], device=there.device).expand_as(there), there, example, valid
        )

    def _undone_by(self, group: Int[Tensor, "paths columns"], there: Tensor, example: Tensor, going: Tensor) -> Tensor:
        """The columns of a group go back together."""
        own, there, last = self.inputs.values[example], there.clone(), int(group.max())
        while bool(going.any()):
            if self.effort.over:
                self.unfinished[example[going]] = True
                break
            changed = (there != own) & going[:, None]
            left = torch.zeros(len(there), last + 1, dtype=torch.bool, device=there.device)
            at, column = changed.nonzero().unbind(1)
            left[at, group[at, column]] = True
            path, which = left.nonzero().unbind(1)
            margin = torch.full_like(precise(there[:, :1]), -math.inf).repeat(1, last + 1)
            if len(path):
                margin[path, which] = self._answers_without(group, which, there, path, example)
            safest = margin.max(1)
            going = going & (safest.values > 0)
            back = going[:, None] & (group == safest.indices[:, None])
            there = torch.where(back, own, there)
        return there

    def _answers_without(self, group: Tensor, which: Tensor, there: Tensor, path: Tensor, example: Tensor) -> Tensor:
        """How much otherwise these rows of `there` are answered with the columns of one group put back."""
        margins = []
        for some in torch.arange(len(path), device=there.device).split(self.model.size):
            p = path[some]
            own = self.inputs.values[example[p]]
            copies = torch.where(group[p] == which[some, None], own, there[p])
            margins.append(self.margin(self.ask(copies, example[p]), example[p]))
        return torch.cat(margins)

    def _nearer(self, there: Tensor, example: Tensor, valid: Tensor) -> Tensor:
        """As near as the answer allows, along the line to the example; what is whole stays."""
        here = self.inputs.values[example]
        still = self.whole | self.held.apart(there) | self.held.apart(here)
        if self.limits is not None:
            still = still | self.limits.outside(here)
        way = torch.where(still, 0.0, there - here)
        share, step = way.new_zeros(len(way), 1), 0.5
        some = (valid & (way != 0).any(1)).nonzero()[:, 0]
        for _ in range(self.effort.bisections if len(some) else 0):
            if self.effort.over:
                self.unfinished[example[some]] = True
                break
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

    def distance(self, there: Tensor, example: Tensor) -> Float[Tensor, " copies"]:
        return self._steps(there, self.inputs.values[example]).sum(1)

    def cost(self, there: Tensor, example: Tensor) -> Float[Tensor, " copies"]:
        """The distance or, where few changes come first, a number that is in the order of their count, then of it."""
        distance = self.distance(there, example)
        if not self.few:
            return distance
        return precise((there != self.inputs.values[example]).sum(1)) + distance / (1 + distance)

    def plausibility(self, there: Float[Tensor, "copies columns"]) -> Float[Tensor, " copies"]:
        """The share of (at most a thousand) background rows whose nearest other row is at least as far from them as
        the nearest row of the background is from this one: 0 where no row is as far from all others."""
        stride = math.ceil(len(self.rows) / _KNOWN_BY)
        some = torch.arange(0, len(self.rows), stride, device=there.device)
        pieces = max(1, NUMBERS // len(self.rows))
        apart = torch.cat(
            [
                self.far(self.rows[piece]).scatter(1, piece[:, None], math.inf).min(1).values
                for piece in some.split(pieces)
            ]
        )
        own = torch.cat([self.far(piece).min(1).values for piece in there.split(pieces)])
        return precise(apart[None] >= own[:, None] * (1 - 1e-9)).mean(1)
