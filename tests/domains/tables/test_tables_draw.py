"""Rows of a table as pictures: a bar on the side of its sign, as long as its value, in the line of its column."""

import re

from attar.core.heat import OUTLINE
from attar.domains.tables.domain import Tables
from attar.domains.tables.draw import HIGH, LONGEST, MIDDLE, heat_map, part_name

ROW = Tables(columns=5).as_json((0.25, -1.5, 2.0, 0.5, 3.0))


def bars(svg: str) -> list[tuple[float, float, float]]:
    """Left, top and length."""
    found = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" [^>]*fill="#', svg)
    return [(float(x), float(y), float(long)) for x, y, long in found]


def test_bars_lie_on_the_side_of_their_sign_and_are_as_long_as_their_value() -> None:
    found = bars(heat_map(ROW, [2.0, -1.0, 0.0, 9.0, -0.5], scale=2.0))
    ends = [(round(x - MIDDLE), round(x + long - MIDDLE)) for x, _, long in found]
    assert ends == [(0, LONGEST), (-LONGEST // 2, 0), (0, 0), (0, LONGEST), (-LONGEST // 4, 0)]
    assert [int(y // HIGH) for _, y, _ in found] == [0, 1, 2, 3, 4]


def test_a_line_says_column_number_unit_and_value() -> None:
    said = re.findall(r"<text[^>]*>([^<]*)<", heat_map(ROW, [2.0, -1.0, 0.0, 0.0, 0.0], scale=2.0))
    assert said[4:8] == ["x2", "−1.50", "sd", "−1.00"]
    assert said[16:19] == ["x5", "3", "code"]
    assert part_name(ROW, 3) == "x4 = 0.50 ratio"


def test_a_frame_holds_the_lines_of_the_rules_columns() -> None:
    svg = heat_map(ROW, [0.0] * 5, scale=1.0, outlined=[1, 4])
    tops = [float(y) for y in re.findall(rf'y="([\d.]+)"[^>]*stroke="{OUTLINE}"', svg)]
    assert [int(y // HIGH) for y in tops] == [1, 4]


def test_without_a_scale_there_are_no_bars() -> None:
    assert {long for _, _, long in bars(heat_map(ROW, [0.0] * 5, scale=0.0))} == {0.0}
