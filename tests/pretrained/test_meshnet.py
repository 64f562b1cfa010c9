"""MeshNet: the network in brainchop's folder, what it says of the MNI152 head, and where a voxel's label comes from."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import attar
from attar.core.errors import InputError, UnsupportedError
from attar.core.target import Difference, Entry
from attar.domains.volumes.parts import half_mass_radius
from attar.methods.grad_input import GradInput
from attar.pretrained import load
from attar.pretrained.files import package_file
from attar.pretrained.meshnet import MeshNet, named, network
from real_models import needs_packages

nibabel = pytest.importorskip("nibabel")
FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "brain3d" / "model5_gw_ae"
TEMPLATE = "nilearn/datasets/data/mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"
needs_folder = pytest.mark.skipif(not FOLDER.is_dir(), reason="../shared/data/brain3d is absent")
needs_head = needs_packages("nilearn")


def written(folder: Path, layers: list[dict], weights: dict[str, np.ndarray]) -> Path:
    """A folder as brainchop's, of these layers."""
    listed = [{"name": n, "shape": list(a.shape), "dtype": "float32"} for n, a in weights.items()]
    (folder / "numbers.bin").write_bytes(b"".join(a.astype("<f4").tobytes() for a in weights.values()))
    described = {
        "modelTopology": {"model_config": {"config": {"layers": layers}}},
        "weightsManifest": [{"paths": ["numbers.bin"], "weights": listed}],
    }
    (folder / "model.json").write_text(json.dumps(described))
    return folder


def convolution(name: str, dilation: int = 1, **options: object) -> dict:
    given = {"name": name, "padding": "same", "strides": [1] * 3, "dilation_rate": [dilation] * 3}
    return {"class_name": "Conv3D", "config": given | {"activation": "linear"} | options}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0).normal
    weights = {
        "a/kernel": draw(size=(3, 3, 3, 1, 2)),
        "a/bias": draw(size=2),
        "b/kernel": draw(size=(1, 1, 1, 2, 3)),
        "b/bias": draw(size=3),
    }
    activation = {"class_name": "Activation", "config": {"name": "elu", "activation": "elu"}}
    start = {"class_name": "InputLayer", "config": {"name": "input"}}
    return written(tmp_path, [start, convolution("a", 2), activation, convolution("b")], weights)


def literal(volume: np.ndarray, kernel: np.ndarray, bias: np.ndarray, dilation: int) -> np.ndarray:
    """A convolution of (depth, height, width, channels) written out, zeros beyond the edges."""
    out = np.zeros((*volume.shape[:3], kernel.shape[-1])) + bias
    middle = kernel.shape[0] // 2
    for at in np.ndindex(volume.shape[:3]):
        for offset in np.ndindex(kernel.shape[:3]):
            there = tuple(a + dilation * (o - middle) for a, o in zip(at, offset, strict=True))
            if all(0 <= t < n for t, n in zip(there, volume.shape[:3], strict=True)):
                out[at] += volume[there] @ kernel[offset]
    return out


def test_the_network_is_the_convolutions_written_out(small: Path) -> None:
    draw = np.random.default_rng(0).normal
    a, c, b, d = draw(size=(3, 3, 3, 1, 2)), draw(size=2), draw(size=(1, 1, 1, 2, 3)), draw(size=3)
    volume = np.random.default_rng(1).normal(size=(6, 5, 4, 1))
    hidden = literal(volume, a, c, 2)
    hidden = np.where(hidden > 0, hidden, np.expm1(hidden))
    expected = literal(hidden, b, d, 1)
    net = network(small)
    found = net(torch.from_numpy(volume.transpose(3, 0, 1, 2)[None]).float())
    np.testing.assert_allclose(found[0].detach().numpy(), expected.transpose(3, 0, 1, 2), atol=1e-4)
    assert net.reach == 2


def test_what_is_no_such_folder_is_refused(small: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no model.json: expected a folder of brainchop"):
        network(tmp_path / "none")
    (small / "numbers.bin").write_bytes(b"\0" * 12)
    with pytest.raises(InputError, match=r"holds 12 bytes of weights, and its model.json speaks of 260"):
        network(small)
    (small / "numbers.bin").unlink()
    with pytest.raises(InputError, match=r"lacks numbers.bin"):
        network(small)
    written(small, [convolution("a", padding="valid")], {})
    with pytest.raises(UnsupportedError, match=r"layer 'a' \(Conv3D\) is not one that a MeshNet has"):
        network(small)
    written(small, [convolution("a")], {})
    with pytest.raises(InputError, match=r"lacks 'a/kernel'"):
        network(small)
    (small / "model.json").write_text("<html>")
    with pytest.raises(InputError, match="is no JSON"):
        network(small)


def test_the_name_asks_for_a_folder() -> None:
    with pytest.raises(InputError, match=r"meshnet is asked for as meshnet:PATH, with the folder public/models"):
        load("meshnet")


def head(folder: Path, side: int = 24) -> Path:
    """A ball in a file whose axes run to the right, to the front and up."""
    x, y, z = np.indices((side,) * 3) - side / 2
    array = (200 * (np.sqrt(x**2 + y**2 + z**2) < side / 3) + 3 * x + y).astype(np.float32)
    path = folder / "ball.nii.gz"
    nibabel.save(nibabel.Nifti1Image(array, np.diag([1.0, 1, 1, 1])), path)
    return path


def test_a_target_names_class_and_voxel(small: Path, tmp_path: Path) -> None:
    known = load(f"meshnet:{small}")
    examples = known.read(head(tmp_path))
    at = examples.raw[0].index((3, 4, 20))
    assert at == (20, 3, 4)  # left, down and to the front
    assert named("white@3,4,20", examples) == Entry(1, *at)
    assert named("Gray @ 3, 4, 20 mm", examples) == Entry(2, *at)
    assert named("white-grey@3,4,20", examples) == Difference(Entry(1, *at), Entry(2, *at))
    for wrong in ("white", "bone@1,2,3", "white@1,2", "white@1,2,x", "white@1,2,.-", "predicted"):
        with pytest.raises(InputError, match="expected what and where: white@98,134,72"):
            named(wrong, examples)
    with pytest.raises(InputError, match=r"voxel 24,0,0 lies outside: a file of 24 x 24 x 24, from 0"):
        named("white@24,0,0", examples)


def test_what_a_voxel_depends_on_is_kept_and_no_more(small: Path, tmp_path: Path) -> None:
    known = load(f"meshnet:{small}")
    whole = known.read(head(tmp_path))
    assert known.around is not None
    for at, sides in (("12,11,10", (5, 5, 5)), ("0,23,1", (3, 4, 3))):
        cut = known.around(f"white@{at}", whole)
        assert cut.inputs.parts["input"].shape[2:] == sides
        target = f"white-background@{at}"
        answers = [named(target, each)(known.model.predict(each.inputs)) for each in (whole, cut)]
        torch.testing.assert_close(*answers)


def test_an_example_alone_has_the_numbers_that_it_has_in_a_batch(small: Path) -> None:
    net = network(small)
    batch = torch.rand(3, 1, 9, 8, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(net(batch)[1:2], net(batch[1:2]))


def test_another_number_of_classes_is_refused(tmp_path: Path) -> None:
    weights = {"a/kernel": np.zeros((1, 1, 1, 1, 18)), "a/bias": np.zeros(18)}
    with pytest.raises(UnsupportedError, match="tells 18 classes apart, expected background, white, grey"):
        load(f"meshnet:{written(tmp_path, [convolution('a')], weights)}")


@needs_folder
def test_the_published_network() -> None:
    net = network(FOLDER)
    assert isinstance(net, MeshNet)
    assert sum(array.numel() for array in net.parameters()) == 5598
    assert net.reach == 46


@needs_folder
@needs_head
def test_a_voxels_label_comes_from_near_it() -> None:
    known = load(f"meshnet:{FOLDER}")
    whole = known.read(package_file("nilearn", TEMPLATE.format("t1")))
    assert known.around is not None
    cut = known.around("white@-20,-20,30mm", whole)
    assert cut.inputs.parts["input"].shape == (1, 1, 93, 93, 93)
    target = named("white-grey@-20,-20,30mm", cut)
    found = attar.attribute(known.model, cut.inputs, GradInput(), target)
    values = found.parts["input"][0, 0].numpy()
    assert float(found.output[0]) > 2  # white it is
    assert half_mass_radius(values, (46, 46, 46)) < 28
    assert half_mass_radius(np.ones_like(values), (46, 46, 46)) > 45  # if it came from anywhere that it can see


@pytest.mark.slow
@needs_folder
@needs_head
def test_white_and_grey_matter_of_the_template_are_found() -> None:
    known = load(f"meshnet:{FOLDER}")
    head = known.read(package_file("nilearn", TEMPLATE.format("t1")))
    with torch.no_grad():
        labels = known.model.predict(head.inputs)[0].argmax(0).numpy()
    labels = head.raw[0].back(labels.astype(np.float32))
    for kind, label, least in (("wm", 1, 0.84), ("gm", 2, 0.79)):
        truth = (
            nibabel.load(package_file("nilearn", TEMPLATE.format(kind))).get_fdata() >= 128
        )  # of 255: more than half
        says = labels == label
        dice = 2 * (says & truth).sum() / (says.sum() + truth.sum())
        assert dice >= least
