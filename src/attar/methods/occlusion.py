"""Occlusion: take a feature away and see what the output loses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.baseline import Baseline, Zeros
from attar.core.error import exact
from attar.core.features import Features
from attar.core.inputs import Inputs
from attar.core.model import Chunked, Predictor
from attar.core.target import Target
from attar.estimation.absence import Imputation
from attar.estimation.removal import removal


@dataclass(frozen=True, kw_only=True)
class Occlusion:
    """The output with the feature less the output without it, one feature at a time.

    In units of the target; positive supports it. `by` says which rows make up a feature and what share of a row
    goes with it (None: every entry of a tensor, every row of a graph or bag is its own feature; `Windows` slide); a
    removed row goes to `baseline` by its share. The values are the features' own; with `on_rows` they are laid out like
    the inputs: each row has the mean over the features that hold it, by their shares, or 0 where none does. Where
    `baseline` is an imputation (`NoisyLinear(noise=0)`, of pictures), what is gone is filled in from what is left.
    Exact. One evaluation per feature that differs from the baseline: what stands there already is given an exact 0
    unasked (on pictures with an empty background, half of them).
    Misleads where features stand in for each other (either alone can go at no loss) and where an example without
    the feature is unlike anything the model has seen.
    Source: Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2 (for grey squares).
    """

    by: Callable[[Inputs], Features] | None = None
    baseline: Baseline | Imputation = field(default_factory=Zeros)
    on_rows: bool = False

    needs: ClassVar[type] = Predictor

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        """Several targets, all from the same evaluations."""
        outputs = model.predict(inputs)
        with_it = [target(outputs) for target in targets]
        removed = removal(inputs, self.by, self.baseline)
        losses: list[list[Tensor]] = [[output.new_zeros(0)] for output in with_it]
        at = 0
        while at < len(removed.owner):
            some = slice(at, min(at + model.size, len(removed.owner)))
            owner = removed.owner[some]
            without = model.predict(removed.copies(some))
            for loss, output, target in zip(losses, with_it, targets, strict=True):
                loss.append(output[owner] - target.take(owner)(without))
            at = some.stop
        evaluations = torch.bincount(removed.owner, minlength=len(inputs)) + 1
        found = []
        for loss, output in zip(losses, with_it, strict=True):
            values = torch.cat(loss)
            said = removed.on_rows(values) if self.on_rows or self.by is None else removed.on_features(values)
            error = exact(len(inputs), inputs.device)
            found.append(Attribution(**said, output=output, error=error, evaluations=evaluations))
        return found
