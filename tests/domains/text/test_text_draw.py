"""Texts as pictures: words in their order on their colours, none over another, the fill left out."""

import re
from itertools import pairwise

from attar.core.heat import OUTLINE, colour
from attar.domains.text.draw import LEGEND, heat_map, written
from attar.domains.text.words import PAD

EXAMPLE = ("the", "colour", "is", "red", ".", *("delivery",) * 12, ".", PAD, PAD)


def boxes(svg: str) -> list[tuple[float, float, float, str, str]]:
    """Left, top, width, colour and title of each word."""
    found = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"[^>]*fill="(#\w+)"><title>([^<]*)<', svg)
    return [(float(x), float(y), float(wide), paint, said) for x, y, wide, paint, said in found]


def test_words_stand_in_order_each_on_its_colour() -> None:
    values = [k / 20 for k in range(len(EXAMPLE))]
    svg = heat_map(EXAMPLE, values, scale=1.0)
    assert re.findall(r'textLength="[\d.]+">([^<]*)<', svg) == [word for word in EXAMPLE if word != PAD]
    assert [paint for *_, paint, _ in boxes(svg)] == [colour(v, 1.0) for v in values[:-2]]
    assert boxes(svg)[3][4] == "“red”, word 3: +0.15"


def test_no_word_lies_over_another_or_runs_out() -> None:
    placed = sorted((y, x, x + wide) for x, y, wide, _, _ in boxes(heat_map(EXAMPLE, [0.0] * 20, scale=1.0)))
    assert len({y for y, _, _ in placed}) > 1
    for (y, _, end), (below, begin, _) in pairwise(placed):
        assert y < below or end < begin
    assert max(end for _, _, end in placed) <= LEGEND.wide


def test_a_stop_never_begins_a_line() -> None:
    for count in range(1, 40):
        text = (*("delivery",) * count, ".")
        assert boxes(heat_map(text, [0.0] * len(text), scale=1.0))[-1][0] > 0


def test_the_rules_words_are_underlined() -> None:
    svg = heat_map(EXAMPLE, [0.0] * 20, scale=1.0, outlined=[1, 3])
    lines = [tuple(map(float, ends)) for ends in re.findall(rf'M([\d.]+) [\d.]+H([\d.]+)" stroke="{OUTLINE}"', svg)]
    words = [(x, round(x + wide, 1)) for x, _, wide, _, _ in boxes(svg)]
    assert lines == [words[1], words[3]]


def test_what_is_copied_has_no_fill() -> None:
    assert written(("colour", "red", ".", PAD)) == "colour red ."
