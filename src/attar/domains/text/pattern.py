"""How text motifs are written: words in a row, or a key with its value.

    would not buy            these words, one after another
    would {buy|order} * again   one of several; any one word
    colour: red              the value that a clause gives the key
    colour: {red|blue}       one of several values

A clause goes from stop to stop. A value belongs to the nearest key before it in its clause, so that in "the strap is
red , colour blue" the colour is not red.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from attar.core.errors import InputError
from attar.core.motif import quoted
from attar.domains.text.words import KEYS, PAD, STOPS, WORDS

_HOW = 'write words, {a|b} for one of several, * for any one, as in "would {buy|order} * again", or a key and its '
_HOW += 'value, as in "colour: red"'
_ITEM = re.compile(r"\*|[a-z]+|[.,]|\{[a-z.,]+(?:\|[a-z.,]+)*\}")

_ENDS = frozenset((*STOPS, PAD))

Words = frozenset[str] | None
"""The words that would do; None for any."""


@dataclass(frozen=True)
class Row:
    """Words in a row."""

    items: tuple[Words, ...]


@dataclass(frozen=True)
class Relation:
    """A key and the values that would do."""

    keys: frozenset[str]
    values: frozenset[str]


@lru_cache(maxsize=65_536)
def read(text: str) -> Row | Relation:
    """The motif of that text. Raises `InputError` for a text that is none, and for words there are not."""
    key, colon, value = text.partition(":")
    if colon:
        keys, values = _items(key.split(), text), _items(value.split(), text)
        if len(keys) != 1 or len(values) != 1 or keys[0] is None or values[0] is None:
            raise InputError(f"{quoted(text)} is no relation: {_HOW}")
        if strange := sorted(keys[0] - KEYS):
            raise InputError(f"{quoted(text)} has the key {strange[0]}, expected one of {', '.join(sorted(KEYS))}")
        if wrong := sorted(values[0] & (KEYS | set(STOPS))):
            raise InputError(f"{quoted(text)} has the value {wrong[0]}, which ends what a key says: write another word")
        return Relation(keys[0], values[0])
    items = _items(text.split(), text)
    if not items or items[0] is None or items[-1] is None:
        raise InputError(f"{quoted(text)} begins or ends with any word at all, or is empty: {_HOW}")
    return Row(items)


def _items(texts: list[str], whole: str) -> tuple[Words, ...]:
    return tuple(_item(text, whole) for text in texts)


def _item(text: str, whole: str) -> Words:
    if not _ITEM.fullmatch(text):
        raise InputError(f"{quoted(whole)} has {text!r} where a word was expected: {_HOW}")
    if text == "*":
        return None
    words = frozenset(text.strip("{}").split("|"))
    if strange := sorted(words - set(WORDS)):
        near = get_close_matches(strange[0], WORDS, n=3) or WORDS[:3]
        raise InputError(
            f"{quoted(whole)} has {strange[0]!r}, which is none of the {len(WORDS)} words: write one such as "
            f"{', '.join(near)}"
        )
    return words


@lru_cache(maxsize=1024)
def clauses(text: tuple[str, ...]) -> tuple[range, ...]:
    """The places of each clause that has words, without the stop that ends it."""
    ends = [place for place, word in enumerate(text) if word in _ENDS] + [len(text)]
    begins = [0, *(place + 1 for place in ends)]
    return tuple(range(begin, end) for begin, end in zip(begins, ends, strict=False) if begin < end)
