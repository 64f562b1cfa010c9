"""Volumes as pictures: the slices cut what the rule names, and lie as they are said to be looked at."""

import re

import numpy as np
import pytest

from attar.core.heat import OUTLINE, SUPPORTS, channels
from attar.core.svg import PNG, unpacked
from attar.domains.volumes.domain import Volumes
from attar.domains.volumes.draw import heat_map, part_name

VOLUMES = Volumes(side=12)
SCENE = VOLUMES.planter.background(np.random.default_rng(0))
SHOWN = VOLUMES.as_json(SCENE)
GRID = (12, 12, 12)


def panels(svg: str) -> list[np.ndarray]:
    """By view: what is seen, and the heat over it."""
    return [unpacked(address) for address in re.findall(rf'href="({PNG}[^"]*)"', svg)]


def said(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)<", svg)


def test_the_record_holds_the_volume() -> None:
    grey = unpacked(SHOWN["slices"]).reshape(GRID) / 255
    low, high = SHOWN["lowest"], SHOWN["highest"]
    assert low + grey * (high - low) == pytest.approx(SCENE.array[0], abs=0.51 * (high - low) / 255 + 0.002)


def test_the_slices_cut_the_rules_voxels() -> None:
    mask = np.zeros(GRID, dtype=bool)
    mask[2:4, 7, 4:9] = mask[3, 8, 5] = True
    svg = heat_map(SHOWN, [0.0] * 12**3, scale=1.0, outlined=np.flatnonzero(mask).tolist())
    assert said(svg) == ["front: depth 3", "above: height 7", "right: width 5"]
    sides = [line.count("M") for line in re.findall(rf'<path d="([^"]*)"[^>]*stroke="{OUTLINE}"', svg)]
    assert sides == [14, 14, 14, 14, 8, 8]  # 5 voxels and 1 above; 2 x 5; 2 and 1 above


def test_where_the_rule_names_none_they_go_through_the_strongest_values() -> None:
    values = np.zeros(GRID)
    values[9, 2, 6] = -3.0
    assert said(heat_map(SHOWN, values.ravel().tolist(), scale=3.0)) == [
        "front: depth 9", "above: height 2", "right: width 6"
    ]  # fmt: skip


def test_slices_lie_as_they_are_looked_at() -> None:
    """One warm voxel at the front, near the top, on the left: left and up from the front; left and below (the front is
    near) from above; and from the right its front stands on the left."""
    values = np.zeros(GRID)
    values[1, 2, 3] = 1.0
    svg = heat_map(SHOWN, values.ravel().tolist(), scale=1.0)
    warm = [np.argwhere((heat == channels(SUPPORTS)).all(2)).tolist() for heat in panels(svg)[1::2]]
    assert warm == [[[2, 3]], [[11 - 1, 3]], [[2, 1]]]
    grey = unpacked(SHOWN["slices"]).reshape(GRID)
    front, above, right = (seen[..., 0] for seen in panels(svg)[::2])
    assert (front == grey[1]).all()
    assert (above == grey[:, 2][::-1]).all()
    assert (right == grey[:, :, 3].T).all()


def test_a_voxel_is_named_by_its_place() -> None:
    assert part_name(SHOWN, 1 * 144 + 2 * 12 + 3) == "depth 1, height 2, width 3"
