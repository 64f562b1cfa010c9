"""Importance as bars with their intervals."""

import numpy as np
from matplotlib.axes import Axes

from attar.core.importance import Importance
from attar.core.note import counted
from attar.core.surface import GREY, INK, PALE, cut, rows_of, surface, title


def bars(importance: Importance, *, limit: int = 15, ax: Axes | None = None) -> Axes:
    """A bar for each of the first `limit` columns, the most important at the top, with its 95% interval.

    A bar is pale where the interval holds 0: such a column is not told from one that says nothing. Returns the axes.
    """
    order = importance.ranked(limit)
    place = {name: k for k, name in enumerate(importance.names)}
    rows = [place[name] for name, _ in order]
    values, low, high = (np.asarray(array)[rows] for array in (importance.values, importance.low, importance.high))
    with surface(ax, tall=70 + 24 * len(rows)) as axes:
        told = (low > 0) | (high < 0)
        paint = np.where(told, GREY, PALE)
        axes.barh(range(len(rows)), values, height=0.62, color=paint)
        bounded = np.isfinite(low) & np.isfinite(high)
        axes.hlines(np.flatnonzero(bounded), low[bounded], high[bounded], color=INK, linewidth=1.4)
        axes.axvline(0, color=INK, linewidth=0.8)
        rows_of(axes, [cut(name) for name, _ in order])
        rest = len(importance) - len(rows)
        axes.set_xlabel(f"{importance.unit or 'importance'}, 95% interval; pale: not told from 0")
        title(axes, importance.how + (f"\n(and {counted(rest, 'more column')})" if rest > 0 else ""))
    return axes
