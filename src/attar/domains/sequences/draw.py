"""Sequences as pictures: letters on the colour of their value, the other strand below them."""

from collections.abc import Collection, Sequence

from attar.core.errors import InputError
from attar.core.heat import FAINT, INK, Legend, colour
from attar.core.svg import MONOSPACED, ground, letters, runs, signed, svg, underline

LEGEND = Legend(
    wide=344,
    mark="underline",
    marked="The line under letters marks the positions that the rule names.",
    how="The upper letters run from 5′ to 3′, the grey ones below are the other strand; positions are counted from 0.",
)
LINE = 30  # letters
CELL, HIGH, PITCH, LEFT = 10.5, 17, 45, 28  # pixels: of a letter, and from one line to the next
OTHER = str.maketrans("ACGT", "TGCA")


def heat_map(
    example: str, values: Sequence[float], *, scale: float, outlined: Collection[int] = (), describe: str = ""
) -> str:
    """The sequence in lines, each letter on its colour, the `outlined` positions underlined.

    Raises `InputError` for another number of values than letters.
    """
    if len(values) != len(example):
        raise InputError(f"there are {len(values)} values for the {len(example)} letters of a sequence")
    pieces = []
    for place, value in enumerate(values):
        x, y = _at(place)
        pieces.append(ground((x, y, CELL, HIGH), colour(value, scale), f"{part_name(example, place)}: {signed(value)}"))
    lines = range(0, len(example), LINE)
    for begin in lines:
        line, (_, y) = example[begin : begin + LINE], _at(begin)
        pieces += [letters(LEFT - 5, y + 13, f"{begin}", size=10, paint=FAINT, anchor="end")]
        pieces += [_spread(line, y + 13, INK), _spread(line.translate(OTHER), y + 33, FAINT)]
    for run in runs(outlined):
        for begin in lines:
            if inside := [place for place in run if begin <= place < begin + LINE]:
                (first, y), (last, _) = _at(inside[0]), _at(inside[-1])
                pieces.append(underline(first, last + CELL, y + HIGH + 2.5))
    return svg(pieces, (0, 0, LEGEND.wide, PITCH * len(lines)), describe or example)


def written(example: str) -> str:
    """What may be copied."""
    return example


def part_name(example: str, place: int) -> str:
    return f"{example[place]} at {place}"


def _at(place: int) -> tuple[float, float]:
    return LEFT + CELL * (place % LINE), 2 + PITCH * (place // LINE)


def _spread(line: str, y: float, paint: str) -> str:
    """A letter to a cell."""
    at = " ".join(f"{LEFT + CELL * (k + 0.5):.1f}" for k in range(len(line)))
    style = f'font-family="{MONOSPACED}" font-size="12.5" text-anchor="middle" fill="{paint}"'
    return f'<text x="{at}" y="{y:.1f}" {style}>{line}</text>'
