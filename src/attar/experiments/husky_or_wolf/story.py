"""What decides whether a classifier looks at the animal: grounds exchanged, animals erased, and only then a map."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.method import Method
from attar.design.shares import wilson
from attar.experiments.husky_or_wolf.maps import attribution_map, inside

_CHANCE = 0.5
_MORE_OFTEN_THAN_NOT = 0.5
_HELD = 0.1  # of its accuracy, that a model may lose with its ground exchanged and still be said to look at the animal
_FOLLOWED = 0.9  # of pictures whose animal is erased: who says the same of more has not shown to see it
_DRAWS = 1000


class Shown(Protocol):
    """Pictures with their animals' places, and the same animals otherwise: made ones, or photos with masks."""

    @property
    def labels(self) -> Int[Tensor, " pictures"]: ...

    @property
    def of_ground(self) -> Int[Tensor, " pictures"]:
        """The class that the ground belongs to."""
        ...

    @property
    def masks(self) -> Bool[Tensor, "pictures height width"]: ...

    @property
    def pixels(self) -> Float[Tensor, "pictures 3 height width"]: ...

    @property
    def erased(self) -> Float[Tensor, "pictures 3 height width"]: ...

    def exchanged(self) -> "Sequence[Shown]":
        """The same animals, each on a ground of another class: once, or several times."""
        ...

    def moved(self) -> "Sequence[Shown]":
        """The same animals, each on another ground of its own class: what putting it there costs by itself."""
        ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Share:
    """A share with its 95% interval (Wilson's for a count, bootstrap for a mean)."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, right: Float[Tensor, " pictures"]) -> "Share":
        """Of yes and no; or of shares, such as of several drawings of one picture, which count as one: the interval is
        then none too narrow, since nothing between 0 and 1 varies more than a coin."""
        held, count = float(right.double().sum()), len(right)
        return cls(held / count, *wilson(held, count))

    @classmethod
    def mean(cls, each: np.ndarray, seed: int = 0) -> "Share":
        drawn = np.random.default_rng(seed).integers(0, len(each), (_DRAWS, len(each)))
        low, high = np.quantile(each[drawn].mean(1), (0.025, 0.975))
        return cls(float(each.mean()), float(low), float(high))

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, eq=False, kw_only=True)
class Views:
    """All that a model is asked about: pixels, or what a frozen backbone saw of them, once for every head."""

    labels: Int[Tensor, " pictures"]
    seen: Tensor
    erased: Tensor
    exchanged: tuple[Tensor, ...]
    of_ground: tuple[Int[Tensor, " pictures"], ...]
    moved: tuple[Tensor, ...]

    @classmethod
    def of(cls, pictures: Shown, see: Callable[[Tensor], Tensor] = lambda pixels: pixels) -> Self:
        exchanged = pictures.exchanged()
        return cls(
            labels=pictures.labels,
            seen=see(pictures.pixels),
            erased=see(pictures.erased),
            exchanged=tuple(see(each.pixels) for each in exchanged),
            of_ground=tuple(each.of_ground for each in exchanged),
            moved=tuple(see(each.pixels) for each in pictures.moved()),
        )


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is known of one model: how often it is right, and how often what it says follows the ground alone.

    `test` is the accuracy on pictures like those of the training; `swapped` with every animal on a ground of another
    class, and `grounded` how often it says then the class of the ground; `moved`, where putting an animal elsewhere may
    cost something by itself, the same on another ground of its own class; `follows` is the share of pictures with the
    animal erased about which it says what it said with the animal there; `inside` the share of each method's positive
    values that lies on the animal, `area` the share of pixels that does: what values at random would have there.
    `chance` is how often who always says the commonest class is right. `maps` are what `inside` is of.
    """

    name: str
    test: Share
    swapped: Share
    grounded: Share
    follows: Share
    inside: Mapping[str, Share]
    area: float
    moved: Share | None = None
    chance: float = _CHANCE
    maps: Mapping[str, Float[Tensor, "explained height width"]] = field(default_factory=dict, repr=False)

    @property
    def verdict(self) -> str:
        """distrust where the exchange of grounds costs more than chance allows and what is said follows the ground,
        that which the animal was erased from, or more often than not that which it was put on; trust where the exchange
        costs little, leaves the model better than chance, and erasing the animal changes what is said; else caution. No
        map has a say in it: maps of a model that looks at the snow and of one that does not can lie alike."""
        before = self.moved or self.test
        followed = self.follows.low > self.chance or self.grounded.low > _MORE_OFTEN_THAN_NOT
        if self.swapped.high < before.low and followed:
            return "distrust"
        kept = before.value - self.swapped.value <= _HELD
        return "trust" if kept and self.swapped.low > self.chance and self.follows.value <= _FOLLOWED else "caution"

    @property
    def reason(self) -> str:
        other = "" if self.moved is None else f" ({self.moved.value:.0%} on another ground of the same class)"
        said = f"{self.test.value:.0%} right on its test, {self.swapped.value:.0%} with the grounds exchanged{other}"
        follows = f"and with the animal erased it says the same of {self.follows.value:.0%}"
        match self.verdict:
            case "distrust":
                return f"it looks at the ground: {said}, {follows}"
            case "trust":
                return f"it looks at the animal: {said}, {follows}"
        return f"it is not known what it looks at: {said}, {follows}"


def told(
    name: str,
    model: Callable[[Tensor], Tensor],
    pictures: Shown,
    methods: Mapping[str, Method],
    *,
    views: Views | None = None,
    answer: Callable[[Tensor], Tensor] | None = None,
    explained: int = 40,
) -> Told:
    """Ask a model the questions that decide, and draw where its attributions lie for the first `explained` pictures.

    Where the model is a head on a backbone, `views` are what that saw of the pictures, and `answer` is the head.
    """
    views = views or Views.of(pictures)
    answer = model if answer is None else answer
    said, labels = _said(answer, views.seen), views.labels
    some = slice(0, min(explained, len(pictures)))
    shown, masks = pictures.pixels[some], pictures.masks
    maps = {each: attribution_map(model, shown, method, said[some]) for each, method in methods.items()}
    return Told(
        name=name,
        test=Share.of(said == labels),
        swapped=_right(answer, views.exchanged, [labels] * len(views.exchanged)),
        grounded=_right(answer, views.exchanged, views.of_ground),
        follows=Share.of(_said(answer, views.erased) == said),
        moved=_right(answer, views.moved, [labels] * len(views.moved)) if views.moved else None,
        inside={each: Share.mean(inside(values, masks[some])) for each, values in maps.items()},
        area=float(masks.double().mean()),
        chance=float(labels.bincount().max() / len(labels)),
        maps=maps,
    )


def _right(answer: Callable[[Tensor], Tensor], views: Sequence[Tensor], of: Sequence[Tensor]) -> Share:
    """How often it says what each view is of; of an animal on several grounds the share of these counts."""
    right = [_said(answer, each) == labels for each, labels in zip(views, of, strict=True)]
    return Share.of(torch.stack(right).double().mean(0))


def _said(answer: Callable[[Tensor], Tensor], seen: Tensor, together: int = 64) -> Int[Tensor, " pictures"]:
    with torch.no_grad():
        return torch.cat([answer(some).argmax(1) for some in seen.split(together)])
