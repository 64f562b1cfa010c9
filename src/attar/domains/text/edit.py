"""Texts made and edited: letters of a few clauses, a motif put in as a clause, a match taken out by one word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from attar.core.editor import Group
from attar.core.errors import InputError
from attar.core.motif import Motif, alternatives
from attar.core.planting import PlantedEditor
from attar.core.rule import Match, Path
from attar.core.sites import Site, undone
from attar.domains.text.forms import filled, fitting, ways
from attar.domains.text.pattern import Relation, Row, Words, clauses, read
from attar.domains.text.truth import Text, TextFinder
from attar.domains.text.words import ABOUT, KEYS, KIND_OF, KINDS, OTHER, PAD, WORDS

T = TypeVar("T")

FEWEST = 6  # clauses
LONGEST = max(map(len, ABOUT + OTHER)) + 1  # words of a clause with its stop
ROOMS = 12  # times that a path is tried
INTACT, NEAR = 0.05, 0.15  # how often a background has each of its distractors as it is, and as a near miss


@dataclass(frozen=True)
class TextPlanter:
    """Writes letters of up to `length` words and stops, filled up with `PAD`.

    A background has six clauses or more, half of them about a key and its value, half about other things; so every
    value stands under other keys as well. On it lie distractors: each of `distractors` now and then as it is, more
    often as a near miss: a pattern with one word changed, a relation crossed (its key with another value, and its value
    with another key, so that a bag of words shows both).

    A motif is put in by writing one clause anew, one of the same length (and, of these, one that is about a key if the
    new one is) if there is any, so that neither tells; where no clause of the grammar holds it, its words are written
    over others. Clauses that show a distractor are left alone. A match is taken out by one word changed for another of
    its kind: a colour for a colour, a key for a key.
    """

    length: int
    distractors: tuple[Motif, ...] = ()

    def __post_init__(self) -> None:
        if self.length < FEWEST * LONGEST:
            raise InputError(f"length is {self.length} words, expected at least {FEWEST * LONGEST}: {FEWEST} clauses")

    def background(self, generator: np.random.Generator) -> Text:
        most = int(generator.integers(FEWEST, 1 + max(FEWEST, self.length // 5)))
        text: list[str] = []
        for number in range(most):
            if number >= FEWEST and len(text) + LONGEST > self.length:
                break
            form = _drawn(ABOUT if generator.random() < 0.5 else OTHER, generator)
            text += filled((*form, "stop"), {}, generator)
        letter = _padded(text, self.length)
        for motif in self.distractors:
            drawn = generator.random()
            if drawn < INTACT:
                letter = self.plant(letter, motif, generator) or letter
            elif drawn < INTACT + NEAR:
                core = read(motif.text)
                for place in (0, 1) if isinstance(core, Relation) else (None,):
                    letter = self._missed(letter, motif, place, generator)
        return letter

    def plant(self, example: Text, what: Motif | Path, generator: np.random.Generator) -> Text | None:
        before, there, taken = len(_found(what, example)), clauses(example), self._taken(example)
        free = [clause for clause in there if taken.isdisjoint(clause)]
        for _ in range(ROOMS if free else 0):
            if isinstance(what, Path):
                edited = self._path(example, what, there, free, generator)
            else:
                core = read(what.text)
                edited = _clause(example, core, free, generator) or _over(example, core, free, generator)
            if edited is not None and len(_found(what, edited)) > before:
                return edited
        return None

    def remove(self, example: Text, match: Match, generator: np.random.Generator) -> Text | None:
        """One word changed for another of its kind; for any, where all of its kind would do."""
        of_kind = self._changed(example, match, None, generator)
        if of_kind is None and isinstance(match, Site):
            of_any = undone(example, match.readings, lambda _: WORDS, generator)
            return None if of_any is None else tuple(of_any)
        return of_kind

    def _path(
        self, text: Text, path: Path, there: Sequence[range], free: Sequence[range], generator: np.random.Generator
    ) -> Text | None:
        """Both ends in one clause; or each in its own, where one that is there already will do."""
        first, last = (_drawn(alternatives(end), generator) for end in (path.first, path.last))
        one, other = read(first.text), read(last.text)
        if isinstance(one, Row) and isinstance(other, Row) and (path.along or generator.random() < 0.5):
            gap = int(generator.integers(path.shortest, path.longest + 1))
            whole = Row((*one.items, *_between(path, gap), *other.items))
            return _clause(text, whole, free, generator) or _over(text, whole, free, generator)
        begun, ended = _with(first, text, there), _with(last, text, there)
        pairs = [
            (i, j)
            for j, right in enumerate(there)
            for i, left in enumerate(there[:j])
            if right.start - left.stop <= path.longest and right.stop - left.start >= path.shortest
            if (left in free or left in begun) and (right in free or right in ended)
        ]
        if not pairs:
            return None
        i, j = _drawn(pairs, generator)
        edited = text if there[i] in begun else _clause(text, one, [there[i]], generator)
        if edited is None or there[j] in ended:
            return edited
        return _clause(edited, other, [clauses(edited)[j]], generator)

    def _missed(self, text: Text, motif: Motif, place: int | None, generator: np.random.Generator) -> Text:
        """With the motif put in and one word of it changed again: that at `place` in it, or any."""
        before = {match.parts for match in _found(motif, text)}
        planted = self.plant(text, motif, generator) or text
        for match in _found(motif, planted):
            if match.parts not in before:
                at = None if place is None else sorted(match.parts)[place]
                return self._changed(planted, match, at, generator) or planted
        return planted

    def _changed(self, text: Text, match: Match, at: int | None, generator: np.random.Generator) -> Text | None:
        """With a word of the match changed for another of its kind: that `at` a place, or any."""
        readings = match.readings if isinstance(match, Site) else ({p: (text[p],) for p in match.parts},)
        changed = undone(
            text, readings, lambda place: KINDS[KIND_OF[text[place]]] if at in (None, place) else (), generator
        )
        return None if changed is None else tuple(changed)

    def _taken(self, text: Text) -> set[int]:
        return {at for motif in self.distractors for match in TextFinder().find(motif, text) for at in match.parts}


@dataclass(frozen=True)
class WordEditor(PlantedEditor):
    """Groups are all runs of one to `longest` words within a clause, so that nobody need say what to look for."""

    longest: int = 3

    def groups(self, example: Text) -> list[Group]:
        return [
            Group(" ".join(example[begin : begin + size]), frozenset(range(begin, begin + size)))
            for clause in clauses(example)
            for size in range(1, self.longest + 1)
            for begin in range(clause.start, clause.stop - size + 1)
        ]


def _clause(text: Text, core: Row | Relation, among: Sequence[range], generator: np.random.Generator) -> Text | None:
    """With one of these clauses written anew so that it holds the motif; None where no form of clause can."""
    room = text.count(PAD)
    able = [(clause, way) for clause in among for way in ways(core) if len(way.form) <= len(clause) + room]
    if not able:
        return None
    long = [(c, w) for c, w in able if len(w.form) == len(c)]
    like = [(c, w) for c, w in long if w.about is any(text[place] in KEYS for place in c)]
    clause, way = _drawn(like or long or able, generator)
    old = text[clause.start : clause.stop + 1] if len(way.form) == len(clause) else ()
    fresh = filled((*way.form, "stop"), way.words, generator, old=old)
    rest = [word for word in text[clause.stop + 1 :] if word != PAD]
    return _padded([*text[: clause.start], *fresh, *rest], len(text))


def _over(text: Text, core: Row | Relation, free: Sequence[range], generator: np.random.Generator) -> Text | None:
    """With the motif's words written over others of a clause; over stops too where there is no clause so long."""
    items = core.items if isinstance(core, Row) else (core.keys, core.values)
    begins = [b for clause in free for b in range(clause.start, clause.stop - len(items) + 1)]
    if not begins:
        words = len(text) - text.count(PAD)
        begins = [clause.start for clause in free if clause.start + len(items) <= words]
    if not begins:
        return None
    begin = _drawn(begins, generator)
    old = text[begin : begin + len(items)]
    fresh = (fitting(able, word, generator) for able, word in zip(items, old, strict=True))
    return (*text[:begin], *fresh, *text[begin + len(items) :])


def _between(path: Path, gap: int) -> list[Words]:
    """What may stand at each of the places between the ends of a path."""
    cores = [[read(motif.text) for motif in alternatives(piece)] for piece in path.along]
    able = [frozenset().union(*(core.items[0] or () for core in piece if isinstance(core, Row))) for piece in cores]
    return [able[min(k, len(able) - 1)] if able else None for k in range(gap)]


def _found(what: Motif | Path, text: Text) -> list[Match]:
    return TextFinder().find_paths(what, text) if isinstance(what, Path) else TextFinder().find(what, text)


def _with(motif: Motif, text: Text, there: Iterable[range]) -> list[range]:
    """The clauses that show the motif."""
    matches = TextFinder().find(motif, text)
    return [clause for clause in there if any(match.parts.issubset(clause) for match in matches)]


def _padded(words: Iterable[str], length: int) -> Text:
    real = tuple(words)
    return real + (PAD,) * (length - len(real))


def _drawn(items: Sequence[T], generator: np.random.Generator) -> T:
    return items[int(generator.integers(len(items)))]
