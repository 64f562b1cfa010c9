"""One example as a waterfall: from the reference to the output, a step for each column."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties

from attar.core.attribution import Attribution
from attar.core.errors import InputError
from attar.core.heat import AGAINST, SUPPORTS
from attar.core.show import leading
from attar.core.surface import GREY, INK, PALE, asked, cut, number, rows_of, surface, title

_LETTER = 0.7  # the width of a letter over its height, with room for what the names of the columns take off the axes
_MOST = 0.6  # of the axes' width that a label may take


def waterfall(found: Attribution, example: int = 0, *, limit: int = 10, ax: Axes | None = None) -> Axes:
    """Steps from the reference, the largest first, to the output; warm supports the target, cool speaks against it.

    Thin lines are 95% intervals, where the method samples. What more than `limit` parts count together is one step, and
    so is what the values do not sum to. Returns the axes. Raises `InputError` where the method has no reference, from
    which its values could be counted (`bars` of `found.importance()` then), and for an example that is not there.
    """
    if not 0 <= example < len(found):
        raise InputError(f"example is {example}, expected 0 to {len(found) - 1}")
    if found.reference is None:
        raise InputError(f"{found.method or 'the method'} has no reference that its values are counted from")
    parts = leading(found, example)
    shown, others = parts[:limit], parts[limit:]
    start, end = float(found.reference[example]), float(found.output[example])
    steps = [(cut(part.title), part.value, part.standard_error or 0.0) for part in shown]
    if others:
        error = float(np.sqrt(sum((part.standard_error or 0.0) ** 2 for part in others)))
        steps.append((f"{len(others):,} others", sum(part.value for part in others), error))
    rest = end - start - sum(value for _, value, _ in steps)
    if abs(rest) > 1e-3 * max(1e-12, *(abs(value) for _, value, _ in steps)):
        steps.append(("acting together, or left over", rest, 0.0))
    values = np.array([value for _, value, _ in steps])
    errors = np.array([error for _, _, error in steps])
    left = start + np.concatenate([[0.0], np.cumsum(values)[:-1]])
    with surface(ax, tall=90 + 24 * (len(steps) + 2)) as axes:
        rows = np.arange(1, len(steps) + 1)
        axes.barh(rows, values, left=left, height=0.62, color=np.where(values > 0, SUPPORTS, AGAINST))
        ends = left + values
        told = errors > 0
        axes.hlines(rows[told], (ends - 1.96 * errors)[told], (ends + 1.96 * errors)[told], color=INK, linewidth=1.2)
        axes.vlines(np.r_[start, ends], np.r_[0, rows] - 0.31, np.r_[0, rows] + 1.31, color=PALE, linewidth=1, zorder=0)
        axes.plot([start, end], [0, len(steps) + 1], "D", color=INK, markersize=5)
        reach = np.ptp(np.r_[start, ends, end]) or 1.0
        labels = []
        for row, value, error, at, to in zip(rows.tolist(), values, errors, left, ends, strict=True):
            nothing = abs(value) < 1e-9 * reach
            said = "0" if nothing else number(value) if value < 0 else f"+{number(value)}"
            said += f" ± {1.96 * error:.2g}" if error > 0 else ""
            place = float(max(at, to) + 1.96 * error + 0.02 * reach)
            axes.text(place, row, said, va="center", fontsize="small", color=GREY)
            labels.append((place, said))
        axes.text(start + 0.03 * reach, 0, number(start), va="center", fontsize="small", color=GREY)
        axes.text(end + 0.03 * reach, len(steps) + 1, number(end), va="center", fontsize="small", color=INK)
        rows_of(axes, ["reference", *(name for name, _, _ in steps), "output"])
        axes.use_sticky_edges = False
        axes.margins(x=0.16)
        _make_room(axes, labels)
        axes.set_xlabel(asked(found.target))
        title(axes, found.method.split("(")[0])
    return axes


def _make_room(axes: Axes, labels: list[tuple[float, str]]) -> None:
    """Stretch the axis to the right until every label, which begins where it is said to, ends inside."""
    wide = axes.get_window_extent().width
    letter = _LETTER * FontProperties(size="small").get_size_in_points() * axes.figure.dpi / 72
    low, high = axes.get_xlim()
    for begins, said in labels:
        share = min(_MOST, letter * len(said) / wide)
        high = max(high, (begins - share * low) / (1 - share))
    axes.set_xlim(low, high)
