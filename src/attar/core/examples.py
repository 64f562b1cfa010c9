"""Examples out of a file: what a model is asked about, what to call them, and what a person sees of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch

from attar.core.baseline import Baseline, Rows
from attar.core.errors import InputError
from attar.core.features import Features
from attar.core.inputs import Inputs, Tensors


@dataclass(frozen=True, eq=False, kw_only=True)
class Examples:
    """Examples out of a file: `names` are what to call them, `said` what was done to read them.

    `domain` names whose examples they are ("images", "sequences" …): it draws them, from `raw`, which holds each as
    that domain knows it. `features` are the parts that a person would name (superpixels, words, windows of a signal),
    for methods that take parts away. `seen` is what a person sees of pictures:
    `Float[ndarray, "batch height width 3"]`, from 0 to 1. `others` are the other rows of a table of raw columns, or all
    of them where no one row was asked for: what a background is made of. `background` makes one for a
    single example, where the domain knows what absence looks like (shuffles of a sequence); `absent` is the baseline
    where zero is nothing that occurs (another token). `labels` are the right answers, where a column of them was named.
    """

    inputs: Inputs
    names: tuple[str, ...]
    said: str
    domain: str = ""
    raw: tuple[Any, ...] = ()
    features: Callable[[Inputs], Features] | None = None
    seen: np.ndarray | None = None
    others: Tensors | None = None
    labels: tuple[Any, ...] | None = None
    background: Callable[[Inputs], Rows] | None = None
    absent: Baseline | None = None

    def only(self, number: int) -> Self:
        """One example, counted from 1. Raises `InputError` where there are not so many."""
        if not 1 <= number <= len(self.names):
            raise InputError(f"there is no example {number}; there are 1 to {len(self.names)}")
        place = slice(number - 1, number)
        return replace(
            self,
            inputs=self.inputs.take(torch.tensor([number - 1], device=self.inputs.device)),
            names=self.names[place],
            raw=self.raw[place],
            seen=None if self.seen is None else self.seen[place],
            labels=None if self.labels is None else self.labels[place],
            features=getattr(self.features, "only", lambda _: self.features)(number),
        )
