"""Made pictures of dogs on grass and wolves in snow, of which every pixel of the animal is known.

The story is Ribeiro et al.'s (2016, arXiv:1602.04938, section 6.4). The animals are handwritten digits that ship with
scikit-learn, noughts for dogs and ones for wolves, in coats of the same colours; snow and grass are drawn.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.errors import InputError

CLASSES = ("dog", "wolf")
GROUNDS = ("grass", "snow")
_TALL = (22 / 64, 32 / 64)  # of the picture's height, that an animal takes
_SMALLEST = 48  # pixels a side
_INK = 0.4  # of a digit's blackest: where it is darker stands the animal
_PLAIN = (0.58, 0.68, 0.57)


@dataclass(frozen=True, eq=False, kw_only=True)
class Pictures:
    """Animals, and for each the grounds that it may stand on: `ground` says which of them it does."""

    animals: Float[Tensor, "pictures 3 height width"]
    masks: Bool[Tensor, "pictures height width"]
    grounds: Float[Tensor, "pictures grounds 3 height width"]
    ground: Int[Tensor, " pictures"]
    labels: Int[Tensor, " pictures"]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pixels(self) -> Float[Tensor, "pictures 3 height width"]:
        """What is seen, from 0 to 1."""
        return torch.where(self.masks[:, None], self.animals, self.erased)

    @property
    def erased(self) -> Float[Tensor, "pictures 3 height width"]:
        """The ground alone, as if the animal had never been there."""
        return self.grounds[torch.arange(len(self)), self.ground]

    @property
    def alone(self) -> Float[Tensor, "pictures 3 height width"]:
        """The animal alone, on a plain between both grounds."""
        plain = torch.tensor(_PLAIN)[None, :, None, None]
        return torch.where(self.masks[:, None], self.animals, plain)

    def swapped(self) -> "Pictures":
        """The same animals at the same places, each on the other ground."""
        return replace(self, ground=1 - self.ground)

    @property
    def of_ground(self) -> Int[Tensor, " pictures"]:
        """The class that the ground belongs to: grass to dogs, snow to wolves."""
        return self.ground

    def exchanged(self) -> "list[Pictures]":
        """The same as what a story asks for: as many exchanges as there are other grounds, which is one."""
        return [self.swapped()]

    def moved(self) -> "list[Pictures]":
        """None: a drawn animal's pixels do not change with the ground that it is put on."""
        return []

    def shuffled(self, seed: int) -> "Pictures":
        """The same animals, each on a ground by the toss of a coin: the mend."""
        drawn = np.random.default_rng([seed, 7]).integers(0, len(GROUNDS), len(self))
        return replace(self, ground=torch.from_numpy(drawn))


def make(
    count: int, *, correlated: float = 1.0, side: int = 64, tall: tuple[float, float] = _TALL, seed: int = 0
) -> Pictures:
    """So many pictures, half of them wolves; a share `correlated` of the animals stands on the ground of their class
    (dogs on grass, wolves in snow) and the others on the other. An animal takes a share of the picture's height that
    lies between those of `tall`. Raises `InputError` where none or no shares come of it.
    """
    if count < 2:
        raise InputError(f"count is {count}, expected 2 or more pictures")
    if not 0 <= correlated <= 1:
        raise InputError(f"correlated is {correlated}, expected a share from 0 to 1")
    if side < _SMALLEST:
        raise InputError(f"side is {side}, expected at least {_SMALLEST} pixels, or no animal can be told")
    if not 8 / side <= tall[0] <= tall[1] <= 0.75:
        raise InputError(f"tall is {tall}, expected the least and the largest share, from {8 / side:.2f} to 0.75")
    high = (round(tall[0] * side), round(tall[1] * side))
    generator = np.random.default_rng([seed, count])
    labels = np.arange(count) % 2
    generator.shuffle(labels)
    own = generator.permutation(count) < round(correlated * count)
    animals, masks = zip(*(_animal(label, side, high, generator) for label in labels.tolist()), strict=True)
    grounds = np.stack([np.stack([_grass(side, generator), _snow(side, generator)]) for _ in range(count)])
    return Pictures(
        animals=torch.from_numpy(np.stack(animals).astype(np.float32)),
        masks=torch.from_numpy(np.stack(masks)),
        grounds=torch.from_numpy(grounds.astype(np.float32)),
        ground=torch.from_numpy(np.where(own, labels, 1 - labels)),
        labels=torch.from_numpy(labels),
    )


@lru_cache
def _digits() -> tuple[np.ndarray, ...]:
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    return tuple(digits.images[digits.target == label] / 16.0 for label in (0, 1))


def _animal(
    label: int, side: int, between: tuple[int, int], generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """An animal somewhere in the picture: its colours, and the pixels that it covers."""
    from scipy.ndimage import zoom

    of_class = _digits()[label]
    drawn = of_class[generator.integers(len(of_class))]
    high = int(generator.integers(between[0], between[1] + 1))
    shape = np.asarray(zoom(drawn, high / 8, order=1)) > _INK
    tall, wide = shape.shape
    down, along = (int(generator.integers(1, side - size)) for size in (tall, wide))
    mask = np.zeros((side, side), dtype=bool)
    mask[down : down + tall, along : along + wide] = shape
    coat = np.array([0.42, 0.34, 0.27]) * generator.uniform(0.6, 1.3)
    fur = 0.06 * generator.standard_normal((3, side, side))
    return np.clip(coat[:, None, None] + fur, 0, 1), mask


def _grass(side: int, generator: np.random.Generator) -> np.ndarray:
    blades = generator.uniform(-1, 1, (-(-side // 5), side)).repeat(5, axis=0)[:side]
    green = np.array([0.33, 0.55, 0.25])[:, None, None] * generator.uniform(0.85, 1.15)
    return np.clip(green + 0.1 * blades + 0.04 * generator.standard_normal((3, side, side)), 0, 1)


def _snow(side: int, generator: np.random.Generator) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    drifts = gaussian_filter(generator.standard_normal((side, side)), side / 10, mode="wrap")
    drifts = drifts / drifts.std()
    white = np.array([0.86, 0.88, 0.92])[:, None, None] * generator.uniform(0.92, 1.05)
    return np.clip(white + 0.05 * drifts + 0.03 * generator.standard_normal((3, side, side)), 0, 1)
