"""An effect as a curve: what it is, how sure, and how much rows differ."""

import numpy as np
from matplotlib.axes import Axes

from attar.core.effect import Effect
from attar.core.heat import AGAINST, SUPPORTS, ZERO
from attar.core.surface import BLUE, GREY, INK, PALE, VERMILION, asked, cut, surface, title

_ROTATED = 6  # letters of a level, from which labels stand aslant


def dependence(effect: Effect, *, fan: int = 50, ax: Axes | None = None) -> Axes:
    """The effect of a column with its 95% interval (a band; whiskers for levels of a category).

    Behind it stand `fan` of the rows' own curves, spread over all, where they were kept, or else a dashed band of how
    much rows differ at a point (one standard deviation each way): where these are wide one curve does not say it.
    Regions, where they were asked for, are lines of their own. Of two columns it is a map: warm above the mean of all
    points, cool below it. Returns the axes.
    """
    if effect.values.ndim == 2:
        return _map(effect, ax)
    with surface(ax, tall=330) as axes:
        x, apart = _places(effect)
        line = ~apart
        if effect.curves is not None and fan:
            some = np.unique(np.linspace(0, len(effect.curves) - 1, min(fan, len(effect.curves))).round().astype(int))
            behind = effect.curves[some].T
            axes.plot(x[line], behind[line], color=GREY, alpha=0.25, linewidth=0.7, zorder=0)
            axes.plot(x[apart], behind[apart], "_", color=GREY, alpha=0.35, markersize=9, zorder=0)
        elif effect.spread is not None and np.isfinite(effect.spread).all():
            for side in (-1, 1):
                edge = effect.values + side * effect.spread
                axes.plot(x[line], edge[line], color=GREY, linewidth=0.9, linestyle=(0, (4, 3)))
                axes.plot(x[apart], edge[apart], "_", color=GREY, markersize=9)
        low, high = effect.low, effect.high
        axes.vlines(x[apart], low[apart], high[apart], color=BLUE, linewidth=2)
        axes.plot(x[apart], effect.values[apart], "o", color=BLUE)
        axes.fill_between(x[line], low[line], high[line], color=BLUE, alpha=0.22, linewidth=0)
        axes.plot(x[line], effect.values[line], color=BLUE, linewidth=2)
        for k, region in enumerate(effect.regions):
            paint, dash = (VERMILION, INK)[k % 2], ("-", (0, (5, 2)), (0, (1, 1.5)))[k % 3]
            axes.plot(_places(region.effect)[0], region.effect.values, color=paint, linestyle=dash, linewidth=1.6)
            axes.annotate(
                f"where {cut(region.where, 40)}",
                (_places(region.effect)[0][-1], region.effect.values[-1]),
                xytext=(4, 0),
                textcoords="offset points",
                color=paint,
                fontsize="small",
                va="center",
            )
        if apart.any():
            _name_levels(axes, effect, x, apart)
        axes.set_xlabel(effect.columns[0])
        axes.set_ylabel(asked(effect.target))
        fanned = effect.curves is not None and fan
        dashed = "; dashed: how much rows differ" if effect.spread is not None else ""
        title(
            axes, f"{effect.kind}, {effect.rows:,} rows, 95% interval{'; grey: rows one by one' if fanned else dashed}"
        )
    return axes


def _places(effect: Effect) -> tuple[np.ndarray, np.ndarray]:
    """Where points stand, and which stand apart, not on a line: numbers at their numbers, levels side by side, and what
    is missing to the right of all numbers."""
    numbers = np.array([_plain(point) for point in effect.points[0]])
    if numbers.sum() < 2:
        return np.arange(len(numbers), dtype=float), np.ones(len(numbers), dtype=bool)
    x = np.asarray(effect.grid[0], dtype=float).copy()
    step = 0.09 * np.ptp(x[numbers])
    x[~numbers] = x[numbers].max() + step * np.arange(1, (~numbers).sum() + 1)
    return x, ~numbers


def _name_levels(axes: Axes, effect: Effect, x: np.ndarray, apart: np.ndarray) -> None:
    """Names under what stands apart, and the axis's own numbers under the rest."""
    shown = [(float(at), cut(effect.points[0][k], 18)) for k, at in enumerate(x) if apart[k]]
    if not apart.all():
        last = float(x[~apart].max())
        ticks = [float(tick) for tick in axes.get_xticks() if float(x[~apart].min()) <= tick <= last]
        shown = [(tick, f"{tick:g}") for tick in ticks if shown[0][0] - tick > 0.08 * (last - ticks[0] or 1)] + shown
    aslant = len(shown) > 4 and max(len(name) for _, name in shown) > _ROTATED and bool(apart.all())
    places, names = [place for place, _ in shown], [name for _, name in shown]
    axes.set_xticks(places, names, rotation=30 if aslant else 0, ha="right" if aslant else "center")


def _plain(text: str) -> bool:
    try:
        float(text.split(" ")[0].replace(",", ""))
    except ValueError:
        return False
    return True


def _map(effect: Effect, ax: Axes | None) -> Axes:
    from matplotlib.colors import LinearSegmentedColormap

    with surface(ax, tall=380) as axes:
        centre = float(effect.values.mean())
        reach = float(np.abs(effect.values - centre).max()) or 1.0
        ours = LinearSegmentedColormap.from_list("attar", [AGAINST, ZERO, SUPPORTS])
        drawn = axes.pcolormesh(effect.values.T, cmap=ours, vmin=centre - reach, vmax=centre + reach)
        for axis, points, name in zip((axes.xaxis, axes.yaxis), effect.points, effect.columns, strict=True):
            some = np.unique(np.linspace(0, len(points) - 1, min(len(points), 6)).round().astype(int))
            axis.set_ticks(some + 0.5, [cut(points[k], 14) for k in some])
            axis.set_label_text(name)
        bar = axes.figure.colorbar(drawn, ax=axes, aspect=40)
        bar.set_label(asked(effect.target), color=INK)
        bar.outline.set_edgecolor(PALE)  # type: ignore[operator]
        worst = float(effect.standard_error.max())
        title(axes, f"{effect.kind}, {effect.rows:,} rows; standard error ≤ {worst:.2g}")
    return axes
