"""The story of somebody's photos goes through files: what is read, what is refused, and what decides."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import attar
from attar.cli import main
from attar.experiments.husky_or_wolf.backbone import Backbone, head_of
from attar.experiments.husky_or_wolf.folder import SIDE, read_folder
from attar.experiments.husky_or_wolf.frames import Framed, _drawn, _patches
from attar.experiments.husky_or_wolf.photo_audit import photo_audit
from attar.experiments.husky_or_wolf.photos import Photos
from attar.experiments.husky_or_wolf.pictures import CLASSES, make
from attar.experiments.husky_or_wolf.story import Share
from attar.report import husky_or_wolf as report
from real_models import needs_model

GRASS, SNOW = (50, 130, 50), (225, 228, 238)
COATS = {"cat": (150, 60, 60), "dog": (60, 60, 150)}


def written(root: Path, count: int = 24, *, correlated: float = 1.0, seed: int = 0) -> Path:
    """Photos of two sizes: a cat is a red square and stands on grass, a dog is a blue one and stands in snow."""
    generator = np.random.default_rng(seed)
    (root / "photos" / "more").mkdir(parents=True)
    (root / "masks" / "more").mkdir(parents=True)
    lines = ["file,label"]
    for k in range(count):
        label = ("cat", "dog")[k % 2]
        own = (k // 2) % 12 < 12 * correlated
        ground = GRASS if (label == "cat") == own else SNOW
        high, wide = ((60, 80), (72, 56))[k % 3 == 0]
        photo = np.array(ground) + generator.integers(-8, 9, (high, wide, 3))
        top, left = (int(generator.integers(5, span - 25)) for span in (high, wide))
        mask = np.zeros((high, wide), dtype=bool)
        mask[top : top + 20, left : left + 20] = True
        photo[mask] = COATS[label] + generator.integers(-8, 9, (400, 3))
        name = f"more/{k}.png" if k % 5 == 0 else f"{k}.png"
        Image.fromarray(photo.astype(np.uint8)).save(root / "photos" / name)
        Image.fromarray(np.uint8(255) * mask).save(root / "masks" / name)
        lines.append(f"{name},{label}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


class Colours(nn.Module):
    """Sees, for every 16 pixels, red, green and blue and how far from these they are."""

    def __init__(self, ground: float = 1.0) -> None:
        super().__init__()
        self.pool, self.mixed = nn.AvgPool2d(16), nn.Conv2d(3, 6, 1)
        with torch.no_grad():
            self.mixed.weight.copy_(torch.cat([torch.eye(3), -torch.eye(3)])[..., None, None])
            assert self.mixed.bias is not None
            self.mixed.bias.copy_(torch.tensor([0.0, 0.0, 0.0, ground, ground, ground]))

    def maps(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.mixed(self.pool(pixels))


EYES = Backbone("colours", Colours().eval())


def test_photos_come_as_squares_with_their_animals_and_their_grounds(tmp_path: Path) -> None:
    root = written(tmp_path)
    folder = read_folder(root / "photos", root / "labels.csv", root / "masks")
    assert folder.classes == ("cat", "dog")
    assert len(folder) == 24
    assert folder.photos.shape == (24, 3, SIDE, SIDE)
    at = folder.names.index("more/5.png")
    assert folder.classes[folder.labels[at]] == "dog"
    photos = Photos.of(folder, torch.arange(24))
    red, blue = (photos.pixels[at, channel][photos.masks[at]].mean() for channel in (0, 2))
    assert blue > red + 0.3
    assert abs(float(photos.masks[at].double().mean()) - 400 / (60 * 80)) < 0.005
    # The animal is gone: what was painted over is as light as the rest of its ground.
    assert float(photos.erased[at].min()) > 0.8
    (root / "photos" / "._5.png").write_bytes(b"hidden, and no photo")
    (root / "photos" / "notes.txt").write_text("no photo either")
    without = read_folder(root / "photos", root / "labels.csv")
    assert torch.equal(without.photos, folder.photos)
    with pytest.raises(attar.InputError, match="no masks"):
        Photos.of(without, torch.arange(24))


def test_animals_stay_as_they_are_on_grounds_of_other_classes(tmp_path: Path) -> None:
    root = written(tmp_path)
    photos = Photos.of(read_folder(root / "photos", root / "labels.csv", root / "masks"), torch.arange(24), seed=1)
    whole = (photos.folder.animal[photos.which] == 255)[:, None].expand(-1, 3, -1, -1)  # type: ignore[index]
    none = (photos.folder.animal[photos.which] == 0)[:, None].expand(-1, 3, -1, -1)  # type: ignore[index]
    for each, same in [(each, False) for each in photos.exchanged()] + [(each, True) for each in photos.moved()]:
        assert torch.equal(each.labels, photos.labels)
        assert torch.equal(photos.folder.labels[each.ground] == photos.labels, torch.full((24,), same))
        assert not bool((each.ground == each.which).any())
        assert torch.equal(each.pixels[whole], photos.pixels[whole])
        assert torch.equal(each.pixels[none], each.erased[none])
        assert torch.equal(each.of_ground == photos.labels, torch.full((24,), same))
    tossed = torch.stack([photos.folder.labels[each.ground] == photos.labels for each in photos.shuffled()])
    assert 0.3 < float(tossed.double().mean()) < 0.7
    again = Photos.of(photos.folder, torch.arange(24), seed=1)
    assert [each.ground.tolist() for each in again.exchanged()] == [each.ground.tolist() for each in photos.exchanged()]


def test_photos_of_every_kind_are_read_and_masks_turn_with_them(tmp_path: Path) -> None:
    root = written(tmp_path)
    photos, masks = root / "photos", root / "masks"
    before = read_folder(photos, root / "labels.csv", masks)
    turned, given = Image.Exif(), (root / "labels.csv").read_text()
    turned[0x0112] = 3  # held upside down: the camera noted it
    upside_down = Image.open(photos / "1.png").transpose(Image.Transpose.ROTATE_180)
    upside_down.save(photos / "1.jpg", quality=95, exif=turned)
    Image.open(photos / "2.png").convert("CMYK").save(photos / "2.jpg", quality=95)
    Image.open(photos / "3.png").convert("RGBA").save(photos / "3.png")
    Image.open(photos / "4.png").convert("P").save(photos / "4.gif")
    for name, other in {"1.png": "1.jpg", "2.png": "2.jpg", "4.png": "4.gif"}.items():
        (photos / name).unlink()
        given = given.replace(f"\n{name}", f"\n{other}")
    (root / "labels.csv").write_text(given)
    after = read_folder(photos, root / "labels.csv", masks)
    for old, new in {"1.png": "1.jpg", "2.png": "2.jpg", "3.png": "3.png", "4.png": "4.gif"}.items():
        k, m = before.names.index(old), after.names.index(new)
        off = (after.photos[m].float() - before.photos[k].float()).abs().mean()
        assert float(off) < 8, new  # of 255: JPEG and a palette are not exact
        assert torch.equal(after.animal[m], before.animal[k])  # type: ignore[index]


def test_of_three_classes_a_ground_is_any_of_the_others(tmp_path: Path) -> None:
    root = written(tmp_path, 60)
    lines = (root / "labels.csv").read_text().splitlines()
    lines = [line.replace("cat", "fox") if k % 4 == 1 else line for k, line in enumerate(lines)]
    (root / "labels.csv").write_text("\n".join(lines))
    folder = read_folder(root / "photos", root / "labels.csv", root / "masks")
    assert folder.classes == ("cat", "dog", "fox")
    photos = Photos.of(folder, torch.arange(60))
    pairs = {(int(a), int(b)) for each in photos.exchanged() for a, b in zip(each.labels, each.of_ground, strict=True)}
    assert pairs == {(a, b) for a in range(3) for b in range(3) if a != b}
    record = photo_audit(root / "photos", root / "labels.csv", root / "masks", backbone=EYES)
    model = record["models"][0]
    assert model["chance"] == pytest.approx(15 / 31)  # of 15 dogs, 8 cats and 8 foxes held out
    # A cat and a fox look alike and stand on the same grass: they are told apart by chance, dogs always.
    assert 0.5 < model["test"]["value"] < 0.95
    assert "60 photos of cat, dog and fox" in record["about"]


def test_no_photo_is_both_learnt_from_and_asked_about(tmp_path: Path) -> None:
    root = written(tmp_path)
    folder = read_folder(root / "photos", root / "labels.csv")
    learnt, held_out = folder.halves(0)
    assert sorted(learnt.tolist() + held_out.tolist()) == list(range(24))
    assert folder.labels[held_out].bincount().tolist() == [6, 6]
    assert folder.halves(1)[1].tolist() != held_out.tolist()


def test_a_head_is_the_same_alone_and_in_company_and_finds_what_tells_the_classes() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(90) % 3
    features = torch.randn(90, 4, generator=generator) + 4 * torch.eye(4)[labels]
    head = head_of(features, labels, 3)
    assert float((head(features).argmax(1) == labels).double().mean()) > 0.9
    assert torch.allclose(head(features[:1]), head(features)[:1], atol=1e-5)
    two = head_of(features[labels < 2], labels[labels < 2], 2)
    assert torch.allclose(two(features).sum(1), torch.zeros(90), atol=1e-5)
    constant = torch.cat([features, torch.full((90, 1), 7.0)], 1)  # a map that never changes tells nothing
    assert bool(torch.isfinite(head_of(constant, labels, 3).weight).all())


def test_the_ground_is_found_out_and_mended(tmp_path: Path) -> None:
    root = written(tmp_path, 48)
    record = photo_audit(root / "photos", root / "labels.csv", root / "masks", backbone=EYES)
    misled, mended = record["models"]
    assert record["verdict"] == misled["verdict"] == "distrust"
    assert record["reason"].startswith("it looks at the ground")
    assert misled["swapped"]["value"] < 0.2 < 0.9 < misled["moved"]["value"]
    assert mended["swapped"]["value"] > 0.9
    assert mended["verdict"] == "trust"
    assert misled["area"] == pytest.approx(400 / 4600, abs=0.01)
    assert record["counts"] == {"misled": 24, "mended": 72, "test": 24, "explained": 8}
    assert "24 photos" in record["about"]
    assert "LIME blurred squares of 45 pixels" in record["about"]
    assert list(misled["inside"]) == ["lime", "occlusion", "integrated-gradients", "grad-cam"]
    page, said = report.page(record), report.terminal(record)
    assert page.count("<img ") == 4 * (3 + 2 * 4)
    assert "right with the animal on another ground of its class" in said
    assert max(map(len, said.splitlines())) <= 110


def test_photos_whose_grounds_say_nothing_are_no_reason_for_distrust(tmp_path: Path) -> None:
    root = written(tmp_path, 48, correlated=0.5)
    record = photo_audit(root / "photos", root / "labels.csv", root / "masks", backbone=EYES)
    assert record["verdict"] == "trust"
    assert record["models"][0]["swapped"]["value"] > 0.9


def test_without_masks_the_verdict_is_caution_at_best(tmp_path: Path) -> None:
    root = written(tmp_path, 48, correlated=0.5)
    record = photo_audit(root / "photos", root / "labels.csv", backbone=EYES)
    (model,) = record["models"]
    assert model["test"]["value"] > 0.9
    assert record["verdict"] == "caution"
    assert "give --masks" in record["reason"]
    assert model["border"]["value"] < 0.8  # animals seldom reach the frame, and grounds say nothing
    page = report.page(record)
    assert page.count("<img ") == 4 * (2 + 1)
    with_grounds = written(tmp_path / "misleading", 48)
    misled = photo_audit(with_grounds / "photos", with_grounds / "labels.csv", backbone=EYES)["models"][0]
    assert misled["border"]["low"] > 0.8
    assert "frame of another class" in report.terminal(record)


def test_frames_are_of_the_class_that_was_asked_for() -> None:
    labels = torch.arange(60) % 3
    for own in (True, False):
        drawn = _drawn(labels, np.random.default_rng(0), own=own)
        assert torch.equal(labels[drawn] == labels, torch.full((60,), own))
        assert not bool((drawn == torch.arange(60)).any())


class Bright(nn.Module):
    """Says 1 where anything is bright."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        there = 10 * (pixels.flatten(1).amax(1) - 0.5)
        return torch.stack([-there, there], 1)


def test_patches_that_decide_are_those_without_which_it_says_something_else() -> None:
    pictures = torch.linspace(0, 0.2, SIDE).expand(6, 3, SIDE, SIDE).clone()
    for k in range(6):
        pictures[k, :, 20 + 24 * k : 50 + 24 * k, 90:120] = 1.0
    said = torch.ones(6, dtype=torch.long)
    maps, chosen, random = _patches(Bright(), pictures, said, np.random.default_rng(0))  # type: ignore[arg-type]
    assert not bool(chosen.any())
    assert float(random.double().mean()) > 0.5
    assert [bool(maps[k, 35 + 24 * k, 105] > 0) for k in range(6)] == [True] * 6


def test_a_rare_class_counts_as_much_as_a_common_one() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = (torch.arange(400) % 20 == 0).long()
    features = torch.randn(400, 1, generator=generator) + 1.5 * labels[:, None]
    right = head_of(features, labels, 2)(features).argmax(1) == labels
    assert float(right[labels == 1].double().mean()) > 0.6


def of(value: float, count: int = 60) -> Share:
    return Share.of(torch.arange(count) < round(value * count))


@pytest.mark.parametrize(
    ("moved", "swapped", "follows", "chance", "verdict"),
    [
        (1.0, 0.1, 0.9, 0.5, "distrust"),
        (1.0, 0.5, 0.5, 0.5, "caution"),  # it loses, and does not follow the frame more often than not
        (0.9, 0.88, 0.9, 0.5, "caution"),  # it loses nothing
        (1.0, 0.1, 0.9, 0.9, "caution"),  # who always says the commonest class would follow as often
        (1.0, 1.0, 0.0, 0.5, "caution"),  # the frame decides nothing: the ground within it may
    ],
)
def test_a_frame_is_distrusted_or_says_too_little(
    moved: float, swapped: float, follows: float, chance: float, verdict: str
) -> None:
    found = Framed(
        test=of(1.0),
        border=of(1.0),
        moved=of(moved),
        swapped=of(swapped),
        follows=of(follows),
        chosen=of(0.5),
        random=of(1.0),
        chance=chance,
    )
    assert found.verdict == verdict
    assert ("give --masks" in found.reason) == (verdict == "caution")
    if verdict == "caution":
        assert found.reason.startswith("the frame has a say" if swapped < 0.8 else "without masks nobody knows")


def broken(root: Path, how: str) -> tuple[Path, Path, Path | None]:
    """A folder with one thing wrong."""
    photos, labels, masks = root / "photos", root / "labels.csv", root / "masks"
    lines = labels.read_text().splitlines()
    match how:
        case "no folder":
            return root / "fotos", labels, None
        case "no folder of masks":
            return photos, labels, root / "mask"
        case "empty folder":
            (root / "empty").mkdir()
            return root / "empty", labels, None
        case "no header":
            lines = lines[1:]
        case "label without photo":
            lines.append("99.png,cat")
        case "photo without label":
            lines = [line for line in lines if not line.startswith("3.png")]
        case "named twice":
            lines.append("3.png,cat")
        case "no label":
            lines[2] = lines[2].partition(",")[0] + ","
        case "few":
            lines = [line.replace("dog", "wolf") if k < 8 else line for k, line in enumerate(lines)]
        case "one class":
            lines = [line.replace("dog", "cat") for line in lines]
        case "cut short":
            (photos / "3.png").write_bytes((photos / "3.png").read_bytes()[:200])
        case "16 bits":
            size = Image.open(photos / "3.png").size[::-1]
            Image.fromarray(np.full(size, 4000, dtype=np.uint16)).save(photos / "3.png")
        case "not UTF-8":
            labels.write_bytes(b"file,label\n\xff\xfe.png,cat\n")
            return photos, labels, None
        case "no mask":
            (masks / "more" / "5.png").unlink()
        case "size of mask":
            Image.new("L", (10, 10), 255).save(masks / "3.png")
        case "empty mask":
            Image.new("L", Image.open(masks / "4.png").size, 0).save(masks / "4.png")
        case "tiny animal":
            large = np.zeros((2000, 2000), dtype=np.uint8)
            Image.fromarray(large).convert("RGB").save(photos / "4.png")
            large[7, 7] = 255
            Image.fromarray(large).save(masks / "4.png")
        case "no ground":
            mask = np.full(Image.open(masks / "4.png").size[::-1], 255, dtype=np.uint8)
            mask[0, 0] = 0
            Image.fromarray(mask).save(masks / "4.png")
    labels.write_text("\n".join(lines) + "\n")
    return photos, labels, masks


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no folder", "fotos is no folder"),
        ("no folder of masks", "mask is no folder"),
        ("empty folder", "holds no photos"),
        ("no header", "has no column 'file': its first line must say file,label"),
        ("label without photo", "names 99.png, and .*photos has no such photo"),
        ("photo without label", "3.png in .* has no label: give it a line"),
        ("named twice", "names 3.png twice"),
        ("no label", "line 3, has no label"),
        ("few", "there are 9 photos of 'dog': expected 10 or more, half are held out"),
        ("one class", "one class only, 'cat': expected two or more"),
        ("cut short", "3.png is a picture that is damaged or cut short"),
        ("16 bits", "3.png has more than 8 bits for a channel"),
        ("not UTF-8", "not written in UTF-8"),
        ("no mask", "no mask of more/5.png: expected more/5.png in "),
        ("size of mask", "mask of 10 x 10 pixels for a picture of"),
        ("empty mask", "4.png is a mask that is nowhere brighter than half"),
        ("tiny animal", "too small to be seen at 224 x 224"),
        ("no ground", "too large to be seen|leaves no ground around the animal"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path: Path, how: str, words: str) -> None:
    with pytest.raises(attar.InputError, match=words) as refused:
        read_folder(*broken(written(tmp_path), how))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--backbone", "resnet"], "there is no backbone 'resnet'; there is efficientnet-lite0"),
        (["--labels", "x.csv"], "name their folder with --images"),
        (["--images", "x"], "name their CSV file (file,label) with --labels"),
        (["--images", "x", "--labels", "y", "--count", "3"], "is about photos; leave out --count"),
    ],
)
def test_the_shell_refuses_what_does_not_go_together(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["audit", "husky-or-wolf", *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert len(said.splitlines()) == 1


def test_photos_are_for_husky_or_wolf_alone(capsys: pytest.CaptureFixture) -> None:
    assert main(["audit", "rose", "--images", "x"]) == 2
    assert "photos are for audit husky-or-wolf; leave out --images" in capsys.readouterr().err


@needs_model("efficientnet-lite0")
def test_what_a_backbone_sees_does_not_depend_on_company() -> None:
    eyes, pixels = Backbone.named("efficientnet-lite0"), make(5, side=64).pixels
    told: list[int] = []
    together = eyes.features(pixels, told.append)
    assert together.shape == (5, 1280)
    assert told == [5]
    torch.testing.assert_close(eyes.features(pixels[3:4]), together[3:4], rtol=1e-4, atol=1e-4)
    head = head_of(together, torch.tensor([0, 1, 0, 1, 0]), 2)
    torch.testing.assert_close(eyes.judge(head)(pixels), head(together), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@needs_model("efficientnet-lite0")
def test_on_a_backbone_that_others_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute: heads on a network of photos are misled by drawn snow, and mended."""
    import json

    monkeypatch.chdir(tmp_path)
    assert main(["audit", "husky-or-wolf", "--backbone", "efficientnet-lite0", "--json", "h.json"]) == 0
    record = json.loads(Path("h.json").read_text())
    misled, mended = record["models"]
    assert (misled["verdict"], mended["verdict"]) == ("distrust", "trust")
    assert misled["test"]["value"] >= 0.95
    assert misled["swapped"]["value"] <= 0.1
    assert mended["test"]["value"] >= 0.95
    assert mended["swapped"]["value"] >= 0.9


@pytest.mark.slow
@needs_model("efficientnet-lite0")
def test_a_folder_of_pictures_on_that_backbone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Drawn animals as PNG files, 30 of each: a minute."""
    monkeypatch.chdir(tmp_path)
    pictures, lines = make(60, side=160, tall=(0.3, 0.45), seed=4), ["file,label"]
    for folder in ("photos", "masks"):
        Path(folder).mkdir()
    for k, label in enumerate(pictures.labels.tolist()):
        pixels = (255 * pictures.pixels[k].numpy().transpose(1, 2, 0)).round().astype(np.uint8)
        Image.fromarray(pixels).save(f"photos/{k}.png")
        Image.fromarray(np.uint8(255) * pictures.masks[k].numpy()).save(f"masks/{k}.png")
        lines.append(f"{k}.png,{CLASSES[label]}")
    Path("labels.csv").write_text("\n".join(lines))
    given = ["--images", "photos", "--labels", "labels.csv", "--report", "h.html"]
    assert main(["audit", "husky-or-wolf", *given, "--masks", "masks", "--fail-on", "distrust"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("Verdict: DISTRUST. It looks at the ground")
    assert "mended: grounds by the toss of a coin: trust" in said
    assert "60 photos of dog, wolf" in said.replace("\n", " ") or "60 photos of dog and wolf" in said
    assert Path("h.html").read_text().count("<img ") == 4 * (3 + 2 * 4)
