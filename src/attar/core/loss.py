"""How wrong a model is about a row, where the right answer is known."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from attar.core.errors import InputError
from attar.core.note import counted, listed, shortened
from attar.core.parts import precise

_LEAST = 1e-12  # a probability of 0 would cost all there is


@dataclass(frozen=True)
class Loss:
    """`of(predicted, right)` → one number per row, the smaller the better.

    Of classes, `predicted` are their probabilities and `right` is the class of each row, counted from 0; else both are
    numbers. `unit` is what a loss is measured in.
    """

    name: str
    of: Callable[[Tensor, Tensor], Tensor]
    classes: bool
    unit: str = ""

    def __repr__(self) -> str:
        return self.name.replace(" ", "_")


def _log_loss(predicted: Float[Tensor, "rows classes"], right: Tensor) -> Float[Tensor, " rows"]:
    return -predicted.gather(1, right[:, None])[:, 0].clamp(min=_LEAST).log()


def _brier(predicted: Float[Tensor, "rows classes"], right: Tensor) -> Float[Tensor, " rows"]:
    off = predicted.scatter_add(1, right[:, None], torch.full_like(predicted[:, :1], -1.0)).square().sum(1)
    return off / 2 if predicted.shape[1] == 2 else off


def _missed(predicted: Float[Tensor, "rows classes"], right: Tensor) -> Float[Tensor, " rows"]:
    return precise(predicted.argmax(1) != right)


log_loss = Loss("log loss", _log_loss, classes=True, unit="nats")
brier = Loss("brier", _brier, classes=True)  # of two classes (p - y)²; of more the sum over classes
zero_one = Loss("zero one", _missed, classes=True, unit="share of rows")
squared = Loss("squared", lambda predicted, right: (predicted - right).square(), classes=False)
absolute = Loss("absolute", lambda predicted, right: (predicted - right).abs(), classes=False)

LOSSES = {repr(loss): loss for loss in (log_loss, brier, zero_one, squared, absolute)}


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The right answers, one for each row in the order of the rows: classes as the model calls them, or numbers.

    Raises `InputError` for what is not one value per row, or is missing.
    """

    values: Any

    def __post_init__(self) -> None:
        given: Any = self.values.values if isinstance(self.values, Outcomes) else self.values
        given = given.detach().cpu().numpy() if isinstance(given, Tensor) else given
        array = np.asarray(given.to_numpy() if hasattr(given, "to_numpy") else given)
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1 or not len(array):
            raise InputError(f"the labels have shape {array.shape}, expected one for each row")
        gone = np.array([each is None or each != each for each in array.tolist()], dtype=bool)
        if gone.any() or (array.dtype.kind == "f" and not np.isfinite(array).all()):
            place = int(np.flatnonzero(gone)[0] if gone.any() else np.flatnonzero(~np.isfinite(array))[0])
            raise InputError(f"the label of row {place} (from 0) is missing or infinite: leave such rows out")
        object.__setattr__(self, "values", array)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"Outcomes({counted(len(self), 'row')}, {counted(len({*self.values.tolist()}), 'distinct value')})"


@dataclass(frozen=True, eq=False, kw_only=True)
class Scoring:
    """A model's outputs for rows, against what is right there."""

    loss: Loss
    right: Tensor
    log_odds: bool

    @classmethod
    def of(cls, labels: Outcomes, loss: Loss | None, model: Any, outputs: Float[Tensor, "rows outputs"]) -> "Scoring":
        """For a model that gave these outputs. Without a loss: log loss of a classifier and of several outputs, squared
        errors of a single one. Raises `InputError` for labels that are not as many as rows, that the model does not
        know, or that the loss is not for."""
        if outputs.ndim != 2:
            raise InputError(f"outputs of shape {tuple(outputs.shape[1:])} for a row are scored by no loss here")
        if len(labels) != len(outputs):
            raise InputError(f"there are {len(labels)} labels for {len(outputs)} rows, expected one for each, in order")
        known = getattr(getattr(model, "estimator", None), "classes_", None)
        if loss is None:
            loss = log_loss if known is not None or outputs.shape[1] > 1 else squared
        if loss.classes:
            count = len(known) if known is not None else max(2, outputs.shape[1])
            right = _places(labels.values, known, count)
        else:
            right = _numbers(labels.values, outputs, loss, known is not None)
        return cls(loss=loss, right=right.to(outputs.device), log_odds=bool(getattr(model, "log_odds", False)))

    def predicted(self, outputs: Float[Tensor, "rows outputs"]) -> Tensor:
        """What the loss compares: the probability of each class, or the value."""
        outputs = precise(outputs)
        if not self.loss.classes:
            return outputs[:, 0]
        if outputs.shape[1] == 1:
            share = torch.sigmoid(outputs)
            return torch.cat([1 - share, share], 1)
        if not self.log_odds:
            return torch.softmax(outputs, 1)
        share = torch.sigmoid(outputs)
        return share / share.sum(1, keepdim=True)

    def losses(self, predicted: Tensor, rows: Tensor | None = None) -> Float[Tensor, " rows"]:
        """Of predictions for all rows, one batch of them after another, or for the `rows` named."""
        right = self.right if rows is None else self.right[rows]
        return precise(self.loss.of(predicted, right.repeat(len(predicted) // max(len(right), 1))))


def _places(values: np.ndarray, known: Any, count: int) -> Tensor:
    if known is None:
        fits = values.dtype.kind in "iub" or (values.dtype.kind == "f" and bool((values == values.round()).all()))
        if not fits or not 0 <= int(values.min()) <= int(values.max()) < count:
            raise InputError(
                f"the labels must be the numbers of the model's outputs, 0 to {count - 1}; they hold "
                f"{listed([shortened(str(each)) for each in np.unique(values.astype(str))], most=4)}"
            )
        return torch.from_numpy(values.astype(np.int64))
    place = {each: k for k, each in enumerate(np.asarray(known).tolist())}
    if unknown := [each for each in values.tolist() if each not in place]:
        raise InputError(
            f"the labels hold {shortened(str(unknown[0]))}, which is no class of the model; it knows "
            f"{listed([shortened(str(each)) for each in place], most=6)}"
        )
    return torch.tensor([place[each] for each in values.tolist()], dtype=torch.long)


def _numbers(values: np.ndarray, outputs: Tensor, loss: Loss, classifier: bool) -> Tensor:
    if classifier or outputs.shape[1] != 1:
        who = "a classifier" if classifier else f"a model of {outputs.shape[1]} outputs"
        raise InputError(f"the {loss.name} loss is of one number, and this is {who}: take log_loss or brier")
    if values.dtype.kind not in "fiub":
        raise InputError(f"the labels hold {shortened(str(values[0]))}, expected numbers for the {loss.name} loss")
    return torch.from_numpy(values.astype(float))
