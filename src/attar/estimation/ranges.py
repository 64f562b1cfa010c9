"""The bins in which a rule keeps the columns of a table, and how they are widened while it stays precise enough."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranges:
    """The bins in which a column is kept: from `low` to `high`, of each example.

    `first` and `last` are as far as they can be widened: the example's own bin, of a category and of what is missing.
    """

    of_rows: Int[Tensor, "background columns"]
    low: Int[Tensor, "batch columns"]
    high: Int[Tensor, "batch columns"]
    first: Int[Tensor, "batch columns"]
    last: Int[Tensor, "batch columns"]

    def outside(self, example: Int[Tensor, " copies"], row: Int[Tensor, " copies"]) -> Bool[Tensor, "copies columns"]:
        """Where a row of the background is in none of the bins."""
        found = self.of_rows[row]
        return (found < self.low[example]) | (found > self.high[example])

    def gains(
        self, example: int, columns: Int[Tensor, " kept"]
    ) -> tuple[Int[Tensor, "kept 2"], Float[Tensor, "kept 2"]]:
        """The next bin below and above that has rows, of each column, and how many rows a rule would hold for besides.

        -1 where there is none.
        """
        rows, none = self.of_rows[:, columns], -torch.ones_like(columns)
        low, high = self.low[example, columns], self.high[example, columns]
        first, last = self.first[example, columns], self.last[example, columns]
        below, above = (rows < low) & (rows >= first), (rows > high) & (rows <= last)
        down = torch.where(below, rows, none).amax(0)
        up = torch.where(above, rows, last + 1).amin(0)
        up = torch.where(up > last, none, up)
        out = (rows < low) | (rows > high)
        only = out & (out.sum(1, keepdim=True) == 1)  # nothing else keeps the rule from holding for the row
        gained = torch.stack([(only & (rows == down)).sum(0), (only & (rows == up)).sum(0)], 1)
        return torch.stack([down, up], 1), gained.double()

    def to(self, example: Int[Tensor, " some"], column: Int[Tensor, " some"], bin: Int[Tensor, " some"]) -> "Ranges":
        """One column of each of some examples widened as far as a bin."""
        low, high = self.low.clone(), self.high.clone()
        low[example, column] = torch.minimum(low[example, column], bin)
        high[example, column] = torch.maximum(high[example, column], bin)
        return replace(self, low=low, high=high)

    def take(self, other: "Ranges", example: Int[Tensor, " some"]) -> "Ranges":
        """These, and the other's for some examples."""
        low, high = self.low.clone(), self.high.clone()
        low[example], high[example] = other.low[example], other.high[example]
        return replace(self, low=low, high=high)


Enough = Callable[[Ranges, Bool[Tensor, "batch columns"], Bool[Tensor, " batch"]], Bool[Tensor, " batch"]]
"""Which of some rules (the third says of which it is asked) are precise enough over these ranges."""


def widened(
    ranges: Ranges,
    examples: Int[Tensor, " batch"],
    rule: Bool[Tensor, "batch columns"],
    working: Bool[Tensor, " batch"],
    enough: Enough,
) -> tuple[Ranges, Bool[Tensor, "batch columns"]]:
    """The rules over wider and wider ranges, one bin of one column at a time: always the one that gains most rows.

    A side that was once not precise enough is left alone. A column that no row is outside of is let go.
    """
    rule, working = rule.clone(), working & rule.any(1)
    given_up = torch.zeros(*rule.shape, 2, dtype=torch.bool, device=rule.device)
    while bool(working.any()):
        place, column, side, bin = _tries(ranges, examples, rule, working, given_up)
        working = torch.zeros_like(working).scatter(0, place, True)
        if not len(place):
            break
        trial = ranges.to(examples[place], column, bin)
        wider = _without_idle(trial, examples, rule, place, column)
        passed = enough(trial, wider, working)[place]
        ranges = ranges.take(trial, examples[place[passed]])
        rule[place[passed]] = wider[place[passed]]
        given_up[place[~passed], column[~passed], side[~passed]] = True
    return ranges, rule


def _tries(
    ranges: Ranges, examples: Tensor, rule: Tensor, working: Tensor, given_up: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each rule that has one the step to try: which rule, column and side, and the bin."""
    found = []
    for place in working.nonzero()[:, 0].tolist():
        columns = rule[place].nonzero()[:, 0]
        bins, gained = ranges.gains(int(examples[place]), columns)
        gained[(bins < 0) | given_up[place, columns]] = -1.0
        if not len(columns) or float(gained.max()) < 0:
            continue
        best = int(gained.flatten().argmax())
        found.append([place, int(columns[best // 2]), best % 2, int(bins.flatten()[best])])
    return torch.tensor(found, dtype=torch.long, device=rule.device).reshape(-1, 4).unbind(1)  # type: ignore[return-value]


def _without_idle(ranges: Ranges, examples: Tensor, rule: Tensor, place: Tensor, column: Tensor) -> Tensor:
    """The rules without those of these columns that every row is within."""
    rows = ranges.of_rows[:, column]
    example = examples[place]
    within = (rows >= ranges.low[example, column]) & (rows <= ranges.high[example, column])
    rule = rule.clone()
    rule[place, column] &= ~within.all(0)
    return rule
