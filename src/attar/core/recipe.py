"""A way to make a model, so that an experiment can make it again on other data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from attar.core.attribution import Attribution
from attar.core.features import Features


@dataclass(frozen=True, eq=False)
class Explained:
    """A method's answer on the model's own parts (`found`: subgraphs, channels of a pixel) and carried by `features` to
    the parts that are scored (`carried`: atoms, pixels). `features` is None where the answer was on these already."""

    found: Attribution
    features: Features | None = None

    @property
    def carried(self) -> Attribution:
        return self.found if self.features is None else self.found.carried(self.features)

    def values(self) -> list[np.ndarray]:
        """For each example one value per scored part, signed."""
        carried = self.carried
        (part,) = carried.parts
        return [values.double().numpy() for values in carried.by_example(part)]


class Fitted(Protocol):
    """A model that was fitted by a recipe, asked about examples as they are read (molecules, images, rows)."""

    def predict(self, examples: Sequence[Any]) -> np.ndarray:
        """`Float[ndarray, "examples"]`: the logit of class 1, or the value."""
        ...

    def explained(self, examples: Sequence[Any], method: str) -> Explained:
        """The named method's answer about the examples."""
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

    @property
    def seeds_matter(self) -> bool:
        """Whether another seed gives another model."""
        ...

    def fit(self, examples: Sequence[Any], labels: np.ndarray, seed: int) -> Fitted: ...
