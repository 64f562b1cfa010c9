"""Where attributions lie: drawn beside the story, and asked for nothing."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attar.core.baseline import Blurred
from attar.core.inputs import Tensors
from attar.core.method import Method
from attar.core.target import Logit
from attar.core.windows import Windows
from attar.verb import attribute

_BLUR, _WINDOW = 10 / 64, 1 / 8  # of a picture's side


def usual(side: int = 64, *, overlap: int = 2, tiles: int = 8, budget: int = 512) -> dict[str, Method]:
    """The methods of the story for pictures of so many pixels a side; windows move on by their width over `overlap`.
    LIME's parts are `tiles` x `tiles` squares, any of them blurred, and it asks at most `budget` times per picture."""
    from attar.methods.grad_cam import GradCAM
    from attar.methods.integrated_gradients import IntegratedGradients
    from attar.methods.lime import Lime
    from attar.methods.occlusion import Occlusion

    wide, blur = max(2, round(_WINDOW * side)), Blurred(sigma=_BLUR * side)
    by = Windows(shape=(3, wide, wide), stride=(3, wide // overlap, wide // overlap))
    tile = math.ceil(side / tiles)
    return {
        "lime": Lime(by=Windows(shape=(3, tile, tile)), background=blur, budget=budget),
        "occlusion": Occlusion(by=by, baseline=blur, on_rows=True),
        "integrated-gradients": IntegratedGradients(tolerance=0.05, baseline=blur),
        "grad-cam": GradCAM(),
    }


def usual_on_backbone(side: int) -> dict[str, Method]:
    """The same where every answer is a pass through a large network: fewer questions about each picture."""
    return usual(side, overlap=1, tiles=5, budget=128)


def said_of_lime(methods: Mapping[str, Method]) -> str:
    """How it was asked, for who reads the numbers."""
    lime: Any = methods["lime"]
    return (
        f"LIME blurred squares of {lime.by.shape[-1]} pixels at random and asked {lime.budget - 1} times at most about "
        "each picture."
    )


def attribution_map(model: Any, shown: Tensor, method: Method, said: Tensor) -> Float[Tensor, "pictures height width"]:
    """The attribution of what was said, on the pixels: channels summed, a layer's map enlarged, a tile's value on each
    of its pixels."""
    inputs = Tensors(shown)
    found = attribute(model, inputs, method, Logit(said))
    if found.carried_by is not None:
        tiles = method.by(inputs)  # type: ignore[attr-defined]
        on_entries = tiles.on_rows(found.parts[tiles.name], "input", shown.numel())
        return on_entries.reshape(shown.shape).mean(1)
    values = next(iter(found.parts.values())).reshape(len(shown), -1, *_grid(found.parts, shown)).sum(1)
    if values.shape[1:] == shown.shape[2:]:
        return values
    size = tuple(shown.shape[2:])
    return torch.nn.functional.interpolate(values[:, None], size=size, mode="bilinear")[:, 0]


def _grid(parts: Mapping[str, Tensor], shown: Tensor) -> Sequence[int]:
    values = next(iter(parts.values()))
    return values.shape[-2:] if values.ndim > 2 else shown.shape[2:]


def inside(
    values: Float[Tensor, "pictures height width"], masks: Bool[Tensor, "pictures height width"]
) -> Float[np.ndarray, " pictures"]:
    """The share of positive values on the animal, for each picture; nothing positive lies nowhere: 0."""
    positive = values.clamp(min=0).double()
    total = positive.sum((1, 2))
    held = (positive * masks).sum((1, 2))
    return torch.where(total > 0, held / torch.where(total > 0, total, 1), 0.0).numpy()
