"""Examples made for a weighted sum: every term in about half of them, and in these once, twice or three times."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attar.core.errors import InputError
from attar.core.motif import alternatives
from attar.core.planting import TRIES, Distracting, Planter
from attar.core.rule import Finder, Match, Path, found
from attar.core.weighted_sum import Term, WeightedSum, value

MOST = 3  # matches of one term that are planted
ROUNDS = 3  # over the terms: what was planted for one may be a match of another, or lie over it


def generate_sum(
    total: WeightedSum, finder: Finder, planter: Planter, count: int, *, sd: float = 0.0, seed: int = 0
) -> tuple[list[Any], np.ndarray]:
    """`count` examples and their labels, `Float[ndarray, "examples"]`: the sum's value and normal noise of that `sd`.

    For each term a number of matches is drawn, none with probability one half and else 1 to `MOST`, the fewer the more
    often (1, for a term that counts once); motifs are put in or taken out until there are so many. A number that cannot
    be had is left at what came of it: the label is what the example then is. A planter that is `Distracting` fills
    every example up without changing the numbers.

    Raises: InputError for a count below 1, and an `sd` below 0.
    """
    if count < 1:
        raise InputError(f"count is {count}, expected at least 1")
    if not 0 <= sd < np.inf:
        raise InputError(f"sd is {sd}, expected 0 (no noise) or more, in units of the sum")
    generator = np.random.default_rng([seed, 37])
    maker = _Maker(total, finder, planter, generator)
    examples = [maker.one() for _ in range(count)]
    values = np.array([value(total, finder, example) for example in examples])
    return examples, values + sd * np.random.default_rng([seed, 41]).standard_normal(count)


@dataclass(frozen=True, eq=False)
class _Maker:
    """Brings an example to the number of matches that was drawn for each term."""

    total: WeightedSum
    finder: Finder
    planter: Planter
    generator: np.random.Generator

    def one(self) -> Any:
        example = self.planter.background(self.generator)
        wanted = [self._drawn(term) for term in self.total.terms]
        for _ in range(ROUNDS):
            for k in self.generator.permutation(len(wanted)).tolist():
                example = self._brought(example, self.total.terms[k], wanted[k])
            if all(self._fits(example, *pair) for pair in zip(self.total.terms, wanted, strict=True)):
                break
        return self._distracted(example)

    def _drawn(self, term: Term) -> int:
        if self.generator.random() < 0.5:
            return 0
        most = 1 if term.once else self.generator.integers(1, MOST + 1)
        return int(self.generator.integers(1, most + 1))

    def _brought(self, example: Any, term: Term, wanted: int) -> Any:
        for _ in range(4 * MOST):
            if self._fits(example, term, wanted):
                break
            matches = found(term.condition, self.finder, example)
            edited = self._planted(example, term) if len(matches) < wanted else self._without(example, matches)
            example = example if edited is None else edited
        return example

    def _fits(self, example: Any, term: Term, wanted: int) -> bool:
        there = len(found(term.condition, self.finder, example))
        return there == wanted or (term.once and there > wanted > 0)

    def _planted(self, example: Any, term: Term) -> Any | None:
        choices: Sequence[Any] = (term.what,) if isinstance(term.what, Path) else alternatives(term.what)
        return self.planter.plant(example, choices[int(self.generator.integers(len(choices)))], self.generator)

    def _without(self, example: Any, matches: Sequence[Match]) -> Any | None:
        return self.planter.remove(example, matches[int(self.generator.integers(len(matches)))], self.generator)

    def _distracted(self, example: Any) -> Any:
        """The example filled up, by what leaves the number of every term's matches."""
        if not isinstance(self.planter, Distracting):
            return example
        numbers = self._numbers(example)
        for _ in range(TRIES):
            edited = self.planter.distract(example, self.generator)
            if edited is None:
                break
            if self._numbers(edited) == numbers:
                example = edited
        return example

    def _numbers(self, example: Any) -> list[int]:
        return [len(found(term.condition, self.finder, example)) for term in self.total.terms]
