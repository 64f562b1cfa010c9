"""Asking a model about examples without some of their features, whatever "without" means: all copies in full chunks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.baseline import Baseline, Rows
from attar.core.features import Features
from attar.core.inputs import Inputs
from attar.core.parts import precise
from attar.core.target import Predicted, Target
from attar.estimation.absence import Absence, Imputation, absence
from attar.estimation.sampled import by_count
from attar.evaluation import keyed
from attar.evaluation.subject import Subject, Values, subject
from attar.verb import Posed, posed

By = Callable[[Inputs], Features] | None


# One baseline; a background whose rows stand for absence in turn, over which answers are averaged; or an imputation.
Removal = Baseline | Rows | Imputation


@dataclass(frozen=True, eq=False, kw_only=True)
class Questions:
    """A model, examples and what it means to remove their features, with the attribution's value of each feature."""

    put: Posed
    absent: Absence
    rows: int
    said: Subject

    @property
    def target(self) -> Target:
        return self.put.targets[0]

    @property
    def whole(self) -> Float[Tensor, " batch"]:
        """The target of the examples as they are."""
        return precise(self.target(self.put.outputs)).cpu()

    @cached_property
    def keys(self) -> np.ndarray:
        """Of what the examples hold, for random numbers that go with them."""
        return keyed.contents(self.put.inputs.parts, self.put.inputs.owners, self.said.count)

    @cached_property
    def values(self) -> Float[Tensor, "examples longest"]:
        return self.said.table(self.said.values)

    def groups(self, each: int) -> Iterator[tuple[int, Int[Tensor, " some"]]]:
        """Examples with as many features, so many together that `each` numbers apiece may be held."""
        for features, some in by_count(self.absent.features, self.put.inputs, each):
            yield features, some.cpu()

    def without(
        self, example: Int[Tensor, " copies"], keep: Callable[[Int[Tensor, " some"]], Bool[Tensor, "some features"]]
    ) -> Float[Tensor, " copies"]:
        """The target of copies of these examples; `keep` says what each of some copies keeps, when it is its turn."""
        if not len(example):
            return torch.zeros(0, dtype=torch.double)
        found, device = [], self.put.inputs.device
        for piece in torch.arange(len(example) * self.rows).split(self.put.model.size):
            copy = piece // self.rows
            of = example[copy].to(device)
            copies = self.absent.copies(of, (piece % self.rows).to(device), keep(copy).to(device))
            found.append(precise(self.target.take(of)(self.put.model.predict(copies))).cpu())
        return torch.cat(found).reshape(-1, self.rows).mean(1)


class Removing(Protocol):
    """A measure that takes features away."""

    @property
    def removal(self) -> Removal: ...

    @property
    def by(self) -> By: ...


def questions(
    measure: Removing,
    model: object,
    inputs: Any,
    found: Values,
    target: Target | None,
    *,
    at: str | None = None,
    batch_size: int | None = None,
) -> Questions:
    """Raises `InputError` where values, features and inputs do not fit each other, or hold NaN."""
    put = posed(model, inputs, [target if target is not None else Predicted()], at=at, batch_size=batch_size)
    removal, by = measure.removal, measure.by
    absent = absence(put.inputs, by, removal)
    said = subject(found, absent.features, inputs=put.inputs)
    return Questions(put=put, absent=absent, rows=len(removal) if isinstance(removal, Rows) else 1, said=said)
