"""Class activation maps and attention rollout as their papers write them, one number at a time.

Chattopadhay et al. 2018 (arXiv:1710.11063), Jiang et al. 2021 (LayerCAM), Wang et al. 2020 (arXiv:1910.01279), Abnar &
Zuidema 2020 (arXiv:2005.00928). For one example and maps over two axes; nothing here comes from attar.
"""

from collections.abc import Callable
from math import exp

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def grad_cam_plus_plus(maps: Tensor, gradient: Tensor, score: float) -> np.ndarray:
    """With the factor exp(score) as published: the target is the exponential of the score."""
    channels, height, width = maps.shape
    found = np.zeros((height, width))
    for k in range(channels):
        total = float(maps[k].sum())
        weight = 0.0
        for i in range(height):
            for j in range(width):
                g = float(gradient[k, i, j])
                first, second, third = exp(score) * g, exp(score) * g**2, exp(score) * g**3
                below = 2 * second + total * third
                weight += (second / below if below != 0 else 0.0) * max(first, 0.0)
        found += weight * maps[k].numpy()
    return found


def layer_cam(maps: Tensor, gradient: Tensor) -> np.ndarray:
    channels, height, width = maps.shape
    found = np.zeros((height, width))
    for k in range(channels):
        for i in range(height):
            for j in range(width):
                found[i, j] += max(float(gradient[k, i, j]), 0.0) * float(maps[k, i, j])
    return found


def score_cam(maps: Tensor, image: Tensor, score: Callable[[Tensor], float], *, softmax: bool) -> np.ndarray:
    scores = []
    for map_ in maps:
        large = F.interpolate(map_[None, None], image.shape[1:], mode="bilinear", align_corners=False)[0, 0]
        low, high = large.min(), large.max()
        mask = (large - low) / (high - low) if high > low else torch.zeros_like(large)
        scores.append(score(image * mask) - score(torch.zeros_like(image)))
    weights = [exp(s) / sum(exp(t) for t in scores) for s in scores] if softmax else scores
    return sum(w * map_.numpy() for w, map_ in zip(weights, maps, strict=True))


def attention_rollout(layers: list[np.ndarray]) -> np.ndarray:
    """From the heads of each layer, first to last, (heads, tokens, tokens): how much of each token reaches each."""
    tokens = layers[0].shape[-1]
    rolled = np.eye(tokens)
    for heads in layers:
        mean = np.zeros((tokens, tokens))
        for head in heads:
            mean += head / len(heads)
        mixed = 0.5 * mean + 0.5 * np.eye(tokens)
        for row in range(tokens):
            mixed[row] /= mixed[row].sum()
        rolled = mixed @ rolled
    return rolled
