"""A way to make a model, so that an experiment can make it again on other data."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class Fitted(Protocol):
    """A model that was fitted by a recipe, asked about examples as they are read (molecules, images, rows)."""

    def predict(self, examples: Sequence[Any]) -> np.ndarray:
        """`Float[ndarray, "examples"]`: the logit of class 1, or the value."""
        ...

    def explain(self, examples: Sequence[Any], method: str) -> list[np.ndarray]:
        """For each example one value per part (atom, pixel), signed, by the named method."""
        ...


class Recipe(Protocol):
    """Fits a model. The same examples, labels and seed give the same model."""

    @property
    def name(self) -> str: ...

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that fit the models it makes; the first is its own."""
        ...

    def fit(self, examples: Sequence[Any], labels: np.ndarray, seed: int) -> Fitted: ...
