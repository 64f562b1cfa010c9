"""The figures of the pages about methods, drawn by the pages themselves from what their blocks computed.

A page holds its drawing in a comment, after the code that a reader sees:

    <!--- invisible-code-block: python
    left, right = panels("Grad×Input", "what the values should be")
    bars(left, names, found.values[0])
    bars(right, names, truth)
    save("gradient-input")
    -->

With `ATTAR_DOCS=write` the picture is written to `images/methods/`; otherwise it is drawn and only has to be there.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from attar.core.heat import AGAINST, SUPPORTS, ZERO

IMAGES = Path(__file__).parent / "images" / "methods"
BLUE, VERMILION, INK, GREY = "#0072b2", "#c14f00", "#1f2937", "#5b6472"  # Okabe and Ito's, for lines and points
STYLE: dict[str, Any] = {
    "font.size": 11,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "attar",
    "figure.dpi": 72,
}
_figure: list[Figure] = []


def panels(*titles: str, height: float = 2.6, share: bool = False) -> list[Axes]:
    """Empty axes side by side under their titles; `share`: one scale of values for all."""
    with style.context(STYLE):
        figure = Figure(figsize=(3.4 * len(titles), height), layout="constrained")
        axes = figure.subplots(1, len(titles), squeeze=False, sharex=share)[0]
        for one, title in zip(axes, titles, strict=True):
            one.set_title(title)
    _figure[:] = [figure]
    return list(axes)


def bars(axes: Axes, names: Sequence[str], values: Any, errors: Any = None) -> None:
    """Signed bars from the top down, in the colours of the reports: orange for, blue against."""
    values = np.asarray(values, dtype=float)
    places = -np.arange(len(values))
    colours = [SUPPORTS if value >= 0 else AGAINST for value in values]
    axes.barh(places, values, color=colours, height=0.6, xerr=errors, ecolor=INK)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_yticks(places, list(names))
    axes.tick_params(axis="y", length=0)


def heat(axes: Axes, values: Any, limit: float | None = None) -> None:
    """A map, orange for and blue against, white at 0."""
    from matplotlib.colors import LinearSegmentedColormap

    values = np.asarray(values, dtype=float)
    limit = limit or float(np.abs(values).max()) or 1.0
    scale = LinearSegmentedColormap.from_list("signed", [AGAINST, ZERO, SUPPORTS])
    drawn = axes.imshow(values, cmap=scale, vmin=-limit, vmax=limit, interpolation="nearest")
    axes.figure.colorbar(drawn, ax=axes, shrink=0.8)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():  # a sparse map has no edge of its own
        spine.set_visible(True)


def picture(axes: Axes, values: Any) -> None:
    """An input with space, as it is: grey, dark for low."""
    axes.imshow(np.asarray(values, dtype=float), cmap="gray", interpolation="nearest")
    _bare(axes)


def curve(axes: Axes, x: Any, y: Any, label: str = "", colour: str = BLUE) -> None:
    axes.plot(np.asarray(x), np.asarray(y), color=colour, label=label or None)
    if label:
        axes.legend(frameon=False)


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def save(name: str) -> None:
    path = IMAGES / f"{name}.svg"
    with style.context(STYLE):
        if os.environ.get("ATTAR_DOCS") == "write":
            IMAGES.mkdir(parents=True, exist_ok=True)
            FigureCanvasSVG(_figure[0]).print_svg(path, metadata={"Date": None, "Creator": None})
        else:
            FigureCanvasSVG(_figure[0]).draw()
    if not path.exists():
        raise FileNotFoundError(f"{path.name} has never been drawn: ATTAR_DOCS=write python -m pytest docs")


def save_chart(axes: Axes, name: str) -> None:
    """A chart of `attar.charts` as `images/charts/NAME.svg`."""
    path = IMAGES.parent / "charts" / f"{name}.svg"
    with style.context(STYLE):
        if os.environ.get("ATTAR_DOCS") == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            axes.figure.savefig(path, metadata={"Date": None, "Creator": None})
        else:
            axes.figure.canvas.draw()
    if not path.exists():
        raise FileNotFoundError(f"{path.name} has never been drawn: ATTAR_DOCS=write python -m pytest docs")
