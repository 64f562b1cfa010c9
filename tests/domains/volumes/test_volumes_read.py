"""NIfTI files: where each voxel lies, what is refused, and the parts of a volume."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.domains.volumes.parts import Blobs, Blocks, half_mass_radius
from attar.domains.volumes.read import Look, cut_out, read_volume

nibabel = pytest.importorskip("nibabel")
SHAPE = (5, 7, 6)
AFFINE = np.array([[0, 0, 2.0, -10], [-1.0, 0, 0, 20], [0, 1.5, 0, 3], [0, 0, 0, 1]])  # to anterior, up and right


def saved(folder: Path, array: np.ndarray, affine: np.ndarray | None = AFFINE, name: str = "head.nii.gz") -> Path:
    path = folder / name
    nibabel.save(nibabel.Nifti1Image(array, affine), path)
    return path


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)


def test_numbers_as_they_are_where_nothing_is_asked_for(tmp_path: Path, array: np.ndarray) -> None:
    found = read_volume(saved(tmp_path, array), Look(scaled=False))
    np.testing.assert_array_equal(found.inputs.parts["input"][0, 0].numpy(), array)
    assert found.domain == "volumes"
    assert found.said == "5 x 7 x 6 voxels of 1 x 1.5 x 2 mm"


def test_scaled_from_lowest_to_highest(tmp_path: Path, array: np.ndarray) -> None:
    found = read_volume(saved(tmp_path, array)).inputs.parts["input"]
    assert (float(found.min()), float(found.max())) == (0, 1)


@pytest.mark.parametrize("axes", ["RAS", "LIA", "PSR"])
def test_turning_keeps_every_number_at_its_place_in_the_room(tmp_path: Path, array: np.ndarray, axes: str) -> None:
    found = read_volume(saved(tmp_path, array), Look(axes=axes, scaled=False))
    placed, turned = found.raw[0], found.inputs.parts["input"][0, 0].numpy()
    for index in np.ndindex(turned.shape):
        voxel = tuple(int(v) for v in placed.voxel(index))
        assert turned[index] == array[voxel]
        np.testing.assert_allclose(placed.mm(index), (AFFINE @ [*voxel, 1])[:3])
        assert placed.index(voxel) == placed.index_mm(placed.mm(index)) == index
    assert "".join(nibabel.aff2axcodes(placed.here)) == axes
    np.testing.assert_array_equal(placed.back(turned), array)


def test_resampling_is_linear_and_its_way_back_keeps_the_sum(tmp_path: Path) -> None:
    x, y, z = np.indices(SHAPE).astype(np.float32)
    path = saved(tmp_path, 3 + x + 10 * y - 2 * z)
    found = read_volume(path, Look(axes="RAS", voxel=1.0, scaled=False))
    placed, sampled = found.raw[0], found.inputs.parts["input"][0, 0].numpy()
    assert sampled.shape == (12, 5, 10)  # 6 of 2 mm, 5 of 1 mm, 7 of 1.5 mm
    np.testing.assert_allclose(placed.sides, 1)
    middles = [placed.voxel((5.5, 2, 4.5)), [(n - 1) / 2 for n in SHAPE]]  # of both, which is where they are laid
    np.testing.assert_allclose(*middles)
    inside = [
        i
        for i in np.ndindex(sampled.shape)
        if all(0 <= v <= n - 1 for v, n in zip(placed.voxel(i), SHAPE, strict=True))
    ]
    assert len(inside) > 300
    for index in inside:
        a, b, c = placed.voxel(index)
        assert sampled[index] == pytest.approx(3 + a + 10 * b - 2 * c, abs=1e-4)
    np.testing.assert_allclose(placed.back(sampled.astype(float)).sum(), sampled.astype(float).sum())
    assert "resampled to 12 x 5 x 10 of 1 mm" in found.said


def test_the_way_back_is_the_transpose_of_the_way_in(tmp_path: Path, array: np.ndarray) -> None:
    placed = read_volume(saved(tmp_path, array), Look(axes="LIA", voxel=1.2)).raw[0]
    values = np.random.default_rng(1).normal(size=placed.size)
    in_then_dot = float((placed.sampled(array.astype(float)) * values).sum())
    np.testing.assert_allclose(in_then_dot, float((array * placed.back(values)).sum()))


def test_a_cut_knows_where_it_lies(tmp_path: Path, array: np.ndarray) -> None:
    whole = read_volume(saved(tmp_path, array), Look(axes="LIA", scaled=False))
    around = whole.raw[0].index((2, 6, 1))
    cut = cut_out(whole, around, 1)
    placed, values = cut.raw[0], cut.inputs.parts["input"][0, 0].numpy()
    assert values[placed.index((2, 6, 1))] == array[2, 6, 1]
    back = placed.back(values)
    np.testing.assert_array_equal(back[1:4, 5:7, 0:3], array[1:4, 5:7, 0:3])
    assert np.count_nonzero(back) == 3 * 2 * 3
    with pytest.raises(InputError, match="lies outside"):
        placed.index((2, 3, 1))
    assert cut_out(whole, around, 9) is whole


def test_refused_four_axes(tmp_path: Path) -> None:
    path = saved(tmp_path, np.ones((4, 4, 4, 20), np.float32))
    with pytest.raises(InputError, match=r"4 axes \(4 x 4 x 4 x 20\), expected three: take one volume along axis 3"):
        read_volume(path)


def test_a_last_axis_of_one_is_left_out(tmp_path: Path, array: np.ndarray) -> None:
    assert "of length 1, left out" in read_volume(saved(tmp_path, array[..., None])).said


def test_refused_two_axes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the shape \(4, 4, 1\), expected a volume"):
        read_volume(saved(tmp_path, np.ones((4, 4, 1), np.float32)))


def test_refused_voxels_that_are_no_numbers(tmp_path: Path, array: np.ndarray) -> None:
    array[0, 0, :3] = (np.nan, np.inf, np.nan)
    with pytest.raises(InputError, match="3 voxels of 210 that are NaN or infinite"):
        read_volume(saved(tmp_path, array))


def test_refused_where_it_does_not_say_where_it_lies(tmp_path: Path, array: np.ndarray) -> None:
    path = saved(tmp_path, array, None)
    with pytest.raises(InputError, match="does not say where its voxels lie"):
        read_volume(path, Look(axes="RAS"))
    assert read_volume(path).inputs.parts["input"].shape == (1, 1, *SHAPE)


def test_refused_other_units(tmp_path: Path, array: np.ndarray) -> None:
    image = nibabel.Nifti1Image(array, AFFINE)
    image.header.set_xyzt_units("micron")
    nibabel.save(image, tmp_path / "small.nii")
    with pytest.raises(InputError, match="places in micron, expected mm"):
        read_volume(tmp_path / "small.nii", Look(voxel=1.0))


def test_refused_one_number_everywhere(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="have the same number, 4: there is nothing"):
        read_volume(saved(tmp_path, np.full(SHAPE, 4, np.float32)))


def test_refused_colours(tmp_path: Path) -> None:
    colour = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(InputError, match="for each voxel, expected one number"):
        read_volume(saved(tmp_path, colour))


def test_refused_files(tmp_path: Path, array: np.ndarray) -> None:
    whole = saved(tmp_path, array).read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[:-100])
    with pytest.raises(InputError, match="damaged or cut short"):
        read_volume(tmp_path / "cut.nii.gz")
    plain = gzip.decompress(whole)
    (tmp_path / "cut.nii").write_bytes(plain[:500])
    with pytest.raises(InputError, match="damaged or cut short"):
        read_volume(tmp_path / "cut.nii")
    (tmp_path / "text.nii").write_text("no head at all" * 100)
    with pytest.raises(InputError, match="no NIfTI file that opens"):
        read_volume(tmp_path / "text.nii")
    (tmp_path / "empty.nii").touch()
    with pytest.raises(InputError, match="is empty"):
        read_volume(tmp_path / "empty.nii")
    (tmp_path / "head.dcm").write_bytes(plain)
    with pytest.raises(InputError, match="no NIfTI file by its name"):
        read_volume(tmp_path / "head.dcm")
    with pytest.raises(InputError, match="does not exist"):
        read_volume(tmp_path / "none.nii")


def test_blocks_are_called_by_their_middle_in_mm(tmp_path: Path, array: np.ndarray) -> None:
    found = read_volume(saved(tmp_path, array), Look(axes="RAS"))
    assert repr(found.features) == "Blocks(side=8)"
    placed = found.raw[0]
    blocks = Blocks(side=3, placed=placed)(found.inputs)
    assert len(blocks) == 2 * 2 * 3  # 6 x 5 x 7 voxels
    middle = (1.0, 1.0, 1.0)
    assert blocks.names is not None
    assert blocks.names[0] == f"block 0 ({', '.join(f'{v:.0f}' for v in placed.mm(middle))} mm)"
    assert torch.bincount(blocks.shares["input"].feature)[0] == 27


def test_blobs_hold_what_is_alike() -> None:
    volume = torch.zeros(2, 1, 8, 8, 8)
    volume[0, ..., 4:] = 1
    volume[1, :, :4] = 1
    found = Blobs(count=8)(Tensors(volume))
    share = found.shares["input"]
    values = volume.flatten()[share.row]
    assert 4 <= len(found) <= 32
    for k in range(len(found)):
        assert len(values[share.feature == k].unique()) == 1
    alone = Blobs(count=8)(Tensors(volume[1:]))
    assert torch.equal(alone.shares["input"].feature, share.feature[512:] - int((found.owner == 0).sum()))


@pytest.mark.parametrize("parts", [Blocks(), Blobs()])
def test_parts_of_other_shapes_are_refused(parts: Blocks | Blobs) -> None:
    with pytest.raises(InputError, match=r"need volumes as \(batch, channels, depth, height, width\)"):
        parts(Tensors(torch.zeros(1, 3, 8, 8)))


def test_half_of_the_mass_lies_within_the_radius() -> None:
    values = np.zeros((9, 9, 9))
    values[4, 4, 4], values[4, 4, 6], values[4, 8, 4] = -1.0, 0.4, 0.8
    assert half_mass_radius(values, (4, 4, 4)) == 2.0
    assert half_mass_radius(values, (4, 4, 4), (1, 1, 3)) == 4.0
    with pytest.raises(InputError, match="all values are 0"):
        half_mass_radius(0 * values, (4, 4, 4))
