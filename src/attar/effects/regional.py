"""Regional effects: where rows differ in an effect, the parts of the table in which they differ less."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from attar.core.column import as_codes
from attar.core.effect import Effect, EffectMethod, Region
from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.core.model import Chunked
from attar.core.note import Note
from attar.core.target import Target
from attar.effects.partial_dependence import PartialDependence
from attar.estimation.exchange import canonical
from attar.estimation.grid import Axis

_CUTS = 20  # of a column of numbers
_SURE = 2.58  # standard errors that a split has to be worth, on rows that it was not chosen on
_WORTH = 0.1  # and at least this share of the rows' differences


@dataclass(frozen=True, eq=False, kw_only=True)
class Local:
    """What each row says of the effect at each point, where it says anything."""

    values: Float[np.ndarray, "rows points"]
    there: Bool[np.ndarray, "rows points"]


class SaysLocally(EffectMethod, Protocol):
    """A method that can say what each row's own part in the effect is, whatever its level."""

    def local(
        self, model: Chunked, table: Tensors, places: tuple[int, ...], target: Target, found: Effect
    ) -> tuple[Float[np.ndarray, "rows points"], Bool[np.ndarray, "rows points"]]: ...


@dataclass(frozen=True, kw_only=True)
class Regional:
    """The effect that `method` finds, and in `Effect.regions` the effect where rows are more alike in it.

    The rows are divided by one of the other columns (`columns`, or all), at the cut that lowers most how far rows are
    from their region's mean: of partial dependence each row's curve counted from its own mean, of accumulated effects
    each row's step. So up to `depth` times, and only where the cut, chosen on one half of the rows, lowers a tenth or
    more of it on the other half, by more than 2.58 standard errors; else there are no regions, and a note says so.
    Misleads as a cause: the column that divides stands for what goes with it. Intervals in a region do not know that
    the region was chosen, and are a little too narrow. Raises `InputError` for two columns. Source: Herbinger, Bischl &
    Casalicchio 2022, arXiv:2202.07254 (REPID, curves); Gkolemis et al. 2023, arXiv:2309.11193 (RHALE, local steps); the
    test on the other half is ours.
    """

    method: SaysLocally = field(default_factory=PartialDependence)
    columns: Sequence[str] | None = None
    depth: int = 2
    at_least: int = 30
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.depth <= 2:
            raise InputError(f"depth is {self.depth}, expected 1 or 2: more regions than four are read by nobody")
        if self.at_least < 4:
            raise InputError(f"at_least is {self.at_least}, expected 4 or more rows in a region")

    def __call__(self, model: Chunked, table: Tensors, places: tuple[int, ...], target: Target) -> Effect:
        if len(places) != 1:
            raise InputError("regions are of the effect of one column, and two are asked about")
        found = self.method(model, table, places, target)
        values, there = self.method.local(model, table, places, target, found)
        local = Local(values=values, there=there)
        codes = as_codes(table.values)
        order = canonical(codes, np.zeros(len(codes)))
        first = np.zeros(len(codes), dtype=bool)
        first[order[np.random.default_rng(self.seed).permutation(len(order))[::2]]] = True
        parts = self._divided(local, self._axes(table, places[0]), np.ones(len(codes), dtype=bool), first, self.depth)
        if len(parts) == 1:
            sentence = "No column divides the rows into regions that differ in this effect by more than chance."
            return replace(found, notes=(*found.notes, Note(name="no regions", count=0, rows=(), sentence=sentence)))
        regions = []
        for where, rows in parts:
            mine = np.flatnonzero(rows)
            regions.append(
                Region(
                    where=" and ".join(where),
                    rows=len(mine),
                    effect=self._within(found, model, table, mine, places, target),
                )
            )
        return replace(found, regions=tuple(regions))

    def _within(
        self,
        found: Effect,
        model: Chunked,
        table: Tensors,
        rows: Int[np.ndarray, " mine"],
        places: tuple[int, ...],
        target: Target,
    ) -> Effect:
        """The effect among these rows: of curves that are known, their own; else asked again."""
        if found.curves is not None:
            return found.of_curves(found.curves[rows])
        from torch import from_numpy

        index = from_numpy(rows).to(table.device)
        return self.method(model, table.take(index), places, target.take(index))

    def _axes(self, table: Tensors, place: int) -> list[Axis]:
        axes = [Axis.of(table, k) for k in range(table.values.shape[1]) if k != place]
        if self.columns is None:
            return axes
        if missing := [name for name in self.columns if name not in {axis.name for axis in axes}]:
            raise InputError(f"there is no other column {missing[0]!r} to divide the rows by")
        return [axis for axis in axes if axis.name in self.columns]

    def _divided(
        self,
        local: Local,
        axes: Sequence[Axis],
        rows: Bool[np.ndarray, " rows"],
        first: Bool[np.ndarray, " rows"],
        left: int,
    ) -> list[tuple[tuple[str, ...], Bool[np.ndarray, " rows"]]]:
        """The parts, each with its conditions in words; one without any where nothing divides the rows."""
        best = _best(local, axes, rows & first, max(2, self.at_least // 2)) if left else None
        if best is None or not _upheld(local, best.inside, rows, first, self.at_least):
            return [((), rows)]
        found = []
        for said, side in ((best.within, rows & best.inside), (best.without, rows & ~best.inside)):
            for where, mine in self._divided(local, axes, side, first, left - 1):
                found.append(((said, *where), mine))
        return found


@dataclass(frozen=True, eq=False)
class _Cut:
    """A way to divide rows in two, and both sides in words."""

    inside: Bool[np.ndarray, " rows"]
    within: str
    without: str


def _cuts(axis: Axis, rows: Bool[np.ndarray, " rows"]) -> Iterator[_Cut]:
    """Of numbers, at values that occur; of a category, each level against the others; what is missing against the
    rest."""
    gone = axis.gone
    if (gone & rows).any():
        yield _Cut(gone, f"{axis.name} is missing", f"{axis.name} is there")
    codes = axis.codes[rows & ~gone]
    if not len(codes):
        return
    if axis.named:
        for level in np.unique(codes):
            said = axis.said(np.array([level]))[0]
            yield _Cut(axis.codes == level, f"{axis.name} = {said}", f"{axis.name} is not {said}")
        return
    cuts = np.unique(np.quantile(codes, np.linspace(0, 1, _CUTS + 2)[1:-1], method="inverted_cdf"))
    for cut in cuts[cuts < codes.max()]:
        said = axis.said(np.array([cut]))[0]
        other = f"{axis.name} > {said}" + (" or is missing" if gone.any() else "")
        yield _Cut(~gone & (axis.codes <= cut), f"{axis.name} ≤ {said}", other)


def _best(local: Local, axes: Sequence[Axis], rows: Bool[np.ndarray, " rows"], at_least: int) -> _Cut | None:
    """The cut after which rows are nearest to the mean of their side."""
    best, least = None, np.inf
    for axis in axes:
        cuts = list(_cuts(axis, rows))
        if not cuts:
            continue
        inside = np.stack([cut.inside[rows] for cut in cuts])
        size = inside.sum(1)
        fits = (size >= at_least) & (int(rows.sum()) - size >= at_least)
        if not fits.any():
            continue
        inside, cuts = inside[fits], [cut for cut, good in zip(cuts, fits, strict=True) if good]
        apart = _apart(local, rows, inside) + _apart(local, rows, ~inside)
        if apart.min() < least * (1 - 1e-9):
            best, least = cuts[int(apart.argmin())], float(apart.min())
    return best


def _apart(
    local: Local, rows: Bool[np.ndarray, " rows"], member: Bool[np.ndarray, "cuts rows"]
) -> Float[np.ndarray, " cuts"]:
    """The sum of squares of what these rows say about their mean, point by point."""
    values, there = np.where(local.there, local.values, 0.0)[rows], local.there[rows].astype(float)
    weight = member.astype(float)
    return weight @ (values**2).sum(1) - ((weight @ values) ** 2 / (weight @ there).clip(min=1)).sum(1)


def _upheld(
    local: Local,
    inside: Bool[np.ndarray, " rows"],
    rows: Bool[np.ndarray, " rows"],
    first: Bool[np.ndarray, " rows"],
    at_least: int,
) -> bool:
    """Whether the cut brings the rows that it was not chosen on nearer to their side's mean, by more than chance."""
    sides = [rows & inside, rows & ~inside]
    if min(int(side.sum()) for side in sides) < at_least or min(int((side & ~first).sum()) for side in sides) < 2:
        return False
    values = np.where(local.there, local.values, 0.0)

    def off(of: Bool[np.ndarray, " rows"], asked: Bool[np.ndarray, " rows"]) -> Float[np.ndarray, " asked"]:
        learnt = of & first
        mean = values[learnt].sum(0) / local.there[learnt].sum(0).clip(min=1)
        return (np.where(local.there[asked], values[asked] - mean, 0.0) ** 2).sum(1)

    gains = np.concatenate([off(rows, side & ~first) - off(side, side & ~first) for side in sides])
    whole = off(rows, rows & ~first).mean()
    error = gains.std(ddof=1) / np.sqrt(len(gains))
    return bool(gains.mean() > _SURE * error and gains.mean() >= _WORTH * whole and whole > 1e-18)
