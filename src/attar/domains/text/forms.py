"""Clauses as the grammar has them: which form of clause can hold a motif, and how one is filled with words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from attar.domains.text.pattern import Relation, Row, Words
from attar.domains.text.words import ABOUT, KINDS, OTHER, WORDS, Clause


@dataclass(frozen=True)
class Way:
    """A form of clause that can hold a motif, and the words that it then has, by place in the clause."""

    form: Clause
    words: Mapping[int, Words]

    @property
    def about(self) -> bool:
        return self.form in ABOUT


@lru_cache(maxsize=4096)
def ways(core: Row | Relation) -> tuple[Way, ...]:
    """Every way in which a clause of the grammar, with the stop behind it, can hold the motif."""
    return tuple(
        Way(form, words)
        for form in ABOUT + OTHER
        for words in (_row(form, core) if isinstance(core, Row) else _relation(form, core))
    )


def filled(
    form: Clause, words: Mapping[int, Words], generator: np.random.Generator, *, old: Sequence[str] = ()
) -> list[str]:
    """Words for a clause of that form; old ones stay where they fit."""
    kept = [*old, *[None] * len(form)]
    return [
        fitting(words.get(place) or KINDS[kind], kept[place] if kept[place] in KINDS[kind] else None, generator)
        for place, kind in enumerate(form)
    ]


def fitting(words: Words | Sequence[str], old: str | None, generator: np.random.Generator) -> str:
    """The old word if it would do, else one of those that would."""
    if old is not None and (words is None or old in words):
        return old
    able = sorted(words or WORDS)
    return able[int(generator.integers(len(able)))]


def _row(form: Clause, row: Row) -> Iterator[dict[int, Words]]:
    kinds = [frozenset(KINDS[kind]) for kind in (*form, "stop")]
    for begin in range(len(kinds) - len(row.items) + 1):
        able = [kind if item is None else kind & item for kind, item in zip(kinds[begin:], row.items, strict=False)]
        if all(able):
            yield {begin + k: words for k, words in enumerate(able)}


def _relation(form: Clause, relation: Relation) -> Iterator[dict[int, Words]]:
    last = len(form) - 1
    for place, kind in enumerate(form[:-1]):
        keys, values = relation.keys & set(KINDS[kind]), relation.values & set(KINDS[form[-1]])
        if keys and values:
            yield {place: keys, last: values}
