"""Sequences as pictures: which letter is where, the strand below, and the line under what the rule names."""

import re

from attar.core.heat import OUTLINE, colour
from attar.domains.sequences.draw import CELL, LEFT, LINE, heat_map

EXAMPLE = "ACGTN" * 8  # a line and a third


def grounds(svg: str) -> list[tuple[float, float, str, str]]:
    """Where each cell is, its colour and its title."""
    found = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)"[^>]*fill="(#\w+)"><title>([^<]*)</title>', svg)
    return [(float(x), float(y), paint, said) for x, y, paint, said in found]


def test_a_letter_stands_on_its_colour() -> None:
    values = [k / 40 for k in range(40)]
    cells = grounds(heat_map(EXAMPLE, values, scale=1.0))
    assert [paint for _, _, paint, _ in cells] == [colour(v, 1.0) for v in values]
    assert cells[7][3] == "G at 7: +0.17"
    assert {y for _, y, _, _ in cells[:LINE]} != {y for _, y, _, _ in cells[LINE:]}


def test_the_other_strand_pairs_letter_by_letter() -> None:
    lines = re.findall(r'text-anchor="middle" fill="#\w+">([ACGTN]+)<', heat_map(EXAMPLE, [0.0] * 40, scale=1.0))
    for upper, lower in zip(lines[::2], lines[1::2], strict=True):
        assert {a + b for a, b in zip(upper, lower, strict=True)} <= {"AT", "TA", "CG", "GC", "NN"}
    assert "".join(lines[::2]) == EXAMPLE


def test_a_line_runs_under_the_rules_letters_and_goes_on_below() -> None:
    svg = heat_map(EXAMPLE, [0.0] * 40, scale=1.0, outlined=[2, 3, 28, 29, 30, 31])
    lines = [tuple(map(float, found)) for found in re.findall(rf'M([\d.]+) ([\d.]+)H([\d.]+)" stroke="{OUTLINE}"', svg)]
    spans = [(round((a - LEFT) / CELL), round((b - LEFT) / CELL)) for a, _, b in lines]
    assert spans == [(2, 4), (28, 30), (0, 2)]
    assert lines[0][1] == lines[1][1] < lines[2][1]


def test_lines_are_numbered_by_their_first_position() -> None:
    assert re.findall(r'text-anchor="end">(\d+)<', heat_map(EXAMPLE, [0.0] * 40, scale=1.0)) == ["0", str(LINE)]
