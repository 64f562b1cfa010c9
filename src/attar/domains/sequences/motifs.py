"""Motifs as counts (JASPAR's format): where they fit a sequence, and what share of an attribution lies in them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Float

from attar.core.errors import InputError
from attar.core.files import as_text, read_bytes
from attar.domains.sequences.iupac import FITS
from attar.domains.sequences.record import LETTERS, Record

SUFFIXES = (".jaspar", ".pfm", ".txt")
PSEUDOCOUNT = 0.8  # of all letters of a position together, as is usual with JASPAR's counts
FITTING = 0.8  # of the way from the worst score to the best, from which on a motif fits
_COMPLEMENT = [3, 2, 1, 0]
_BACKGROUND = 0.25


@dataclass(frozen=True, eq=False, kw_only=True)
class Motif:
    """A motif as how often each letter stood at each of its positions."""

    name: str
    counts: Float[np.ndarray, "4 positions"]

    @classmethod
    def of_consensus(cls, name: str, letters: str) -> Self:
        """Letters that stand for several in IUPAC's way, each as often."""
        if wrong := [letter for letter in letters if letter not in FITS]:
            raise InputError(f"the motif {name} has {wrong[0]!r}, expected IUPAC letters: {''.join(FITS)}")
        counts = [[float(base in FITS[letter]) * 100 / len(FITS[letter].strip("N") or LETTERS) for letter in letters]
                  for base in LETTERS]  # fmt: skip
        return cls(name=name, counts=np.array(counts))

    @property
    def weights(self) -> Float[np.ndarray, "4 positions"]:
        """The log2 of how much likelier a letter is here than anywhere."""
        total = self.counts.sum(0)
        share = (self.counts + PSEUDOCOUNT * _BACKGROUND) / (total + PSEUDOCOUNT)
        return np.log2(share / _BACKGROUND)

    def __len__(self) -> int:
        return self.counts.shape[1]

    def fit(self, letters: str) -> tuple[Float[np.ndarray, " starts"], Float[np.ndarray, " starts"]]:
        """On each strand, at every place that it can begin at from the left, how well it fits: 0 worst, 1 best. N fits
        as the background does."""
        codes = np.array([LETTERS.find(letter) for letter in letters])
        forward = self.weights
        return self._fit(codes, forward), self._fit(codes, forward[_COMPLEMENT][:, ::-1])

    def _fit(self, codes: np.ndarray, weights: Float[np.ndarray, "4 positions"]) -> Float[np.ndarray, " starts"]:
        starts = len(codes) - len(self) + 1
        if starts < 1:
            return np.zeros(0)
        padded = np.concatenate([weights, np.zeros((1, len(self)))])  # the last row is for N, whose code is -1
        score = sum(padded[codes[k : k + starts], k] for k in range(len(self)))
        low, high = weights.min(0).sum(), weights.max(0).sum()
        return (score - low) / (high - low)


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A motif in a sequence: the places of its first and last letter from 0, the strand, and how well it fits (1 best).

    With values: `mass` is the share of their size inside, `length` the hit's share of the letters, which is what `mass`
    is on average by chance; `value` is their sum.
    """

    motif: str
    first: int
    last: int
    strand: str
    fit: float
    where: str
    letters: str
    mass: float = float("nan")
    length: float = float("nan")
    value: float = float("nan")

    def __str__(self) -> str:
        said = f"{self.motif} at {self.where} ({self.strand}) {self.letters}, fit {self.fit:.2f}"
        return (
            said
            if np.isnan(self.mass)
            else f"{said}: {self.mass:.0%} of the attribution, {self.length:.1%} of the letters"
        )


def read_jaspar(path: str | Path) -> list[Motif]:
    """The motifs of a file in JASPAR's format: `>ID NAME`, then a row of counts for each of A, C, G and T, with or
    without letters and brackets. Raises `InputError` naming the motif whose rows are not four of one length, or no
    counts."""
    text = as_text(read_bytes(path, suffixes=SUFFIXES), str(path))[0]
    blocks = re.split(r"^>", text, flags=re.MULTILINE)
    if blocks[0].strip() or len(blocks) == 1:
        raise InputError(f"{path} is no JASPAR file: expected >ID NAME and four rows of counts below it")
    return [_motif(block, str(path)) for block in blocks[1:]]


def _motif(block: str, path: str) -> Motif:
    head, *lines = (line.strip() for line in block.strip().splitlines())
    name = " ".join(head.split()) or "a motif"
    rows = []
    for letter, line in zip(LETTERS, lines, strict=False):
        numbers = re.sub(rf"^{letter}\b|[\[\]]", " ", line).split()
        try:
            rows.append([float(number) for number in numbers])
        except ValueError:
            raise InputError(f"{path}: motif {name}, row {letter} is {line!r}, expected counts") from None
    if len(lines) != len(LETTERS) or len({len(row) for row in rows}) != 1 or not rows[0]:
        raise InputError(f"{path}: motif {name} needs four rows of one length, for A, C, G and T; it has {len(lines)}")
    counts = np.array(rows)
    if (counts < 0).any() or not counts.sum(0).all():
        raise InputError(f"{path}: motif {name} has a position without counts, or a negative one")
    return Motif(name=name, counts=counts)


def hits(
    record: Record,
    motifs: Iterable[Motif],
    values: Float[np.ndarray, " letters"] | None = None,
    *,
    fit: float = FITTING,
) -> list[Hit]:
    """Where motifs fit on either strand, from the left; with an attribution's `values` (one for each letter) what share
    of it lies inside, the most first. A motif that reads the same on both strands is named once, on +."""
    size = None if values is None else np.abs(values)
    found: list[Hit] = []
    for motif in motifs:
        forward, backward = motif.fit(record.letters)
        for strand, fits in (("+", forward), ("-", backward)):
            for first in np.flatnonzero(fits >= fit).tolist():
                if strand == "-" and np.isclose(forward[first], backward[first]):
                    continue
                last = first + len(motif) - 1
                inside = slice(first, last + 1)
                mass: dict[str, float] = {}
                if values is not None and size is not None:
                    whole = float(size.sum()) or 1.0
                    mass = {"mass": float(size[inside].sum()) / whole, "value": float(values[inside].sum())}
                where = f"{record.title(first)[1:]} to {record.title(last)[1:]}"
                found.append(
                    Hit(
                        motif=motif.name,
                        first=first,
                        last=last,
                        strand=strand,
                        fit=float(fits[first]),
                        where=where,
                        letters=record.letters[inside],
                        length=len(motif) / len(record),
                        **mass,
                    )
                )
    return sorted(found, key=lambda hit: (hit.first, hit.motif) if values is None else (-hit.mass, hit.first))  # type: ignore[return-value]


def lost(before: Record, after: Record, motifs: Sequence[Motif], *, fit: float = FITTING) -> list[Hit]:
    """The hits of a sequence that a variant of it no longer has: none of the same motif and strand fits where the
    letters of the hit now stand."""
    there = {(hit.motif, hit.strand, after.key(hit.first)) for hit in hits(after, motifs, fit=fit)}
    there |= {(hit.motif, hit.strand, after.key(hit.last)) for hit in hits(after, motifs, fit=fit)}
    gone = []
    for hit in hits(before, motifs, fit=fit):
        ends = [(hit.motif, hit.strand, before.key(place)) for place in (hit.first, hit.last)]
        if not any(end in there for end in ends):
            gone.append(hit)
    return gone
