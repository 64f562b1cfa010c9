"""Every example's values, a swarm for each column."""

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable

from attar.core.attribution import Attribution
from attar.core.column import is_missing
from attar.core.importance import by_column
from attar.core.note import counted
from attar.core.surface import GREY, INK, asked, cut, number, rows_of, surface, title

_BINS, _HALF = 60, 0.38  # of a row's width, within which dots stand above each other; and half of a row's height


def beeswarm(
    found: Attribution,
    table: Float[np.ndarray, "rows columns"] | None = None,
    *,
    limit: int = 12,
    ax: Axes | None = None,
) -> Axes:
    """A dot for each example's value of a column, the columns of the largest mean size at the top.

    Right of 0 supports the target. A dot is the darker the larger the column's own number is among the rows (its rank);
    categories and missing values are grey. The numbers are those of the data frame that was explained, or `table`'s.
    Beside a column stands the median standard error of its values, where the method samples. Returns the axes. Raises
    `InputError` where examples do not have the same columns.
    """
    values, errors, names = by_column(found)
    order = np.argsort(-np.abs(values).mean(0), kind="stable")[:limit]
    shades = _shades(found, table, values.shape)
    with surface(ax, tall=110 + 34 * len(order)) as axes:
        width = np.ptp(values[:, order]) or 1.0
        for row, column in enumerate(order.tolist()):
            x, shade = values[:, column], shades[:, column]
            y = row + _heights(x, width)
            known = ~np.isnan(shade)
            axes.scatter(x[~known], y[~known], s=12, color="none", edgecolor=GREY, linewidth=0.7)
            axes.scatter(x[known], y[known], s=12, c=shade[known], cmap="cividis_r", vmin=0, vmax=1, linewidth=0)
        axes.axvline(0, color=INK, linewidth=0.8, zorder=0)
        labels = [cut(names[k]) for k in order]
        if errors is not None and errors.any():
            labels = [
                f"{name} (± {number(float(np.median(errors[:, k])))})" for name, k in zip(labels, order, strict=True)
            ]
        rows_of(axes, labels)
        if not np.isnan(shades).all():
            bar = axes.figure.colorbar(ScalarMappable(cmap=colormaps["cividis_r"]), ax=axes, ticks=[0, 1], aspect=40)
            bar.ax.set_yticklabels(["low", "high"], color=GREY)
            bar.set_label("the column's own number, by rank", color=INK)
            bar.outline.set_visible(False)  # type: ignore[operator]
        axes.set_xlabel(asked(found.target))
        rest = values.shape[1] - len(order)
        title(
            axes,
            f"{found.method.split('(')[0]}, {len(values):,} rows"
            + (f" (and {counted(rest, 'more column')})" if rest else ""),
        )
    return axes


def _shades(found: Attribution, table: np.ndarray | None, shape: tuple[int, ...]) -> Float[np.ndarray, "rows columns"]:
    """The rank of each number among its column's, from 0 to 1; NaN of what is no number."""
    shades = np.full(shape, np.nan)
    numbers = np.ones(shape[1], dtype=bool)
    if table is None and found.table is not None:
        codes = found.table.values.double()
        table = np.where(is_missing(codes), np.nan, codes.numpy())
        if found.table.columns is not None:
            numbers = found.table.columns.numbers
    if table is None or table.shape != shape:
        return shades
    for column in np.flatnonzero(numbers):
        x = np.asarray(table[:, column], dtype=float)
        known = ~np.isnan(x)
        ordered = np.sort(x[known])
        if len(ordered) and ordered[0] < ordered[-1]:
            middle = (np.searchsorted(ordered, x, "left") + np.searchsorted(ordered, x, "right") - 1) / 2
            shades[known, column] = (middle / max(1, len(ordered) - 1))[known]
    return shades


def _heights(x: Float[np.ndarray, " dots"], width: float) -> Float[np.ndarray, " dots"]:
    """Dots that share a place stand above and below each other, always the same."""
    place = np.floor((x - x.min()) / width * _BINS).astype(int)
    heights = np.zeros(len(x))
    most = np.bincount(place).max()
    for each in np.unique(place):
        mine = np.flatnonzero(place == each)
        steps = np.arange(len(mine))
        heights[mine] = np.where(steps % 2, 1, -1) * ((steps + 1) // 2)
    return heights * min(0.09, 2 * _HALF / max(most, 1))
