"""Attributions of volumes: in three planes, and as NIfTI that opens over the file that was read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import attar
from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.features import Grouped
from attar.core.heat import DARKEST
from attar.core.inputs import Tensors
from attar.core.parts import Parts
from attar.core.target import Entry
from attar.core.windows import Windows
from attar.domains.volumes.planes import FILES, on_voxels, panel
from attar.domains.volumes.read import Look, read_volume
from attar.methods.grad_input import GradInput
from attar.methods.occlusion import Occlusion

nibabel = pytest.importorskip("nibabel")
AFFINE = np.array([[0, 0, 1.0, -10], [-1.0, 0, 0, 20], [0, 1.0, 0, 3], [0, 0, 0, 1]])


class Smooth(torch.nn.Module):
    """The volume itself, so that a target on one voxel is that voxel."""

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        return 2 * volume


@pytest.fixture
def read(tmp_path: Path) -> Examples:
    array = np.random.default_rng(0).uniform(1, 2, (9, 8, 7)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(array, AFFINE), tmp_path / "head.nii")
    return read_volume(tmp_path / "head.nii", Look(axes="LIA"))


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nifti_opens_over_the_file(read: Examples, tmp_path: Path, ending: str) -> None:
    at = read.raw[0].index((3, 6, 5))
    found = attar.attribute(Smooth(), read.inputs, GradInput(), Entry(0, *at))
    path = tmp_path / f"why{ending}"
    path.write_bytes(FILES[ending](read, found))
    image = nibabel.load(path)
    np.testing.assert_array_equal(image.affine, AFFINE)
    values = image.get_fdata()
    assert values.shape == (9, 8, 7)
    assert np.argwhere(values).tolist() == [[3, 6, 5]]
    assert values[3, 6, 5] == pytest.approx(float(found.output[0]), rel=1e-6)
    assert b"GradInput" in image.header["descrip"].tobytes()
    if ending == ".nii.gz":
        assert path.read_bytes()[4:8] == bytes(4)  # no date: the same bytes at any time


def test_values_of_blocks_stand_on_their_voxels(read: Examples) -> None:
    at = read.raw[0].index((3, 6, 5))
    own = attar.attribute(Smooth(), read.inputs, Occlusion(by=read.features), Entry(0, *at))
    values = on_voxels(read, own, 0)
    assert values[at] == pytest.approx(float(own.output[0]))
    windows = attar.attribute(Smooth(), read.inputs, Occlusion(by=Windows(shape=(2, 2, 2))), Entry(0, *at))
    values = on_voxels(read, windows, 0)
    assert np.count_nonzero(values) in (1, 2, 4, 8)
    assert values[at] == pytest.approx(float(own.output[0]))


def test_parts_whose_place_is_not_known_are_refused(read: Examples) -> None:
    groups = Grouped(group=torch.arange(9 * 8 * 7).reshape(read.inputs.parts["input"].shape[2:]) // 100)
    found = attar.attribute(Smooth(), read.inputs, Occlusion(by=groups), Entry(0, 1, 1, 1))
    with pytest.raises(InputError, match="where the parts of groups lie in the volume is not known"):
        on_voxels(read, found, 0)


def test_three_planes_through_the_voxel_of_the_target(read: Examples) -> None:
    at = read.raw[0].index((3, 6, 5))
    found = attar.attribute(Smooth(), read.inputs, GradInput(), Entry(0, *at))
    figure = Figure()
    axes = figure.subplots()
    panel(axes, read, found, 0)
    assert axes.get_xlabel() == "through voxel 3,6,5 (-5, 17, 9 mm)"
    assert [text.get_text() for text in axes.texts] == ["L  axial  R", "L  coronal  R", "P  sagittal  A"]
    (image,) = axes.get_images()
    pixels = np.asarray(image.get_array())
    warm = (pixels[..., 0] > 200) & (pixels[..., 2] < 120)
    # To the right 7 voxels, to the front 9, up 8; drawn with up (or the front) above. The voxel stands once in each.
    assert pixels.shape[:2] == (9, 7 + 7 + 9 + 3 * 4)
    rows, columns = np.nonzero(warm)
    right, front, up = 5, 8 - 3, 6  # the file's first axis runs to the back
    assert (rows[np.argsort(columns)]).tolist() == [8 - front, 7 - up, 7 - up]
    assert np.sort(columns).tolist() == [right, 11 + right, 22 + front]


def test_the_volume_is_seen_the_right_way_up(read: Examples) -> None:
    values = read.inputs.parts["input"]
    lit = values.clone() * 0
    lit[0, 0][read.raw[0].index((8, 7, 6))] = 1  # at the very back, up and to the right
    bright = replace(read, inputs=Tensors(lit))
    found = attar.attribute(Smooth(), bright.inputs, GradInput(), Entry(0, *read.raw[0].index((8, 7, 6))))
    found = replace(found, parts=Parts({"input": lit * 0}))
    axes = Figure().subplots()
    panel(axes, bright, found, 0)
    grey = np.asarray(axes.get_images()[0].get_array())[..., 0]
    grey = np.where(grey == 255, 0, grey)  # what lies around the planes is white as well
    lit_at = [(8, 6), (0, 11 + 6), (0, 22 + 0)]
    axial, coronal, sagittal = np.asarray(axes.get_images()[0].get_array())[tuple(zip(*lit_at, strict=True))][:, 0]
    assert axial == coronal == sagittal == 255
    assert grey.max() == round(255 * DARKEST)
