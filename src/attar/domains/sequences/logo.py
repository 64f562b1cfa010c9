"""Attributions of sequences as logos: each letter as tall as its value, upside down below the axis where against."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from attar.core.attribution import Attribution
from attar.core.examples import Examples
from attar.core.surface import GREY
from attar.domains.sequences.parts import Stretches
from attar.domains.sequences.record import Record

FILES: Mapping[str, Callable[[Examples, Attribution], bytes]] = {}
_WIDE = 41  # letters of one logo: those around the strongest
_PAINT = {"A": "#1a7f37", "C": "#0b5cad", "G": "#c77700", "T": "#b3261e", "N": GREY}  # as sequence logos have them
_TICKS = 10


def panel(axes: Any, examples: Examples, found: Attribution, example: int) -> None:
    """One example: its letters around the strongest value, or all of a short sequence."""
    record, heights = examples.raw[example], heights_of(examples, found, example)
    first = shown(heights)
    logo(axes, record, heights, first, min(first + _WIDE, len(record)))


def named(examples: Examples, found: Attribution) -> Attribution:
    """The same answer, a value for each letter by its position as given, where it has one for each entry."""
    part = next(iter(found.parts))
    if found.parts[part].shape != examples.inputs.parts["input"].shape:
        return found
    return found.carried(Stretches(length=1, records=examples.raw)(examples.inputs))


def heights_of(examples: Examples, found: Attribution, example: int) -> Float[np.ndarray, " letters"]:
    """A value for each letter of one sequence: the sum over the letters that could stand there; of stretches, the value
    of the stretch on each of its letters."""
    part, values = next(iter(found.parts.items()))
    length = len(examples.raw[example])
    if values.ndim == 3:
        return values[example].sum(0)[:length].detach().cpu().numpy()
    mine = found.by_example(part)[example].detach().cpu().numpy()
    wide = -(-examples.inputs.parts["input"].shape[2] // len(mine))
    return np.repeat(mine, wide)[:length]


def shown(heights: Float[np.ndarray, " letters"]) -> int:
    """Where the letters that are drawn begin: those with the most of the values' size."""
    size = np.concatenate([[0.0], np.abs(heights).cumsum()])
    width = min(_WIDE, len(heights))
    held = size[width:] - size[:-width]
    best = np.flatnonzero(held >= held.max() * (1 - 1e-9))
    return int(best[len(best) // 2])


def logo(axes: Any, record: Record, heights: Float[np.ndarray, " letters"], first: int, last: int) -> None:
    """The letters from place `first` to before `last` on axes of matplotlib."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import PathPatch
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    bold = FontProperties(weight="bold")
    shapes = {letter: TextPath((0, 0), letter, size=1, prop=bold) for letter in set(record.letters[first:last])}
    span = float(np.abs(heights[first:last]).max(initial=0.0)) or 1.0
    for k, (letter, height) in enumerate(zip(record.letters[first:last], heights[first:last], strict=True)):
        shape, box = shapes[letter], shapes[letter].get_extents()
        grown = Affine2D().translate(-box.x0, -box.y0).scale(0.9 / box.width, float(height) / box.height)
        axes.add_patch(PathPatch(shape.transformed(grown.translate(k - 0.45, 0)), color=_PAINT[letter], linewidth=0))
    axes.set_xlim(-0.7, last - first - 0.3)
    least, most = float(heights[first:last].min(initial=0.0)), float(heights[first:last].max(initial=0.0))
    axes.set_ylim(least - 0.05 * span, most + 0.05 * span)
    axes.axhline(0, color=GREY, linewidth=0.8)
    places = [k for k in range(first, last) if record.inserted[k] == 0 and record.positions[k] % _TICKS == 0]
    axes.set_xticks([k - first for k in places], [f"{record.positions[k]:,}" for k in places])
    axes.set_ylabel("units of the target", fontsize=8)
    axes.set_xlabel(f"position{'' if record.strand == '+' else ', other strand'}", fontsize=8)
