"""Signals as pictures: the trace over the colours of its samples."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from attar.core.errors import InputError
from attar.core.heat import FAINT, INK, Legend, coloured
from attar.core.scene import Scene
from attar.core.svg import frame, letters, pixels, runs, svg

LEGEND = Legend(
    wide=344,
    mark="outline",
    marked="A frame holds the samples that the rule names.",
    how="The line is the signal, in units of a typical event, the colour behind it the value of each sample.",
)
LEFT, HIGH, FOOT, AIR = 34, 120, 20, 8  # pixels: of the numbers on the left, the trace, the seconds below, and around
TICK = 0.5  # seconds


def as_json(signal: Scene, rate: float) -> dict[str, Any]:
    """Its `rate` in samples per second, and its `samples`."""
    return {"rate": rate, "samples": np.round(signal.array[0].astype(float), 3).tolist()}


def heat_map(
    example: Mapping[str, Any],
    values: Sequence[float],
    *,
    scale: float,
    outlined: Collection[int] = (),
    describe: str = "",
) -> str:
    """The trace over its colours, the `outlined` samples in frames. `example` is as `as_json` makes it.

    Raises `InputError` for another number of values than samples.
    """
    trace = np.array(example["samples"])
    if len(values) != len(trace):
        raise InputError(f"there are {len(values)} values for the {len(trace)} samples of a signal")
    step = (LEGEND.wide - LEFT - 3) / len(trace)
    low, high = float(trace.min()), float(trace.max())
    x = LEFT + step * (np.arange(len(trace)) + 0.5)
    y = AIR + (HIGH - 2 * AIR) * (high - trace) / ((high - low) or 1.0)
    line = "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))
    box = (float(LEFT), 0.0, step * len(trace), float(HIGH))
    pieces = [
        pixels(coloured(np.array([values]), scale), box),
        *(frame((LEFT + step * r.start, 2, step * len(r), HIGH - 4)) for r in runs(outlined)),
        f'<path d="M{line}" stroke="{INK}" stroke-width="1.1" stroke-linejoin="round" fill="none"/>',
        letters(LEFT - 4, AIR + 6, _short(high), size=10.5, paint=FAINT, anchor="end"),
        letters(LEFT - 4, HIGH - AIR + 2, _short(low), size=10.5, paint=FAINT, anchor="end"),
    ]
    for k in range(int(len(trace) / example["rate"] / TICK) + 1):
        at = LEFT + step * example["rate"] * TICK * k
        pieces.append(f'<path d="M{at:.1f} {HIGH}v4" stroke="{FAINT}" fill="none"/>')
        anchor = "end" if at > LEGEND.wide - 12 else "middle"
        said = f"{TICK * k:g} s" if k == 0 else f"{TICK * k:g}"
        pieces.append(letters(min(at, LEGEND.wide - 1), HIGH + 15, said, size=10.5, paint=FAINT, anchor=anchor))
    return svg(pieces, (0, 0, LEGEND.wide, HIGH + FOOT), describe or f"a signal of {len(trace)} samples")


def written(example: Mapping[str, Any]) -> str:  # noqa: ARG001
    """Nothing to copy."""
    return ""


def part_name(example: Mapping[str, Any], sample: int) -> str:
    return f"sample {sample}, {sample / example['rate']:.2f} s"


def _short(number: float) -> str:
    return f"{number:.1f}".replace("-", "−")
