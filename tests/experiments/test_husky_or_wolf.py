"""A classifier that snow misleads: the pictures are what they are said to be, and the verdict follows what decides."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import attar
from attar.cli import main
from attar.core.inputs import Tensors
from attar.experiments.husky_or_wolf.maps import attribution_map, usual, usual_on_backbone
from attar.experiments.husky_or_wolf.pictures import Pictures, make
from attar.experiments.husky_or_wolf.story import Share, Told, told
from attar.methods.gradient import Gradient


def test_every_dog_stands_on_grass_and_every_wolf_in_snow() -> None:
    pictures = make(60)
    assert pictures.labels.tolist().count(1) == 30
    assert torch.equal(pictures.ground, pictures.labels)
    light = pictures.erased.mean((1, 2, 3))
    assert float(light[pictures.labels == 1].min()) > float(light[pictures.labels == 0].max())


@pytest.mark.parametrize("share", [0.0, 0.25, 0.9])
def test_a_share_of_them_may(share: float) -> None:
    pictures = make(80, correlated=share, seed=3)
    assert float((pictures.ground == pictures.labels).double().mean()) == pytest.approx(share)


def test_only_the_ground_is_exchanged_and_only_the_animal_erased() -> None:
    pictures = make(20, seed=1)
    other, on = pictures.swapped(), pictures.masks[:, None].expand(-1, 3, -1, -1)
    assert torch.equal(pictures.pixels[on], other.pixels[on])
    assert not torch.equal(pictures.pixels[~on], other.pixels[~on])
    assert torch.equal(pictures.pixels[~on], pictures.erased[~on])
    assert torch.equal(pictures.alone[on], pictures.pixels[on])
    assert torch.equal(other.swapped().pixels, pictures.pixels)
    assert 0.03 < float(pictures.masks.double().mean()) < 0.15
    assert float(pictures.pixels.min()) >= 0
    assert float(pictures.pixels.max()) <= 1


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_animals_are_as_tall_as_is_said(share: float) -> None:
    masks = make(8, side=160, tall=(share, share)).masks
    tall = [int(mask.any(1).nonzero().max() - mask.any(1).nonzero().min()) + 1 for mask in masks]
    assert 0.8 * share * 160 < min(tall)
    assert max(tall) <= share * 160


def test_the_mend_parts_ground_and_label() -> None:
    pictures = make(400, seed=2).shuffled(0)
    together = float((pictures.ground == pictures.labels).double().mean())
    assert 0.4 < together < 0.6


def test_the_same_seed_makes_the_same_pictures() -> None:
    assert torch.equal(make(6, seed=5).pixels, make(6, seed=5).pixels)
    assert not torch.equal(make(6, seed=5).pixels, make(6, seed=6).pixels)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 1}, "2 or more pictures"),
        ({"count": 4, "correlated": 1.2}, "share from 0 to 1"),
        ({"count": 4, "side": 32}, "at least 48 pixels"),
        ({"count": 4, "tall": (0.5, 0.4)}, "the least and the largest share"),
        ({"count": 4, "tall": (0.5, 0.9)}, "the least and the largest share"),
    ],
)
def test_pictures_that_cannot_be_made_are_refused(options: dict, words: str) -> None:
    with pytest.raises(attar.InputError, match=words):
        make(**options)


class Snow(nn.Module):
    """Says wolf where the picture is light."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        light = 20 * (pixels.flatten(1).mean(1) - 0.6)
        return torch.stack([-light, light], 1)


class Animal(nn.Module):
    """Knows where the animal of each of these pictures is, whatever the ground: tells it by its own pixels."""

    def __init__(self, pictures: Pictures) -> None:
        super().__init__()
        self.animals, self.masks, self.labels = pictures.animals, pictures.masks, pictures.labels

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        there = self.masks[:, None].expand(-1, 3, -1, -1)
        off = ((pixels[:, None] - self.animals[None]).abs() * there[None]).flatten(2).sum(2)
        near = off.min(1)
        wolf = torch.where(near.values < 1e-3, 2.0 * self.labels[near.indices] - 1, 0.01)
        return torch.stack([-wolf, wolf], 1)


def test_a_model_that_sees_only_snow_is_distrusted() -> None:
    test = make(60, seed=9)
    found = told("snow", Snow(), test, {"gradient": Gradient()}, explained=10)
    assert (found.test.value, found.swapped.value, found.follows.value) == (1.0, 0.0, 1.0)
    assert (found.grounded.value, found.moved, found.chance) == (1.0, None, 0.5)
    assert found.verdict == "distrust"
    assert "it looks at the ground: 100% right on its test, 0% with the grounds exchanged" in found.reason
    # Spread evenly over the picture where light says wolf; of a dog nothing is positive, which lies nowhere.
    each = test.masks[:10].double().mean((1, 2)) * test.labels[:10]
    assert found.inside["gradient"].value == pytest.approx(float(each.mean()))


def test_a_model_that_knows_the_animal_is_trusted() -> None:
    test = make(60, seed=9)
    found = told("animal", Animal(test), test, {})
    assert (found.test.value, found.swapped.value) == (1.0, 1.0)
    assert found.verdict == "trust"


def test_what_is_said_without_the_animal_is_held_against_what_was_said_and_not_against_the_truth() -> None:
    """A model that sees only snow is right half of the time where grounds say nothing, and still says the same."""
    found = told("snow", Snow(), make(60, correlated=0.5, seed=9), {})
    assert (found.test.value, found.follows.value) == (0.5, 1.0)


def share(value: float, count: int = 100) -> Share:
    return Share.of(torch.arange(count) < round(value * count))


@pytest.mark.parametrize(
    ("test", "swapped", "follows", "verdict"),
    [
        (1.0, 0.0, 1.0, "distrust"),
        (1.0, 0.7, 0.9, "distrust"),
        (1.0, 0.1, 0.5, "distrust"),  # it says the class of the ground that the animal was put on
        (1.0, 0.45, 0.5, "caution"),  # not more often than chance allows
        (1.0, 0.96, 0.95, "caution"),  # right on any ground, and says the same without an animal
        (1.0, 0.95, 0.5, "trust"),
        (1.0, 0.8, 0.5, "caution"),  # it loses something, and does not follow the ground
        (0.5, 0.5, 0.5, "caution"),  # no better than chance
        (1.0, 1.0, 1.0, "caution"),  # right whatever the ground, and says the same without an animal
    ],
)
def test_the_verdict_follows_what_decides(test: float, swapped: float, follows: float, verdict: str) -> None:
    """And no map: those of all these lie on the animal entirely."""
    inside = {"grad-cam": Share(1.0, 1.0, 1.0)}
    found = Told(
        name="a",
        test=share(test),
        swapped=share(swapped),
        grounded=share(1 - swapped),
        follows=share(follows),
        inside=inside,
        area=0.1,
    )
    assert found.verdict == verdict


@pytest.mark.parametrize(("moved", "verdict"), [(0.95, "distrust"), (0.5, "caution")])
def test_what_pasting_costs_by_itself_is_not_held_against_the_model(moved: float, verdict: str) -> None:
    found = Told(
        name="a",
        test=share(1.0),
        moved=share(moved),
        swapped=share(0.45),
        grounded=share(0.55),
        follows=share(0.9),
        inside={},
        area=0.1,
    )
    assert found.verdict == verdict
    assert f"({moved:.0%} on another ground of the same class)" in found.reason


def test_shares_have_intervals_that_hold_the_truth() -> None:
    draws = np.random.default_rng(0)
    held = 0
    for seed in range(200):
        found = Share.mean(draws.exponential(size=60), seed)
        held += found.low <= 1.0 <= found.high
    assert held >= 178  # a bootstrap of 60 skewed numbers holds a little less than 95 %


def test_the_story_from_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Two networks are fitted: half a minute."""
    monkeypatch.chdir(tmp_path)
    assert main(["audit", "husky-or-wolf", "--json", "h.json", "--report", "h.html", "--fail-on", "distrust"]) == 1
    said = capsys.readouterr().out
    record = json.loads(Path("h.json").read_text())
    misled, mended = record["models"]
    assert record["verdict"] == misled["verdict"] == "distrust"
    assert "ground" in misled["reason"]
    assert mended["verdict"] == "trust"
    assert misled["test"]["value"] >= 0.95
    assert misled["swapped"]["value"] <= 0.1
    assert mended["test"]["value"] >= 0.95
    assert mended["swapped"]["value"] >= 0.9
    assert list(misled["inside"]) == list(usual()) == ["lime", "occlusion", "integrated-gradients", "grad-cam"]
    for lies in misled["inside"].values():  # above chance for a model that never looked: no map decides
        assert lies["low"] > misled["area"]
    assert "LIME blurred squares of 8 pixels" in record["about"]
    assert "lime: why wolf" in Path("h.html").read_text()
    assert said.startswith("Verdict: DISTRUST. It looks at the ground")
    assert max(map(len, said.splitlines())) <= 110
    html = Path("h.html").read_text()
    assert html.count("<img ") == 4 * (3 + 2 * 4)
    assert "http" not in html.replace("http-equiv", "")
    for name in ("as it was trained", "distrust", "trust", "ground exchanged"):
        assert name in html


@pytest.mark.parametrize(("side", "overlap", "windows"), [(64, 2, 15 * 15), (64, 1, 8 * 8), (160, 1, 8 * 8)])
def test_windows_and_blur_grow_with_the_picture(side: int, overlap: int, windows: int) -> None:
    from attar.methods.occlusion import Occlusion

    occlusion = usual(side, overlap=overlap)["occlusion"]
    assert isinstance(occlusion, Occlusion)
    assert occlusion.by is not None
    assert len(occlusion.by(Tensors(torch.zeros(1, 3, side, side)))) == windows
    assert occlusion.baseline.sigma == pytest.approx(side * 10 / 64)  # type: ignore[union-attr]


class Corner(nn.Module):
    """Says the first class the more, the lighter the upper right corner of 16 pixels is."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        light = pixels[:, :, :16, -16:].mean((1, 2, 3))
        return torch.stack([light, -light], 1)


def test_a_map_of_lime_has_each_tile_of_each_picture_where_it_lies() -> None:
    """A sum over pixels: what a tile adds is what blurring it takes away, and a picture alone is told the same."""
    shown, said = make(3, seed=2).pixels, torch.tensor([0, 1, 0])
    methods = usual()
    found = attribution_map(Corner(), shown, methods["lime"], said)
    assert found.shape == (3, 64, 64)
    blurred = methods["occlusion"].baseline(Tensors(shown))["input"]  # type: ignore[attr-defined]
    lost = (shown - blurred)[:, :, :16, -16:].mean(1).reshape(3, 2, 8, 2, 8).sum((2, 4)) / 256
    lost = lost * torch.tensor([1, -1, 1])[:, None, None]
    torch.testing.assert_close(found[:, 4:16:8, 52::8], lost, atol=1e-5, rtol=1e-3)
    assert float(found[:, 16:].abs().max()) < 1e-5 > float(found[:, :, :48].abs().max())
    assert bool((found[:, :8, 56:] == found[:, :1, 63:]).all())
    alone = attribution_map(Corner(), shown[1:2], methods["lime"], said[1:2])
    torch.testing.assert_close(alone, found[1:2])


@pytest.mark.parametrize(("methods", "side", "tiles"), [(usual(), 64, 8), (usual_on_backbone(160), 160, 5)])
def test_lime_cuts_the_whole_picture_into_so_many_squares(methods: dict, side: int, tiles: int) -> None:
    cut = methods["lime"].by(Tensors(torch.zeros(1, 3, side, side)))
    assert len(cut) == tiles**2
    assert cut.shares["input"].row.unique().tolist() == list(range(3 * side * side))
    assert methods["lime"].background == methods["occlusion"].baseline


def test_what_other_audits_take_is_refused(capsys: pytest.CaptureFixture) -> None:
    assert main(["audit", "husky-or-wolf", "--label", "y", "--count", "10"]) == 2
    assert "makes its own pictures; leave out --count, --label" in capsys.readouterr().err
