"""Boxes that slide over a tensor: patches of an image, stretches of a signal, blocks of a volume."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from attar.core.errors import InputError
from attar.core.features import Features, for_each
from attar.core.inputs import Entries, Inputs


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Boxes of `shape` entries, a `stride` apart (None: side by side, as tiles), as the features of a tensor.

    Both speak of an example's last axes; axes before them go along whole: (4, 4) on (channels, height, width) takes
    all channels of a 4 x 4 patch. The first box starts at the first entry; boxes are set until one reaches the end of
    the axis, and what would stand over the end is cut off, never wrapped round. Windows are numbered as they are read.
    Raises `InputError` for strides that would leave entries in no window, and for inputs that are no single tensor.
    """

    shape: tuple[int, ...]
    stride: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        stride = self.shape if self.stride is None else self.stride
        if not self.shape or len(stride) != len(self.shape):
            raise InputError(
                f"shape {self.shape} and stride {stride} differ in axes, expected one number each per axis"
            )
        if any(not 1 <= step <= length for step, length in zip(stride, self.shape, strict=True)):
            raise InputError(f"stride is {stride} for windows of {self.shape}, expected 1 to the window's length")

    def __call__(self, inputs: Inputs) -> Features:
        entries = inputs.by_entry()
        if not isinstance(entries, Entries):
            raise InputError(f"windows slide over one tensor, not {type(inputs).__name__}: give groups of its rows")
        part, array = entries.tensor("windows slide over")
        axes = array.shape[1:]
        before = len(axes) - len(self.shape)
        if before < 0:
            raise InputError(f"windows of {self.shape} have more axes than an example, which has {tuple(axes)}")
        stride = self.shape if self.stride is None else self.stride
        window = entry = torch.zeros(1, dtype=torch.long, device=inputs.device)
        for k, size in enumerate(axes):
            length, step = (size, size) if k < before else (self.shape[k - before], stride[k - before])
            of_axis, place, count = _along(size, length, step, inputs.device)
            window = (window[:, None] * count + of_axis).flatten()
            entry = (entry[:, None] * size + place).flatten()
        owner, share = for_each(array, window, entry, int(window.max()) + 1)
        rule = f"windows of {' x '.join(map(str, self.shape))}"
        return Features(name="windows", rule=rule, owner=owner, shares={part: share})


def _along(size: int, length: int, step: int, device: torch.device) -> tuple[Tensor, Tensor, int]:
    """Every (window, place) on one axis that belong together, and the number of windows."""
    count = max(math.ceil((size - length) / step), 0) + 1
    window = torch.arange(count, device=device).repeat_interleave(length)
    place = window * step + torch.arange(length, device=device).repeat(count)
    return window[place < size], place[place < size], count
