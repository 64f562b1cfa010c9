"""Conditions on columns, joined by and: how a rule says where it holds."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from attar.design.wording import short


@dataclass(frozen=True)
class Condition:
    """Where a column must lie: above `low` and up to `high`, as far as they are set; or in one of `levels`."""

    column: int
    name: str
    low: float = -np.inf
    high: float = np.inf
    levels: tuple[Any, ...] = ()
    unit: str = ""

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if self.levels:
            said = [_said(level) + (unit if _counts(level) else "") for level in self.levels]
            return f"{self.name} is {' or '.join(said)}"
        low, high = (_bound(end) for end in (self.low, self.high))
        if self.low == -np.inf:
            return f"{self.name} ≤ {high}{unit}"
        if self.high == np.inf:
            return f"{self.name} > {low}{unit}"
        return f"{low} < {self.name} ≤ {high}{unit}"


def merged(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """One condition for each column, in the order in which columns first come: x > 1 and x > 2 is x > 2."""
    held: dict[int, Condition] = {}
    for each in conditions:
        known = held.get(each.column)
        if known is not None:
            each = replace(known, low=max(known.low, each.low), high=min(known.high, each.high))
        held[each.column] = each
    return tuple(held.values())


def _bound(end: float) -> str:
    """Three digits, or five where three would move the bound by more than a ten-thousandth of itself."""
    text = short(end)
    return text if abs(float(text.replace(",", "").replace("∞", "inf")) - end) <= 1e-4 * abs(end) else f"{end:.5g}"


def _counts(level: Any) -> bool:
    return isinstance(level, int | float | np.number) and not isinstance(level, bool)


def _said(level: Any) -> str:
    return short(level) if _counts(level) else repr(str(level))
