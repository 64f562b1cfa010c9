"""A counterfactual as a picture: what would have had to be different, and what each change is worth."""

import numpy as np
from matplotlib.axes import Axes

from attar.core.attribution import Attribution
from attar.core.errors import InputError
from attar.core.heat import AGAINST, SUPPORTS
from attar.core.surface import GREY, INK, PALE, asked, cut, number, rows_of, surface, title


def changes(found: Attribution, example: int = 0, *, ax: Axes | None = None) -> Axes:
    """A row for each column that the near row of a `Counterfactual` changes: from what to what, and, as a bar, what
    the target gains when that change alone is undone (warm: undoing it raises the target).

    Of several ways the others stand below, in words. Returns the axes. Raises `InputError` for an attribution without a
    counterfactual, and where none was found for the example.
    """
    there = found.measured.get("counterfactual")
    if there is None or (found.table is None and found.entry_names is None and not found.single):
        raise InputError(f"{found.method or 'the attribution'} has no counterfactual: attribute with Counterfactual(…)")
    if not 0 <= example < len(found):
        raise InputError(f"example is {example}, expected 0 to {len(found) - 1}")
    if found.error.reached is not None and not bool(found.error.reached[example]):
        raise InputError(f"no counterfactual was found for example {example}, so that there is none to draw")
    values = next(iter(found.parts.values()))[example].double()
    near = there[example]
    own = found.table.values[example] if found.table is not None else None
    moved = np.flatnonzero((values != 0).numpy() if own is None else (near != own).numpy())
    order = moved[np.argsort(-np.abs(values.numpy()[moved]), kind="stable")]
    rows = [f"{cut(_name(found, k), 28)}\n{_step(found, example, near, k)}" for k in order.tolist()]
    worth = values.numpy()[order]
    ways = _other_ways(found, example)
    with surface(ax, tall=110 + 44 * max(1, len(rows)) + 18 * len(ways)) as axes:
        axes.barh(range(len(rows)), worth, height=0.5, color=np.where(worth > 0, SUPPORTS, AGAINST))
        reach = float(np.abs(worth).max(initial=0.0)) or 1.0
        for row, value in enumerate(worth.tolist()):
            said = f"+{number(value)}" if value > 0 else number(value)
            axes.text(
                value + np.sign(value) * 0.05 * reach,
                row,
                said,
                color=GREY,
                va="center",
                ha="left" if value > 0 else "right",
            )
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.margins(x=0.22)
        rows_of(axes, rows)
        axes.set_xlabel(f"what undoing the change gives back, {asked(found.target)}" + _said(ways))
        before = float(found.output[example])
        after = before if found.reference is None else float(found.reference[example])
        title(axes, f"from {number(before)} to {number(after)} by {len(rows)} change{'s' if len(rows) != 1 else ''}")
        axes.grid(axis="x", color=PALE, linewidth=0.6)
        axes.set_axisbelow(True)
    return axes


def _said(ways: list[str]) -> str:
    return "".join(f"\nor: {way}" for way in ways)


def _other_ways(found: Attribution, example: int) -> list[str]:
    from attar.core.show import changes_of

    return [said for name, said in changes_of(found, example).items() if name.startswith("counterfactuals ")]


def _name(found: Attribution, column: int) -> str:
    if found.entry_names is not None:
        return found.entry_names[column]
    return f"column {column}"


def _step(found: Attribution, example: int, near: object, column: int) -> str:
    columns = None if found.table is None else found.table.columns
    to = float(near[column])  # type: ignore[index]
    if found.table is None:
        return f"to {number(to)}"
    own = float(found.table.values[example, column])
    if columns is None:
        return f"{number(own)} → {number(to)}"
    return f"{columns[column].said(own)} → {columns[column].said(to)}"
