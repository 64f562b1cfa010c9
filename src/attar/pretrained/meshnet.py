"""MeshNet: grey and white matter in a T1 image of a head, built here from the file that brainchop publishes.

A stack of 3 x 3 x 3 convolutions whose dilation grows and shrinks again, so that a voxel's label sees a cube of voxels
around it: Fedorov et al. 2017, arXiv:1612.00940. The weights are those of brainchop (github.com/neuroneural/brainchop,
MIT), in the form of TensorFlow.js: a folder with `model.json` and a file of numbers; no package carries them.

What brainchop does to a head first, as its list of models says for "Tissue GWM (light)" (brainchop-parameters.js: no
quantiles, so lowest to highest made 0 to 1, after `conform` to 1 mm with axes to the left, down and to the front) is
what `read` does; a volume is not padded to 256 voxels a side, for the network takes any size.
"""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from attar.adapters.torch import TorchModel
from attar.core.errors import InputError, UnsupportedError
from attar.core.examples import Examples
from attar.core.target import Difference, Entry, Target
from attar.domains.volumes.read import Look, Placed, cut_out, read_volume
from attar.pretrained.card import Pretrained

LOOK = Look(axes="LIA", voxel=1.0)
CLASSES = ("background", "white", "grey")
_ACTIVATIONS = {"relu": nn.ReLU, "elu": nn.ELU}
_TARGET = re.compile(r"\s*(\w+)(?:\s*-\s*(\w+))?\s*@\s*([-+\d.]+)\s*,\s*([-+\d.]+)\s*,\s*([-+\d.]+)\s*(mm|)\s*")


class MeshNet(nn.Module):
    """A T1 image from 0 to 1, `Float[Tensor, "batch 1 depth height width"]` → a logit for each class and voxel."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(
        self, volume: Float[Tensor, "batch 1 depth height width"]
    ) -> Float[Tensor, "batch classes depth height width"]:
        return self.layers(volume)

    @property
    def reach(self) -> int:
        """How many voxels away along an axis the farthest is that a voxel's logits depend on."""
        convolutions = [layer for layer in self.layers if isinstance(layer, nn.Conv3d)]
        return sum(layer.dilation[0] * (layer.kernel_size[0] // 2) for layer in convolutions)


def network(folder: str | Path) -> MeshNet:
    """The network in a folder of TensorFlow.js. Raises `InputError` where that is none, `UnsupportedError` for layers
    that are not a MeshNet's."""
    described = _described(Path(folder))
    try:
        weights = _weights(Path(folder), described["weightsManifest"])
        listed = described["modelTopology"]["model_config"]["config"]["layers"]
        return MeshNet([made for each in listed if (made := _layer(each, weights)) is not None])
    except KeyError as problem:
        raise InputError(f"{folder}/model.json lacks {problem}: expected the layers model of brainchop") from problem


def _described(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except OSError:
        raise InputError(
            f"{folder} holds no model.json: expected a folder of brainchop, such as public/models/model5_gw_ae of "
            "github.com/neuroneural/brainchop"
        ) from None
    except ValueError as problem:
        raise InputError(f"{folder}/model.json is no JSON: download the folder again") from problem


def _weights(folder: Path, manifest: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Every array by its name: they lie in the files one after the other, as single precision."""
    held = {}
    for group in manifest:
        try:
            data = b"".join((folder / path).read_bytes() for path in group["paths"])
        except OSError as problem:
            raise InputError(f"{folder} lacks {', '.join(group['paths'])}: download the folder again") from problem
        total = 4 * sum(math.prod(each["shape"]) for each in group["weights"])
        if len(data) != total or any(each["dtype"] != "float32" for each in group["weights"]):
            raise InputError(f"{folder} holds {len(data):,} bytes of weights, and its model.json speaks of {total:,}")
        numbers, at = np.frombuffer(data, dtype="<f4"), 0
        for each in group["weights"]:
            count = math.prod(each["shape"])
            held[each["name"]] = numbers[at : at + count].reshape(each["shape"])
            at += count
    return held


def _layer(described: dict[str, Any], weights: dict[str, np.ndarray]) -> nn.Module | None:
    kind, options = described["class_name"], described["config"]
    if kind == "InputLayer":
        return None
    if kind == "Activation" and options["activation"] in _ACTIVATIONS:
        return _ACTIVATIONS[options["activation"]]()
    plain = kind == "Conv3D" and options["activation"] == "linear" and options["padding"] == "same"
    if not plain or set(options["strides"]) != {1} or options.get("groups", 1) != 1:
        raise UnsupportedError(f"layer {options['name']!r} ({kind}) is not one that a MeshNet has")
    kernel = weights[f"{options['name']}/kernel"]  # (depth, height, width, taken, given)
    size, dilation = tuple(kernel.shape[:3]), tuple(options["dilation_rate"])
    padding = tuple(d * (k - 1) // 2 for k, d in zip(size, dilation, strict=True))
    layer = nn.Conv3d(kernel.shape[3], kernel.shape[4], size, padding=padding, dilation=dilation)  # type: ignore[arg-type]
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(kernel.transpose(4, 3, 0, 1, 2).copy()))
        layer.bias.copy_(torch.from_numpy(weights[f"{options['name']}/bias"].copy()))  # type: ignore[union-attr]
    return layer


def read(path: str | Path) -> Examples:
    """A T1 image of a whole head, NIfTI: turned to left, inferior and anterior, 1 mm, lowest to highest made 0 to 1."""
    return read_volume(path, LOOK)


def named(text: str, examples: Examples) -> Target:
    """`white@98,134,72`: the logit of white matter at that voxel of the file, counted from 0; `white@0,0,10mm`: at that
    place of the room; `white-grey@…`: how much more it is. Raises `InputError` for anything else."""
    this, that, _ = _asked(text)
    at = place(text, examples)
    target = Entry(CLASSES.index(this), *at)
    return target if that is None else Difference(target, Entry(CLASSES.index(that), *at))


def place(text: str, examples: Examples) -> tuple[int, int, int]:
    """The place in the array of the voxel that `text` speaks of."""
    placed: Placed = examples.raw[0]
    _, _, (numbers, unit) = _asked(text)
    return placed.index_mm(numbers) if unit else placed.index(numbers)


def _asked(text: str) -> tuple[str, str | None, tuple[tuple[float, ...], str]]:
    found = _TARGET.fullmatch(text.lower().replace("gray", "grey"))
    numbers = [] if found is None else [_number(word) for word in found.groups()[2:5]]
    if found is None or None in numbers or any(name not in (None, *CLASSES) for name in found.groups()[:2]):
        raise InputError(
            f"the target is {text!r}, expected what and where: white@98,134,72 (a voxel of the file, from 0), "
            f"white@0,0,10mm, or white-grey@98,134,72, of {', '.join(CLASSES)}"
        )
    return found[1], found[2], (tuple(float(n) for n in numbers if n is not None), found[6])


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def load(folder: str | Path) -> Pretrained:
    """The network in `folder`, asked about one voxel of a head: only the cube that the voxel's answer depends on is
    kept, which leaves the answer as it is."""
    net = network(folder)
    given = [layer.out_channels for layer in net.layers if isinstance(layer, nn.Conv3d)][-1]
    if given != len(CLASSES):
        raise UnsupportedError(f"{folder} tells {given} classes apart, expected {', '.join(CLASSES)}: model5_gw_ae")
    net.eval().requires_grad_(False)

    def around(text: str, examples: Examples) -> Examples:
        return cut_out(examples, place(text, examples), net.reach)

    return Pretrained(
        name="meshnet",
        model=TorchModel(net, within=(0.0, 1.0)),
        read=read,
        named_target=named,
        around=around,
    )
