"""How DNA motifs are written: IUPAC letters, then the strand, then a window of places.

TATAWR              on the strand as given
TATAWR -            on its reverse complement
TATAWR +-           on either
TATAWR +- @ 20..40  within places 20 to 40, both counted in, from 0
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from attar.core.errors import InputError
from attar.core.motif import quoted

LETTERS = "ACGT"
FITS = {
    "A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGTN",
}  # fmt: skip
"""What each letter of a motif stands for. An unread letter of a sequence, N, is told by no letter but N."""

_COMPLEMENT = str.maketrans("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN")
_WRITING = re.compile(r"(?P<letters>[A-Z]+)(?:\s+(?P<strands>\+-|\+|-))?(?:\s+@\s+(?P<first>\d+)\.\.(?P<last>\d+))?")
_HOW = 'write IUPAC letters, then +, - or +- for the strand and @ for a window, as in "TATAWR +- @ 20..40"'


@dataclass(frozen=True)
class Iupac:
    """A motif as it is read: `letters` along its strand, the `strands` it may lie on, the window that holds it."""

    letters: str
    strands: str
    window: tuple[int, int] | None

    def on(self, strand: str) -> str:
        """The letters from left to right where the motif lies on that strand."""
        return self.letters if strand == "+" else self.letters.translate(_COMPLEMENT)[::-1]

    def room(self, length: int) -> range:
        """Where the motif may begin in a sequence of that length."""
        first, last = self.window or (0, length - 1)
        return range(first, min(last + 1, length) - len(self.letters) + 1)

    def starts(self, sequence: str, strand: str) -> list[int]:
        """Where it does begin, read on a strand; occurrences may overlap."""
        starts = [found.start() for found in self._expressions[strand].finditer(sequence)]
        return starts if self.window is None else [b for b in starts if b in self.room(len(sequence))]

    @cached_property
    def _expressions(self) -> dict[str, re.Pattern[str]]:
        """A look-ahead, so that a place found takes up no letters."""
        return {s: re.compile("(?=" + "".join(f"[{FITS[x]}]" for x in self.on(s)) + ")") for s in self.strands}


@lru_cache(maxsize=65_536)
def read(text: str) -> Iupac:
    """The motif of that text. Raises `InputError` for a text that is none and for one that could lie nowhere."""
    written = _WRITING.fullmatch(text)
    if written is None:
        raise InputError(f"{quoted(text)} is no DNA motif: {_HOW}")
    letters = written["letters"]
    if wrong := sorted(set(letters) - FITS.keys()):
        raise InputError(f"{quoted(text)} has the letter {wrong[0]}, which is none of {' '.join(FITS)}: {_HOW}")
    if set(letters) == {"N"}:
        raise InputError(f"{quoted(text)} asks for no letter at all: write at least one other than N")
    window = None if written["first"] is None else (int(written["first"]), int(written["last"]))
    if window is not None and window[1] - window[0] + 1 < len(letters):
        raise InputError(
            f"{quoted(text)} has {len(letters)} letters for the places {window[0]} to {window[1]}: widen the window"
        )
    return Iupac(letters, written["strands"] or "+", window)
