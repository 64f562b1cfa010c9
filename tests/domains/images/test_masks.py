"""Masks beside pictures, and pictures without what they show."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import attar
from attar.domains.images.masks import painted_over, read_mask
from attar.domains.images.read import size_of


def saved(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels.astype(np.uint8)).save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return saved(tmp_path / "photo.png", np.full((20, 30, 3), 90))


def test_what_is_brighter_than_half_is_there(tmp_path: Path, photo: Path) -> None:
    grey = np.zeros((20, 30))
    grey[3:7, 5:9], grey[10, 10], grey[11, 11] = 255, 128, 127
    there = read_mask(saved(tmp_path / "mask.png", grey), photo)
    assert there.sum() == 17
    assert there[10, 10]
    assert not there[11, 11]


@pytest.mark.parametrize(
    ("grey", "words"),
    [
        (np.eye(20) * 255, "mask of 20 x 20 pixels for a picture of 20 x 30: save it in the picture's size"),
        (np.zeros((20, 30)), "nowhere brighter than half"),
        (np.full((20, 30), 255), "brighter than half everywhere"),
    ],
)
def test_masks_that_say_nothing_are_refused(tmp_path: Path, photo: Path, grey: np.ndarray, words: str) -> None:
    with pytest.raises(attar.InputError, match=words):
        read_mask(saved(tmp_path / "mask.png", grey), photo)


def test_the_size_is_that_of_the_picture_as_its_camera_held_it(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    path = saved(tmp_path / "turned.jpg", np.zeros((20, 30, 3)), exif=turned)
    assert size_of(path) == (30, 20)
    there = np.zeros((30, 20))
    there[5, 5] = 255
    assert read_mask(saved(tmp_path / "mask.png", there), path)[5, 5]
    assert size_of(saved(tmp_path / "plain.jpg", np.zeros((20, 30, 3)))) == (20, 30)


def test_a_size_is_asked_of_pictures_only(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(attar.InputError, match="no picture that can be opened"):
        size_of(tmp_path / "text.png")


def test_stripes_go_on_where_an_animal_was() -> None:
    stripes = np.tile(np.repeat([0.2, 0.8], 2), (3, 16, 5)).astype(np.float32)  # each two pixels wide
    gone = np.zeros((16, 20), dtype=bool)
    gone[:, 8:12] = True
    animal = np.where(gone, 0.5, stripes)
    painted = painted_over(animal, gone)
    assert np.array_equal(painted[:, ~gone], stripes[:, ~gone])
    # Columns 8 and 9 mirror at column 7: they are 6 and 5. Columns 10 and 11 mirror at 12: they are 14 and 13.
    for column, like in {8: 6, 9: 5, 10: 14, 11: 13}.items():
        assert np.array_equal(painted[:, :, column], stripes[:, :, like])


def test_nothing_of_the_animal_stays_however_large_it_is() -> None:
    ground = np.random.default_rng(0).uniform(0, 0.4, (3, 40, 40))
    gone = np.zeros((40, 40), dtype=bool)
    gone[2:39, 1:40] = True
    painted = painted_over(np.where(gone, 0.9, ground), gone)
    assert painted.max() <= 0.4
    assert np.isin(painted[0][gone], ground[0][~gone]).all()


def test_nothing_to_paint_with_is_refused() -> None:
    with pytest.raises(attar.InputError, match="nothing is left to paint it over with"):
        painted_over(np.zeros((3, 4, 4)), np.ones((4, 4), dtype=bool))
