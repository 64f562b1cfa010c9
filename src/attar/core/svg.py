"""Pictures as SVG that stands in any page: nothing is fetched, no scripts, no ids; same input, same bytes."""

from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable
from html import escape
from io import BytesIO

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from attar.core.heat import INK, OUTLINE, ZERO

MONOSPACED = "ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace"
PNG = "data:image/png;base64,"
Box = tuple[float, float, float, float]


def svg(pieces: Iterable[str], box: Box, describe: str) -> str:
    """A picture of the window `box` (left, top, width, height, in pixels); `describe` is what a screen reader says."""
    x, y, width, height = box
    return (
        f'<svg role="img" aria-label="{escape(describe)}" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{x:.1f} {y:.1f} {width:.1f} {height:.1f}">{"".join(pieces)}</svg>'
    )


def signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def letters(x: float, y: float, said: str, *, size: float = 12, paint: str = INK, anchor: str = "start") -> str:
    style = f'font-size="{size:g}" fill="{paint}" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(said)}</text>'


def ground(box: Box, paint: str, title: str = "") -> str:
    """A filled box; the title shows under a pointer."""
    x, y, width, height = box
    said = f"><title>{escape(title)}</title></rect>" if title else "/>"
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{paint}"{said}'


def frame(box: Box) -> str:
    """A dark frame on a white one, to be seen on any ground."""
    x, y, width, height = box
    at = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2" fill="none"'
    return "".join(f'<rect {at} stroke="{paint}" stroke-width="{wide}"/>' for paint, wide in ((ZERO, 4), (OUTLINE, 2)))


def underline(first: float, last: float, y: float) -> str:
    return f'<path d="M{first:.1f} {y:.1f}H{last:.1f}" stroke="{OUTLINE}" stroke-width="2.4" fill="none"/>'


def pixels(array: UInt8[np.ndarray, "height width channels"], box: Box) -> str:
    """Pixels as they are, stretched over the box without smoothing."""
    x, y, width, height = box
    at = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" preserveAspectRatio="none"'
    return f'<image {at} style="image-rendering:pixelated" href="{png(array)}"/>'


def outline(mask: Bool[np.ndarray, "height width"], box: Box) -> str:
    """A dark line on a white one around the cells of the mask, whose grid fills the box."""
    x, y, width, height = box
    tall, wide = width / mask.shape[1], height / mask.shape[0]
    padded = np.pad(mask, 1)
    upright = np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1])  # between a cell and the one on its left
    level = np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1])
    line = "".join(f"M{x + tall * c:.1f} {y + wide * r:.1f}v{wide:.2f}" for r, c in upright.tolist())
    line += "".join(f"M{x + tall * c:.1f} {y + wide * r:.1f}h{tall:.2f}" for r, c in level.tolist())
    if not line:
        return ""
    style = 'fill="none" stroke-linecap="square"'
    strokes = ((ZERO, 3.2), (OUTLINE, 1.6))
    return "".join(f'<path d="{line}" {style} stroke="{paint}" stroke-width="{width}"/>' for paint, width in strokes)


def runs(places: Collection[int]) -> list[range]:
    """Places that follow one another, together."""
    ordered = np.array(sorted(places), dtype=int)
    pieces = np.split(ordered, np.flatnonzero(np.diff(ordered) > 1) + 1)
    return [range(int(piece[0]), int(piece[-1]) + 1) for piece in pieces if len(piece)]


def png(array: UInt8[np.ndarray, "height width *channels"]) -> str:
    """Pixels as a data address, grey or of three or four channels."""
    file = BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(file, format="png", optimize=True)
    return PNG + b64encode(file.getvalue()).decode()


def unpacked(address: str) -> UInt8[np.ndarray, "height width *channels"]:
    """The pixels of such an address."""
    return np.asarray(Image.open(BytesIO(b64decode(address.removeprefix(PNG)))))
