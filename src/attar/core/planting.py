"""Examples made for a rule: labels that the rule gives, near misses among the negatives, minimal counterfactuals.

A domain says how one motif is put into an example and how one match is taken out (`Planter`); how that makes a whole
rule true or false is the same in all of them and written here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any, Protocol, runtime_checkable

import numpy as np

from attar.core.choices import Mask
from attar.core.editor import Group
from attar.core.errors import InputError
from attar.core.motif import Motif, alternatives
from attar.core.rule import And, AtLeast, Finder, Match, Not, Or, Path, Rule, conditions, found, holds

TRIES = 50  # for one example of one label, and for one motif's room in it


class Planter(Protocol):
    """How a domain makes examples. The same generator state gives the same example."""

    def background(self, generator: np.random.Generator) -> Any:
        """An example with nothing planted: nuisance variation, distractors, noise."""
        ...

    def plant(self, example: Any, what: Motif | Path, generator: np.random.Generator) -> Any | None:
        """The example with one more match of the motif or path, what else it shows kept; None where none has room."""
        ...

    def remove(self, example: Any, match: Match, generator: np.random.Generator) -> Any | None:
        """The example without that match, as little as possible changed; None where that cannot be."""
        ...


@runtime_checkable
class Distracting(Protocol):
    """A planter that evens its examples out last, so that how much they show says nothing of what was planted."""

    def distract(self, example: Any, generator: np.random.Generator) -> Any | None:
        """The example with one more thing at random; None where it has as many as it was to have, or no room."""
        ...


def generate(
    rule: Rule, finder: Finder, planter: Planter, count: int, *, positives: float = 0.5, seed: int = 0
) -> tuple[list[Any], np.ndarray]:
    """`count` examples and their labels by the rule, `Float[ndarray, "examples"]` of 0 and 1, in random order.

    A positive has one way, drawn at random, in which the rule holds, and each of the rule's other conditions with
    probability one half. A negative has each condition with probability one half, and half of the negatives are a
    positive in which the rule was made false by as little as a minimal counterfactual: no side of the rule tells the
    label by itself. The ends of a path are conditions too: they may be there without being joined. A planter that is
    `Distracting` fills every example up without changing its label. Raises `InputError` for a rule that cannot be made
    true, or false, with this planter.
    """
    if count < 1:
        raise InputError(f"count is {count}, expected at least 1")
    if not 0 <= positives <= 1:
        raise InputError(f"positives is {positives}, expected a share between 0 and 1")
    generator = np.random.default_rng([seed, 29])
    labels = np.zeros(count)
    labels[generator.permutation(count)[: round(positives * count)]] = 1.0
    maker = _Maker(finder, planter, generator)
    return [maker.one(rule, bool(label > 0.5)) for label in labels], labels


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """An example of the other label, and the matches that were taken out to make it (none: something was put in)."""

    example: Any
    removed: tuple[Match, ...]


def counterfactuals(
    rule: Rule, finder: Finder, planter: Planter, example: Any, *, seed: int = 0, most: int = 16
) -> list[Counterfactual]:
    """The nearest examples of the other label: for a positive every smallest set of matches that must go, up to `most`.

    For a negative, what is missing put in, in up to `most` different ways. Each is checked by the rule.
    """
    generator = np.random.default_rng([seed, 31])
    if not holds(rule, finder, example):
        maker = _Maker(finder, planter, generator)
        made = (maker.made(rule, True, example) for _ in range(most))
        return [Counterfactual(e, ()) for e in made if holds(rule, finder, e)]
    results = []
    for matches in _breaks(rule, finder, example):
        if len(results) == most:
            break
        edited: Any | None = example
        for match in matches:
            if edited is not None and match.parts:
                edited = planter.remove(edited, match, generator)
        if edited is not None and not holds(rule, finder, edited):
            results.append(Counterfactual(edited, matches))
    return results


@dataclass(frozen=True)
class PlantedEditor:
    """Groups are motifs by their text: those of `vocabulary` that an example has, put on by the planter."""

    finder: Finder
    planter: Planter
    vocabulary: Sequence[str]

    def groups(self, example: Any) -> list[Group]:
        return [Group(text, parts) for text in self.vocabulary for parts in self.places(example, text)]

    def places(self, example: Any, name: str) -> list[frozenset[int]]:
        return [match.parts for match in self.finder.find(Motif(name), example)]

    def insert(self, example: Any, name: str, generator: np.random.Generator) -> Iterable[Any]:
        for _ in range(TRIES):
            edited = self.planter.plant(example, Motif(name), generator)
            if edited is not None:
                yield edited

    def remove(self, example: Any, name: str, generator: np.random.Generator) -> Any | None:
        for _ in range(TRIES):
            matches = self.finder.find(Motif(name), example)
            if not matches:
                return example
            example = self.planter.remove(example, matches[0], generator)
            if example is None:
                return None
        return None


@dataclass(frozen=True, eq=False)
class _Maker:
    """Makes conditions true or false, one motif at a time."""

    finder: Finder
    planter: Planter
    generator: np.random.Generator

    def one(self, rule: Rule, wanted: bool) -> Any:
        """An example of which the rule is true, or false."""
        for _ in range(TRIES):
            example = self.planter.background(self.generator)
            for leaf in conditions(rule):
                ends = (AtLeast(leaf.first), AtLeast(leaf.last)) if isinstance(leaf, Path) else ()
                for condition in (*ends, leaf):
                    if self.generator.random() < 0.5:
                        example = self.made(condition, True, example)
            if wanted or self.generator.random() < 0.5:
                example = self.made(rule, True, example)
            if not wanted:
                example = self.made(rule, False, example)
            if holds(rule, self.finder, example) == wanted:
                return self._distracted(rule, wanted, example)
        raise InputError(
            f"no example of which {rule} is {'true' if wanted else 'false'} came out of {TRIES} tries: make the "
            "motifs smaller or fewer, or the examples larger"
        )

    def _distracted(self, rule: Rule, wanted: bool, example: Any) -> Any:
        """The example filled up, by what leaves its label."""
        planter = self.planter
        if not isinstance(planter, Distracting):
            return example
        for _ in range(TRIES):
            edited = planter.distract(example, self.generator)
            if edited is None:
                break
            if holds(rule, self.finder, edited) == wanted:
                example = edited
        return example

    def made(self, rule: Rule, wanted: bool, example: Any) -> Any:
        """The example after what should make the rule true, or false; the caller looks whether it did."""
        if holds(rule, self.finder, example) == wanted:
            return example
        match rule:
            case Not(inner):
                return self.made(inner, not wanted, example)
            case And(sides) | Or(sides):
                every = isinstance(rule, And) is wanted
                for side in sides if every else (sides[self.generator.integers(len(sides))],):
                    example = self.made(side, wanted, example)
            case AtLeast() | Path():
                for _ in range(TRIES):
                    edited = self._planted(rule, example) if wanted else self._removed(rule, example)
                    example = example if edited is None else edited
                    if holds(rule, self.finder, example) == wanted:
                        break
        return example

    def _planted(self, rule: AtLeast | Path, example: Any) -> Any | None:
        choices = (rule,) if isinstance(rule, Path) else alternatives(rule.motif)
        return self.planter.plant(example, choices[self.generator.integers(len(choices))], self.generator)

    def _removed(self, rule: AtLeast | Path, example: Any) -> Any | None:
        matches = found(rule, self.finder, example)
        if not matches:
            return None
        return self.planter.remove(example, matches[self.generator.integers(len(matches))], self.generator)


def _breaks(rule: Rule, finder: Finder, example: Any) -> Iterator[tuple[Match, ...]]:
    """Sets of matches without which a rule that holds is false, the fewest matches first."""
    ways = sorted({_distinct(way) for way in _ways(rule, True, finder, example)}, key=len)
    kept: list[set[Mask]] = []
    for way in ways:
        parts = {match.parts for match in way}
        if not any(smaller <= parts for smaller in kept):
            kept.append(parts)
            yield way


def _ways(rule: Rule, wanted: bool, finder: Finder, example: Any) -> Iterator[tuple[Match, ...]]:
    """Ways to make a condition that holds (`wanted`: the rule, else its negation) fail by taking matches out."""
    match rule:
        case Not(inner):
            yield from _ways(inner, not wanted, finder, example)
        case And(sides) | Or(sides):
            if isinstance(rule, And) is wanted:
                for side in sides:
                    yield from _ways(side, wanted, finder, example)
            else:
                holding = [side for side in sides if holds(side, finder, example) == wanted]
                each = [list(_ways(side, wanted, finder, example)) for side in holding]
                for chosen in product(*each):
                    yield tuple(match for way in chosen for match in way)
        case AtLeast(_, n) if wanted and n > 0:
            matches = found(rule, finder, example)
            yield from combinations(matches, len(matches) - n + 1)
        case Path() if wanted:
            yield tuple(found(rule, finder, example))


def _distinct(way: tuple[Match, ...]) -> tuple[Match, ...]:
    by_parts = {match.parts: match for match in way}
    return tuple(by_parts[parts] for parts in sorted(by_parts, key=sorted))
