"""How columns and numbers stand in a reading."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from attar.core.errors import InputError


@dataclass(frozen=True)
class Wording:
    """What the columns are called and measured in."""

    names: tuple[str, ...]
    units: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, estimator: Any, names: Sequence[str] | None, units: Mapping[str, str] | None) -> Self:
        """The names that are given, or those of the data frame it was fitted to, or numbers. Raises `InputError` where
        there are not as many names as columns, or a unit is of no column."""
        count = estimator.n_features_in_
        own = getattr(estimator, "feature_names_in_", [f"column {k}" for k in range(count)])
        called = tuple(str(name) for name in (own if names is None else names))
        if len(called) != count:
            raise InputError(f"there are {len(called)} names for {count} columns, expected one for each")
        if wrong := [name for name in units or {} if name not in called]:
            raise InputError(f"there is no column {wrong[0]!r} to have a unit; there are {', '.join(called[:8])}")
        return cls(called, dict(units or {}))

    def name(self, column: int) -> str:
        return self.names[column]

    def per(self, column: int) -> str:
        """`per year`, or `per 1 of it` where no unit is known."""
        return f"per {self.units[self.name(column)]}" if self.name(column) in self.units else "per 1"

    def value(self, column: int, number: float) -> str:
        """A number with the column's unit."""
        unit = self.units.get(self.name(column))
        return short(number) if unit is None else f"{short(number)} {unit}"


def short(number: float) -> str:
    """Three digits, and no more than it has: `1.5`, `0.000312`, `12,400`."""
    number = float(number)
    if not np.isfinite(number):
        return "∞" if number > 0 else "-∞" if number < 0 else "unknown"
    if number == 0 or abs(number) < 1e-12:
        return "0"
    if 1e-4 <= abs(number) < 1e6:
        places = max(0, 2 - int(np.floor(np.log10(abs(number)))))
        text = f"{number:,.{places}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{number:.3g}"


def signed(number: float) -> str:
    return short(number) if number <= 0 or short(number) == "0" else f"+{short(number)}"


def from_to(low: float, high: float) -> str:
    """An interval in words; unbounded where it is."""
    if np.isnan(low) or np.isnan(high):
        return "unknown"
    if np.isinf(low) and np.isinf(high):
        return "unbounded"
    return f"{short(low)} to {short(high)}"


def percent(share: float) -> str:
    return f"{100 * share:.0f}%"
