"""The words of the made letters, by kind, and the clauses they make.

A letter is about a bag that was bought: what colour, size and fabric things have, how they are, what became of it.
Words of a kind stand in for one another, so that a text with one of them changed still reads. Colours, sizes and
fabrics each belong to several keys: a colour alone does not say of what.
"""

from __future__ import annotations

PAD = "<pad>"
STOPS = (".", ",")

KINDS: dict[str, tuple[str, ...]] = {
    "colour key": ("colour", "strap", "logo"),
    "size key": ("size", "pocket"),
    "fabric key": ("fabric", "lining"),
    "colour": ("red", "blue", "green", "black", "white"),
    "size": ("small", "medium", "large", "huge"),
    "fabric": ("cotton", "wool", "leather", "silk"),
    "article": ("the", "its", "this"),
    "is": ("is", "looks", "seems"),
    "degree": ("very", "quite", "rather", "so"),
    "adverb": ("not", "never", "always", "really"),
    "quality": ("soft", "rough", "nice", "ugly", "cheap", "sturdy"),
    "thing": ("bag", "zip", "box", "service", "delivery"),
    "whose": ("my", "our", "his"),
    "person": ("sister", "mother", "friend", "brother"),
    "did": ("bought", "sent", "returned", "kept"),
    "when": ("today", "yesterday", "monday"),
    "i": ("i", "we", "they"),
    "would": ("would", "will", "could"),
    "do": ("buy", "keep", "return", "order"),
    "it": ("it", "them", "one"),
    "again": ("again", "soon", "gladly"),
    "stop": STOPS,
}

WORDS = tuple(word for kind in KINDS.values() for word in kind)
KIND_OF = {word: kind for kind, words in KINDS.items() for word in words}
KEYS = frozenset(word for kind, words in KINDS.items() if kind.endswith(" key") for word in words)

Clause = tuple[str, ...]
"""The kinds of its words in order; one stop follows each clause."""

ABOUT: tuple[Clause, ...] = tuple(
    clause
    for value in ("colour", "size", "fabric")
    for clause in (
        (f"{value} key", value),
        (f"{value} key", "is", value),
        ("article", f"{value} key", "is", value),
        ("article", f"{value} key", "is", "degree", value),
    )
)
"""Clauses that give a key its value."""

OTHER: tuple[Clause, ...] = (
    ("article", "thing", "is", "quality"),
    ("article", "thing", "is", "degree", "quality"),
    ("article", "thing", "is", "adverb", "quality"),
    ("i", "would", "do", "it", "again"),
    ("i", "would", "adverb", "do", "it"),
    ("i", "did", "it", "when"),
    ("whose", "person", "did", "it"),
    ("whose", "person", "did", "it", "when"),
)
