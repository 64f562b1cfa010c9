"""DNA as a domain: the parts are places in a string of letters, motifs are IUPAC, groups are k-mers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch

from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.core.named_rules import read_named, read_named_sum
from attar.core.note import shortened
from attar.core.rule import Rule, motifs
from attar.core.rule_text import parse_rule
from attar.core.weighted_sum import WeightedSum
from attar.domains.sequences.control import trivial_places
from attar.domains.sequences.edit import DnaPlanter, KmerEditor
from attar.domains.sequences.iupac import LETTERS
from attar.domains.sequences.truth import DnaFinder

RULES = {
    "tata": 'has("TATAWAW")',
    "ap1-not-caat": 'has("TGASTCA") and not has("CCAAT +-")',
    "ebox-or-early-sp1": 'has("TATAWAW") and (has("CACGTG") or has("GGGCGG +- @ 0..59"))',
    "gata-twice": 'count("WGATAAG") >= 2',
    "spacing": 'path("GGGCGG", "CCAAT", 3, 10)',
    "module": 'path("TGASTCA +-", "WGATAAG +-", 2, 12) and has("TATAWAW") and not has("CACGTG")',
}
"""From easy to hard; the motifs are the textbook ones of the TATA box, GATA, AP-1, CAAT, E-box and SP1."""

SUMS = {
    "motif-scores": '2*count("TATAWAW") - 1*count("CACGTG")',
    "activators-and-repressor": '1.5*count("WGATAAG") + 1*has("CCAAT +-") - 2*count("TGASTCA") + 0.5',
}
"""Truths that are numbers, of the same motifs: one for and one against; on either strand, once or for every match."""


@dataclass(frozen=True)
class Sequences:
    """See `attar.core.domain.MadeDomain`. An example is a string of `length` letters: A, C, G, T, and N for unread."""

    length: int = 120
    name: ClassVar[str] = "sequences"
    example: ClassVar[str] = "sequence"
    part: ClassVar[str] = "position"
    control: ClassVar[str] = "positions whose surroundings are unusual in their share of G and C"

    @property
    def finder(self) -> DnaFinder:
        return DnaFinder()

    @cached_property
    def planter(self) -> DnaPlanter:
        """Its distractors are what the named rules ask for, so that near misses of them are no sign of the label."""
        asked = [motif for text in RULES.values() for motif in motifs(parse_rule(text))]
        return DnaPlanter(self.length, tuple(dict.fromkeys(asked)))

    @property
    def editor(self) -> KmerEditor:
        return KmerEditor(self.finder, self.planter, ())

    @property
    def rules(self) -> Mapping[str, str]:
        return RULES

    @property
    def sums(self) -> Mapping[str, str]:
        return SUMS

    def read_rule(self, text: str) -> Rule:
        return read_named(text, RULES, self.finder, "")

    def read_sum(self, text: str) -> WeightedSum:
        return read_named_sum(text, SUMS, self.finder, "")

    def size(self, example: str) -> int:
        return len(example)

    def trivial(self, example: str) -> np.ndarray:
        return trivial_places(example)

    def properties(self, examples: Sequence[str]) -> Mapping[str, np.ndarray]:
        letters = np.array([[e.count(x) for x in LETTERS] for e in examples], dtype=float).reshape(-1, 4)
        pairs = np.array([[e.count(x) for x in ("CG", "TA")] for e in examples], dtype=float).reshape(-1, 2)
        total = np.maximum(letters.sum(1), 1)
        longest = [max((len(m[0]) for m in re.finditer(r"(.)\1*", e)), default=0) for e in examples]
        return {
            "letters": np.array([len(e) for e in examples], dtype=float),
            "share of G and C": (letters[:, 1] + letters[:, 2]) / total,
            "share of A and G": (letters[:, 0] + letters[:, 2]) / total,
            "CG found / expected": pairs[:, 0] * total / np.maximum(letters[:, 1] * letters[:, 2], 1),
            "TA found / expected": pairs[:, 1] * total / np.maximum(letters[:, 3] * letters[:, 0], 1),
            "longest run of a letter": np.array(longest, dtype=float),
        }

    def key(self, example: str) -> str:
        return example

    def as_json(self, example: str) -> str:
        return example

    def encode(self, examples: Sequence[str]) -> Tensors:
        """One-hot, `Float[Tensor, "examples letters positions"]` in the order A, C, G, T; an unread letter is zeros.

        Raises `InputError` for other letters, and for a sequence of another length.
        """
        for example in examples:
            if len(example) != self.length:
                raise InputError(
                    f"a sequence has {len(example)} letters, expected {self.length}: cut it, or pad with N"
                )
        codes = np.frombuffer("".join(examples).encode("ascii", "replace"), dtype=np.uint8)
        if len(wrong := np.flatnonzero(~np.isin(codes, np.frombuffer(b"ACGTN", dtype=np.uint8)))):
            row, place = divmod(int(wrong[0]), self.length)
            raise InputError(
                f"{shortened(examples[row])} has {examples[row][place]!r} at place {place}, expected A, C, G, T or N "
                "in capitals"
            )
        hot = codes.reshape(-1, 1, self.length) == np.frombuffer(LETTERS.encode(), dtype=np.uint8)[None, :, None]
        return Tensors(torch.from_numpy(hot.astype(np.float32)))
