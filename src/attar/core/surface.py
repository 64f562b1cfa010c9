"""What charts are drawn on: a figure of our own in our own style, or the axes that are given."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by every common kind of colour vision; shape and dash say the same again.
BLUE, VERMILION, GREEN, INK, GREY = "#0072b2", "#c14f00", "#00795a", "#1f2937", "#5b6472"
PALE = "#d5dae1"
STYLE: dict[str, Any] = {
    "font.size": 12,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "svg.fonttype": "none",
    "figure.dpi": 72,  # one point is one pixel of the page
}
WIDE = 620  # pixels


@contextmanager
def surface(ax: Axes | None, *, tall: float, wide: float = WIDE) -> Iterator[Axes]:
    """`ax`, in the style of its own figure; where it is None, the only axes of a new figure of this size, in pixels."""
    if ax is not None:
        yield ax
        return
    ours: Any = {**STYLE, "svg.hashsalt": "attar"}
    with style.context(["default", ours]):
        figure = Figure(figsize=(wide / STYLE["figure.dpi"], tall / STYLE["figure.dpi"]), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure.add_subplot()


def rows_of(axes: Axes, names: Sequence[str]) -> None:
    """A row for each name, the first at the top, without the line and the ticks that rows do not need."""
    axes.set_yticks(range(len(names)), list(names), color=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def asked(target: str) -> str:
    """What is explained, as on an axis: a target's text in words, where it is one of the plain ones."""
    if target == "Predicted()":
        return "the predicted output"
    plain = re.fullmatch(r"(Logit|Probability)\(index=(\d+)\)", target)
    if plain is None:
        return target or "the target"
    return f"output {plain[2]}" if plain[1] == "Logit" else f"probability of class {plain[2]}"


def title(axes: Axes, said: str) -> None:
    axes.set_title(said, loc="left", fontsize="medium", color=INK)


def cut(name: str, most: int = 34) -> str:
    """A name that leaves room for the picture."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def number(value: float) -> str:
    """Three digits, with a true minus sign."""
    return f"{value:.3g}".replace("-", "−")


def svg_of(figure: Figure, describe: str) -> str:
    """The figure for the inside of a page: no date, no outside names, the page's font. Its few ids are hashes."""
    FigureCanvasSVG(figure)
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"\s(xmlns(:\w+)?|version)=\"[^\"]*\"", "", svg)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    svg = re.sub(r"font: (?:\w+ )?([\d.]+px) [^;\"]*", r"font-size: \1", svg)
    svg = svg.replace("xlink:href", "href").replace('pt"', 'px"', 2)
    svg = re.sub(r" transform=\"rotate\(-0 [^\"]*\"", "", svg)
    svg = re.sub(r"(\.\d\d)\d+", r"\1", svg)
    used = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r" id=\"([^\"]+)\"", lambda m: m.group() if m.group(1) in used else "", svg)
    return re.sub(r"\n\s*\n+", "\n", svg.replace("<svg", f'<svg role="img" aria-label="{escape(describe)}"', 1))
