"""What decides whether a classifier looks at the animal: grounds exchanged, animals erased, and only then a map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attar.core.baseline import Blurred
from attar.core.inputs import Tensors
from attar.core.method import Method
from attar.core.target import Logit
from attar.design.shares import wilson
from attar.verb import attribute

_CHANCE = 0.5
_HELD = 0.1  # of its accuracy, that a model may lose with its ground exchanged and still be said to look at the animal
_FOLLOWED = 0.9  # of pictures whose animal is erased: who says the same of more has not shown to see it
_DRAWS = 1000


class Shown(Protocol):
    """Pictures with their animals' places, and the same animals otherwise: made ones, or photos with masks."""

    @property
    def labels(self) -> Tensor: ...

    @property
    def masks(self) -> Bool[Tensor, "pictures height width"]: ...

    @property
    def pixels(self) -> Float[Tensor, "pictures 3 height width"]: ...

    @property
    def erased(self) -> Float[Tensor, "pictures 3 height width"]: ...

    def swapped(self) -> "Shown": ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Share:
    """A share with its 95% interval (Wilson's for a count, bootstrap for a mean)."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, right: Tensor) -> "Share":
        held, count = float(right.double().sum()), len(right)
        return cls(held / count, *wilson(held, count))

    @classmethod
    def mean(cls, each: np.ndarray, seed: int = 0) -> "Share":
        drawn = np.random.default_rng(seed).integers(0, len(each), (_DRAWS, len(each)))
        low, high = np.quantile(each[drawn].mean(1), (0.025, 0.975))
        return cls(float(each.mean()), float(low), float(high))

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is known of one model: how often it is right, and how often what it says follows the ground alone.

    `test` is the accuracy on pictures like those of the training; `swapped` with every animal on the other ground;
    `follows` is the share of pictures with the animal erased about which it says what it said with the animal there;
    `inside` the share of each method's positive values that lies on the animal, `area` the share of pixels that does:
    what values at random would have there.
    """

    name: str
    test: Share
    swapped: Share
    follows: Share
    inside: Mapping[str, Share]
    area: float

    @property
    def verdict(self) -> str:
        """distrust where the exchange of grounds costs more than chance allows and what is said follows the ground;
        trust where the exchange costs little, leaves the model better than chance, and erasing the animal changes what
        is said; else caution. No map has a say in it: maps of a
        model that looks at the snow and of one that does not can lie alike."""
        if self.swapped.high < self.test.low and self.follows.low > _CHANCE:
            return "distrust"
        kept = self.test.value - self.swapped.value <= _HELD
        return "trust" if kept and self.swapped.low > _CHANCE and self.follows.low <= _FOLLOWED else "caution"

    @property
    def reason(self) -> str:
        said = f"{self.test.value:.0%} right on its test, {self.swapped.value:.0%} with the grounds exchanged"
        follows = f"and with the animal erased it says the same of {self.follows.value:.0%}"
        match self.verdict:
            case "distrust":
                return f"it looks at the ground: {said}, {follows}"
            case "trust":
                return f"it looks at the animal: {said}, {follows}"
        return f"it is not known what it looks at: {said}, {follows}"


def told(
    name: str,
    model: Any,
    pictures: Shown,
    methods: Mapping[str, Method],
    *,
    explained: int = 40,
) -> Told:
    """Ask a model the questions that decide, and draw where its attributions lie for the first `explained` pictures."""
    said = _answers(model, pictures.pixels)
    right = said == pictures.labels
    swapped = _answers(model, pictures.swapped().pixels) == pictures.labels
    follows = _answers(model, pictures.erased) == said
    some = slice(0, min(explained, len(pictures)))
    shown, masks = pictures.pixels[some], pictures.masks[some]
    inside = {
        each: Share.mean(_inside(attribution_map(model, shown, method, said[some]), masks))
        for each, method in methods.items()
    }
    return Told(
        name=name,
        test=Share.of(right),
        swapped=Share.of(swapped),
        follows=Share.of(follows),
        inside=inside,
        area=float(masks.double().mean()),
    )


def _answers(model: Any, pixels: Tensor, together: int = 64) -> Tensor:
    with torch.no_grad():
        return torch.cat([model(some).argmax(1) for some in pixels.split(together)])


def attribution_map(model: Any, shown: Tensor, method: Method, said: Tensor) -> Float[Tensor, "pictures height width"]:
    """The attribution of what was said, on the pixels: channels summed, a layer's map enlarged."""
    found = attribute(model, Tensors(shown), method, Logit(said))
    values = next(iter(found.parts.values())).reshape(len(shown), -1, *_grid(found.parts, shown)).sum(1)
    if values.shape[1:] == shown.shape[2:]:
        return values
    size = tuple(shown.shape[2:])
    return torch.nn.functional.interpolate(values[:, None], size=size, mode="bilinear")[:, 0]


def _grid(parts: Any, shown: Tensor) -> Sequence[int]:
    values = next(iter(parts.values()))
    return values.shape[-2:] if values.ndim > 2 else shown.shape[2:]


def _inside(values: Tensor, masks: Tensor) -> np.ndarray:
    """The share of positive values on the animal, for each picture; nothing positive lies nowhere: 0."""
    positive = values.clamp(min=0).double()
    total = positive.sum((1, 2))
    held = (positive * masks).sum((1, 2))
    return torch.where(total > 0, held / torch.where(total > 0, total, 1), 0.0).numpy()


def usual() -> dict[str, Method]:
    """The methods of the story."""
    from attar.core.windows import Windows
    from attar.methods.grad_cam import GradCAM
    from attar.methods.integrated_gradients import IntegratedGradients
    from attar.methods.occlusion import Occlusion

    by = Windows(shape=(3, 8, 8), stride=(3, 4, 4))
    return {
        "occlusion": Occlusion(by=by, baseline=Blurred(sigma=10.0), on_rows=True),
        "integrated-gradients": IntegratedGradients(tolerance=0.05, baseline=Blurred(sigma=10.0)),
        "grad-cam": GradCAM(),
    }
