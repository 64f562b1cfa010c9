"""The ladders as SVG that stands in a page: same record, same bytes; nothing is fetched, no id is used twice."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attar.core.surface import BLUE, GREEN, GREY, INK, STYLE, VERMILION, svg_of

NOISE, DECOY = (750, 405), (368, 460)  # width and height in pixels
LINE = 16  # pixels from one line of letters to the next


def noise_ladder(
    rungs: Sequence[Mapping[str, Any]],
    *,
    chance: float | None,
    trivial: float | None,
    model: Mapping[str, Any] | None = None,
    others: Sequence[Mapping[str, Any]] = (),
    measure: str = "AUROC",
    part: str = "atom",
    score: str = "attribution finds the rule’s atoms, AUROC",
) -> str:
    """Attribution score against held-out prediction, one dot with its interval per share of turned labels.

    `rungs` have flip, prediction, score and interval; `model` the same but for flip, with a name: its place; `others`,
    made worse in another way, likewise. `measure` and `score` say what the two axes are.
    Returns "" where no rung has both numbers.
    """
    known = [r for r in rungs if r["score"] is not None and r["prediction"] is not None]
    if not known:
        return ""
    known.sort(key=lambda r: r["prediction"])
    with _style("noise"):
        figure = Figure(figsize=_inches(*NOISE), layout="constrained")
        axes = figure.add_subplot()
        _line(axes, [r["prediction"] for r in known], [r["score"] for r in known], BLUE, "o")
        for r in known:
            _interval(axes, r["prediction"], r["interval"], BLUE)
            foot = (r["interval"] or [None])[0]
            axes.annotate(
                f"{r['flip']:.0%}",
                (r["prediction"], r["score"] if foot is None else foot),
                (0, -5),
                textcoords="offset points",
                ha="center",
                va="top",
                color=BLUE,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            )
        for marker, name in zip("sv^P", dict.fromkeys(r["name"] for r in others), strict=False):
            mine = [r for r in others if r["name"] == name and None not in (r["prediction"], r["score"])]
            for r in mine:
                _interval(axes, r["prediction"], r["interval"], GREY)
            at, scores = [r["prediction"] for r in mine], [r["score"] for r in mine]
            axes.plot(at, scores, marker, color=GREY, markersize=6, linestyle="none", label=name)
        place = model if model and None not in (model["prediction"], model["score"]) else None
        if place:
            _interval(axes, place["prediction"], place["interval"], VERMILION, wide=2.2)
            axes.plot([place["prediction"]], [place["score"]], "D", color=VERMILION, markersize=9, zorder=4)
        left, right = axes.get_xlim()
        low, high = axes.get_ylim()
        ends = []
        if chance is not None:
            axes.axhline(chance, color=GREY, linewidth=1.2, linestyle=(0, (4, 3)), zorder=0)
            ends.append((chance, f"random {part}s {chance:.2f}", GREY))
        if trivial is not None:
            axes.axhline(trivial, color=GREEN, linewidth=1.2, linestyle=(0, (1, 2)), zorder=0)
            ends.append((trivial, f"trivial control {trivial:.2f}", GREEN))
        if place:
            ends.append((place["score"], place["name"], VERMILION))
        top = known[-1]
        ends.append((top["score"], "share of labels\nturned round", BLUE))
        axes.set_xlim(left, right)
        axes.set_ylim(min([low, *(y for y, *_ in ends)]) - 0.03, max([high, *(y for y, *_ in ends)]) + 0.02)
        _label_ends(axes, ends, tall=NOISE[1] - 50)
        if others:
            axes.legend(loc="upper left", frameon=False, labelcolor=GREY)
        axes.set_xlabel(f"held-out prediction, {measure}")
        axes.set_ylabel(score)
        return svg_of(figure, _describe_noise(known, measure))


def decoy_ladder(rungs: Sequence[Mapping[str, Any]], *, name: str, part: str = "atom") -> str:
    """One decoy: prediction (above) and attribution (below) against the share of training positives that carry it."""
    known = sorted(rungs, key=lambda r: r["share"])
    with _style(f"decoy {name}"):
        figure = Figure(figsize=_inches(*DECOY), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        _lines(
            above,
            known,
            ("on_positives", "on positives", BLUE, "^", "-"),
            ("clean", "clean test", INK, "o", "-"),
            ("on_negatives", "on negatives", VERMILION, "v", "-"),
        )
        above.set_title("prediction, AUROC", loc="left", fontsize=12, color=INK)
        _lines(
            below,
            known,
            ("decoy_attribution", f"decoy’s {part}s", VERMILION, "s", "-"),
            ("rule_attribution", f"rule’s {part}s", BLUE, "o", "-"),
            ("decoy_mass", "decoy’s share\nof the mass", GREY, "x", (0, (4, 3))),
        )
        below.set_title("attribution where both are present, AUROC", loc="left", fontsize=12, color=INK)
        below.set_xlabel("training positives that carry the decoy")
        below.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
        for axes in (above, below):
            axes.axhline(0.5, color=GREY, linewidth=0.8, linestyle=(0, (1, 3)), zorder=0)
            axes.set_ylim(-0.05, 1.05)
        return svg_of(figure, _describe_decoy(known, name))


def _lines(axes: Axes, rungs: Sequence[Mapping[str, Any]], *series: tuple[str, str, str, str, Any]) -> None:
    ends = []
    for key, label, paint, marker, dash in series:
        measured = [r for r in rungs if r[key] is not None]
        if measured:
            _line(axes, [r["share"] for r in measured], [r[key] for r in measured], paint, marker, dash)
            ends.append((measured[-1][key], label, paint))
    axes.set_xlim(-0.04, 1.04)
    axes.set_ylim(-0.05, 1.05)
    _label_ends(axes, ends, tall=DECOY[1] / 2 - 45)


def _line(axes: Axes, x: Sequence[float], y: Sequence[float], paint: str, marker: str, dash: Any = "-") -> None:
    axes.plot(x, y, color=paint, marker=marker, markersize=5, linewidth=1.6, linestyle=dash, zorder=3)


def _interval(axes: Axes, x: float, interval: Any, paint: str, wide: float = 1.2) -> None:
    if interval and None not in interval:
        axes.plot([x, x], interval, color=paint, linewidth=wide, zorder=2, solid_capstyle="butt", alpha=0.75)


def _label_ends(axes: Axes, ends: Sequence[tuple[float, str, str]], *, tall: float) -> None:
    """Names right of the axes (`tall` pixels high) at the height of what they name, moved apart where they would
    overlap."""
    bottom, top = axes.get_ylim()
    line = LINE / tall * (top - bottom)
    at = bottom - 1.0
    for y, text, paint in sorted(ends, key=lambda e: e[0]):
        at = max(y, at + line * (1 + text.count("\n")) / 2)
        axes.annotate(
            text, (1.015, at), xycoords=("axes fraction", "data"), color=paint, va="center", annotation_clip=False
        )
        at += line * (1 + text.count("\n")) / 2


def _describe_noise(rungs: Sequence[Mapping[str, Any]], measure: str) -> str:
    first, last = rungs[-1], rungs[0]
    return (
        f"Label-noise ladder: at held-out {measure} {first['prediction']:.2f} the attribution score is "
        f"{first['score']:.2f}, at {last['prediction']:.2f} it is {last['score']:.2f}."
    )


def _describe_decoy(rungs: Sequence[Mapping[str, Any]], name: str) -> str:
    if not rungs:
        return f"Decoy {name}"
    said = [
        f"{what} {rungs[0][key]:.2f} to {rungs[-1][key]:.2f}"
        for key, what in (("clean", "clean AUROC"), ("on_negatives", "AUROC with the decoy on negatives"))
        if rungs[0][key] is not None and rungs[-1][key] is not None
    ]
    shares = f"from {rungs[0]['share']:.0%} to {rungs[-1]['share']:.0%} of the positives"
    return f"Decoy {name}, {shares}: {'; '.join(said)}."


def _style(salt: str) -> AbstractContextManager[None]:
    """Our style alone, whatever the user's own settings are; the salt makes the ids of a plot its own."""
    ours: Any = {**STYLE, "svg.hashsalt": salt}
    return style.context(["default", ours])


def _inches(width: int, height: int) -> tuple[float, float]:
    return width / STYLE["figure.dpi"], height / STYLE["figure.dpi"]
