"""What is explained: a model's outputs → one number per example."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from attar.core.errors import InputError

_SHOWN = 8  # classes, where each example has its own


class Target(ABC):
    """One number per example out of the model's outputs: `Float[Tensor, "batch outputs"]`, logits, or any batch-first
    shape (`Entry`)."""

    @abstractmethod
    def __call__(self, outputs: Float[Tensor, "batch *outputs"]) -> Float[Tensor, " batch"]: ...

    def resolve(self, outputs: Float[Tensor, "batch *outputs"]) -> "Target":
        """The same question with everything that depends on the prediction fixed; checked against the outputs."""
        self(outputs)
        return self

    def take(self, index: Int[Tensor, " examples"]) -> "Target":  # noqa: ARG002
        """The question for the examples at `index`, where it differs from example to example."""
        return self

    def of_log_odds(self) -> "Target":
        """The same question to a model whose outputs are the log-odds of each class for itself."""
        return self


@dataclass(frozen=True)
class Logit(Target):
    """The raw output of one class (before sigmoid or softmax): one for all, or one class per example.

    Units: log-odds for a binary model, otherwise what the model's last layer gives. A model with one output has
    class 0 only. Preferred to the probability, whose gradient vanishes where the model is sure.
    """

    index: int | Sequence[int] | Int[Tensor, " batch"] = 0

    def __repr__(self) -> str:
        return f"Logit(index={_said(self.index)})"

    def __call__(self, outputs: Float[Tensor, "batch outputs"]) -> Float[Tensor, " batch"]:
        return _pick(outputs, self.index)

    def take(self, index: Int[Tensor, " examples"]) -> "Logit":
        chosen = torch.as_tensor(self.index)
        return self if chosen.ndim == 0 else Logit(chosen[index.to(chosen.device)])


@dataclass(frozen=True)
class Probability(Target):
    """The probability of one class: sigmoid of a single output, softmax of several.

    `log_odds` says that the outputs are the log-odds of each class for itself, as scikit-learn's classifiers answer
    here: then it is the sigmoid of the class's own. The verb knows, and sets it.
    """

    index: int | Sequence[int] | Int[Tensor, " batch"] = 0
    log_odds: bool = False

    def __repr__(self) -> str:
        return f"Probability(index={_said(self.index)})"

    def __call__(self, outputs: Float[Tensor, "batch outputs"]) -> Float[Tensor, " batch"]:
        alone = self.log_odds or outputs.shape[1] == 1
        return _pick(torch.sigmoid(outputs) if alone else torch.softmax(outputs, 1), self.index)

    def take(self, index: Int[Tensor, " examples"]) -> "Probability":
        chosen = torch.as_tensor(self.index)
        return self if chosen.ndim == 0 else replace(self, index=chosen[index.to(chosen.device)])

    def of_log_odds(self) -> Target:
        return replace(self, log_odds=True)


@dataclass(frozen=True)
class LogProbability(Target):
    """The log of the probability of one class, in nats; left out, of the class that is predicted for each example.

    The logit less what all logits have in common: of a language model all may rise and fall together, which changes
    nothing of what it says. Unlike a probability's, its gradient does not vanish where the model is all but sure that
    another class is right. `log_odds` as for `Probability`.
    """

    index: int | Sequence[int] | Int[Tensor, " batch"] | None = None
    log_odds: bool = False

    def __repr__(self) -> str:
        return f"LogProbability(index={'predicted' if self.index is None else _said(self.index)})"

    def __call__(self, outputs: Float[Tensor, "batch outputs"]) -> Float[Tensor, " batch"]:
        if self.index is None:
            return self.resolve(outputs)(outputs)
        alone = self.log_odds or outputs.shape[1] == 1
        return _pick(logsigmoid(outputs) if alone else torch.log_softmax(outputs, 1), self.index)

    def resolve(self, outputs: Float[Tensor, "batch outputs"]) -> "LogProbability":
        _rows(outputs)
        fixed = self if self.index is not None else replace(self, index=outputs.argmax(1))
        fixed(outputs)
        return fixed

    def take(self, index: Int[Tensor, " examples"]) -> "LogProbability":
        if self.index is None:
            return self
        chosen = torch.as_tensor(self.index)
        return self if chosen.ndim == 0 else replace(self, index=chosen[index.to(chosen.device)])

    def of_log_odds(self) -> Target:
        return replace(self, log_odds=True)


@dataclass(frozen=True)
class Predicted(Target):
    """The logit of the class that the model predicts for each example (of its only output, if it has one)."""

    def __call__(self, outputs: Float[Tensor, "batch outputs"]) -> Float[Tensor, " batch"]:
        return outputs.max(1).values

    def resolve(self, outputs: Float[Tensor, "batch outputs"]) -> Target:
        _rows(outputs)
        return Logit(0) if outputs.shape[1] == 1 else Logit(outputs.argmax(1))


@dataclass(frozen=True)
class Entry(Target):
    """One entry of an output of any shape: `Entry(-1, 42)` is token 42 at the last position, `Entry(3, 10, 12)` class 3
    at a pixel. Counted from 0; negative numbers count from the end. Units are the output's."""

    index: tuple[int, ...]

    def __init__(self, *index: int) -> None:
        object.__setattr__(self, "index", index)

    def __repr__(self) -> str:
        return f"Entry({', '.join(map(str, self.index))})"

    def __call__(self, outputs: Float[Tensor, "batch *outputs"]) -> Float[Tensor, " batch"]:
        shape = tuple(outputs.shape[1:])
        fits = len(shape) == len(self.index) and all(-n <= k < n for k, n in zip(self.index, shape, strict=True))
        if not fits:
            raise InputError(f"{self!r} is no entry of an output of shape {shape}; give one number for each axis")
        return outputs[(slice(None), *self.index)]


@dataclass(frozen=True)
class Difference(Target):
    """Why this rather than that: one target less another, such as the logits of two classes."""

    this: Target
    that: Target

    def __call__(self, outputs: Float[Tensor, "batch *outputs"]) -> Float[Tensor, " batch"]:
        return self.this(outputs) - self.that(outputs)

    def resolve(self, outputs: Float[Tensor, "batch *outputs"]) -> Target:
        return Difference(self.this.resolve(outputs), self.that.resolve(outputs))

    def take(self, index: Int[Tensor, " examples"]) -> Target:
        return Difference(self.this.take(index), self.that.take(index))

    def of_log_odds(self) -> Target:
        return Difference(self.this.of_log_odds(), self.that.of_log_odds())


def _said(index: int | Sequence[int] | Tensor) -> str:
    """The class, or the first few of a batch's."""
    classes = torch.as_tensor(index)
    if classes.ndim == 0:
        return str(int(classes))
    first = ", ".join(map(str, classes[:_SHOWN].tolist()))
    return f"[{first}]" if len(classes) <= _SHOWN else f"[{first}, … {len(classes)} in all]"


def _rows(outputs: Tensor) -> Tensor:
    if outputs.ndim != 2:
        raise InputError(
            f"the model's output has shape {tuple(outputs.shape)}, expected (batch, outputs); name one entry of it: "
            f"attar.Entry({', '.join('0' * (outputs.ndim - 1))})"
        )
    return outputs


def _pick(outputs: Tensor, index: int | Sequence[int] | Tensor) -> Tensor:
    _rows(outputs)
    chosen = torch.as_tensor(index, device=outputs.device)
    if chosen.ndim and chosen.shape != outputs.shape[:1]:
        raise InputError(f"the target names {len(chosen)} classes for {len(outputs)} examples; give one per example")
    least, most = (int(end) for end in torch.aminmax(chosen))
    if least < 0 or most >= outputs.shape[1]:
        wrong = least if least < 0 else most
        raise InputError(f"the target asks for output {wrong}, the model has {outputs.shape[1]} (from 0)")
    return outputs[:, chosen] if chosen.ndim == 0 else outputs.gather(1, chosen[:, None])[:, 0]
