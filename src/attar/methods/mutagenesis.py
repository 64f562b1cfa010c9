"""In-silico mutagenesis: put every other letter at every position of a sequence and see what the output loses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.error import exact
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Inputs, Tensors
from attar.core.model import Chunked, Exchanging, Predictor
from attar.core.target import Target

_TOGETHER = 192  # exchanges that a model which shares work among neighbours is asked about in one go


@dataclass(frozen=True, kw_only=True)
class InSilicoMutagenesis:
    """The output with the letter less the mean output with each of the others in its place, position by position.

    For letters as ones and zeros (batch, letters, positions); a position of zeros alone is an unread letter, which is
    left alone and given 0. In units of the target; positive supports it. A position's value stands at the letter that
    is there, the other places hold 0; `measured["change"]`, laid out like the inputs, is what each other letter adds to
    the output, so negative where it takes away. `window` takes only positions `(first, last)`, counted from 1, both
    in; the others are given 0. Exact: one evaluation for each other letter. A model that can exchange letters at less
    than the cost of whole copies (`Exchanging`) is asked that way.
    Misleads where letters stand in for each other (either of two copies of a motif can go at no loss), and where what a
    letter does depends on others that are never exchanged with it.
    Source: Zhou & Troyanskaya 2015, doi:10.1038/nmeth.3547, "in silico saturated mutagenesis".
    """

    window: tuple[int, int] | None = None

    needs: ClassVar[type] = Predictor

    def __post_init__(self) -> None:
        if self.window is None:
            return
        whole = len(self.window) == 2 and all(isinstance(place, int) for place in self.window)
        if not whole or not 1 <= self.window[0] <= self.window[1]:
            raise InputError(f"window is {self.window}, expected the first and the last position from 1, as in 110,130")

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        """Several targets, all from the same evaluations."""
        letters = one_hot(inputs, type(self).__name__)
        outputs = model.predict(inputs)
        with_it = [target(outputs) for target in targets]
        owner, other, place = self._exchanged(letters)
        changes = [output.new_zeros(letters.shape) for output in with_it]
        together = _TOGETHER if isinstance(model.model, Exchanging) else model.size
        for at in range(0, len(owner), together):
            some = slice(at, at + together)
            found = _answers(model, inputs, owner[some], place[some], other[some])
            for change, output, target in zip(changes, with_it, targets, strict=True):
                added = target.take(owner[some])(found) - output[owner[some]]
                change[owner[some], other[some], place[some]] = added
        evaluations = torch.bincount(owner, minlength=len(inputs)) + 1
        others = max(letters.shape[1] - 1, 1)
        return [
            Attribution(
                parts=inputs.parts.map(lambda array, c=change: array * (-c.sum(1, keepdim=True) / others).to(array)),
                owners=inputs.owners,
                output=output,
                error=exact(len(inputs), inputs.device),
                evaluations=evaluations,
                measured={"change": change},
            )
            for change, output in zip(changes, with_it, strict=True)
        ]

    def _exchanged(self, letters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The example, the letter and the place of each exchange, example by example and place by place."""
        there = letters.sum(1)
        first, last = self.window or (1, letters.shape[2])
        if first > letters.shape[2]:
            raise InputError(
                f"window {self.window} begins beyond the end: the sequence has {letters.shape[2]} positions"
            )
        inside = torch.zeros_like(there)
        inside[:, first - 1 : last] = 1
        owner, place, other = ((there * inside)[..., None] * (1 - letters.transpose(1, 2))).nonzero(as_tuple=True)
        return owner, other, place


def one_hot(inputs: Inputs, asker: str) -> Float[Tensor, "batch letters positions"]:
    """The letters as ones and zeros. Raises `UnsupportedError` for inputs that are anything else."""
    array = next(iter(inputs.parts.values()))
    sound = isinstance(inputs, Tensors) and array.ndim == 3
    if not sound or not bool(((array == 0) | (array == 1)).all()) or bool((array.sum(1) > 1).any()):
        raise UnsupportedError(
            f"the input has shape {tuple(array.shape)}, {asker} needs letters as ones and zeros (batch, letters, "
            "positions), one 1 at a position or none: other inputs take Occlusion"
        )
    return array.detach()


def _answers(
    model: Chunked,
    inputs: Inputs,
    owner: Int[Tensor, " changes"],
    place: Int[Tensor, " changes"],
    other: Int[Tensor, " changes"],
) -> Float[Tensor, "changes *outputs"]:
    """What the model says of each example with one letter exchanged."""
    if isinstance(model.model, Exchanging):
        return model.exchanged(inputs, owner, place, other)
    copies = inputs.take(owner)
    count = torch.arange(len(owner), device=owner.device)

    def exchange(array: Tensor) -> Tensor:
        array = array.clone()
        array[count, :, place] = 0
        array[count, other, place] = 1
        return array

    return model.predict(copies.replace(copies.parts.map(exchange)))
