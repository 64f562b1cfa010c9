"""Boxes that slide over an array, one entry after another, as an oracle. Nothing here comes from attar."""

from collections.abc import Callable
from itertools import product

import numpy as np


def boxes(axes: tuple[int, ...], shape: tuple[int, ...], stride: tuple[int, ...]) -> list[set[tuple[int, ...]]]:
    """The entries of each box, boxes in the order of reading; what stands over an end is left out."""
    places = []
    for size, length, step in zip(axes, shape, stride, strict=True):
        at, of_axis = 0, []
        while True:
            of_axis.append([k for k in range(at, at + length) if k < size])
            if at + length >= size:
                break
            at += step
        places.append(of_axis)
    return [set(product(*chosen)) for chosen in product(*places)]


def occluded(
    function: Callable[[np.ndarray], float], x: np.ndarray, all_boxes: list[set[tuple[int, ...]]], absent: float
) -> np.ndarray:
    """For each entry the mean, over the boxes that hold it, of what the function loses when a box goes to `absent`."""
    total, count = np.zeros(x.shape), np.zeros(x.shape)
    for box in all_boxes:
        without = x.copy()
        for place in box:
            without[place] = absent
        for place in box:
            total[place] += function(x) - function(without)
            count[place] += 1
    return total / np.maximum(count, 1)
