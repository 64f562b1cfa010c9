"""Made volumes: what the words mean, in voxels, and what does not tell them."""

from itertools import product

import numpy as np
import pytest

from attar.core.errors import InputError
from attar.core.motif import Motif
from attar.core.scene import Scene
from attar.domains.volumes.control import local_contrast
from attar.domains.volumes.domain import Volumes
from attar.domains.volumes.perturb import VolumeMaker
from attar.domains.volumes.truth import FINDER, describe, read_rule
from attar.domains.volumes.volume import BODIES, EXTENTS, THRESHOLD, TONES, Body, Field

SIDE = 16
FIELD = Field(grid=(SIDE,) * 3, seed=1)


def body(name: str = "blob", size: str = "large", tone: str = "bright", corner: tuple[int, ...] = (4, 4, 4)) -> Body:
    return Body(grid=(SIDE,) * 3, corner=corner, body=name, size=size, tone=tone, amplitude=1.0)


def drawn(one: Body) -> np.ndarray:
    canvas = np.zeros((1, *one.stamp.shape))
    one.draw(canvas)
    return canvas[0]


# --- bodies ---


@pytest.mark.parametrize("size", ["small", "large"])
def test_bodies_are_as_they_are_called(size: str) -> None:
    blob, shell, plate, rod = (body(name, size).stamp for name in BODIES)
    for stamp in (blob, shell):
        middle = (stamp.shape[0] - 1) // 2
        assert stamp[middle, middle, middle] == (stamp is blob)
        assert not stamp[0, 0, 0]
        for turned in (stamp[::-1], stamp.transpose(1, 2, 0), stamp.transpose(0, 2, 1)):
            np.testing.assert_array_equal(turned, stamp)
    assert plate.all()
    assert rod.all()
    assert plate.shape[1] < plate.shape[0] == plate.shape[2]  # it lies
    assert rod.shape[1] > rod.shape[0] == rod.shape[2]  # it stands
    for name in BODIES:
        stamp = body(name, size).stamp
        assert all(stamp.any(axis=axes).all() for axes in ((1, 2), (0, 2), (0, 1)))  # it touches its box


def test_a_shell_is_closed_around_a_hollow() -> None:
    for size in ("small", "large"):
        shell = body("shell", size).stamp
        hollow = ~shell
        reached = np.zeros_like(hollow)
        reached[0, 0, 0] = True
        for _ in range(20):  # what can be reached from outside, face by face
            grown = np.pad(reached, 1, constant_values=True)
            near = [np.roll(grown, step, axis)[1:-1, 1:-1, 1:-1] for step in (1, -1) for axis in range(3)]
            reached = hollow & np.logical_or.reduce([reached, *near])
        assert (hollow & ~reached).sum() >= 8


def test_tones_are_opposite_and_clear_of_the_field() -> None:
    for name, size in product(BODIES, ("small", "large")):
        bright, dark = (drawn(body(name, size, tone)) for tone in TONES)
        np.testing.assert_array_equal(bright, -dark)
        assert bright[body(name, size).stamp].min() * 0.8 > THRESHOLD


def test_size_is_more_of_the_same_and_bodies_are_about_as_large() -> None:
    voxels = {(name, size): int(body(name, size).stamp.sum()) for name in BODIES for size in ("small", "large")}
    for size, (least, most) in {"small": (45, 60), "large": (80, 105)}.items():
        assert all(least <= voxels[name, size] <= most for name in BODIES)


@pytest.mark.parametrize(
    ("corner", "place"),
    [
        ((1, 1, 1), {"front", "top", "left"}),
        ((10, 10, 10), {"back", "bottom", "right"}),
        ((5, 1, 6), {"front", "top", "right"}),  # middles at 7.5 and 8.5 of 16
        ((6, 6, 5), {"back", "bottom", "left"}),
    ],
)
def test_a_place_is_where_the_middle_is(corner: tuple[int, ...], place: set[str]) -> None:
    assert body(corner=corner).words == {"blob", "large", "bright"} | place


def test_a_place_can_be_said_along_each_axis() -> None:
    volume = Scene(FIELD, (body(corner=(1, 1, 1)), body("rod", corner=(10, 3, 10))))
    found = FINDER.find(Motif("back right large rod bright"), volume)
    assert [match.parts for match in found] == [volume.things[1].parts]
    assert FINDER.find(Motif("front right"), volume) == []
    assert len(describe(volume.things[0])) == 6 + 15 + 20  # of six words: one, two or three of them


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('has("left right")', '"left right" says two words of width, left and right'),
        ('has("edge")', '"edge" is no word for this: write size (small, large), tone (bright, dark)'),
        ('has("bright dark")', '"bright dark" says two words of tone'),
        ('has("centre")', '"centre" is no word for this'),
    ],
)
def test_a_motif_that_cannot_be_read_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_rule(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


# --- volumes ---


def test_the_field_is_smooth_and_the_noise_is_over_it() -> None:
    smooth, noise = FIELD.draw()
    assert smooth.shape == noise.shape == (1, SIDE, SIDE, SIDE)
    steps = [np.abs(np.diff(values[0], axis=0)).mean() / values.std() for values in (smooth, noise)]
    assert steps[0] < 0.3 < 0.6 < steps[1]
    np.testing.assert_array_equal(FIELD.draw()[1], noise)
    assert not np.array_equal(Field(grid=FIELD.grid, seed=2).draw()[0], smooth)


def test_a_described_body_is_drawn_as_described_and_the_rest_varies() -> None:
    generator, maker = np.random.default_rng(0), VolumeMaker()
    made = [maker.thing(generator, FINDER.read("dark shell left")) for _ in range(100)]
    assert {(one.tone, one.body) for one in made} == {("dark", "shell")}
    assert {one.size for one in made} == set(EXTENTS["shell"])


@pytest.mark.parametrize("side", [0, 11])
def test_a_volume_that_is_too_small_is_refused(side: int) -> None:
    with pytest.raises(InputError, match=f"^side is {side}, expected at least 12 voxels"):
        _ = Volumes(side=side).planter


# --- the control ---


def test_contrast_is_local_and_knows_neither_offset_nor_sign() -> None:
    class Point(Scene):
        array = np.zeros((1, SIDE, SIDE, SIDE), dtype=np.float32)

    Point.array[0, 8, 8, 8] = 1
    contrast = local_contrast(Point(FIELD)).reshape((SIDE,) * 3)
    assert contrast[7:10, 7:10, 7:10].min() > 10 * np.delete(contrast.ravel(), 0).mean()
    Point.array[0] = 3 - Point.array[0]
    np.testing.assert_allclose(local_contrast(Point(FIELD)).reshape((SIDE,) * 3), contrast, atol=1e-6)
