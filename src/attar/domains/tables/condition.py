"""How table motifs are written: sums of products of columns, compared with numbers.

x1 > 0.5             a threshold; also >=, <, <=
0.2 < x3 <= 0.7      an interval
x1 * x4 > 0          a product of different columns
x1 + 2 x4 > 1        a sum, with factors
x12 = 2              the code of a category
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import inf, prod

import numpy as np

from attar.core.errors import InputError
from attar.core.motif import quoted
from attar.core.note import listed
from attar.domains.tables.columns import Columns

_HOW = 'write columns compared with numbers, as in "x1 > 0.5", "0.2 < x3 <= 0.7", "x1 * x4 > 0" or "x1 + 2 x4 > 1"'
_NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_TERM = re.compile(rf"\s*([+-])?\s*(?:({_NUMBER})\s*\*?\s*)?([A-Za-z_]\w*(?:\s*\*\s*[A-Za-z_]\w*)*)\s*")
_IS_NUMBER = re.compile(rf"\s*[+-]?{_NUMBER}\s*")
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


@dataclass(frozen=True)
class Condition:
    """The sum of `terms` (a factor, and columns that are multiplied) lies from `low` to `high`.

    An end is left out where it is `open`: (True, False) for low < sum <= high.
    """

    terms: tuple[tuple[float, tuple[int, ...]], ...]
    low: float
    high: float
    open: tuple[bool, bool]

    @cached_property
    def columns(self) -> frozenset[int]:
        return frozenset(column for _, several in self.terms for column in several)

    def holds(self, row: Sequence[float]) -> bool:
        return self._inside(sum(factor * prod(row[c] for c in several) for factor, several in self.terms))

    def hold(self, rows: np.ndarray) -> np.ndarray:
        """Of which of `Float[ndarray, "rows columns"]` it is true."""
        return self._inside(np.sum([f * rows[:, list(several)].prod(1) for f, several in self.terms], axis=0))

    def slope(self, row: Sequence[float], column: int) -> tuple[float, float]:
        """The sum as slope · column + offset, in this row."""
        slope = sum(f * prod(row[c] for c in several if c != column) for f, several in self.terms if column in several)
        return slope, sum(f * prod(row[c] for c in several) for f, several in self.terms if column not in several)

    def _inside(self, total):
        above = total > self.low if self.open[0] else total >= self.low
        return above & (total < self.high if self.open[1] else total <= self.high)


@lru_cache(maxsize=65_536)
def read(text: str, columns: Columns) -> Condition:
    """The condition of that text. Raises `InputError` for a text that is none, and for columns that there are not."""
    pieces = re.split(r"(<=|>=|<|>|=)", text)
    sums = [k for k in range(0, len(pieces), 2) if not _IS_NUMBER.fullmatch(pieces[k])]
    if len(pieces) not in (3, 5) or len(sums) != 1 or (len(pieces) == 5 and sums != [2]):
        raise InputError(f"{quoted(text)} is no condition on columns: {_HOW}")
    terms = _terms(pieces[sums[0]], text, columns)
    if sums == [2]:
        pieces[1] = _TURNED[pieces[1]]
    bounds = [(sign, _number(n, text)) for sign, n in _compared(pieces, sums[0])]
    return _checked(Condition(terms, *_between(bounds, text)), bounds, text, columns)


def _compared(pieces: list[str], at: int) -> list[tuple[str, str]]:
    """The comparisons of the sum: its sign, read from the sum, and the number."""
    before = [(pieces[at - 1], pieces[at - 2])] if at else []
    after = [(pieces[at + 1], pieces[at + 2])] if at + 2 < len(pieces) else []
    return before + after


def _between(bounds: list[tuple[str, float]], text: str) -> tuple[float, float, tuple[bool, bool]]:
    low, high, open_low, open_high = -inf, inf, False, False
    for sign, number in bounds:
        if sign in (">", ">=", "="):
            low, open_low = number, sign == ">"
        if sign in ("<", "<=", "="):
            high, open_high = number, sign == "<"
    if len(bounds) == 2 and (inf in (-low, high) or "=" in (bounds[0][0], bounds[1][0])):
        raise InputError(f"{quoted(text)} is no interval: write the lower number first, as in 0.2 < x3 <= 0.7")
    if low > high or (low == high and (open_low or open_high)):
        raise InputError(f"{quoted(text)} holds for no number: write the lower number first, as in 0.2 < x3 <= 0.7")
    return low, high, (open_low, open_high)


def _checked(condition: Condition, bounds: list[tuple[str, float]], text: str, columns: Columns) -> Condition:
    if any(sign == "=" for sign, _ in bounds) and condition.terms != ((1.0, (columns.category,)),):
        name = columns.names[columns.category]
        raise InputError(
            f"{quoted(text)} asks that a measurement be exactly a number, which none is; = is for the category {name}"
        )
    return condition


def _terms(text: str, whole: str, columns: Columns) -> tuple[tuple[float, tuple[int, ...]], ...]:
    terms, place = [], 0
    while place < len(text):
        term = _TERM.match(text, place)
        if term is None or (terms and term[1] is None):
            raise InputError(f"{quoted(whole)} has {text[place:].strip()!r} where a column was expected: {_HOW}")
        names = re.split(r"\s*\*\s*", term[3])
        if strange := [name for name in names if name not in columns.names]:
            raise InputError(f"{quoted(whole)} has the column {strange[0]}, expected one of {listed(columns.names)}")
        if len(set(names)) < len(names):
            raise InputError(f"{quoted(whole)} multiplies a column by itself: write an interval of it")
        factor = (-1.0 if term[1] == "-" else 1.0) * float(term[2] or 1)
        if factor == 0:
            raise InputError(f"{quoted(whole)} multiplies a column by 0: leave it out")
        terms.append((factor, tuple(columns.names.index(name) for name in names)))
        place = term.end()
    return tuple(terms)


def _number(text: str, whole: str) -> float:
    if not _IS_NUMBER.fullmatch(text):
        raise InputError(f"{quoted(whole)} has {text.strip()!r} where a number was expected: {_HOW}")
    return float(text)
