"""The classifiers of the story: one network, fitted to pictures that mislead and to pictures that do not."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attar.core.inputs import Tensors
from attar.engine.train import train
from attar.experiments.husky_or_wolf.pictures import CLASSES, Pictures


class Classifier(nn.Module):
    """Three convolutions and the largest of each map: a small animal counts as much as a large ground, in whose mean it
    would drown."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inward, outward in ((3, width), (width, 2 * width), (2 * width, 2 * width)):
            layers += [nn.Conv2d(inward, outward, 5, stride=2, padding=2), nn.BatchNorm2d(outward), nn.ReLU()]
        self.maps = nn.Sequential(*layers)
        self.head = nn.Linear(2 * width, 1)

    def forward(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 1"]:
        return self.head(self.maps(2 * pixels - 1).amax((2, 3)))


class BothClasses(nn.Module):
    """The one logit of a wolf as a score for each class, so that either can be asked about."""

    def __init__(self, inside: Classifier) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        wolf = self.inside(pixels)
        return torch.cat([-wolf / len(CLASSES), wolf / len(CLASSES)], 1)


def fitted(pictures: Pictures, *, epochs: int, seed: int = 0) -> nn.Module:
    """A network that tells wolves from dogs as these pictures teach it; same pictures and seed, same network."""
    network = train(
        Classifier, Tensors(pictures.pixels), pictures.labels.float(), epochs=epochs, batch_size=32, seed=seed
    )
    return BothClasses(network).eval()  # type: ignore[arg-type]
