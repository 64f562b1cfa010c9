"""Texts as pictures: words on the colour of their value."""

from collections.abc import Collection, Sequence
from html import escape

from attar.core.errors import InputError
from attar.core.heat import INK, Legend, colour
from attar.core.svg import MONOSPACED, ground, signed, svg, underline
from attar.domains.text.words import PAD, STOPS

LEGEND = Legend(wide=344, mark="underline", marked="The line under a word marks what the rule names.")
LETTER, SIZE, HIGH, PITCH, GAP, MARGIN = 7.23, 12, 19, 27, 5, 2  # pixels; a monospaced letter is 0.602 of its size wide


def heat_map(
    example: Sequence[str],
    values: Sequence[float],
    *,
    scale: float,
    outlined: Collection[int] = (),
    describe: str = "",
) -> str:
    """The words in lines, each on its colour, the `outlined` ones underlined. What only fills up is not drawn.

    Raises `InputError` for another number of values than words.
    """
    if len(values) != len(example):
        raise InputError(f"there are {len(values)} values for the {len(example)} words of a text")
    pieces, x, y = [], 0.0, 2.0
    for place, (word, value) in enumerate(zip(example, values, strict=True)):
        if word == PAD:
            continue
        wide = LETTER * len(word) + 2 * MARGIN
        if x + wide > LEGEND.wide - (0 if word in STOPS else GAP + LETTER + 2 * MARGIN):  # a stop stays with its word
            x, y = 0.0, y + PITCH
        pieces.append(ground((x, y, wide, HIGH), colour(value, scale), f"{part_name(example, place)}: {signed(value)}"))
        style = f'font-family="{MONOSPACED}" font-size="{SIZE}" fill="{INK}" textLength="{wide - 2 * MARGIN:.1f}"'
        pieces.append(f'<text x="{x + MARGIN:.1f}" y="{y + 13.5:.1f}" {style}>{escape(word)}</text>')
        if place in outlined:
            pieces.append(underline(x, x + wide, y + HIGH + 2))
        x += wide + GAP
    return svg(pieces, (0, 0, LEGEND.wide, y + PITCH), describe or written(example))


def written(example: Sequence[str]) -> str:
    """What may be copied."""
    return " ".join(word for word in example if word != PAD)


def part_name(example: Sequence[str], place: int) -> str:
    return f"“{example[place]}”, word {place}"
