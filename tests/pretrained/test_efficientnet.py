"""EfficientNet-Lite0 with its authors' weights, asked about pictures that ship with scikit-image."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

import attar
from attar.cli import main
from attar.domains.images.read import Picture, read_picture
from attar.methods.grad_cam import GradCAM
from attar.methods.gradient import Gradient
from attar.pretrained import load
from attar.pretrained.card import Pretrained
from attar.pretrained.efficientnet import EfficientNetLite0, SameConv2d
from attar.pretrained.files import package_file
from real_models import needs_model, needs_packages

pytestmark = [needs_model("efficientnet-lite0"), needs_packages("scikit-image")]
PICTURES = {"chelsea": "Egyptian cat", "coffee": "espresso", "motorcycle_left": "moped", "camera": "tripod"}


def path(name: str) -> Path:
    return package_file("scikit-image", f"skimage/data/{name}.png")


@pytest.fixture(scope="module")
def lite() -> Pretrained:
    return load("efficientnet-lite0")


def test_it_knows_what_the_pictures_show(lite: Pretrained) -> None:
    """The classes that its own code gives, of which the weights come: Egyptian cat .38, espresso .94, tripod .95."""
    for name, expected in PICTURES.items():
        output = lite.model.predict(lite.read(path(name)).inputs)[0]
        assert lite.outputs[int(output.argmax())].split(",")[0] == expected
    chance = lite.model.predict(lite.read(path("coffee")).inputs)[0].softmax(0).max()
    assert 0.90 < float(chance) < 0.97


def test_padding_is_tensorflows() -> None:
    """The odd pixel stands after: of five pixels by strides of two the first window begins one before."""
    filters = SameConv2d(1, 1, 3, 2, bias=False)
    torch.nn.init.ones_(filters.weight)
    row = torch.arange(1.0, 7.0).expand(1, 1, 6, 6)
    assert filters(row)[0, 0, 0].tolist() == [18.0, 36.0, 33.0]  # 3 rows; 1+2+3, 3+4+5, 5+6 and nothing


def test_it_is_what_its_weights_say() -> None:
    assert sum(p.numel() for p in EfficientNetLite0().parameters()) == 4_652_008


def test_numbers_on_another_scale_are_warned_of(lite: Pretrained) -> None:
    inputs = lite.read(path("coffee")).inputs
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attar.attribute(lite.model, inputs, Gradient())
    for scale, words in ((255.0, "from 0 to 255"), (1 / 255, "divided twice")):
        with pytest.warns(UserWarning, match=words):
            attar.attribute(lite.model, inputs.values * scale, Gradient())


def test_a_map_points_to_the_right_picture_of_four(lite: Pretrained) -> None:
    """Grid pointing (2x2, chance .25): the share of positive mass in the picture whose class is asked about."""
    pictures = [read_picture(path(name), Picture(size=(112,))).inputs.values[0] for name in PICTURES]
    grid = torch.cat([torch.cat(pictures[:2], 2), torch.cat(pictures[2:], 2)], 1)[None].repeat(4, 1, 1, 1)
    classes = [next(k for k, n in enumerate(lite.outputs) if n.split(",")[0] == name) for name in PICTURES.values()]
    found = attar.attribute(lite.model, grid, GradCAM(), attar.Logit(classes))
    maps = next(iter(found.parts.values()))
    large = interpolate(maps.reshape(4, 1, *maps.shape[-2:]).clamp(min=0), size=(224, 224), mode="bilinear")
    quarters = large.reshape(4, 2, 112, 2, 112).sum((2, 4)).flatten(1)
    shares = quarters[range(4), range(4)] / quarters.sum(1)
    assert float(shares.mean()) >= 0.70
    assert float(shares.min()) > 0.5


def test_from_the_shell_with_a_class_by_name(lite: Pretrained, capsys: pytest.CaptureFixture[str]) -> None:
    coffee = str(path("coffee"))
    asked = ["--method", "occlusion", "--target", "espresso"]
    assert main(["explain", coffee, "--model", "efficientnet-lite0", *asked]) == 0
    said = capsys.readouterr().out
    assert "it says: espresso 0.94" in said
    assert "target: output 967, espresso" in said
    assert "patch " in said
    assert "superpixels (49)" in said or "Superpixels(count=49" in said


def test_a_class_that_is_none_is_answered_with_close_ones(capsys: pytest.CaptureFixture[str]) -> None:
    coffee = str(path("coffee"))
    assert main(["explain", coffee, "--model", "efficientnet-lite0", "--target", "espreso"]) == 2
    said = capsys.readouterr().err
    assert "there is no output 'espreso'" in said
    assert "espresso" in said
    assert said.count("\n") == 1


def test_options_of_other_files_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(path("coffee")), "--model", "efficientnet-lite0", "--size", "64"]) == 2
    assert "reads its input itself" in capsys.readouterr().err


def test_attribution_does_not_depend_on_company(lite: Pretrained) -> None:
    both = torch.cat([lite.read(path(name)).inputs.values for name in ("coffee", "chelsea")])
    together = attar.attribute(lite.model, both, GradCAM()).parts
    alone = attar.attribute(lite.model, both[1:], GradCAM()).parts
    (name,) = together
    np.testing.assert_allclose(together[name][1], alone[name][0], rtol=1e-4, atol=1e-5)
