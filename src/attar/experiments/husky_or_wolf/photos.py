"""Photos with masks: every animal on its own ground, on another's, or gone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.errors import InputError
from attar.experiments.husky_or_wolf.folder import Folder

_GROUNDS = 3  # that each animal is put on


@dataclass(frozen=True, eq=False, kw_only=True)
class Photos:
    """Some photos of a folder with masks: `which` is each one's animal, `ground` the photo whose ground it is on, of
    which that photo's own animal is painted over. Where they are one, it is the photo as it was taken."""

    folder: Folder
    which: Int[Tensor, " photos"]
    ground: Int[Tensor, " photos"]
    seed: int = 0

    @classmethod
    def of(cls, folder: Folder, which: Int[Tensor, " photos"], seed: int = 0) -> "Photos":
        if folder.animal is None or folder.grounds is None:
            raise InputError("the photos have no masks: nothing says where the animals are")
        return cls(folder=folder, which=which, ground=which, seed=seed)

    def __len__(self) -> int:
        return len(self.which)

    @property
    def labels(self) -> Int[Tensor, " photos"]:
        return self.folder.labels[self.which]

    @property
    def of_ground(self) -> Int[Tensor, " photos"]:
        """The class of the photo whose ground it is on."""
        return self.folder.labels[self.ground]

    @cached_property
    def _animal(self) -> Float[Tensor, "photos height width"]:
        return self.folder.animal[self.which].float() / 255  # type: ignore[index]

    @property
    def masks(self) -> Bool[Tensor, "photos height width"]:
        return self._animal > 0.5

    @property
    def pixels(self) -> Float[Tensor, "photos 3 height width"]:
        """What is seen, from 0 to 1."""
        taken, share = self.folder.photos[self.which].float() / 255, self._animal[:, None]
        there = self.folder.grounds[self.ground].float() / 255  # type: ignore[index]
        own = (self.ground == self.which)[:, None, None, None]
        return torch.where(own, taken, share * taken + (1 - share) * there)

    @property
    def erased(self) -> Float[Tensor, "photos 3 height width"]:
        """The ground with the animal painted over."""
        return self.folder.grounds[self.ground].float() / 255  # type: ignore[index]

    def exchanged(self) -> "Sequence[Photos]":
        """Each animal on grounds of other classes, drawn from these photos."""
        return self._put(lambda label, labels: labels != label, 1)

    def moved(self) -> "Sequence[Photos]":
        """Each animal on grounds of its own class, drawn from the others of these photos."""
        return self._put(lambda label, labels: labels == label, 2)

    def shuffled(self) -> "Sequence[Photos]":
        """Each animal on grounds of classes by the toss of a coin: the mend."""
        generator = np.random.default_rng([self.seed, 3])
        classes = len(self.folder.classes)
        tossed = generator.integers(0, classes, (_GROUNDS, len(self)))
        return [
            replace(self, ground=self._drawn(generator, [self.labels == int(k) for k in row], itself=True))
            for row in tossed
        ]

    def _put(self, fits: Callable[[Tensor, Tensor], Tensor], stream: int) -> "Sequence[Photos]":
        generator = np.random.default_rng([self.seed, stream])
        wanted = [fits(label, self.labels) for label in self.labels]
        return [replace(self, ground=self._drawn(generator, wanted, itself=False)) for _ in range(_GROUNDS)]

    def _drawn(
        self, generator: np.random.Generator, wanted: Sequence[Bool[Tensor, " photos"]], *, itself: bool
    ) -> Int[Tensor, " photos"]:
        found = []
        for k, fits in enumerate(wanted):
            places = fits.nonzero()[:, 0].tolist()
            places = places if itself else [place for place in places if place != k]
            found.append(int(self.which[places[generator.integers(len(places))]]))
        return torch.tensor(found)
