"""The trivial control: a score of words that has seen neither model nor label."""

from collections.abc import Sequence
from functools import cache
from math import log

import numpy as np

from attar.domains.text.words import ABOUT, KINDS, OTHER, PAD, STOPS, Clause


def trivial_words(text: Sequence[str]) -> np.ndarray:
    """How rare each word is in letters of this kind, in nats; 0 for what is no word: `Float[ndarray, "tokens"]`.

    Rules name colours, keys and turns of phrase, and no articles or stops: inverse frequency, the weight that search
    engines have given words since Spärck Jones 1972, finds many of a rule's words without asking a model.
    """
    return np.array([_rarity().get(word, 0.0) for word in text], dtype=float)


@cache
def _rarity() -> dict[str, float]:
    """Minus the log share of each word, from the grammar itself rather than from any texts."""
    shares: dict[str, float] = {}
    for clauses in (ABOUT, OTHER):
        for clause in clauses:
            for word, share in _words(clause):
                shares[word] = shares.get(word, 0.0) + share / len(clauses)
    total = sum(shares.values())
    return {word: -log(share / total) for word, share in shares.items()} | {PAD: 0.0}


def _words(clause: Clause) -> list[tuple[str, float]]:
    slots = [KINDS[kind] for kind in clause] + [STOPS]
    return [(word, 1 / len(words)) for words in slots for word in words]
