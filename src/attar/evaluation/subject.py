"""What a measure looks at: one value for each feature of each example, and how random ones come about."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.errors import InputError
from attar.core.features import Features
from attar.core.inputs import Inputs, starts
from attar.core.parts import Parts, finite
from attar.evaluation import keyed

Values = Attribution | Parts | Tensor | np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class Subject:
    """The features' values, and those of the rows that they were carried from.

    Random attributions are standard normal numbers on the rows, with the L2 norm that the example's own rows have, and
    carried as these were. Signed, as attributions are: numbers in [0, 1), once summed over bonds, would measure an
    atom's degree. All of it is in double precision and on the processor.
    """

    values: Float[Tensor, " features"]
    owner: Int[Tensor, " features"]
    count: int
    rows: Float[Tensor, " rows"]
    row_owner: Int[Tensor, " rows"]
    carry: Callable[[Float[Tensor, " rows"]], Float[Tensor, " features"]] | None = None

    def drawn(self, keys: np.ndarray, *, draws: int, seed: int, norm: bool = True) -> Float[Tensor, "draws features"]:
        """Random values of all features. `keys` are the examples' (`keyed.contents`), `norm` whether theirs is kept."""
        order = self.row_owner.argsort(stable=True)
        owner = self.row_owner[order]
        ordered = torch.from_numpy(keyed.normal(keys, owner.numpy(), draws=draws, seed=seed))
        random = torch.empty_like(ordered).index_copy_(1, order, ordered)
        if norm:
            random = random * (self._norms(self.rows[None]) / self._norms(random))[:, self.row_owner]
        if self.carry is None or not draws:
            return random if self.carry is None else self.values.new_zeros(0, len(self.values))
        return torch.stack([self.carry(each) for each in random])

    def _norms(self, rows: Float[Tensor, "draws rows"]) -> Float[Tensor, "draws examples"]:
        return rows.new_zeros(len(rows), self.count).index_add_(1, self.row_owner, rows.square()).sqrt()

    def table(self, values: Float[Tensor, "*draws features"]) -> Float[Tensor, "*draws examples longest"]:
        """With an axis for the examples; holes are 0."""
        return padded(values, self.owner, self.count)

    @property
    def keys(self) -> np.ndarray:
        """Of the values themselves, to six digits, so that another batch's rounding leaves them alone."""
        largest = torch.zeros(self.count, dtype=torch.double).scatter_reduce(0, self.row_owner, self.rows.abs(), "amax")
        size = torch.where(largest > 0, largest, 1)[self.row_owner]
        return self._contents((self.rows / size * 1e6).round())

    @property
    def sizes(self) -> np.ndarray:
        """Of nothing but how many rows there are, so that chance is the same for all attributions of some examples."""
        return self._contents(torch.zeros(len(self.rows)), apart_by=self.keys)

    def _contents(self, rows: Tensor, *, apart_by: np.ndarray | None = None) -> np.ndarray:
        order = self.row_owner.argsort(stable=True)
        return keyed.contents({"rows": rows[order]}, {"rows": self.row_owner[order]}, self.count, apart_by=apart_by)

    @property
    def there(self) -> Bool[Tensor, "examples longest"]:
        return padded(torch.ones(len(self.owner), dtype=torch.bool), self.owner, self.count)


def padded(flat: Tensor, owner: Int[Tensor, " features"], count: int) -> Tensor:
    """What examples own one after another as a table of examples, as wide as the longest."""
    lengths = torch.bincount(owner, minlength=count)
    longest = int(lengths.max()) if count else 0
    if len(owner) == count * longest:
        return flat.reshape(*flat.shape[:-1], count, longest)
    place = owner * longest + torch.arange(len(owner)) - starts(owner, count)[owner]
    table = flat.new_zeros(*flat.shape[:-1], count * longest).index_copy_(flat.ndim - 1, place, flat)
    return table.reshape(*flat.shape[:-1], count, longest)


def subject(
    found: Values | Sequence[np.ndarray], features: Features | None = None, *, inputs: Inputs | None = None
) -> Subject:
    """What was found, carried to the features; without any, its rows (or a tensor's entries) as they are.

    Of an attribution (or a tensor, or the `Parts` of these inputs) with the rows that the features hold shares of, or
    with one value for each of the features already; without features also of a list of arrays, one for each example.
    Raises `InputError` for NaN and where the numbers of values, features and examples do not fit.
    """
    if isinstance(found, list | tuple):
        arrays = [torch.from_numpy(np.asarray(each, dtype=float).ravel()) for each in found]
        owner = torch.arange(len(arrays)).repeat_interleave(torch.tensor([len(each) for each in arrays]))
        return _plain(torch.cat(arrays), owner, len(arrays))
    parts, owners, count = _by_entry(found, inputs)  # type: ignore[arg-type]
    if inputs is not None and count != len(inputs):
        raise InputError(f"the attribution is of {count} examples, the inputs are {len(inputs)}")
    if features is None:
        return _one_by_one(parts, owners, count)
    features = _here(features)
    if len(parts) == 1 and len(next(iter(parts.values()))) == len(features):
        return _plain(next(iter(parts.values())), features.owner, count)
    for part, rows in parts.items():
        if features.reach(part) > len(rows):
            raise InputError(
                f"{part} has {len(rows)} values, and {features.name} hold shares of {features.reach(part)} rows: give "
                f"one value for each row, or one for each of the {len(features)} features"
            )
    names, lengths = list(parts), [len(rows) for rows in parts.values()]
    rows = _finite(torch.cat(list(parts.values())))

    def carry(flat: Tensor) -> Tensor:
        return features.carry(Parts(dict(zip(names, flat.split(lengths), strict=True))))

    owner = torch.cat([owners[name] for name in names])
    return Subject(values=carry(rows), owner=features.owner, count=count, rows=rows, row_owner=owner, carry=carry)


def entries(found: Values, inputs: Inputs) -> Subject:
    """Every single entry of every row, example by example, of an attribution shaped like the inputs.

    Raises `InputError` where it is not.
    """
    parts = Parts({"input": torch.as_tensor(found)}) if isinstance(found, Tensor | np.ndarray) else found
    parts = parts.parts if isinstance(parts, Attribution) else parts
    parts = (
        Parts(dict(zip(inputs.parts, parts.values(), strict=True))) if len(parts) == len(inputs.parts) == 1 else parts
    )
    for name, array in inputs.parts.items():
        if name not in parts or parts[name].shape != array.shape:
            here = f"{name} {tuple(parts[name].shape)}" if name in parts else f"none of {name}"
            raise InputError(f"the values are {here}, expected one for each entry of the inputs: {tuple(array.shape)}")
    flat = {name: parts[name].detach().cpu().double().flatten() for name in inputs.parts}
    each = {name: array.numel() // max(len(array), 1) for name, array in inputs.parts.items()}
    owners = {name: owner.cpu().repeat_interleave(each[name]) for name, owner in inputs.owners.items()}
    return _one_by_one(Parts(flat), owners, len(inputs))


def _one_by_one(parts: Parts, owners: dict[str, Tensor], count: int) -> Subject:
    """Every row of every part, example by example."""
    if len(parts) == 1:
        return _plain(next(iter(parts.values())), next(iter(owners.values())), count)
    owner = torch.cat(list(owners.values()))
    order = owner.argsort(stable=True)
    return _plain(torch.cat(list(parts.values()))[order], owner[order], count)


def _plain(values: Tensor, owner: Tensor, count: int) -> Subject:
    values = _finite(values)
    return Subject(values=values, owner=owner, count=count, rows=values, row_owner=owner)


def _by_entry(found: Values, inputs: Inputs | None) -> tuple[Parts, dict[str, Tensor], int]:
    """One number for each row, or for each entry where an example is one row of every part."""
    if isinstance(found, np.ndarray):
        found = torch.from_numpy(found)
    by_entry = inputs.of_rows if inputs is not None else isinstance(found, Tensor)
    if isinstance(found, Tensor):
        found = Parts({"input": found})
    if isinstance(found, Attribution):
        parts, owners, count, by_entry = found.parts, found.owners, len(found), by_entry or found.single
    else:
        parts = found
        count = len(next(iter(parts.values()))) if inputs is None or inputs.of_rows else len(inputs)
        owners = {name: torch.arange(count) for name in parts} if inputs is None or inputs.of_rows else inputs.owners
    parts = parts.map(lambda array: array.detach().cpu().double())
    owners = {name: owner.cpu() for name, owner in owners.items()}
    if not (by_entry and all(len(owner) == count for owner in owners.values())):
        return parts.per_row(), owners, count
    each = {name: array.numel() // max(count, 1) for name, array in parts.items()}
    return parts.map(Tensor.flatten), {n: owner.repeat_interleave(each[n]) for n, owner in owners.items()}, count


def _here(features: Features) -> Features:
    """On the processor, whatever it is that they are features of."""
    shares = {
        part: replace(each, feature=each.feature.cpu(), row=each.row.cpu(), share=each.share.cpu().double())
        for part, each in features.shares.items()
    }
    return replace(features, owner=features.owner.cpu(), shares=shares)


def _finite(values: Tensor) -> Tensor:
    if not finite(values):
        raise InputError("the attribution holds NaN or infinity: no measure of it would mean anything")
    return values
