"""Occlusion: take a feature away and see what the output loses."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.baseline import Baseline, Zeros
from attar.core.error import exact
from attar.core.features import Features, Share
from attar.core.inputs import Entries, Inputs, Tensors, starts
from attar.core.model import Predictor
from attar.core.parts import Parts
from attar.core.target import Target

_PACKED = 4096  # copies of examples that are laid out at once


@dataclass(frozen=True, kw_only=True)
class Occlusion:
    """The output with the feature less the output without it, one feature at a time.

    In units of the target; positive supports it. `by` says which rows make up a feature and what share of a row
    goes with it (None: every entry of a tensor, every row of a graph or bag is its own feature); a removed row
    goes to `baseline` by its share. Exact: one evaluation per feature.
    Misleads where features stand in for each other (either alone can go at no loss) and where an example without
    the feature is unlike anything the model has seen.
    Source: Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2 (for grey squares).
    """

    by: Callable[[Inputs], Features] | None = None
    baseline: Baseline = field(default_factory=Zeros)

    needs: ClassVar[type] = Predictor

    def __call__(self, model: Predictor, inputs: Inputs, target: Target) -> Attribution:
        whole = Entries.of(inputs) if isinstance(inputs, Tensors) else inputs
        features = _every_row(whole) if self.by is None else self.by(whole)
        absent = self.baseline(inputs)
        if isinstance(inputs, Tensors):
            absent = absent.map(Tensor.flatten)
        output = target(model.predict(inputs))
        losses = [
            output[owner] - target.take(owner)(model.predict(copies))
            for owner, copies in _without(whole, features, absent)
        ]
        loss = torch.cat(losses) if losses else output.new_zeros(0)
        found = Attribution(
            parts=Parts({features.name: loss}),
            owners={features.name: features.owner},
            names={features.name: features.names} if features.names is not None else {},
            output=output,
            error=exact(len(inputs)),
            evaluations=torch.bincount(features.owner, minlength=len(inputs)) + 1,
            carried_by=features.rule,
        )
        return found if self.by is not None else replace(found, **_as_rows(loss, features, whole, inputs))


def _without(whole: Inputs, features: Features, absent: Parts):
    """For some features at a time: their examples, and a copy of each example with its feature gone."""
    for first_feature in range(0, len(features), _PACKED):
        chunk = torch.arange(first_feature, min(first_feature + _PACKED, len(features)))
        owner = features.owner[chunk]
        copies = whole.take(owner)
        values = {}
        for part, array in copies.parts.items():
            gone = torch.zeros(len(array), dtype=array.dtype)
            share = features.shares.get(part)
            if share is not None:
                mine = (share.feature >= chunk[0]) & (share.feature <= chunk[-1])
                feature, row = share.feature[mine] - chunk[0], share.row[mine]
                offset = row - starts(whole.owners[part], len(whole))[whole.owners[part][row]]
                first = starts(copies.owners[part], len(chunk))
                gone.index_add_(0, first[feature] + offset, share.share[mine].to(array.dtype))
            gone = gone.reshape(-1, *[1] * (array.ndim - 1))
            away = _laid_out(absent[part], whole, copies, owner, part)
            values[part] = array + gone * (away - array)
        yield owner, copies.replace(Parts(values))


def _laid_out(absent: Tensor, whole: Inputs, copies: Inputs, owner: Tensor, part: str) -> Tensor:
    """The baseline's rows of the copied examples."""
    position = torch.arange(len(copies.owners[part])) - starts(copies.owners[part], len(owner))[copies.owners[part]]
    return absent[starts(whole.owners[part], len(whole))[owner][copies.owners[part]] + position]


def _every_row(whole: Inputs) -> Features:
    """Every row of every part is a feature of its own, example by example."""
    owners = torch.cat(list(whole.owners.values()))
    order = owners.argsort(stable=True)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    shares, at = {}, 0
    for part, owner in whole.owners.items():
        rows = torch.arange(len(owner))
        shares[part] = Share(place[at : at + len(owner)], rows, torch.ones(len(owner)))
        at += len(owner)
    return Features(name="features", rule="each row", owner=owners[order], shares=shares)


def _as_rows(loss: Tensor, features: Features, whole: Inputs, inputs: Inputs) -> dict:
    """Each row's loss back in the shape of the inputs' parts."""
    rows = {part: loss[features.shares[part].feature] for part in whole.parts}
    if isinstance(inputs, Tensors):
        rows = {"input": rows["input"].reshape(inputs.values.shape)}
    return {"parts": Parts(rows), "owners": inputs.owners, "carried_by": None, "names": {}}
