"""A network of photos that others trained, frozen, and heads on what it sees: nothing else is learnt."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from attar.core.errors import InputError
from attar.pretrained import load

BACKBONES = ("efficientnet-lite0",)
_PENALTY = 10.0  # half of it times the head's squared weights is added to the sum of the photos' log losses
_TOGETHER = 32


class Judge(nn.Module):
    """The largest of each of the backbone's maps, and a linear head: a small animal counts as much as a large ground,
    in whose mean it would drown. Pixels from 0 to 1 → a score for each class."""

    def __init__(self, network: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.network, self.head = network, head

    def forward(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        return self.head(self.network.maps(pixels).amax((2, 3)))  # type: ignore[operator]


@dataclass(frozen=True, eq=False)
class Backbone:
    """A frozen network. `features` are what it sees of pictures; `judge` is the whole of it and a head."""

    name: str
    network: nn.Module

    @classmethod
    def named(cls, name: str) -> "Backbone":
        """Raises `InputError` for a name that is none, `UnsupportedError` where its package is not installed."""
        if name not in BACKBONES:
            raise InputError(f"there is no backbone {name!r}; there is {', '.join(BACKBONES)}")
        return cls(name, load(name).model.module)

    def features(
        self, pixels: Float[Tensor, "pictures 3 height width"], told: Callable[[int], None] | None = None
    ) -> Float[Tensor, "pictures features"]:
        """The largest of each map. `told` is called with the number of pictures, after every few of them."""
        found = []
        with torch.no_grad():
            for some in pixels.split(_TOGETHER):
                found.append(self.network.maps(some).amax((2, 3)))  # type: ignore[operator]
                if told is not None:
                    told(len(some))
        return torch.cat(found)

    def judge(self, head: nn.Linear) -> Judge:
        return Judge(self.network, head).eval()


def head_of(features: Float[Tensor, "pictures features"], labels: Int[Tensor, " pictures"], classes: int) -> nn.Linear:
    """Logistic regression on features in units of their deviation, every class counting alike; as one linear layer."""
    from sklearn.linear_model import LogisticRegression

    seen, is_ = features.double().numpy(), labels.numpy()
    middle, spread = seen.mean(0), seen.std(0)
    spread = np.where(spread > 0, spread, 1.0)
    fitted = LogisticRegression(C=1 / _PENALTY, max_iter=1000, class_weight="balanced")
    fitted.fit((seen - middle) / spread, is_)
    weights, offset = fitted.coef_ / spread, fitted.intercept_ - (fitted.coef_ / spread) @ middle
    if classes == 2:  # the one log-odds as a score for each class
        weights, offset = np.concatenate([-weights, weights]) / 2, np.concatenate([-offset, offset]) / 2
    head = nn.Linear(seen.shape[1], classes)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weights))
        head.bias.copy_(torch.from_numpy(offset))
    return head.eval().requires_grad_(False)
