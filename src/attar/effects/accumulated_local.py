"""Accumulated local effects: what small steps add up to, asked only where rows are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from attar.core.column import as_codes
from attar.core.effect import Effect
from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.core.model import Chunked
from attar.core.note import Note, counted, listed
from attar.core.target import Target
from attar.effects.level_order import by_likeness
from attar.effects.second_order import accumulated_pair
from attar.estimation.grid import Axis, answers


@dataclass(frozen=True, kw_only=True)
class AccumulatedLocalEffects:
    """The target's mean change over each bin of the column, for the rows that lie in it, added up from the first.

    In units of the target; its mean over the rows is 0. Where the model is a sum of functions of columns it is the
    column's own function, however the columns depend on each other: rows are moved no further than to the ends of their
    bin. `bins` are how many between quantiles, or their ends. Of a category a step is from a level to the next, in an
    order in which neighbours are most alike in the other columns. Of two columns it is what they do together beyond
    what each does alone (second order), 0 on average along both. The interval at a point is for other rows like these,
    with the same ends; it grows with the steps that are added up, and with how the rows divide among the bins. `spread`
    is how much the rows of a bin differ in its step: where it is large against the curve's rise, the column acts
    together with others (`Regional`). Misleads as a forecast for one row far from where it is: it is the sum of other
    rows' steps. Rows whose value is missing are left out, and a bin of few rows is unsure. A category's curve depends
    on the order. Raises `InputError` where all rows have one value, and for a bin that has no row. Source: Apley & Zhu
    2020, doi:10.1111/rssb.12377, eq. 15 to 18 and appendix E (order of levels); centred at the middle of bins instead
    of their right ends; the standard errors are ours.
    """

    bins: int | Sequence[Any] = 20

    def __post_init__(self) -> None:
        if isinstance(self.bins, int) and self.bins < 1:
            raise InputError(f"bins is {self.bins}, expected 1 or more")

    def __call__(self, model: Chunked, table: Tensors, places: tuple[int, ...], target: Target) -> Effect:
        axes = [Axis.of(table, place) for place in places]
        kept = np.flatnonzero(~np.any([axis.gone for axis in axes], axis=0))
        if not len(kept):
            raise InputError(f"column {axes[0].name!r} is missing in every row: no step can be asked about")
        notes = () if len(kept) == len(table) else (_left_out(axes, len(table) - len(kept)),)
        if len(axes) == 2:
            return self._pair(model, table, axes, target, kept, notes)
        (axis,) = axes
        steps = self._steps(table, axis, kept)
        values, error, spread = _accumulated(steps, _changes(steps, model, table, places, target), kept)
        return Effect(
            kind="accumulated local effect",
            columns=(axis.name,),
            grid=(steps.points,),
            points=(axis.said(steps.points),),
            values=values,
            standard_error=error,
            spread=spread,
            rows=len(kept),
            notes=notes + steps.notes,
        )

    def local(
        self,
        model: Chunked,
        table: Tensors,
        places: tuple[int, ...],
        target: Target,
        found: Effect,  # noqa: ARG002
    ) -> tuple[Float[np.ndarray, "rows points"], Bool[np.ndarray, "rows points"]]:
        """Each row's own step in its bin, or to the levels beside its own, for `Regional`."""
        axis = Axis.of(table, places[0])
        steps = self._steps(table, axis, np.flatnonzero(~axis.gone))
        values = np.zeros((len(table), len(steps.points) - 1))
        there = np.zeros(values.shape, dtype=bool)
        values[steps.row, steps.bin] = _changes(steps, model, table, places, target)
        there[steps.row, steps.bin] = True
        return values, there

    def _steps(self, table: Tensors, axis: Axis, kept: Int[np.ndarray, " kept"]) -> "_Steps":
        return self._levels(table, axis, kept) if axis.named else self._numbers(axis, kept)

    def _ends(self, axis: Axis, kept: Int[np.ndarray, " kept"]) -> Float[np.ndarray, " ends"]:
        """The ends of the bins, the first at the least value; quantiles that occur."""
        codes = axis.codes[kept]
        if isinstance(self.bins, int):
            ends = np.unique(np.quantile(codes, np.linspace(0, 1, self.bins + 1), method="inverted_cdf"))
        else:
            ends = np.unique(np.array(self.bins, dtype=float))
        if len(ends) < 2:
            raise InputError(f"column {axis.name!r} has one value in all rows: there is no step to ask about")
        return ends

    def _numbers(self, axis: Axis, kept: Int[np.ndarray, " kept"]) -> "_Steps":
        ends = self._ends(axis, kept)
        codes = axis.codes[kept]
        inside = (codes >= ends[0]) & (codes <= ends[-1])
        bins = _bin(codes[inside], ends)
        if empty := (np.bincount(bins, minlength=len(ends) - 1) == 0).nonzero()[0].tolist():
            at = f"{ends[empty[0]]:.4g} and {ends[empty[0] + 1]:.4g}"
            raise InputError(f"there is no row with {axis.name!r} between {at}: give other ends of bins")
        return _Steps(
            points=ends,
            row=kept[inside],
            bin=bins,
            start=ends[bins],
            end=ends[bins + 1],
            weights=np.bincount(bins, minlength=len(ends) - 1).astype(float),
            middle=True,
        )

    def _levels(self, table: Tensors, axis: Axis, kept: Int[np.ndarray, " kept"]) -> "_Steps":
        levels, place = np.unique(axis.codes[kept], return_inverse=True)
        if len(levels) < 2:
            raise InputError(f"column {axis.name!r} has one value in all rows: there is no step to ask about")
        order = by_likeness(as_codes(table.values)[kept], table, axis.place, place)
        rank = np.argsort(order)[place]
        up, down = rank < len(levels) - 1, rank > 0
        row = np.concatenate([kept[up], kept[down]])
        bins = np.concatenate([rank[up], rank[down] - 1])
        points = levels[order]
        sentence = f"The levels stand in an order of our making: {listed(axis.said(points), most=30)}."
        notes = (Note(name="order of levels", count=len(levels), rows=(), sentence=sentence),)
        return _Steps(
            points=points,
            row=row,
            bin=bins,
            start=points[bins],
            end=points[bins + 1],
            weights=np.bincount(rank, minlength=len(levels)).astype(float),
            middle=False,
            notes=notes if len(levels) > 2 else (),
        )

    def _pair(
        self,
        model: Chunked,
        table: Tensors,
        axes: list[Axis],
        target: Target,
        kept: Int[np.ndarray, " kept"],
        notes: tuple[Note, ...],
    ) -> Effect:
        if named := [axis for axis in axes if axis.named]:
            raise InputError(
                f"column {named[0].name!r} is a category: second-order effects are of numbers; take PartialDependence"
            )
        both = [self._ends(axis, kept) for axis in axes]
        inside = np.all(
            [(a.codes[kept] >= e[0]) & (a.codes[kept] <= e[-1]) for a, e in zip(axes, both, strict=True)], axis=0
        )
        rows = kept[inside]
        bins = [_bin(axis.codes[rows], ends) for axis, ends in zip(axes, both, strict=True)]
        places, mixed = tuple(axis.place for axis in axes), np.zeros(len(rows))
        for sign, one, two in ((1, 1, 1), (-1, 1, 0), (-1, 0, 1), (1, 0, 0)):
            ends = np.stack([both[0][bins[0] + one], both[1][bins[1] + two]], 1)
            mixed += sign * answers(model, table, places, target, rows, ends)
        values, error, spread, empty = accumulated_pair(bins, mixed, (len(both[0]) - 1, len(both[1]) - 1))
        if empty:
            sentence = f"{counted(empty, 'cell')} without a row took the nearest cell's step: nothing is known there."
            notes = (*notes, Note(name="empty cells", count=empty, rows=(), sentence=sentence))
        return Effect(
            kind="second-order accumulated local effect",
            columns=tuple(axis.name for axis in axes),
            grid=tuple(both),
            points=tuple(axis.said(ends) for axis, ends in zip(axes, both, strict=True)),
            values=values,
            standard_error=error,
            spread=spread,
            rows=len(rows),
            notes=notes,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Steps:
    """Steps to be asked about: of `row`, over `bin`, from `start` to `end`.

    `weights` are how many rows count at each place when the mean is taken off: the bins' middles where `middle`, else
    the points.
    """

    points: Float[np.ndarray, " points"]
    row: Int[np.ndarray, " steps"]
    bin: Int[np.ndarray, " steps"]
    start: Float[np.ndarray, " steps"]
    end: Float[np.ndarray, " steps"]
    weights: Float[np.ndarray, " places"]
    middle: bool
    notes: tuple[Note, ...] = ()


def _changes(
    steps: _Steps, model: Chunked, table: Tensors, places: tuple[int, ...], target: Target
) -> Float[np.ndarray, " steps"]:
    ends = (answers(model, table, places, target, steps.row, each[:, None]) for each in (steps.start, steps.end))
    low, high = ends
    return high - low


def _bin(codes: Float[np.ndarray, " rows"], ends: Float[np.ndarray, " ends"]) -> Int[np.ndarray, " rows"]:
    """Bins hold their right end; the first holds its left one too."""
    return np.clip(np.searchsorted(ends, codes, side="left") - 1, 0, len(ends) - 2)


def _accumulated(
    steps: _Steps, change: Float[np.ndarray, " steps"], kept: Int[np.ndarray, " kept"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The centred curve, its standard error, and the spread of the steps that end at each point.

    The curve is a sum of the bins' means less a mean over rows, so that a row counts at a point by its own step's
    distance from its bin's mean, times that bin's weight there, and by where it stands when the mean is taken off. The
    sum of squares of that over rows is the variance (the delta method is exact but for the bins' counts).
    """
    count = len(steps.points) - 1
    size = np.bincount(steps.bin, minlength=count)
    mean = np.bincount(steps.bin, change, minlength=count) / size
    rise = np.concatenate([[0.0], mean.cumsum()])
    at = (rise[1:] + rise[:-1]) / 2 if steps.middle else rise
    share = steps.weights / steps.weights.sum()
    # How much each bin's mean counts in the value at each point: all bins up to it, less their share in the mean.
    upto = np.tri(count + 1, count, -1)
    taken = (upto[1:] + upto[:-1]) / 2 if steps.middle else upto
    weight = upto - share @ taken
    own = change - mean[steps.bin]
    square = np.bincount(steps.bin, own**2, minlength=count)
    # A bin of one row has the others' spread: of its own nothing can be known.
    pooled = square.sum() / max((size - 1).clip(min=0).sum(), 1)
    variance = np.where(size > 1, square / (size - 1).clip(min=1), pooled)
    standing = float(share @ (at - share @ at) ** 2) / len(kept)
    if steps.middle:
        error = np.sqrt(weight**2 @ (variance / size) + standing)
    else:  # a row of a level in the middle takes a step to either side, and the two go together
        influence = np.zeros((len(kept), count + 1))
        place = np.searchsorted(kept, steps.row)
        np.add.at(influence, place, (own / size[steps.bin])[:, None] * weight.T[steps.bin])
        error = np.sqrt((influence**2).sum(0) + standing)
    spread = np.concatenate([[np.sqrt(variance[0])], np.sqrt(variance)])
    return rise - share @ at, error, spread


def _left_out(axes: list[Axis], gone: int) -> Note:
    names = listed([axis.name for axis in axes if axis.gone.any()])
    sentence = f"Left out: {counted(gone, 'row')} in which {names} is missing."
    return Note(name="missing values", count=gone, rows=(), sentence=sentence)
