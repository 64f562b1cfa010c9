"""Copies of examples, each without one feature: only those that would differ from the example."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.baseline import Baseline
from attar.core.features import Features, every_row
from attar.core.inputs import Inputs, Tensors, starts
from attar.core.parts import Parts
from attar.estimation.absence import Absence, Imputation


class Removal(Protocol):
    """One feature is taken away after another."""

    @property
    def owner(self) -> Int[Tensor, " removals"]:
        """The example that each is taken away from, ascending."""
        ...

    def copies(self, some: slice) -> Inputs:
        """A copy of the example for each of these removals, its feature at the baseline."""
        ...

    def on_features(self, loss: Float[Tensor, " removals"]) -> dict[str, Any]:
        """What an attribution says of the features: `parts`, `owners`, names and rule. What changes nothing has 0."""
        ...

    def on_rows(self, loss: Float[Tensor, " removals"]) -> dict[str, Any]:
        """The same of rows: for each the mean over the features that hold it, in the shape of the inputs."""
        ...


def removal(inputs: Inputs, by: Callable[[Inputs], Features] | None, baseline: "Baseline | Imputation") -> Removal:
    """Of the features that `by` makes of the inputs; None: every entry of a tensor, every row of a graph or bag."""
    if isinstance(baseline, Imputation):
        filled = baseline.without(inputs, by)
        whole = inputs.by_entry()
        asked = torch.arange(len(filled.features), device=inputs.device)
        owner = filled.features.owner
        return _Filled(inputs=inputs, whole=whole, features=filled.features, asked=asked, owner=owner, filled=filled)
    absent = baseline(inputs)
    if by is None and isinstance(inputs, Tensors):
        return _Entries.of(inputs, absent["input"].to(inputs.values).flatten(1))
    whole = inputs.by_entry()
    absent = absent.map(Tensor.flatten) if inputs.of_rows else absent
    return _Rows.of(inputs, whole, every_row(whole) if by is None else by(whole), absent)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Entries:
    """Single entries of a tensor: one number of a copy is overwritten, so that the copying is all that it costs."""

    inputs: Tensors
    absent: Float[Tensor, "batch entries"]
    owner: Int[Tensor, " removals"]
    entry: Int[Tensor, " removals"]

    @classmethod
    def of(cls, inputs: Tensors, absent: Tensor) -> "_Entries":
        owner, entry = (inputs.values.flatten(1) != absent).nonzero(as_tuple=True)
        return cls(inputs=inputs, absent=absent, owner=owner, entry=entry)

    def copies(self, some: slice) -> Inputs:
        owner, entry = self.owner[some], self.entry[some]
        values = self.inputs.values.flatten(1).index_select(0, owner)
        values.scatter_(1, entry[:, None], self.absent[owner, entry][:, None])
        return self.inputs.replace(Parts({"input": values.reshape(-1, *self.inputs.values.shape[1:])}))

    def on_rows(self, loss: Tensor) -> dict[str, Any]:
        values = loss.new_zeros(self.absent.shape)
        values[self.owner, self.entry] = loss
        return {"parts": Parts({"input": values.reshape(self.inputs.values.shape)}), "owners": self.inputs.owners}

    on_features = on_rows


@dataclass(frozen=True, eq=False, kw_only=True)
class _OfFeatures:
    """How what was lost is said, of features and of rows."""

    inputs: Inputs
    whole: Inputs
    features: Features
    asked: Int[Tensor, " removals"]
    owner: Int[Tensor, " removals"]

    def on_features(self, loss: Tensor) -> dict[str, Any]:
        name, names = self.features.name, self.features.names
        return {
            "parts": Parts({name: loss.new_zeros(len(self.features)).index_copy_(0, self.asked, loss)}),
            "owners": {name: self.features.owner},
            "names": {} if names is None else {name: names},
            "carried_by": self.features.rule,
        }

    def on_rows(self, loss: Tensor) -> dict[str, Any]:
        every = loss.new_zeros(len(self.features)).index_copy_(0, self.asked, loss)
        rows = {part: self.features.on_rows(every, part, len(owner)) for part, owner in self.whole.owners.items()}
        return {"parts": self.whole.laid_out(Parts(rows)), "owners": self.inputs.owners}


@dataclass(frozen=True, eq=False, kw_only=True)
class _Filled(_OfFeatures):
    """What is taken away is filled in from what is left."""

    filled: Absence

    def copies(self, some: slice) -> Inputs:
        feature = self.asked[some]
        first, count = starts(self.features.owner, len(self.inputs)), self.owner.bincount(minlength=len(self.inputs))
        pieces, places = [], []
        for many in count[self.owner[some]].unique().tolist():  # examples of one call have as many features
            place = (count[self.owner[some]] == many).nonzero()[:, 0]
            example = self.owner[some][place]
            keep = torch.ones(len(place), many, dtype=torch.bool, device=feature.device)
            keep[torch.arange(len(place), device=feature.device), feature[place] - first[example]] = False
            pieces.append(self.filled.copies(example, torch.zeros_like(example), keep).parts)
            places.append(place)
        order = torch.cat(places).argsort()
        (name,) = pieces[0]
        return self.inputs.replace(Parts({name: torch.cat([piece[name] for piece in pieces])[order]}))


@dataclass(frozen=True, eq=False, kw_only=True)
class _Rows(_OfFeatures):
    """Any rows of any parts by their shares. `members` are what leaves, copy after copy."""

    members: tuple["_Members", ...]

    @classmethod
    def of(cls, inputs: Inputs, whole: Inputs, features: Features, absent: Parts) -> "_Rows":
        asked = _changing(features, whole.parts, absent).nonzero()[:, 0]
        members = tuple(_Members.of(part, features, asked, whole, absent) for part in features.shares if part in absent)
        owner = features.owner[asked]
        return cls(inputs=inputs, whole=whole, features=features, asked=asked, owner=owner, members=members)

    def copies(self, some: slice) -> Inputs:
        copies = self.whole.take(self.owner[some])
        parts = dict(copies.parts)
        for members in self.members:  # in place: `take` has just copied them
            members.leave(parts[members.part], some)
        return copies.replace(Parts(parts)).given


def _changing(features: Features, here: Parts, absent: Parts) -> Bool[Tensor, " features"]:
    """Whether an example without the feature differs from what it was."""
    changing = torch.zeros(len(features), dtype=torch.bool, device=features.owner.device)
    for part, share in features.shares.items():
        differs = here[part] != absent[part]
        differs = differs.flatten(1).any(1) if differs.ndim > 1 else differs
        changing[share.feature[differs[share.row] & (share.share != 0)]] = True
    return changing


@dataclass(frozen=True, eq=False, kw_only=True)
class _Members:
    """The rows of one part that leave."""

    part: str
    place: Int[Tensor, " members"]  # among the rows of all copies
    start: Int[Tensor, " removals"]  # the first row of each copy
    first: Int[Tensor, " removals+1"]  # the first member of each copy
    away: Float[Tensor, "members *features"]
    share: Float[Tensor, " members"] | None  # None: each goes entirely

    @classmethod
    def of(cls, part: str, features: Features, asked: Tensor, whole: Inputs, absent: Parts) -> "_Members":
        share, owner = features.shares[part], whole.owners[part]
        copy_of = torch.full((len(features),), -1, device=asked.device)
        copy_of[asked] = torch.arange(len(asked), device=asked.device)
        copy, order = copy_of[share.feature].sort(stable=True)
        copy, order = copy[copy >= 0], order[copy >= 0]
        row = share.row[order]
        lengths = torch.bincount(owner, minlength=len(whole))[features.owner[asked]]
        start = lengths.cumsum(0) - lengths
        return cls(
            part=part,
            place=row - starts(owner, len(whole))[owner[row]] + start[copy],
            start=start,
            first=torch.searchsorted(copy, torch.arange(len(asked) + 1, device=asked.device)),
            away=absent[part][row],
            share=None if bool((share.share == 1).all()) else share.share[order],
        )

    def leave(self, rows: Tensor, some: slice) -> None:
        """Send them to the baseline in the rows of some copies."""
        mine = slice(int(self.first[some.start]), int(self.first[some.stop]))
        place = self.place[mine] - self.start[some.start]
        away = self.away[mine].to(rows)
        if self.share is None:
            rows[place] = away
        else:
            share = self.share[mine].to(rows).reshape(-1, *[1] * (rows.ndim - 1))
            rows.index_add_(0, place, share * (away - rows[place]))
