"""Which rows make up a feature: bonds → atoms, subgraph counts → atoms, entries → groups of entries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.errors import InputError
from attar.core.inputs import Entries, Inputs
from attar.core.note import listed
from attar.core.parts import Parts, precise


@dataclass(frozen=True, eq=False)
class Share:
    """A list of (feature, row, share): this share of that row's attribution belongs to that feature."""

    feature: Int[Tensor, " members"]
    row: Int[Tensor, " members"]
    share: Float[Tensor, " members"]


@dataclass(frozen=True, eq=False)
class Features:
    """Named features over the rows of the parts of some inputs.

    A partition (each row in one feature, share 1) is a group map; overlapping shares let one subgraph belong to
    all its atoms. `owner` is the example of each feature, ascending. `rule` is the name under which a result that
    was carried by it is reported.
    """

    name: str
    rule: str
    owner: Int[Tensor, " features"]
    shares: Mapping[str, Share]
    names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.owner)

    def carry(self, values: Parts) -> Float[Tensor, " features"]:
        """What each feature gets of the rows' values."""
        total = next(iter(values.values())).new_zeros(len(self))
        for part, rows in values.per_row().items():
            if part in self.shares:
                share = self.shares[part]
                total.index_add_(0, share.feature, rows[share.row] * share.share.to(rows.dtype))
        return total

    def on_rows(self, values: Float[Tensor, " features"], part: str, count: int) -> Float[Tensor, " rows"]:
        """The features' values on the `count` rows of a part: the mean, by shares, of those that hold a row, else 0."""
        total, weight = values.new_zeros(count), values.new_zeros(count)
        if (share := self.shares.get(part)) is not None:
            by = share.share.to(values)
            total.index_add_(0, share.row, values[share.feature] * by)
            weight.index_add_(0, share.row, by)
        return total / torch.where(weight == 0, 1, weight)

    def stretch(self, owners: Mapping[str, Int[Tensor, " rows"]], count: int) -> Float[Tensor, " batch"]:
        """The most that the shares of any row sum to, per example: carrying makes an L1 error larger by no more."""
        most = precise(torch.zeros(count, device=self.owner.device))
        for part, owner in owners.items():
            if part in self.shares:
                share = self.shares[part]
                given = most.new_zeros(len(owner)).index_add_(0, share.row, precise(share.share))
                most = most.scatter_reduce(0, owner, given, "amax")
        return most

    def reach(self, part: str) -> int:
        """How many rows of a part the features speak of: one more than the last."""
        share = self.shares.get(part)
        return 0 if share is None or not len(share.row) else int(share.row.max()) + 1


def groups(owner: Int[Tensor, " rows"], group: Int[Tensor, " rows"], part: str, name: str) -> Features:
    """A partition from an integer map: rows of one example with one number are one feature."""
    if owner.shape != group.shape:
        raise InputError(f"the group map has {tuple(group.shape)} entries, expected one per row: {tuple(owner.shape)}")
    keys = torch.stack([owner, group], 1)
    unique, feature = torch.unique(keys, dim=0, return_inverse=True)
    share = Share(feature, torch.arange(len(owner), device=owner.device), torch.ones(len(owner), device=owner.device))
    return Features(name=name, rule="groups", owner=unique[:, 0], shares={part: share})


def every_row(inputs: Inputs) -> Features:
    """Every row of every part is a feature of its own, example by example."""
    owners = torch.cat(list(inputs.owners.values()))
    order = owners.argsort(stable=True)
    place = order.argsort()
    rows = {part: torch.arange(len(owner), device=owner.device) for part, owner in inputs.owners.items()}
    places = dict(zip(rows, place.split([len(each) for each in rows.values()]), strict=True))
    shares = {part: Share(places[part], row, torch.ones(len(row), device=row.device)) for part, row in rows.items()}
    return Features(name="features", rule="each row", owner=owners[order], shares=shares)


@dataclass(frozen=True, eq=False, kw_only=True)
class Grouped:
    """The same groups of entries in every example of a tensor: columns of one question, regions of an atlas, tokens.

    `group` numbers the group of each entry from 0; a negative number is none. It has an example's shape, or that of its
    last axes: (height, width) takes all channels of a pixel. Raises `InputError` where the shapes do not fit.
    """

    group: Int[Tensor, " *shape"]
    names: tuple[str, ...] | None = None

    def __call__(self, inputs: Inputs) -> Features:
        entries = inputs.by_entry()
        if not isinstance(entries, Entries):
            raise InputError(f"groups of entries are for one tensor, not {type(inputs).__name__}: give groups of rows")
        part, array = entries.tensor("groups of entries are for")
        shape = array.shape[1:]
        group = self.group.to(inputs.device)
        if group.is_floating_point() or shape[len(shape) - group.ndim :] != group.shape:
            raise InputError(
                f"the group map is {group.dtype} of shape {tuple(group.shape)}, expected integers for {tuple(shape)}"
            )
        count = int(group.max()) + 1
        if self.names is not None and len(self.names) != count:
            raise InputError(f"there are {len(self.names)} names for {count} groups, expected one for each")
        flat = group.expand(shape).flatten()
        entry = (flat >= 0).nonzero()[:, 0]
        owner, share = for_each(array, flat[entry], entry, count)
        names = None if self.names is None else self.names * len(inputs)
        return Features(name="groups", rule="groups", owner=owner, shares={part: share}, names=names)


@dataclass(frozen=True, eq=False, kw_only=True)
class ColumnGroups:
    """Columns of a table taken together under one name, as in `{"address": ["street", "town"]}`.

    A column that stands in no group is a feature of its own, under its own name; all stand in the order of the columns,
    a group where its first one does. Raises `InputError` for a column that is not there or stands in two groups, and
    for a group that is called as a column outside it.
    """

    groups: Mapping[str, Sequence[str]]

    def __repr__(self) -> str:
        return f"ColumnGroups({ {name: list(columns) for name, columns in self.groups.items()} })"

    def __call__(self, inputs: Inputs) -> Features:
        entries = inputs.by_entry()
        names = entries.given.entry_names
        if not isinstance(entries, Entries) or names is None:
            raise InputError("groups of columns are for tables whose columns have names: give a data frame")
        group_of: dict[str, str] = {}
        for group, columns in self.groups.items():
            for column in columns:
                if column not in names:
                    raise InputError(f"group {group!r} names column {column!r}; there are {listed(names)}")
                if column in group_of:
                    raise InputError(f"column {column!r} stands in two groups: {group_of[column]!r} and {group!r}")
                group_of[column] = group
        if shared := [name for name in names if name in self.groups and group_of.get(name) != name]:
            raise InputError(f"a group and a column outside it are both called {shared[0]!r}: rename one")
        known = {name: k for k, name in enumerate(dict.fromkeys(group_of.get(name, name) for name in names))}
        group = torch.tensor([known[group_of.get(name, name)] for name in names], dtype=torch.long)
        return Grouped(group=group, names=tuple(known))(inputs)


def for_each(
    array: Float[Tensor, "batch *shape"], feature: Int[Tensor, " members"], entry: Int[Tensor, " members"], count: int
) -> tuple[Int[Tensor, " features"], Share]:
    """The `count` features of one example's entries for all of them: their owners, and their shares in the entries."""
    examples = torch.arange(len(array), device=array.device)
    features = (examples[:, None] * count + feature).flatten()
    rows = (examples[:, None] * array[:1].numel() + entry).flatten()
    return examples.repeat_interleave(count), Share(features, rows, torch.ones(len(rows), device=array.device))
