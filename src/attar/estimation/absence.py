"""Copies of examples of which only some features are present."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.baseline import Baseline, Rows
from attar.core.errors import InputError
from attar.core.features import Features, Share, every_row
from attar.core.inputs import Entries, Inputs, Tensors, owned, starts
from attar.core.parts import Parts


class Absence(Protocol):
    """What it means that a feature is absent: its rows stand at the background.

    A row goes by the share of it that absent features have; what no feature has a share of always stays.
    """

    @property
    def features(self) -> Features: ...

    def copies(
        self, example: Int[Tensor, " copies"], row: Int[Tensor, " copies"], keep: Bool[Tensor, "copies features"]
    ) -> Inputs:
        """A copy of each example, absent features at that row of the background (0 where it is one baseline).

        `keep` is true for what is present; the examples of one call have the same number of features.
        """
        ...


@runtime_checkable
class Imputation(Protocol):
    """Fills in what is removed from what is left, such as `NoisyLinear`; it may stand wherever a baseline does for
    methods that take features away."""

    def without(self, inputs: Inputs, by: Callable[[Inputs], Features] | None) -> Absence: ...


def absence(
    inputs: Inputs, by: Callable[[Inputs], Features] | None, background: "Baseline | Rows | Imputation"
) -> Absence:
    """For the features that `by` makes of the inputs; None: every entry of a tensor, every row of a graph or bag."""
    if isinstance(background, Imputation):
        return background.without(inputs, by)
    whole = inputs.by_entry()
    features = every_row(whole) if by is None else by(whole)
    many = isinstance(background, Rows)
    if many and not isinstance(inputs, Tensors):
        raise InputError(f"a background of rows fits tensors, not {type(inputs).__name__}: give one baseline")
    away = Parts({"input": background.like(inputs)}) if isinstance(background, Rows) else background(inputs)
    if isinstance(whole, Entries) and len(whole.parts) == 1:
        cells, holder = _one_each(features, whole)
        if cells:
            (array,) = away.values()
            holder = None if by is None else holder
            return _Cells(features=features, inputs=inputs, away=array.flatten(1), many=many, holder=holder)
    standing = Tensors(away["input"]) if many else inputs.replace(away)
    return _Shares(features=features, whole=whole, standing=standing.by_entry(), many=many)


def that_differ(
    features: Features, inputs: Inputs, background: "Baseline | Rows | Imputation"
) -> Bool[Tensor, " features"]:
    """Which features an example can be without and not be the same: the others stand at the background already."""
    if isinstance(background, Imputation):
        return torch.ones(len(features), dtype=torch.bool, device=features.owner.device)
    if isinstance(background, Rows):
        table, here = background.like(inputs), inputs.parts["input"]
        differ = Parts({"input": ((here != table.amin(0)) | (here != table.amax(0))).flatten()})
    else:
        differ = background(inputs).with_(inputs.parts, torch.ne)
        if inputs.of_rows:
            differ = differ.map(Tensor.flatten)
        differ = differ.map(lambda rows: rows.flatten(1).any(1) if rows.ndim > 1 else rows)
    found = torch.zeros(len(features), dtype=torch.bool, device=features.owner.device)
    for part, share in features.shares.items():
        found[share.feature[differ[part][share.row]]] = True
    return found


def some_of(features: Features, keep: Bool[Tensor, " features"]) -> Features:
    """The same features without those that are not kept; rows that only they held are no one's."""
    place = torch.where(keep, keep.cumsum(0) - 1, -1)
    shares = {}
    for part, share in features.shares.items():
        mine = keep[share.feature]
        shares[part] = Share(place[share.feature[mine]], share.row[mine], share.share[mine])
    return Features(name=features.name, rule=features.rule, owner=features.owner[keep], shares=shares)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Cells:
    """Entries of a tensor, each held whole by one feature or by none: the common case, and ten times faster."""

    features: Features
    inputs: Inputs
    away: Float[Tensor, "background entries"]
    many: bool
    holder: Int[Tensor, "batch entries"] | None  # the feature of each entry in its example; None: entry k is feature k

    def copies(self, example: Tensor, row: Tensor, keep: Tensor) -> Inputs:
        if self.holder is not None:
            always = keep.new_ones(len(keep), 1)  # what the entries that no feature holds are told
            keep = torch.cat([keep, always], 1).gather(1, self.holder[example].clamp(max=keep.shape[1]))
        ((part, array),) = self.inputs.parts.items()
        here = array.flatten(1).index_select(0, example)
        away = self.away.index_select(0, row if self.many else example)
        one = keep.to(here.dtype)  # products are exact, and several times faster than torch.where
        values = torch.addcmul(here * one, away, 1 - one)
        copies = self.inputs if isinstance(self.inputs, Tensors) else self.inputs.take(example)
        return copies.replace(Parts({part: values.reshape(-1, *array.shape[1:])}))


@dataclass(frozen=True, eq=False, kw_only=True)
class _Shares:
    """Rows of any parts, of which several features may have shares."""

    features: Features
    whole: Inputs
    standing: Inputs
    many: bool

    def copies(self, example: Tensor, row: Tensor, keep: Tensor) -> Inputs:
        copies = self.whole.take(example)
        away = self.standing.take(row if self.many else example).parts
        first_feature = starts(self.features.owner, len(self.whole))[example]
        values = {}
        for part, array in copies.parts.items():
            gone = torch.zeros(len(array), dtype=array.dtype, device=array.device)
            if (share := self.features.shares.get(part)) is not None:
                owner = self.features.owner[share.feature]
                order = owner.argsort(stable=True)
                member, copy = owned(owner[order], example)
                member = order[member]
                offset = (
                    starts(copies.owners[part], len(example))
                    - starts(self.whole.owners[part], len(self.whole))[example]
                )
                removed = ~keep[copy, share.feature[member] - first_feature[copy]]
                gone.index_add_(0, share.row[member] + offset[copy], removed * share.share[member].to(gone))
            gone = gone.clamp(max=1).reshape(-1, *[1] * (array.ndim - 1))  # two features may hold all of a row
            # What goes entirely is what stands for absence to the last digit, be it the code of a missing value.
            values[part] = torch.where(gone == 1, away[part].to(array), array + gone * (away[part] - array))
        return copies.replace(Parts(values)).given


def _one_each(features: Features, whole: Inputs) -> tuple[bool, Tensor]:
    """Whether no entry is shared, and the feature that holds each entry, counted within its example."""
    ((part, owner),) = whole.owners.items()
    share, entries = features.shares.get(part), len(owner)
    none = torch.full((entries,), torch.iinfo(torch.long).max, device=whole.device)
    if share is None:
        return True, none.reshape(len(whole), -1)
    within = share.feature - starts(features.owner, len(whole))[features.owner[share.feature]]
    holder = none.index_put((share.row,), within)
    alone = torch.bincount(share.row, minlength=entries).max() <= 1
    return bool(alone & (share.share == 1).all()), holder.reshape(len(whole), -1)
