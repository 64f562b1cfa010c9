"""A sequence as it was given, where each of its letters stands there, and what a variant makes of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.errors import InputError

LETTERS = "ACGT"
_COMPLEMENT = str.maketrans("ACGTN", "TGCAN")
_SHOWN = 12  # letters of an allele that a message quotes
_HGVS = re.compile(
    r"(?:(?P<name>[^\s:]+):)?g\.(?P<first>\d+)(?:_(?P<last>\d+))?"
    r"(?:(?P<ref>[A-Za-z])>(?P<alt>[A-Za-z])|del(?P<gone>[ACGTNacgtn]*)(?:ins(?P<instead>[A-Za-z]+))?|ins(?P<added>[A-Za-z]+)"
    r"|(?P<dup>dup)[A-Za-z]*)"
)
_HOW = "write g.123A>G, g.5del, g.5_7del, g.5_6insTT, g.5delinsAC or g.5_7dup, or four words: chr11 123 A G"


@dataclass(frozen=True, eq=False, kw_only=True)
class Record:
    """A sequence on the strand that is asked about.

    `letters` are A, C, G, T and N, as they are read on `strand`. `positions` are where they stand in the sequence as it
    was given, from 1; a letter that a variant put in has the position of the one that it follows there, and stands
    `inserted` places after it (0: given). `start` is the place of position 1 on the chromosome of that name, where the
    record says so.
    """

    name: str
    letters: str
    positions: Int[np.ndarray, " letters"]
    inserted: Int[np.ndarray, " letters"]
    strand: str = "+"
    chromosome: str = ""
    start: int = 1

    @classmethod
    def of(cls, name: str, letters: str) -> Self:
        """As given. A name such as `chr11:5225464-5227071` says where it lies (samtools faidx: both ends counted)."""
        region = re.fullmatch(r"(.+):(\d+)-(\d+)", name)
        if region is not None and int(region[3]) - int(region[2]) + 1 == len(letters):
            chromosome, start = region[1], int(region[2])
        else:
            chromosome, start = name, 1
        places = np.arange(1, len(letters) + 1)
        return cls(
            name=name,
            letters=letters,
            positions=places,
            inserted=np.zeros_like(places),
            chromosome=chromosome,
            start=start,
        )

    def reversed(self) -> Self:
        """The other strand."""
        return replace(
            self,
            letters=self.letters.translate(_COMPLEMENT)[::-1],
            positions=self.positions[::-1],
            inserted=self.inserted[::-1],
            strand="-" if self.strand == "+" else "+",
        )

    def __len__(self) -> int:
        return len(self.letters)

    @property
    def length_given(self) -> int:
        return int(self.positions.max(initial=0))

    def place(self, position: int) -> int:
        """Where the letter of that position stands here, from 0. Raises `InputError` beyond the end, and where a
        variant took it out."""
        found = np.flatnonzero((self.positions == position) & (self.inserted == 0))
        if len(found):
            return int(found[0])
        if 1 <= position <= self.length_given:
            raise InputError(f"position {position} is taken out in {self.name}: name another, that all of them have")
        most = self.length_given
        raise InputError(f"position {position} is beyond the end of {self.name}, which has {most:,} letters")

    def title(self, place: int) -> str:
        """What to call the letter at a place: `G568`, by its position as given; `T567+1`, the first put in after it."""
        after = int(self.inserted[place])
        return f"{self.letters[place]}{int(self.positions[place])}" + (f"+{after}" if after else "")

    def key(self, place: int) -> tuple[int, int]:
        """The same for the same letter in all that variants made of one sequence."""
        return int(self.positions[place]), int(self.inserted[place])


def one_hot(records: Sequence[Record]) -> Float[Tensor, "batch 4 positions"]:
    """A one for A, C, G or T; N is zeros, and so is what stands after the end of a shorter sequence."""
    letters = torch.zeros(len(records), len(LETTERS), max(map(len, records)))
    for row, record in zip(letters, records, strict=True):
        codes = np.frombuffer(record.letters.encode(), dtype=np.uint8)
        for k, letter in enumerate(LETTERS):
            row[k, : len(codes)] = torch.from_numpy((codes == ord(letter)).astype(np.float32))
    return letters


@dataclass(frozen=True, kw_only=True)
class Variant:
    """`removed` stands from position `first` on (from 1), and `added` comes in its place. Both are on the strand as
    given; with nothing removed, `added` comes before position `first`."""

    name: str
    first: int
    removed: str
    added: str

    @classmethod
    def of_alleles(cls, position: int, ref: str, alt: str, *, name: str = "") -> Self:
        """REF and ALT of a VCF: what both begin or end with is left out."""
        ref, alt = _allele(ref, "REF"), _allele(alt, "ALT")
        if ref == alt:
            raise InputError(
                f"{name or f'the variant at {position}'} changes nothing: REF and ALT are both {_cut(ref)}"
            )
        called = name or f"{position} {_cut(ref)}>{_cut(alt)}"
        before = len(_shared(ref, alt)) if len(ref) != len(alt) else 0
        ref, alt = ref[before:], alt[before:]
        after = len(_shared(ref[::-1], alt[::-1])) if len(ref) != len(alt) else 0
        ref, alt = ref[: len(ref) - after], alt[: len(alt) - after]
        return cls(name=called, first=position + before, removed=ref, added=alt)

    def on(self, record: Record) -> Record:
        """The record, on the strand as given, with the variant. Raises `InputError` where the record has other letters
        there than are said to be removed."""
        begin, end = self.first - 1, self.first - 1 + len(self.removed)
        if begin < 0 or end > len(record) or (not self.removed and begin > len(record)):
            raise InputError(
                f"{self.name} is beyond the end of {record.name}, which has {len(record):,} letters"
                + (f" from {record.start:,} on" if record.start > 1 else "")
            )
        there = record.letters[begin:end]
        if there != self.removed:
            raise InputError(
                f"{self.name} says {_cut(self.removed)} at position {self.first:,} of {record.name}, which has "
                f"{_cut(there)} there: is it another build, or the other strand?"
            )
        count = len(self.added)
        if count == len(self.removed):
            positions, inserted = record.positions[begin:end], record.inserted[begin:end]
        else:
            positions, inserted = np.full(count, begin), np.arange(1, count + 1)
        return replace(
            record,
            name=f"{record.name} {self.name}",
            letters=record.letters[:begin] + self.added + record.letters[end:],
            positions=np.concatenate([record.positions[:begin], positions, record.positions[end:]]),
            inserted=np.concatenate([record.inserted[:begin], inserted, record.inserted[end:]]),
        )


def variant(text: str, records: Sequence[Record]) -> tuple[Record, Variant]:
    """What `g.123A>G` or `chr11 123 A G` names, and the record that it is about.

    Raises `InputError` for text that names no variant, and where it names no record or could mean several.
    """
    words = text.split()
    if len(words) == 4 and words[1].isdecimal():
        record = named(words[0], records)
        return record, at_place(record, int(words[1]), words[2], words[3], name=text)
    found = _HGVS.fullmatch(text.strip())
    if found is None:
        raise InputError(f"{text!r} is no variant that is read: {_HOW}")
    if found["name"] is None and len(records) > 1:
        raise InputError(f"{text!r} names no record, and there are {len(records)}: write {records[0].name}:{text}")
    record = records[0] if found["name"] is None else named(found["name"], records)
    return record, _of_hgvs(found, text.strip(), record)


def named(name: str, records: Sequence[Record]) -> Record:
    """The record of that name, or that lies on the chromosome of that name."""
    plain = name.removeprefix("chr")
    for record in records:
        if name == record.name or plain == record.chromosome.removeprefix("chr"):
            return record
    raise InputError(f"there is no record {name!r}; there is {', '.join(record.name for record in records[:3])}")


def at_place(record: Record, place: int, ref: str, alt: str, *, name: str) -> Variant:
    """Of a place on the record's chromosome."""
    return Variant.of_alleles(place - record.start + 1, ref, alt, name=name)


def _of_hgvs(found: re.Match[str], text: str, record: Record) -> Variant:
    first, last = int(found["first"]), int(found["last"] or found["first"])
    name = text.rpartition(":")[2]
    if first < 1 or last < first or last > len(record):
        raise InputError(f"{name} is beyond the ends of {record.name}, which has positions 1 to {len(record):,}")
    there = record.letters[first - 1 : last]
    if found["alt"] is not None:
        return Variant(name=name, first=first, removed=_allele(found["ref"], name), added=_allele(found["alt"], name))
    if found["added"] is not None:
        if last != first + 1:
            raise InputError(f"{name} puts letters in between two neighbours: write g.{first}_{first + 1}ins…")
        return Variant(name=name, first=last, removed="", added=_allele(found["added"], name))
    if found["dup"] is not None:
        return Variant(name=name, first=last + 1, removed="", added=there)
    gone = _allele(found["gone"], name) if found["gone"] else there
    if len(gone) != len(there):
        raise InputError(f"{name} speaks of {len(there)} positions and names {len(gone)} letters: they must be as many")
    return Variant(name=name, first=first, removed=gone, added=_allele(found["instead"] or "", name))


def _allele(letters: str, what: str) -> str:
    letters = letters.upper()
    if wrong := set(letters) - set(LETTERS):
        raise InputError(
            f"{what} holds {sorted(wrong)[0]!r}, expected letters out of A, C, G, T ({_cut(letters)!r} came)"
        )
    return letters


def _shared(one: str, other: str) -> str:
    """What both begin with."""
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    return one[:count]


def _cut(letters: str) -> str:
    return letters if len(letters) <= _SHOWN else f"{letters[:_SHOWN]}… ({len(letters)} letters)"
