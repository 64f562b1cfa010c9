"""Pictures as pictures: the pixels are the example's own, heat lies where its value does, the line round the shape."""

import re

import numpy as np

from attar.core.heat import OUTLINE, SUPPORTS, channels
from attar.core.svg import PNG, outline, unpacked
from attar.domains.images.domain import Images
from attar.domains.images.draw import SIDE, heat_map, part_name

IMAGES = Images(side=24)
SCENE = IMAGES.planter.background(np.random.default_rng(0))
SHOWN = IMAGES.as_json(SCENE)


def panels(svg: str) -> list[np.ndarray]:
    return [unpacked(address) for address in re.findall(rf'href="({PNG}[^"]*)"', svg)]


def test_the_record_holds_what_the_model_sees() -> None:
    pixels = unpacked(SHOWN["pixels"]).transpose(2, 0, 1) / 255
    assert np.abs(pixels - np.clip(SCENE.array, 0, 1)).max() <= 0.5 / 255 + 1e-6
    assert (SHOWN["height"], SHOWN["width"]) == (24, 24)


def test_heat_lies_where_its_value_does_and_elsewhere_all_is_grey() -> None:
    values = np.zeros((24, 24))
    values[5, 17] = 1.0
    seen, heat = panels(heat_map(SHOWN, values.ravel().tolist(), scale=1.0))
    assert (seen == unpacked(SHOWN["pixels"])).all()
    assert tuple(heat[5, 17].tolist()) == channels(SUPPORTS)
    assert np.argwhere(heat.max(2) != heat.min(2)).tolist() == [[5, 17]]
    assert part_name(SHOWN, 5 * 24 + 17) == "row 5, column 17"


def test_the_line_goes_round_the_rules_pixels_in_both_panels() -> None:
    """An L of three pixels has eight sides, none between two of them."""
    mask = np.zeros((24, 24), dtype=bool)
    mask[2, 3] = mask[3, 3] = mask[3, 4] = True
    svg = heat_map(SHOWN, [0.0] * 576, scale=1.0, outlined=np.flatnonzero(mask).tolist())
    lines = re.findall(rf'<path d="([^"]*)"[^>]*stroke="{OUTLINE}"', svg)
    assert [line.count("M") for line in lines] == [8, 8]
    cell = SIDE / 24
    x, y = (np.array([float(n) for n in re.findall(p, lines[0])]) / cell for p in (r"M([\d.]+)", r"M[\d.]+ ([\d.]+)"))
    assert (x.min(), y.min()) == (np.round(3.0 * cell, 1) / cell, np.round(2.0 * cell, 1) / cell)
    assert x.max() < 5.1
    assert y.max() < 4.1


def test_a_shape_at_the_border_is_closed() -> None:
    line = outline(np.ones((2, 3), dtype=bool), (0, 0, 30, 20))
    assert line.count("M0.0 0.0") == 4  # its corner begins one side down and one along, in white and in dark
    assert line.count("v10") == 2 * 4
    assert line.count("h10") == 2 * 6
    assert outline(np.zeros((2, 3), dtype=bool), (0, 0, 30, 20)) == ""
