"""Raw rows as pictures: a line for each column that counts, with its value in words and its attribution as a bar."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from attar.core.errors import InputError
from attar.core.heat import AROUND, FAINT, Legend, colour
from attar.core.svg import frame, letters, signed, svg

LEGEND = Legend(
    wide=430,
    mark="outline",
    marked="A frame holds a column that the rule names.",
    how="Each line is a column: its value, and its attribution as a bar: right of the line it supports the label, left "
    "of it it speaks against. Of many columns those farthest from 0 are drawn, and the sum of the others.",
)
MOST = 12  # lines; the rule's columns are always drawn
HIGH, VALUE, MIDDLE, LONGEST = 21, 238, 312, 66  # pixels: a line; where values end, where bars begin, the longest bar
LETTER = 6.6  # pixels, on average


def heat_map(
    example: Sequence[Mapping[str, Any]],
    values: Sequence[float],
    *,
    scale: float,
    outlined: Collection[int] = (),
    describe: str = "",
) -> str:
    """Columns (`column`, `value`) in their order, the `outlined` ones in a frame.

    Raises `InputError` for another number of values than columns.
    """
    if len(values) != len(example):
        raise InputError(f"there are {len(values)} values for the {len(example)} columns of a row")
    drawn = _drawn(values, outlined)
    rest = [values[k] for k in range(len(values)) if k not in drawn]
    pieces: list[str] = []
    for line, k in enumerate(drawn):
        cell = example[k]
        room = VALUE - 12 - LETTER * min(len(cell["value"]), 16)
        pieces += [
            letters(6, HIGH * line + 15, _short(cell["column"], int(room / LETTER))),
            letters(VALUE, HIGH * line + 15, _short(cell["value"], 16), anchor="end"),
            *_bar(HIGH * line, values[k], scale),
        ]
    lines = len(drawn) + bool(rest)
    if rest:
        top = HIGH * len(drawn)
        said = f"{len(rest)} other column{'' if len(rest) == 1 else 's'}, their sum"
        pieces += [letters(6, top + 15, said, paint=FAINT), *_bar(top, sum(rest), scale)]
    pieces.append(f'<path d="M{MIDDLE} 0V{HIGH * lines}" stroke="{AROUND}" fill="none"/>')
    pieces += [
        frame((1.5, HIGH * line + 1.5, LEGEND.wide - 3, HIGH - 3)) for line, k in enumerate(drawn) if k in outlined
    ]
    whole = describe or ", ".join(part_name(example, k) for k in drawn)
    return svg(pieces, (0, 0, LEGEND.wide, HIGH * lines), whole)


def _drawn(values: Sequence[float], outlined: Collection[int]) -> list[int]:
    """The columns that get a line: all of few, else those farthest from 0 and the outlined ones, in their order."""
    if len(values) <= MOST + 1:
        return list(range(len(values)))
    farthest = sorted(range(len(values)), key=lambda k: (-abs(values[k]), k))
    return sorted({*outlined, *farthest[: max(0, MOST - len(outlined))]})


def _bar(top: float, value: float, scale: float) -> list[str]:
    """With an edge in the full colour, to be seen where it is pale; and the number."""
    long = LONGEST * min(1.0, abs(value) / scale) if scale else 0.0
    left = MIDDLE if value > 0 else MIDDLE - long
    at = f'x="{left:.1f}" y="{top + 4}" width="{long:.1f}" height="{HIGH - 8}"'
    painted = f'fill="{colour(value, scale)}" stroke="{colour(value, abs(value))}"'
    return [f"<rect {at} {painted}/>", letters(LEGEND.wide - 6, top + 15, signed(value), anchor="end")]


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: max(1, most - 1)] + "…"


def written(example: Sequence[Mapping[str, Any]]) -> str:
    """The whole row, for what the picture leaves out."""
    return ", ".join(part_name(example, k) for k in range(len(example))) if len(example) > MOST + 1 else ""


def part_name(example: Sequence[Mapping[str, Any]], column: int) -> str:
    cell = example[column]
    missing = cell["value"] == "missing"
    return f"{cell['column']} is missing" if missing else f"{cell['column']} = {cell['value']}"
