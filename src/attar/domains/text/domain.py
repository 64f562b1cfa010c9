"""Texts as a domain: the parts are words in order, motifs are word patterns and relations, groups are runs of words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch

from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.core.named_rules import read_named, read_named_sum
from attar.core.rule import Rule, motifs
from attar.core.rule_text import parse_rule
from attar.core.weighted_sum import WeightedSum
from attar.domains.text.control import trivial_words
from attar.domains.text.edit import TextPlanter, WordEditor
from attar.domains.text.pattern import clauses
from attar.domains.text.truth import Text, TextFinder
from attar.domains.text.words import KEYS, PAD, WORDS

RULES = {
    "red": 'has("colour: red")',
    "no-more": 'has("would {not|never} {buy|order} it")',
    "small-leather": 'has("size: small") and has("fabric: {leather|wool}")',
    "rough-not-cheap": '(has("{very|so} rough") or has("is ugly")) and not has("cheap")',
    "twice-denied": 'count("{is|looks} {not|never} {soft|nice|sturdy}") >= 2',
    "sent-back": 'path("size: {small|huge}", "returned", 1, 9) and not has("strap: black")',
}
"""From easy to hard. "red" is more than a word: other things are red too, and the colour is something else."""

SUMS = {
    "complaints": '2*count("{very|so} rough") + 1*count("is ugly") - 1.5*has("colour: red")',
    "denied-and-cheap": '1*count("{is|looks} {not|never} {soft|nice|sturdy}") - 2*has("cheap") + 3',
}
"""Truths that are numbers: words for and against; a turn that counts every time, and a word that counts once."""


@dataclass(frozen=True)
class Texts:
    """See `attar.core.domain.MadeDomain`. An example is a tuple of `length` words and stops, filled up with `PAD`."""

    length: int = 60
    name: ClassVar[str] = "texts"
    example: ClassVar[str] = "text"
    part: ClassVar[str] = "word"
    control: ClassVar[str] = "rare words"

    @property
    def finder(self) -> TextFinder:
        return TextFinder()

    @cached_property
    def planter(self) -> TextPlanter:
        """Its distractors are what the named rules ask for, so that near misses of them are no sign of the label."""
        asked = [motif for text in RULES.values() for motif in motifs(parse_rule(text))]
        return TextPlanter(self.length, tuple(dict.fromkeys(asked)))

    @property
    def editor(self) -> WordEditor:
        return WordEditor(self.finder, self.planter, ())

    @property
    def rules(self) -> Mapping[str, str]:
        return RULES

    @property
    def sums(self) -> Mapping[str, str]:
        return SUMS

    def read_rule(self, text: str) -> Rule:
        return read_named(text, RULES, self.finder, ())

    def read_sum(self, text: str) -> WeightedSum:
        return read_named_sum(text, SUMS, self.finder, ())

    def size(self, example: Text) -> int:
        return len(example)

    def trivial(self, example: Text) -> np.ndarray:
        return trivial_words(example)

    def properties(self, examples: Sequence[Text]) -> Mapping[str, np.ndarray]:
        real = [[word for word in e if word != PAD] for e in examples]
        return {
            "words": np.array([len(e) for e in real], dtype=float),
            "clauses": np.array([len(clauses(e)) for e in examples], dtype=float),
            "keys": np.array([sum(word in KEYS for word in e) for e in real], dtype=float),
            "different words / words": np.array([len(set(e)) / max(len(e), 1) for e in real]),
            "letters in a word, mean": np.array([sum(map(len, e)) / max(len(e), 1) for e in real]),
        }

    def key(self, example: Text) -> str:
        return " ".join(word for word in example if word != PAD)

    def as_json(self, example: Text) -> list[str]:
        return list(example)

    def encode(self, examples: Sequence[Text]) -> Tensors:
        """One-hot, `Float[Tensor, "examples words tokens"]` in the order of `WORDS`; `PAD` is zeros.

        Raises `InputError` for a word that is none of them, and for a text of another length.
        """
        number = {word: k for k, word in enumerate(WORDS)} | {PAD: -1}
        for example in examples:
            if len(example) != self.length:
                raise InputError(
                    f"a text has {len(example)} words, expected {self.length}: cut it, or fill it up with {PAD!r}"
                )
            if strange := [word for word in example if word not in number]:
                raise InputError(f"a text has {strange[0]!r}, which is none of the {len(WORDS)} words: leave it out")
        codes = np.array([[number[word] for word in e] for e in examples], dtype=np.int64).reshape(-1, self.length)
        hot = codes[:, None, :] == np.arange(len(WORDS))[None, :, None]
        return Tensors(torch.from_numpy(hot.astype(np.float32)))
