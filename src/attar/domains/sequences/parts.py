"""The parts of a sequence that a person would name: stretches of letters, by their positions as given."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import torch

from attar.core.errors import InputError
from attar.core.features import Features, Share
from attar.core.inputs import Entries, Inputs
from attar.domains.sequences.record import Record


@dataclass(frozen=True, kw_only=True)
class Stretches:
    """Stretches of `length` letters, side by side, as features: methods that take parts away take these.

    Of letters as (batch, letters, positions). A stretch is called by the first and last of its positions, as they are
    in the `records` that the examples come from (left out: counted from 1), with its letters where it is short. Raises
    `InputError` for another shape.
    """

    length: int = 10
    records: Sequence[Record] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.length < 1:
            raise InputError(f"length is {self.length}, expected 1 or more letters")

    def only(self, number: int) -> Self:
        """Of one example, counted from 1."""
        return replace(self, records=self.records[number - 1 : number])

    def __call__(self, inputs: Inputs) -> Features:
        entries = inputs.by_entry()
        if not isinstance(entries, Entries):
            raise InputError("stretches are parts of sequences: give letters as (batch, letters, positions)")
        part, array = entries.tensor("stretches are cut out of")
        if array.ndim != 3:
            raise InputError(f"stretches need letters as (batch, letters, positions), not {tuple(array.shape)}")
        batch, channels, positions = array.shape
        each = -(-positions // self.length)
        stretch = torch.arange(positions) // self.length
        feature = (torch.arange(batch)[:, None, None] * each + stretch).expand(batch, channels, positions).flatten()
        share = Share(*(x.to(array.device) for x in (feature, torch.arange(array.numel()), torch.ones(array.numel()))))
        known = len(self.records) == batch
        names = [
            self._name(self.records[b] if known else None, k, positions) for b in range(batch) for k in range(each)
        ]
        return Features(
            name="stretches" if self.length > 1 else "letters",
            rule=f"stretches of {self.length}" if self.length > 1 else "letters",
            owner=torch.arange(batch, device=array.device).repeat_interleave(each),
            shares={part: share},
            names=tuple(names),
        )

    def _name(self, record: Record | None, number: int, positions: int) -> str:
        first, last = number * self.length, min((number + 1) * self.length, positions) - 1
        if record is None:
            return f"{first + 1}" if first == last else f"{first + 1} to {last + 1}"
        if first >= len(record):
            return "beyond the end"
        last = min(last, len(record) - 1)
        if first == last:
            return record.title(first)
        return f"{record.title(first)[1:]} to {record.title(last)[1:]} {record.letters[first : last + 1]}"
