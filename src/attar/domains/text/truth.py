"""Rules about texts: where word patterns and relations are, and what a path from word to word is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from attar.core.errors import InputError
from attar.core.motif import AnyOf, Motif, alternatives
from attar.core.rule import Match, Path
from attar.core.sites import Place, joined, sites
from attar.domains.text.pattern import Relation, Row, clauses, read
from attar.domains.text.words import KEYS, PAD

Text = tuple[str, ...]


@dataclass(frozen=True)
class TextFinder:
    """Finds word patterns and relations in a tuple of words; places are counted from 0, stops are words too.

    The parts of a match are the words it names: what stands under a `*` is no part, nor is anything between a key and
    its value. A path goes from left to right: from behind the last word of `first` so many words on to the first word
    of `last`; they are no part of it, unless `along` says what they are, one word or `{a|b}` for each.

    Raises: InputError for a text that is no motif, and for a motif of `along` of several words.
    """

    def find(self, motif: Motif, text: Text, /) -> list[Match]:
        return sites((place,) for place in _places(motif, text))

    def find_paths(self, path: Path, text: Text, /) -> list[Match]:
        steps = [_steps(piece, text) for piece in path.along]
        return sites(joined(_places(path.first, text), _places(path.last, text), (path.shortest, path.longest), steps))


def _places(motif: Motif | AnyOf, text: Text) -> list[Place]:
    found = []
    for one in alternatives(motif):
        around = [] if one.grow is None else [reading.keys() for _, _, reading in _read_in(one.grow, text)]
        for begin, end, reading in _read_in(one.text, text):
            whole = frozenset(reading).union(*(mask for mask in around if mask >= reading.keys()))
            found.append(Place(one.name, begin, end, reading, whole))
    return found


def _read_in(motif: str, text: Text) -> Iterator[tuple[int, int, dict[int, frozenset[str]]]]:
    """Where the motif begins and ends, and the words that would do at its places."""
    core = read(motif)
    return _rows(core, text) if isinstance(core, Row) else _relations(core, text)


def _rows(row: Row, text: Text) -> Iterator[tuple[int, int, dict[int, frozenset[str]]]]:
    size, first = len(row.items), row.items[0] or frozenset()
    for begin in range(len(text) - size + 1):
        if text[begin] in first and all(
            word != PAD if item is None else word in item
            for item, word in zip(row.items, text[begin : begin + size], strict=True)
        ):
            yield begin, begin + size, {begin + k: item for k, item in enumerate(row.items) if item is not None}


def _relations(relation: Relation, text: Text) -> Iterator[tuple[int, int, dict[int, frozenset[str]]]]:
    for clause in clauses(text):
        key: int | None = None
        for place in clause:
            if text[place] in KEYS:
                key = place
            elif key is not None and text[key] in relation.keys and text[place] in relation.values:
                yield key, place + 1, {key: relation.keys, place: relation.values}


def _steps(piece: Motif | AnyOf, text: Text) -> dict[int, Place]:
    """Where this part of a chain can be, each place by the first alternative that fits; it tells what any would."""
    cores = [read(one.text) for one in alternatives(piece)]
    if any(isinstance(core, Relation) or len(core.items) != 1 for core in cores):
        raise InputError(f"{piece} stands between the ends of a path: a chain part is one word, as in {{a|b}}")
    words = frozenset().union(*(core.items[0] or () for core in cores if isinstance(core, Row)))
    steps: dict[int, Place] = {}
    for place in _places(piece, text):
        steps.setdefault(place.begin, replace(place, reading={place.begin: words}))
    return steps
