"""The colours of attribution: what the legend says, told apart, read on, and the same for numbers and for pixels."""

import numpy as np
import pytest

from attar.core.heat import (
    AGAINST,
    DENSE,
    FAINT,
    INK,
    OUTLINE,
    SUPPORTS,
    ZERO,
    channels,
    colour,
    coloured,
    over,
    shared_scale,
)


def luminance(paint: str) -> float:
    linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in channels(paint)]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_ends_and_the_middle_are_as_the_legend_says() -> None:
    assert [colour(v, 2.0) for v in (-2.0, 0.0, 2.0)] == [AGAINST, ZERO, SUPPORTS] == [AGAINST, "#ffffff", SUPPORTS]
    assert [colour(v, 2.0) for v in (-9.0, 9.0)] == [AGAINST, SUPPORTS]


def test_warm_supports_and_cool_speaks_against() -> None:
    red, _, blue = channels(colour(1.0, 2.0))
    assert red > blue
    red, _, blue = channels(colour(-1.0, 2.0))
    assert blue > red


def test_opposite_values_are_equally_far_from_white() -> None:
    for value in (0.1, 0.5, 1.0):
        for v, end in ((value, SUPPORTS), (-value, AGAINST)):
            ways = [(255 - a) / (255 - b) for a, b in zip(channels(colour(v, 1.0)), channels(end), strict=True)]
            assert ways == pytest.approx([value] * 3, abs=0.04)


def test_letters_can_be_read_on_every_colour() -> None:
    assert min(contrast(INK, colour(v, 1.0)) for v in (-1.0, -0.5, 0.0, 0.5, 1.0)) >= 7


def test_without_a_scale_all_is_white() -> None:
    assert shared_scale([]) == shared_scale([[]]) == shared_scale([[0.0], [None]]) == 0.0
    assert colour(0.0, 0.0) == ZERO


def test_the_scale_is_the_largest_of_all() -> None:
    assert shared_scale([[0.1, -3.0], [2.0, None]]) == 3.0


def test_one_extreme_pixel_does_not_leave_all_others_white() -> None:
    pixels = [1.0] * DENSE + [50.0]
    assert shared_scale([pixels]) == pytest.approx(1.0)
    assert shared_scale([pixels[1:]]) == 50.0  # no more than DENSE of them: each is looked at


def test_faint_letters_can_be_read() -> None:
    assert contrast(FAINT, ZERO) >= 4.5
    assert contrast(OUTLINE, ZERO) >= 4.5


def test_pixels_have_the_colours_of_numbers() -> None:
    values = np.array([[-3.0, -1.0, 0.0], [0.5, 2.0, 9.0]])
    painted = [["#" + bytes(pixel.tolist()).hex() for pixel in row] for row in coloured(values, 2.0)]
    assert painted == [[colour(v, 2.0) for v in row] for row in values.tolist()]


def test_heat_lies_over_grey_the_denser_the_stronger() -> None:
    """A black and a white place: without a value both are grey, with a full one both are its colour."""
    grey = np.array([[0.0, 1.0]])
    bare, full = over(grey, np.zeros((1, 2)), 1.0), over(grey, np.array([[-1.0, 1.0]]), 1.0)
    assert bare[0, 1].tolist() == [255] * 3
    assert len(set(bare[0, 0].tolist())) == 1
    assert 100 < bare[0, 0, 0] < 255
    assert [tuple(pixel) for pixel in full[0].tolist()] == [channels(AGAINST), channels(SUPPORTS)]
