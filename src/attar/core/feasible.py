"""What may be changed of a row of a table, and to what: the limits of a counterfactual."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attar.core.column import Column, is_missing
from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.core.note import listed

Name = str | int
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"


@dataclass(frozen=True, kw_only=True)
class Feasible:
    """Which changes of a row are feasible. Columns are named, or counted from 0.

    `immutable` columns stay as they are. `increasing` ones can only rise (an age), `decreasing` ones only fall; a value
    that is missing stays missing there, and one that is not stays so. `allowed` says what a column may become: for
    numbers the least and the most, as in `{"hours": (0, 40)}` (None: no limit on that side), for a category its levels,
    as in `{"town": ["Oslo", "Bergen"]}`; a column that is left alone may be outside, and none becomes missing.
    Says nothing of what changes along with a column: who gets a degree gets older too.
    Raises `InputError` where a column is asked about that is not there, or asked for what it cannot be.
    """

    immutable: Collection[Name] = ()
    increasing: Collection[Name] = ()
    decreasing: Collection[Name] = ()
    allowed: Mapping[Name, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for said in ("immutable", "increasing", "decreasing"):
            if isinstance(names := getattr(self, said), str):
                raise InputError(f"{said} is {names!r}, expected a list of columns: [{names!r}]")

    @classmethod
    def of_text(cls, text: str) -> "Feasible":
        """`sex stays; age rises; debts falls; hours in 0..40; town in Oslo, Bergen`. An end may be left open (`0..`).
        Raises `InputError` for a clause that is none of these."""
        verbs: dict[str, list[Name]] = {"stays": [], "rises": [], "falls": []}
        allowed: dict[Name, Any] = {}
        for clause in filter(None, map(str.strip, text.split(";"))):
            name, _, verb = clause.rpartition(" ")
            if verb in verbs and name:
                verbs[verb].append(_name(name))
                continue
            name, within, said = clause.partition(" in ")
            if not within:
                raise InputError(
                    f"{clause!r} says nothing that a column may do: expected 'sex stays', 'age rises', 'debts falls', "
                    "'hours in 0..40' or 'town in Oslo, Bergen', with semicolons between them"
                )
            ends = re.fullmatch(rf"({_NUMBER})?\.\.({_NUMBER})?", said.strip())
            levels = [level.strip() for level in said.split(",")]
            allowed[_name(name)] = (
                levels if ends is None else tuple(None if e is None else float(e) for e in ends.groups())
            )
        return cls(immutable=verbs["stays"], increasing=verbs["rises"], decreasing=verbs["falls"], allowed=allowed)

    def of(self, inputs: Tensors) -> "Limits":
        """The limits in the codes of these columns."""
        columns, names, width = inputs.columns, inputs.names, inputs.values.shape[1]

        def place(name: Name) -> int:
            if str(name) in names:
                return names.index(str(name))
            if isinstance(name, int) and 0 <= name < width:
                return name
            there = listed(names, most=8) if names else f"0 to {width - 1}"
            raise InputError(f"there is no column {name!r} to be held to something; there is {there}")

        def mask(these: Collection[Name]) -> Bool[Tensor, " columns"]:
            found = torch.zeros(width, dtype=torch.bool, device=inputs.device)
            found[[place(name) for name in these]] = True
            return found

        known = (*self.increasing, *self.decreasing)
        if columns is not None and (
            coded := [columns[place(n)].name for n in known if columns[place(n)].coded and columns[place(n)].levels]
        ):
            raise InputError(
                f"column {coded[0]!r} is a category, which does not rise or fall: say what it may become with allowed"
            )
        low = inputs.values.new_full((width,), -math.inf)
        high = inputs.values.new_full((width,), math.inf)
        levels: dict[int, Tensor] = {}
        for name, said in self.allowed.items():
            k = place(name)
            column = None if columns is None else columns[k]
            if column is None or column.number:
                low[k], high[k] = _ends(name, said)
            else:
                levels[k] = torch.tensor(_codes(column, said), device=inputs.device).to(inputs.values)
        held = mask(self.allowed)
        return Limits(mask(self.immutable), mask(self.increasing), mask(self.decreasing), held, low, high, levels)


@dataclass(frozen=True, eq=False)
class Limits:
    """What each column of a table may become; `held` ones have a range or levels."""

    immutable: Bool[Tensor, " columns"]
    rising: Bool[Tensor, " columns"]
    falling: Bool[Tensor, " columns"]
    held: Bool[Tensor, " columns"]
    low: Float[Tensor, " columns"]
    high: Float[Tensor, " columns"]
    levels: Mapping[int, Float[Tensor, " allowed"]]

    def nearest(
        self,
        rows: Float[Tensor, "*rows columns"],
        own: Float[Tensor, "*rows columns"],
        whole: Bool[Tensor, " columns"],
        *,
        framed: bool,
    ) -> Float[Tensor, "*rows columns"]:
        """The rows with each entry as near as it may be to what it is, coming from `own`, and `own` where it may not.

        `whole` columns hold whole numbers; of a data frame (`framed`) a large code is a missing value.
        """
        gone = is_missing(rows) if framed else torch.zeros_like(rows, dtype=torch.bool)
        lost = is_missing(own) if framed else torch.zeros_like(own, dtype=torch.bool)
        low = torch.where(whole, self.low.ceil(), self.low)
        high = torch.where(whole, self.high.floor(), self.high)
        moved = torch.where(gone, rows, rows.clamp(low, high))
        moved = torch.where(low > high, own, moved)
        well = ~self.immutable & ~(self.held & gone)
        one_way = self.rising | self.falling
        well = well & ~(one_way & (gone | lost))
        well = well & ~(self.rising & (moved < own)) & ~(self.falling & (moved > own))
        for k, codes in self.levels.items():
            well[..., k] &= torch.isin(rows[..., k], codes)
        return torch.where(well, moved, own)

    def outside(self, own: Float[Tensor, "*rows columns"]) -> Bool[Tensor, "*rows columns"]:
        """Where a value is none that its column may become: what lies on the way to one may not be one either."""
        return (own < self.low) | (own > self.high)


def _name(text: str) -> Name:
    return int(text) if text.strip().isdecimal() else text.strip()


def _ends(name: Name, said: Any) -> tuple[float, float]:
    ends = tuple(said) if isinstance(said, tuple | list) else ()
    plain = [end is None or (isinstance(end, int | float) and not math.isnan(end)) for end in ends]
    if len(ends) != 2 or not all(plain):
        raise InputError(f"allowed[{name!r}] is {said!r}, expected the least and the most, as in (0, 40)")
    low, high = (limit if end is None else float(end) for end, limit in zip(ends, (-math.inf, math.inf), strict=True))
    if low > high:
        raise InputError(f"allowed[{name!r}] is from {low:g} to {high:g}, expected the least first")
    return low, high


def _codes(column: Column, said: Any) -> list[float]:
    levels = column.levels or ()
    asked: list[Any] = [said] if isinstance(said, str) or not isinstance(said, Collection) else list(said)
    code: dict[Any, float] = {str(level): float(k) for k, level in enumerate(levels)}  # as the command line says them
    code |= {level: float(k) for k, level in enumerate(levels)}
    if unknown := [level for level in asked if level not in code]:
        there = listed([str(level) for level in levels], most=8)
        raise InputError(f"column {column.name!r} has no level {unknown[0]!r} to become; it has {there}")
    return [code[level] for level in asked]
