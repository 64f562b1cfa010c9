"""Pictures out of files, and the parts of them that a person would name."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import attar
from attar.core.inputs import Tensors
from attar.domains.images.parts import Superpixels
from attar.domains.images.read import Picture, read_picture
from attar.methods.occlusion import Occlusion


@pytest.fixture
def squares() -> torch.Tensor:
    """Red on the left, blue on the right, and a green square in the middle."""
    picture = torch.zeros(1, 3, 48, 48)
    picture[:, 0, :, :24], picture[:, 2, :, 24:] = 1.0, 1.0
    picture[:, :, 16:32, 16:32] = torch.tensor([0.0, 1.0, 0.0])[:, None, None]
    return picture


def test_superpixels_follow_colours(squares: torch.Tensor) -> None:
    patches = Superpixels(count=9).patches(squares[0].numpy())
    assert set(np.unique(patches)) == set(range(patches.max() + 1))
    colours = squares[0].flatten(1).T.numpy()
    mixed = [len(np.unique(colours[patches.ravel() == k], axis=0)) for k in range(patches.max() + 1)]
    assert np.mean(np.array(mixed) == 1) > 0.8


def test_a_picture_of_noise_alone_is_cut_into_squares() -> None:
    noise = torch.rand(3, 40, 48, generator=torch.Generator().manual_seed(0)).numpy()
    patches = Superpixels(count=9).patches(noise)
    assert patches.max() == 8
    assert len({int(n) for n in patches[:13, :16].ravel()}) == 1
    sizes = torch.from_numpy(patches).unique(return_counts=True)[1]
    assert int(sizes.min()) > 0.8 * int(sizes.max())


def test_superpixels_are_a_partition_whatever_stands_beside(squares: torch.Tensor) -> None:
    both = torch.cat([squares, squares.flip(3) * 0.5])
    features = Superpixels(count=9)(Tensors(both))
    share = features.shares["input"]
    assert sorted(share.row.tolist()) == list(range(both.numel()))
    alone = Superpixels(count=9)(Tensors(both[1:]))
    mine = features.owner == 1
    assert alone.names == tuple(np.array(features.names)[mine.numpy()])
    assert "(centre)" in " ".join(features.names)


def test_every_superpixel_lies_in_its_own_picture_and_is_called_by_its_place() -> None:
    both = torch.full((2, 3, 48, 48), 0.2)
    both[0, :, 2:14, 34:46] = 1.0  # a bright square at the top right of the one, at the bottom left of the other
    both[1, :, 34:46, 2:14] = 1.0
    features = Superpixels(count=9)(Tensors(both))
    share, each = features.shares["input"], both[0].numel()
    assert torch.equal(features.owner[share.feature], share.row // each)
    found = attar.attribute(
        lambda x: (x > 0.5).flatten(1).double().sum(1, keepdim=True).float(),
        both,
        Occlusion(by=Superpixels(count=9)),
        attar.Logit(0),
    )
    assert [found.ranked(k)[0][0].partition("(")[2] for k in range(2)] == ["top right)", "bottom left)"]
    assert [found.ranked(k)[0][1] for k in range(2)] == [432.0, 432.0]


def test_a_part_that_the_model_looks_at_is_found(squares: torch.Tensor) -> None:
    found = attar.attribute(
        lambda x: x[:, 1].flatten(1).sum(1, keepdim=True), squares, Occlusion(by=Superpixels(count=9)), attar.Logit(0)
    )
    name, value = found.ranked(0)[0]
    assert name.endswith("(centre)")
    assert value > 0


def test_grey_pictures_have_superpixels_too() -> None:
    grey = torch.zeros(1, 1, 32, 32)
    grey[..., 16:] = 1.0
    assert Superpixels(count=4).patches(grey[0].numpy()).max() >= 1


@pytest.mark.parametrize("shape", [(2, 5), (1, 4, 8, 8), (1, 3, 8)])
def test_what_is_no_picture_has_no_superpixels(shape: tuple[int, ...]) -> None:
    with pytest.raises(attar.InputError, match="superpixels need pictures"):
        Superpixels()(Tensors(torch.rand(shape)))


def test_one_superpixel_is_refused() -> None:
    with pytest.raises(attar.InputError, match="2 or more"):
        Superpixels(count=1)


def saved(path: Path, mode: str, **options: object) -> Path:
    Image.effect_noise((20, 14), 60).convert("RGB").convert(mode).save(path, **options)
    return path


def test_cmyk_is_made_red_green_and_blue(tmp_path: Path) -> None:
    read = read_picture(saved(tmp_path / "print.jpg", "CMYK"))
    assert read.inputs.parts["input"].shape == (1, 3, 14, 20)
    assert "CMYK" in read.said


def test_what_is_transparent_is_laid_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    read = read_picture(tmp_path / "clear.png")
    assert float(read.inputs.parts["input"].min()) == 1.0
    assert "white" in read.said


def test_the_shorter_side_is_brought_to_size(tmp_path: Path) -> None:
    read = read_picture(saved(tmp_path / "wide.png", "RGB"), Picture(size=(7,)))
    assert read.inputs.parts["input"].shape == (1, 3, 7, 7)
    assert read.domain == "images"


def png_of_16_bits() -> bytes:
    """Two by two pixels of three channels, which Pillow opens by cutting off the lower half of each number."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + struct.pack(">6H", *range(1000, 7000, 1000))) * 2
    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_pictures_that_cannot_be_read_are_refused_in_one_line(tmp_path: Path) -> None:
    whole = saved(tmp_path / "whole.png", "RGB").read_bytes()
    (tmp_path / "short.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "words.png").write_text("no picture")
    Image.fromarray(np.full((5, 5), 4000, dtype=np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(np.full((5, 5), 4000, dtype=np.uint16)).save(tmp_path / "deep.tif")
    Image.fromarray(np.full((5, 5), 0.5, dtype=np.float32)).save(tmp_path / "floats.tif")
    (tmp_path / "deep-colour.png").write_bytes(png_of_16_bits())
    for name, words in (
        ("short.png", "damaged or cut short"),
        ("empty.png", "is empty"),
        ("words.png", "no picture"),
        ("deep.png", "more than 8 bits"),
        ("deep-colour.png", "more than 8 bits"),
        ("deep.tif", "more than 8 bits"),
        ("floats.tif", "more than 8 bits"),
        ("nowhere.png", "does not exist"),
    ):
        with pytest.raises(attar.InputError, match=words) as said:
            read_picture(tmp_path / name)
        assert "\n" not in str(said.value)
