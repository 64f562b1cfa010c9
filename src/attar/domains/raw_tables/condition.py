"""How a condition on a raw column is written, and of which values it is true.

age > 50               a threshold; also >=, <, <=
30 < age <= 50         an interval
town = Oslo            a level of a category; town != Oslo is another one
grade = 2              a number
age is missing         also: age is not missing

A column's name is written as it is, with spaces and brackets, `age (years) > 50`, or in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import inf

import numpy as np
from jaxtyping import Bool, Float

from attar.core.column import LARGEST, Column
from attar.core.columns import Columns
from attar.core.errors import InputError
from attar.core.motif import quoted
from attar.core.note import listed

_HOW = 'write a column and a value, as in "age > 50", "30 < age <= 50", "town = Oslo" or "age is missing"'
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}


@dataclass(frozen=True)
class Condition:
    """The code in `column` lies from `low` to `high`, an end left out where it is `open`; with `other` it does not.

    A level is the interval of its one code. Of a missing value only `missing` is true; where that is asked nothing
    else is.
    """

    column: int
    low: float = -inf
    high: float = inf
    open: tuple[bool, bool] = (False, False)
    other: bool = False
    missing: bool = False

    def holds(self, code: float) -> bool:
        if self.missing:
            return (code >= LARGEST) is not self.other
        if code >= LARGEST:
            return False
        above = code > self.low if self.open[0] else code >= self.low
        return (above and (code < self.high if self.open[1] else code <= self.high)) is not self.other

    def hold(self, codes: Float[np.ndarray, " rows"]) -> Bool[np.ndarray, " rows"]:
        """Of which of the column's codes it is true."""
        gone = codes >= LARGEST
        if self.missing:
            return gone != self.other
        above = codes > self.low if self.open[0] else codes >= self.low
        inside = above & (codes < self.high if self.open[1] else codes <= self.high)
        return ~gone & (inside != self.other)


@lru_cache(maxsize=65_536)
def read(text: str, columns: Columns) -> Condition:
    """The condition of that text. Raises `InputError` for a text that is none, for a column that is not there, and for
    a value that the column cannot have."""
    written = " ".join(text.split())
    named = [(k, form) for k, form in _names(columns) if form in written]
    for k, form in named:
        if (found := _read(written, re.escape(form), k, columns[k])) is not None:
            return found
    if not named:
        raise InputError(f"{quoted(text)} names no column; there are {listed(columns.names)}")
    raise InputError(f"{quoted(text)} is no condition on a column: {_HOW}")


def _names(columns: Columns) -> Iterator[tuple[int, str]]:
    """What each column may be called, the longest first, so that `age` does not stand for `age at visit`."""
    forms = [(k, form) for k, name in enumerate(columns.names) for form in (name, quoted(name), f"'{name}'") if name]
    yield from sorted(((k, " ".join(form.split())) for k, form in forms), key=lambda pair: -len(pair[1]))


def _read(text: str, name: str, place: int, column: Column) -> Condition | None:
    """None where the text does not go on as a condition does after that name."""
    if found := re.fullmatch(rf"{name} is (not )?missing", text):
        return Condition(place, missing=True, other=found[1] is not None)
    if found := re.fullmatch(rf"{name} ?(<=|>=|!=|==|<|>|=) ?(.+)", text):
        return _compared(place, column, found[1].replace("==", "="), found[2], text)
    if found := re.fullmatch(rf"({_NUMBER}) ?(<=|>=|<|>) ?{name}(?: ?(<=|>=|<|>) ?({_NUMBER}))?", text):
        low, high = _end(_TURNED[found[2]], float(found[1])), _end(found[3], float(found[4] or 0))
        _refuse_unordered(column, text)
        return _between(place, [end for end in (low, high) if end], text)
    return None


def _compared(place: int, column: Column, sign: str, value: str, text: str) -> Condition:
    if sign in ("=", "!="):
        code = float(_code(column, value)) if column.levels is not None else _number(value, column, text)
        return Condition(place, code, code, other=sign == "!=")
    _refuse_unordered(column, text)
    return _between(place, [_end(sign, _number(value, column, text))], text)


def _end(sign: str | None, number: float) -> tuple[str, float, bool] | None:
    """Which side an end is on, where, and whether it is left out."""
    return None if sign is None else ("low" if ">" in sign else "high", number, "=" not in sign)


def _between(place: int, ends: list, text: str) -> Condition:
    sides = {side: (number, left_out) for side, number, left_out in ends}
    low, high = sides.get("low", (-inf, False)), sides.get("high", (inf, False))
    if len(sides) < len(ends) or low[0] > high[0] or (low[0] == high[0] and (low[1] or high[1])):
        raise InputError(f"{quoted(text)} holds for no number: write the lower one first, as in 30 < age <= 50")
    return Condition(place, low[0], high[0], (low[1], high[1]))


def _refuse_unordered(column: Column, text: str) -> None:
    if column.levels is not None:
        level = (column.levels or ("a level",))[0]
        raise InputError(f"{quoted(text)} compares {column.name!r}, {column.kind()}: write {column.name} = {level}")


def _number(value: str, column: Column, text: str) -> float:
    if not re.fullmatch(_NUMBER, value):
        raise InputError(f"{quoted(text)} has {value!r} where a number was expected: {column.name!r} holds numbers")
    return float(value)


def _code(column: Column, value: str) -> int:
    """The code of a level that is written as it is, in quotes, or in other capitals where only one can be meant."""
    levels = [" ".join(str(level).split()) for level in column.levels or ()]
    inside = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
    for wanted in (value, inside):
        if wanted in levels:
            return levels.index(wanted)
    alike = [k for k, level in enumerate(levels) if level.lower() == inside.lower()]
    if len(alike) == 1:
        return alike[0]
    raise InputError(f"column {column.name!r} has no {inside!r}; it has {listed(levels, most=6)}")
