"""A folder of somebody's photos: the file of their labels, the photos, and masks of their animals."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from attar.core.errors import InputError
from attar.core.files import read_bytes
from attar.core.note import counted, listed
from attar.core.split import random_split
from attar.domains.images.masks import painted_over, read_mask
from attar.domains.images.read import SUFFIXES, Picture, read_picture

SIDE = 224
FEWEST = 10  # photos of a class: half of them are held out
_HEADER = ("file", "label")
_RIM = 2  # pixels around an animal that are painted over with it: its edge is seldom cut cleanly
_HELD_OUT = 0.5


@dataclass(frozen=True, eq=False, kw_only=True)
class Folder:
    """Photos as squares of `SIDE` pixels, nothing cut off, and where masks are given the share of each pixel that is
    animal, 0 to 255, and each photo with its animal painted over."""

    names: tuple[str, ...]
    classes: tuple[str, ...]
    labels: Int[Tensor, " photos"]
    photos: UInt8[Tensor, "photos 3 height width"]
    animal: UInt8[Tensor, "photos height width"] | None = None
    grounds: UInt8[Tensor, "photos 3 height width"] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def halves(self, seed: int) -> tuple[Int[Tensor, " learnt"], Int[Tensor, " held_out"]]:
        """Which photos are learnt from, and which are asked about: half of each class, drawn by the seed."""
        held_out = torch.from_numpy(random_split(self.labels.numpy(), test=_HELD_OUT, seed=seed))
        return (~held_out).nonzero()[:, 0], held_out.nonzero()[:, 0]


def read_folder(
    images: str | Path, labels: str | Path, masks: str | Path | None = None, told: Callable[[float], None] | None = None
) -> Folder:
    """Photos in `images` and below, with a line for each in the CSV file `labels` (columns file and label, and a line
    that says so); `masks` holds for each a PNG of the same name, brighter than half where the animal is.

    Raises `InputError`, in one line, for a folder that is none; a file of labels without these columns; a photo without
    a label and a label without a photo; a photo with two; fewer than 10 of a class, or one class only; a photo that
    cannot be read; and masks that are missing, of another size, or of nothing or everything.
    """
    root, given = _is_folder(images), _labels(Path(labels))
    there = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if _is_photo(path)}
    if not there:
        raise InputError(f"{root} holds no photos ({', '.join(SUFFIXES)})")
    _matched(there, given, root, Path(labels))
    classes = tuple(sorted(set(given.values())))
    _enough(given, classes, Path(labels))
    of_masks = None if masks is None else _masks(list(there), _is_folder(masks))
    photos, animal, grounds = [], [], []
    for k, (name, path) in enumerate(there.items()):
        photos.append(_bytes(read_picture(path, Picture(size=(SIDE, SIDE))).inputs.parts["input"][0]))
        if of_masks is not None:
            animal.append(_animal(of_masks[name], path))
            grounds.append(_ground(photos[-1], animal[-1], of_masks[name]))
        if told is not None:
            told((k + 1) / len(there))
    return Folder(
        names=tuple(there),
        classes=classes,
        labels=torch.tensor([classes.index(given[name]) for name in there]),
        photos=torch.stack(photos),
        animal=torch.stack(animal) if animal else None,
        grounds=torch.stack(grounds) if grounds else None,
    )


def _is_photo(path: Path) -> bool:
    """By its name; what a system hides beside photos (`._17.jpg`) is none."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _is_folder(path: str | Path) -> Path:
    if not Path(path).is_dir():
        raise InputError(f"{path} is no folder: name one that is there")
    return Path(path)


def _labels(path: Path) -> dict[str, str]:
    try:
        text = read_bytes(path, suffixes=(".csv",)).decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise InputError(f"{path} is not written in UTF-8: save it as CSV in UTF-8") from problem
    rows = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    named = [name.strip() for name in rows.fieldnames or []]
    if missing := [name for name in _HEADER if name not in named]:
        raise InputError(f"{path} has no column {missing[0]!r}: its first line must say file,label")
    rows.fieldnames, given = named, {}
    for row in rows:
        file, label = ((row[name] or "").strip().removeprefix("./") for name in _HEADER)
        if not file or not label:
            raise InputError(f"{path}, line {rows.line_num}, has no {'label' if file else 'file'}")
        if file in given:
            raise InputError(f"{path} names {file} twice: give each photo one label")
        given[file] = label
    return given


def _matched(there: dict[str, Path], given: dict[str, str], root: Path, labels: Path) -> None:
    if lost := [name for name in given if name not in there]:
        raise InputError(f"{labels} names {listed(lost, most=3)}, and {root} has no such photo")
    if bare := [name for name in there if name not in given]:
        raise InputError(f"{listed(bare, most=3)} in {root} has no label: give it a line in {labels}, or take it out")


def _enough(given: dict[str, str], classes: tuple[str, ...], labels: Path) -> None:
    if len(classes) == 1:
        raise InputError(f"{labels} holds one class only, {classes[0]!r}: expected two or more")
    times = {each: list(given.values()).count(each) for each in classes}
    if few := [each for each in classes if times[each] < FEWEST]:
        raise InputError(
            f"there are {counted(times[few[0]], 'photo')} of {few[0]!r}: expected {FEWEST} or more, half are held out"
        )


def _masks(names: list[str], root: Path) -> dict[str, Path]:
    found = {name: root / Path(name).with_suffix(".png") for name in names}
    if bare := [name for name in names if not found[name].is_file()]:
        place = found[bare[0]].relative_to(root).as_posix()
        raise InputError(f"there is no mask of {listed(bare, most=3)}: expected {place} in {root}")
    return found


def _bytes(numbers: Tensor) -> UInt8[Tensor, "*shape"]:
    return (255 * numbers).round().clamp(0, 255).to(torch.uint8)


def _animal(mask: Path, photo: Path) -> UInt8[Tensor, "height width"]:
    from PIL import Image

    whole = Image.fromarray(np.uint8(255) * read_mask(mask, photo))
    share = np.asarray(whole.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    if not (share > 127).any() or (share > 127).all():
        raise InputError(
            f"{mask} is of an animal that is too {'large' if share.min() > 0 else 'small'} to be seen at "
            f"{SIDE} x {SIDE} pixels: cut the photo closer, or leave it out"
        )
    return torch.from_numpy(share.copy())


def _ground(photo: Tensor, animal: Tensor, mask: Path) -> UInt8[Tensor, "3 height width"]:
    from scipy.ndimage import binary_dilation

    gone = binary_dilation(animal.numpy() > 0, iterations=_RIM)
    if gone.all():
        raise InputError(f"{mask} leaves no ground around the animal: cut the photo wider, or leave it out")
    return _bytes(torch.from_numpy(painted_over(photo.numpy() / 255.0, gone)))
