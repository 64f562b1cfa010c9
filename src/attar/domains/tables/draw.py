"""Rows of a table as pictures: a bar for the value of each column."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from attar.core.errors import InputError
from attar.core.heat import AROUND, FAINT, Legend, colour
from attar.core.svg import frame, letters, signed, svg

LEGEND = Legend(
    wide=344,
    mark="outline",
    marked="A frame holds a column that the rule names.",
    how="Each line is a column: what stands in it, and its attribution as a bar: right of the line it supports the "
    "label, left of it it speaks against.",
)
HIGH, NUMBER, UNIT, MIDDLE, LONGEST = 21, 92, 97, 222, 72  # pixels: a line; where a column's number ends, its unit
# begins, a bar begins; and the longest bar


def heat_map(
    example: Sequence[Mapping[str, Any]],
    values: Sequence[float],
    *,
    scale: float,
    outlined: Collection[int] = (),
    describe: str = "",
) -> str:
    """A line for each column (`column`, `value`, `unit`), the `outlined` ones in a frame.

    Raises `InputError` for another number of values than columns.
    """
    if len(values) != len(example):
        raise InputError(f"there are {len(values)} values for the {len(example)} columns of a row")
    pieces, tall = [], HIGH * len(example)
    for k, (cell, value) in enumerate(zip(example, values, strict=True)):
        top, long = HIGH * k, LONGEST * min(1.0, abs(value) / scale) if scale else 0.0
        left = MIDDLE if value > 0 else MIDDLE - long
        pieces += [
            letters(6, top + 15, cell["column"]),
            letters(NUMBER, top + 15, _number(cell["value"], cell["unit"]), anchor="end"),
            letters(UNIT, top + 15, cell["unit"], paint=FAINT, size=11),
            _bar(left, top + 4, long, value, scale),
            letters(LEGEND.wide - 6, top + 15, signed(value), anchor="end"),
        ]
    pieces.append(f'<path d="M{MIDDLE} 0V{tall}" stroke="{AROUND}" fill="none"/>')
    pieces += [frame((1.5, HIGH * k + 1.5, LEGEND.wide - 3, HIGH - 3)) for k in sorted(outlined)]
    return svg(
        pieces, (0, 0, LEGEND.wide, tall), describe or ", ".join(part_name(example, k) for k in range(len(example)))
    )


def _bar(left: float, top: float, long: float, value: float, scale: float) -> str:
    """With an edge in the full colour, to be seen where it is pale."""
    edge = colour(value, abs(value))
    at = f'x="{left:.1f}" y="{top}" width="{long:.1f}" height="{HIGH - 8}"'
    return f'<rect {at} fill="{colour(value, scale)}" stroke="{edge}"/>'


def written(example: Sequence[Mapping[str, Any]]) -> str:  # noqa: ARG001
    """Nothing to copy that the picture does not say."""
    return ""


def part_name(example: Sequence[Mapping[str, Any]], column: int) -> str:
    cell = example[column]
    return f"{cell['column']} = {_number(cell['value'], cell['unit'])} {cell['unit']}"


def _number(value: float, unit: str) -> str:
    """A code is a whole number."""
    return f"{value:.0f}" if unit == "code" else f"{value:.2f}".replace("-", "−")
