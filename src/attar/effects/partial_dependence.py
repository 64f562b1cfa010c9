"""Partial dependence: the mean output when every row is put on a point."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from attar.core.effect import Effect, mean_of
from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.core.model import Chunked
from attar.core.target import Target
from attar.estimation.grid import Axis, curves_at


@dataclass(frozen=True, kw_only=True)
class PartialDependence:
    """At each point the mean of the target over all rows, whose column is put there; `Effect.curves` are the rows' own
    (individual conditional expectation, ICE).

    In units of the target, not counted from anything: `.centred()` counts from the first point. `grid` is how many
    values that occur, between the quantiles `between`, or the values themselves (of two columns a pair of either); of a
    category all levels, and what is missing as a point of its own. A point's interval is for other rows like these,
    with this model. Without `curves` they are not kept. Misleads where columns depend on each other: rows are put where
    none is, and what the model says there counts (`AccumulatedLocalEffects` asks only nearby); and where rows differ,
    for a mean of a rise and a fall is flat: look at the curves, or ask for `Regional` effects. Raises `InputError` for
    a grid of fewer than two points. Source: Friedman 2001, doi:10.1214/aos/1013203451, section 8.2; curves: Goldstein
    et al. 2015, arXiv:1309.6392.
    """

    grid: int | Sequence[Any] = 20
    between: tuple[float, float] = (0.01, 0.99)
    curves: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.between[0] < self.between[1] <= 1:
            raise InputError(f"between is {self.between}, expected two quantiles such as (0.01, 0.99)")
        if isinstance(self.grid, int) and self.grid < 2:
            raise InputError(f"grid is {self.grid}, expected 2 or more points")

    def __call__(self, model: Chunked, table: Tensors, places: tuple[int, ...], target: Target) -> Effect:
        axes = [Axis.of(table, place) for place in places]
        asked = [self.grid] * len(axes) if isinstance(self.grid, int) or len(axes) == 1 else list(self.grid)
        if len(asked) != len(axes):
            raise InputError(f"the grid holds {len(asked)} axes for {len(axes)} columns, expected one for each")
        grid = tuple(axis.points(each, self.between) for axis, each in zip(axes, asked, strict=True))
        points = np.stack([each.ravel() for each in np.meshgrid(*grid, indexing="ij")], 1)
        shape = tuple(len(each) for each in grid)
        curves = curves_at(model, table, places, target, points).reshape(len(table), *shape)
        values, error, spread = mean_of(curves)
        return Effect(
            kind="partial dependence",
            columns=tuple(axis.name for axis in axes),
            grid=grid,
            points=tuple(axis.said(each) for axis, each in zip(axes, grid, strict=True)),
            values=values,
            standard_error=error,
            rows=len(table),
            curves=curves if self.curves else None,
            spread=spread,
        )

    def local(
        self, model: Chunked, table: Tensors, places: tuple[int, ...], target: Target, found: Effect
    ) -> tuple[Float[np.ndarray, "rows points"], Bool[np.ndarray, "rows points"]]:
        """Each row's curve, counted from its own mean: its shape, for `Regional`."""
        curves = found.curves
        if curves is None:
            kept = replace(self, curves=True)(model, table, places, target).curves
            assert kept is not None  # noqa: S101 - asked for
            curves = kept
        shape = curves - curves.mean(1, keepdims=True)
        return shape, np.ones(shape.shape, dtype=bool)
