"""A weighted sum of motifs: a truth that is a number, of which every part of an example has a signed share.

    2*count("TATAWAW") - 1.5*has(acid: "C(=O)[OX2H]") + 0.3

A `WeightedSum` is not a `Rule`: it has a value, and is not true or false. It has one truth, the contributions, and so
no legal masks to choose from and no counterfactuals, for there is no other label to reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from jaxtyping import Float

from attar.core.errors import InputError
from attar.core.motif import AnyOf, Motif
from attar.core.rule import AtLeast, Example, Finder, Path, found


@dataclass(frozen=True)
class Term:
    """`weight` for every match, `2*count("…")`; or, if `once`, for all matches together where there is one,
    `2*has("…")`.

    A path is worth its weight once, `2*path("…", "…", 1, 3)`: paths that share an end are no two findings.
    Raises: InputError for a weight that is 0 or no finite number, and for a path that is not `once`.
    """

    weight: float
    what: Motif | AnyOf | Path
    once: bool = False

    def __post_init__(self) -> None:
        if not isfinite(self.weight) or self.weight == 0:
            raise InputError(f"A term's weight is {self.weight:g}, expected a finite number other than 0.")
        if isinstance(self.what, Path) and not self.once:
            raise InputError(f"{self.what} counts once, however many paths there are: give once=True.")

    @property
    def condition(self) -> AtLeast | Path:
        """What has to be found for it to count at all."""
        return self.what if isinstance(self.what, Path) else AtLeast(self.what)

    def amount(self, matches: int) -> float:
        """What so many matches are worth together."""
        return self.weight * min(matches, 1) if self.once else self.weight * matches

    def __str__(self) -> str:
        what = self.what if isinstance(self.what, Path) else f"{'has' if self.once else 'count'}({self.what})"
        return f"{_written(self.weight)}*{what}"


@dataclass(frozen=True)
class WeightedSum:
    """The terms' amounts and the constant, added up. `str` gives the text that `rule_text.parse_sum` reads back.

    Raises: InputError for a sum without terms, and for a constant that is no finite number.
    """

    terms: tuple[Term, ...]
    constant: float = 0.0

    def __post_init__(self) -> None:
        if not self.terms:
            raise InputError('A sum takes one motif or more, with its weight, as in 2*count("…") + 0.3.')
        if not isfinite(self.constant):
            raise InputError(f"A sum's constant is {self.constant:g}, expected a finite number.")

    def __str__(self) -> str:
        pieces = [str(term) for term in self.terms]
        if self.constant:
            pieces.append(_written(self.constant))
        signed = [f" - {piece[1:]}" if piece.startswith("-") else f" + {piece}" for piece in pieces[1:]]
        return "".join([pieces[0], *signed])


def value(total: WeightedSum, finder: Finder[Example], example: Example) -> float:
    """What the sum is in an example: its label, before any noise."""
    return total.constant + sum(term.amount(len(found(term.condition, finder, example))) for term in total.terms)


def contributions(
    total: WeightedSum, finder: Finder[Example], example: Example, size: int
) -> Float[np.ndarray, " parts"]:
    """What each of the example's `size` parts adds to the value, signed and in its units.

    A term's amount is shared evenly among its matches, and the share of a match evenly among its parts; what several
    matches name gets a share of each. The constant belongs to no part: contributions + constant sum to `value`.

    Misleads where a motif's parts do not count alike: that an acid's carbon and oxygen share evenly is a convention.
    Raises: InputError for a match that names no part, since nothing could carry its share.
    """
    shares = np.zeros(size)
    for term in total.terms:
        matches = found(term.condition, finder, example)
        for match in matches:
            if not match.parts:
                raise InputError(f"A match of {term.what} names no part, so that nothing can carry its share.")
            shares[list(match.parts)] += term.amount(len(matches)) / len(matches) / len(match.parts)
    return shares


def _written(number: float) -> str:
    short = f"{number:g}"
    return short if float(short) == number else repr(float(number))
