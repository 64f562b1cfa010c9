"""What is explained: a model's outputs → one number per example."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.errors import InputError


class Target(ABC):
    """One number per example out of the model's outputs (`Float[Tensor, "batch outputs"]`, logits)."""

    @abstractmethod
    def __call__(self, outputs: Float[Tensor, "batch outputs"]) -> Float[Tensor, " batch"]: ...

    def resolve(self, outputs: Float[Tensor, "batch outputs"]) -> "Target":
        """The same question with everything that depends on the prediction fixed; checked against the outputs."""
        self(outputs)
        return self

    def take(self, index: Int[Tensor, " examples"]) -> "Target":  # noqa: ARG002
        """The question for the examples at `index`, where it differs from example to example."""
        return self


@dataclass(frozen=True)
class Logit(Target):
    """The raw output of one class (before sigmoid or softmax): one for all, or one class per example.

    Units: log-odds for a binary model, otherwise what the model's last layer gives. A model with one output has
    class 0 only. Preferred to the probability, whose gradient vanishes where the model is sure.
    """

    index: int | Sequence[int] | Int[Tensor, " batch"] = 0

    def __call__(self, outputs: Float[Tensor, "batch outputs"]) -> Float[Tensor, " batch"]:
        return _pick(outputs, self.index)

    def take(self, index: Int[Tensor, " examples"]) -> "Logit":
        chosen = torch.as_tensor(self.index)
        return self if chosen.ndim == 0 else Logit(chosen[index])


@dataclass(frozen=True)
class Probability(Target):
    """The probability of one class: sigmoid of a single output, softmax of several."""

    index: int | Sequence[int] | Int[Tensor, " batch"] = 0

    def __call__(self, outputs: Float[Tensor, "batch outputs"]) -> Float[Tensor, " batch"]:
        return _pick(torch.sigmoid(outputs) if outputs.shape[1] == 1 else torch.softmax(outputs, 1), self.index)

    def take(self, index: Int[Tensor, " examples"]) -> "Probability":
        chosen = torch.as_tensor(self.index)
        return self if chosen.ndim == 0 else Probability(chosen[index])


@dataclass(frozen=True)
class Predicted(Target):
    """The logit of the class that the model predicts for each example (of its only output, if it has one)."""

    def __call__(self, outputs: Float[Tensor, "batch outputs"]) -> Float[Tensor, " batch"]:
        return outputs.max(1).values

    def resolve(self, outputs: Float[Tensor, "batch outputs"]) -> Target:
        return Logit(0) if outputs.shape[1] == 1 else Logit(outputs.argmax(1))


def _pick(outputs: Tensor, index: int | Sequence[int] | Tensor) -> Tensor:
    if outputs.ndim != 2:
        raise InputError(
            f"the model's output has shape {tuple(outputs.shape)}, expected (batch, outputs); wrap the model so "
            "that it returns one row of outputs per example"
        )
    chosen = torch.as_tensor(index, device=outputs.device)
    if chosen.ndim and chosen.shape != outputs.shape[:1]:
        raise InputError(f"the target names {len(chosen)} classes for {len(outputs)} examples; give one per example")
    if len(wrong := chosen[(chosen < 0) | (chosen >= outputs.shape[1])]):
        raise InputError(f"the target asks for output {int(wrong[0])}, the model has {outputs.shape[1]} (from 0)")
    return outputs[:, chosen] if chosen.ndim == 0 else outputs.gather(1, chosen[:, None])[:, 0]
