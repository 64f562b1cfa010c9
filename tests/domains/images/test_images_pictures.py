"""Made pictures: what the words mean, in pixels, and what does not tell them."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from attar.core.errors import InputError
from attar.core.motif import Motif
from attar.core.rule import Path, explanations
from attar.core.scene import Scene
from attar.domains.images.control import edge_strength
from attar.domains.images.domain import Images
from attar.domains.images.perturb import PictureMaker
from attar.domains.images.picture import ACROSS, BACKDROPS, COLOURS, SHAPES, TEXTURES, Backdrop, Shape
from attar.domains.images.truth import FINDER, describe, read_rule

SIDE = 32
GRASS = Backdrop(grid=(SIDE, SIDE), seed=1, kind="grass")


def shape(corner: tuple[int, int] = (4, 5), **fields: object) -> Shape:
    given = {
        "shape": "circle", "colour": "red", "texture": "plain", "size": "small", "across": 7, "light": 1.0,
        "slanted": False,
    }  # fmt: skip
    return Shape(grid=(SIDE, SIDE), corner=corner, **(given | fields))  # type: ignore[arg-type]


def flat(one: Shape) -> np.ndarray:
    """Its channels in the pixels that it covers."""
    canvas = np.full((3, one.across, one.across), np.nan)
    one.draw(canvas)
    np.testing.assert_array_equal(np.isnan(canvas).all(0), ~one.stamp)
    return canvas[:, one.stamp]


# --- shapes ---


@pytest.mark.parametrize("across", sorted({n for sizes in ACROSS.values() for n in sizes}))
def test_shapes_are_as_they_are_called(across: int) -> None:
    stamps = {name: shape(shape=name, across=across).stamp for name in SHAPES}
    for stamp in stamps.values():
        assert stamp.shape == (across, across)
        assert stamp.any(0).all()
        assert stamp.any(1).all()
        np.testing.assert_array_equal(stamp, stamp[:, ::-1])  # each is the same from left and right
    middle = across // 2
    assert stamps["square"].all()
    assert not stamps["circle"][0, 0]
    assert stamps["circle"][middle, middle]
    assert not stamps["ring"][middle, middle]
    assert (stamps["ring"] <= stamps["circle"]).all()
    assert (np.diff(stamps["triangle"].sum(1)) >= 0).all()
    assert stamps["triangle"][0].sum() <= 2
    assert stamps["triangle"][-1].all()
    np.testing.assert_array_equal(stamps["cross"], stamps["cross"].T)
    assert not stamps["cross"][0, 0]
    assert stamps["cross"][middle].all()


def test_brightness_tells_neither_colour_nor_texture_nor_backdrop() -> None:
    for name, texture, colour, slanted in product(SHAPES, TEXTURES, COLOURS, (False, True)):
        drawn = flat(shape(shape=name, texture=texture, colour=colour, slanted=slanted))
        assert drawn.mean() == pytest.approx(0.3, abs=0.005)
    means = {kind: np.mean([backdrop(kind, seed).mean() for seed in range(200)]) for kind in BACKDROPS}
    assert max(means.values()) - min(means.values()) < 0.02


def backdrop(kind: str, seed: int) -> np.ndarray:
    return replace(GRASS, kind=kind, seed=seed).draw()[0]


def test_textures_differ_and_turn() -> None:
    for across in (6, 9):
        drawn = [flat(shape(shape="square", texture=texture, across=across)) for texture in TEXTURES]
        assert len({one.tobytes() for one in drawn}) == len(TEXTURES)
        assert np.ptp(drawn[0], axis=1).max() < 1e-12
        assert all(np.ptp(one, axis=1).max() > 0.2 for one in drawn[1:])
    upright = shape(shape="square", texture="striped")
    canvas, turned = np.zeros((3, 7, 7)), np.zeros((3, 7, 7))
    upright.draw(canvas)
    replace(upright, slanted=True).draw(turned)
    np.testing.assert_array_equal(turned, canvas.transpose(0, 2, 1))
    assert not np.array_equal(turned, canvas)


@pytest.mark.parametrize(
    ("corner", "place"),
    [
        ((2, 2), {"left", "top"}),
        ((12, 12), {"centre"}),
        ((23, 12), {"bottom"}),
        ((12, 23), {"right"}),
        ((7, 14), {"top"}),  # its middle is at 10.5 of 32, in the first third
        ((8, 14), {"centre"}),  # at 11.5
        ((14, 17), {"centre"}),  # at 20.5
        ((14, 18), {"right"}),  # at 21.5, in the last
    ],
)
def test_a_place_is_where_the_middle_is(corner: tuple[int, int], place: set[str]) -> None:
    assert shape(corner).words == {"red", "circle", "plain", "small"} | place


# --- motifs ---


def test_words_stand_in_any_order_and_a_background_by_itself() -> None:
    picture = Scene(GRASS, (shape(), shape((20, 12), colour="blue", shape="ring", texture="striped")))
    assert [m.parts for m in FINDER.find(Motif("top small red circle"), picture)] == [picture.things[0].parts]
    assert FINDER.find(Motif("circle red bottom"), picture) == []
    assert [m.parts for m in FINDER.find(Motif("grass background", "there"), picture)] == [picture.bare]
    assert FINDER.find(Motif("snow background"), picture) == []
    rule = read_rule('has("grass background") and not has("green")')
    assert explanations(rule, FINDER, picture).alternatives == (picture.bare,)
    (path,) = FINDER.find_paths(Path(Motif("ring", "x"), Motif("red", "y"), 9, 9), picture)  # rows 11 to 19
    assert path.parts == picture.things[0].parts | picture.things[1].parts
    assert path.named == {"x": picture.things[1].parts, "y": picture.things[0].parts}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('has("red snow background")', '"red snow background" gives a background what only a thing has'),
        ('has("background")', '"background" is no word for this'),
        ('has("pink background")', '"pink background" is no word for this'),
        ('has("left top")', '"left top" says two words of place, left and top'),
        ('has("red blue")', '"red blue" says two words of colour, red and blue'),
        ('has("Red")', '"Red" is no word for this: write size (small, large)'),
        ('has("  ")', '"  " says nothing'),
        ('path("red", "snow background", 1, 2)', '"snow background" is a background: say it by has'),
    ],
)
def test_a_motif_that_cannot_be_read_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_rule(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_groups_are_described_by_up_to_three_words() -> None:
    names = describe(shape((12, 12)))
    assert {"small", "red circle", "small plain red", "circle centre", "plain red centre"} <= set(names)
    assert len(names) == len(set(names)) == 5 + 10 + 10  # of five words: one, two or three of them
    assert describe(GRASS) == ("grass background",)


# --- edits ---


def test_another_backdrop_leaves_the_shapes_as_they_are() -> None:
    domain, generator = Images(), np.random.default_rng(2)
    picture = Scene(GRASS, (shape(), shape((20, 20), colour="blue", across=10, size="large")))
    snowy = domain.planter.plant(picture, Motif("snow background"), generator)
    assert snowy is not None
    assert snowy.things == picture.things
    covered = list(set(range(SIDE**2)) - picture.bare)
    before, after = (p.array.reshape(3, -1) for p in (picture, snowy))
    np.testing.assert_array_equal(before[:, covered], after[:, covered])
    assert (before != after).any(0).sum() == len(picture.bare)
    assert domain.planter.plant(snowy, Motif("snow background"), generator) is None
    (match,) = domain.finder.find(Motif("snow background"), snowy)
    kinds = {domain.planter.remove(snowy, match, generator).ground.words for _ in range(30)}
    assert kinds == {frozenset({"sky background"}), frozenset({"grass background"})}
    after = domain.planter.remove(snowy, match, generator).array.reshape(3, -1)
    np.testing.assert_array_equal(before[:, covered], after[:, covered])


def test_a_described_shape_is_drawn_as_described_and_the_rest_varies() -> None:
    generator, maker = np.random.default_rng(0), PictureMaker()
    made = [maker.thing(generator, FINDER.read("large striped ring")) for _ in range(200)]
    assert {(one.size, one.texture, one.shape) for one in made} == {("large", "striped", "ring")}
    assert {one.colour for one in made} == set(COLOURS)
    assert {one.across for one in made} == set(ACROSS["large"])
    assert {one.shape for one in (maker.thing(generator) for _ in range(200))} == set(SHAPES)


@pytest.mark.parametrize("side", [0, 15])
def test_a_picture_that_is_too_small_is_refused(side: int) -> None:
    with pytest.raises(InputError, match=f"^side is {side}, expected at least 16 pixels"):
        _ = Images(side=side).planter


# --- the control ---


def test_edges_are_where_the_picture_changes() -> None:
    class Step(Scene):
        array = np.zeros((3, 6, 6), dtype=np.float32)

    Step.array[1, :, 3:] = 1
    strength = edge_strength(Step(GRASS)).reshape(6, 6)
    np.testing.assert_allclose(strength[:, [2, 3]], 0.5)
    np.testing.assert_array_equal(strength[:, [0, 1, 4, 5]], 0)
    outline = edge_strength(Scene(GRASS, (shape((12, 12), across=10, size="large"),))).reshape(SIDE, SIDE)
    assert outline[12:22, 12:22].mean() > 2 * outline[:10].mean()
