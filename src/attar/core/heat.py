"""The colours of attribution, the same in every picture: warm supports the target, cool speaks against it, white is 0.

The ends of a scale lie equally far from 0. The two colours are told apart by every common kind of colour vision, and
black letters keep a contrast of 7 on both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

AGAINST, ZERO, SUPPORTS = "#5aa5da", "#ffffff", "#f08a4b"
INK, OUTLINE, AROUND, FAINT = "#111111", "#1f2937", "#a3a9b3", "#5b6472"  # FAINT is the faintest that letters may be
DARKEST = 0.65  # grey of black, where a scene lies under its heat
DENSE, SATURATED = 1000, 0.995


@dataclass(frozen=True, kw_only=True)
class Legend:
    """How a domain's pictures are read: what is seen (`how`), what marks the parts that a rule names (`marked`, a
    sentence, and `mark`, its sign), and how `wide` they are, in pixels."""

    wide: int
    mark: Literal["outline", "underline"]
    marked: str
    how: str = ""


def colour(value: float, scale: float) -> str:
    """A value's colour, linear from white at 0 to the full colour at ±scale and beyond; white where scale is 0."""
    strength = 0.0 if scale == 0 else min(1.0, abs(value) / scale)
    mixed = zip(channels(ZERO), channels(SUPPORTS if value > 0 else AGAINST), strict=True)
    return "#" + "".join(f"{round(zero + strength * (full - zero)):02x}" for zero, full in mixed)


def coloured(values: np.ndarray, scale: float) -> UInt8[np.ndarray, "*grid channels"]:
    """The same for an array of values."""
    strength = _strength(values, scale)[..., None]
    full = np.where((values > 0)[..., None], channels(SUPPORTS), channels(AGAINST))
    return np.rint(np.array(channels(ZERO)) + strength * (full - np.array(channels(ZERO)))).astype(np.uint8)


def over(
    grey: Float[np.ndarray, "height width"], values: Float[np.ndarray, "height width"], scale: float
) -> UInt8[np.ndarray, "height width channels"]:
    """Values over a scene whose brightness (0 to 1) is seen where they are weak: as paint, the stronger the denser."""
    ground = 255 * (DARKEST + (1 - DARKEST) * np.clip(grey, 0, 1))[..., None]
    full = np.where((values > 0)[..., None], channels(SUPPORTS), channels(AGAINST))
    strength = _strength(values, scale)[..., None]
    return np.rint(ground + strength * (full - ground)).astype(np.uint8)


def shared_scale(values: Iterable[Sequence[float | None]]) -> float:
    """One symmetric scale for pictures side by side: the largest distance from 0 among all parts of all examples.

    Where they have more than `DENSE` parts each (pixels, voxels), the distance that 99.5% of the parts stay below: a
    few extreme ones would leave all others white.
    """
    known = [[abs(v) for v in each if v is not None] for each in values]
    whole = [size for each in known for size in each]
    if not whole:
        return 0.0
    dense = len(whole) > DENSE * len(known)
    return float(np.quantile(whole, SATURATED)) if dense else max(whole)


def channels(paint: str) -> tuple[int, ...]:
    """Red, green and blue, 0 to 255."""
    return tuple(int(paint[a:b], 16) for a, b in pairwise((1, 3, 5, 7)))


def _strength(values: np.ndarray, scale: float) -> np.ndarray:
    return np.clip(np.abs(values) / scale, 0, 1) if scale else np.zeros(values.shape)
