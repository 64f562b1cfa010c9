"""Questions about a model of data frames, asked with literal loops over frames."""

from collections.abc import Callable, Sequence
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pandas as pd

Ask = Callable[[pd.DataFrame], np.ndarray]


def mixed_row(here: pd.DataFrame, there: pd.DataFrame, kept: Sequence[str]) -> pd.DataFrame:
    """The rows of `there` with these columns as they are in the one row of `here`."""
    repeated = here.iloc[[0] * len(there)]
    columns = {name: (repeated if name in kept else there)[name].reset_index(drop=True) for name in there.columns}
    return pd.DataFrame(columns)


def worth(ask: Ask, here: pd.DataFrame, background: pd.DataFrame, kept: Sequence[str]) -> float:
    return float(np.mean(ask(mixed_row(here, background, kept))))


def shapley(ask: Ask, here: pd.DataFrame, background: pd.DataFrame, names: Sequence[str]) -> dict[str, float]:
    """By the definition: what each joins with, over all coalitions of the others."""
    known = {
        kept: worth(ask, here, background, kept) for size in range(len(names) + 1) for kept in combinations(names, size)
    }
    found = {}
    for name in names:
        others = [other for other in names if other != name]
        total = 0.0
        for size in range(len(others) + 1):
            share = factorial(size) * factorial(len(others) - size) / factorial(len(names))
            for kept in combinations(others, size):
                joined = tuple(sorted((*kept, name), key=list(names).index))
                total += share * (known[joined] - known[kept])
        found[name] = total
    return found


def mean_with_and_without(ask: Ask, here: pd.DataFrame, away: pd.DataFrame, names: Sequence[str]) -> dict[str, float]:
    """The mean answer over all masks that keep a column, less that over all that do not."""
    masks = [kept for size in range(len(names) + 1) for kept in combinations(names, size)]
    answers = {kept: float(ask(mixed_row(here, away, kept))[0]) for kept in masks}
    return {
        name: float(
            np.mean([answers[kept] for kept in masks if name in kept])
            - np.mean([answers[kept] for kept in masks if name not in kept])
        )
        for name in names
    }


def precision(ask: Ask, here: pd.DataFrame, background: pd.DataFrame, inside: Any, kept: Sequence[str]) -> float:
    """The share of rows whose answer is the example's sign when the kept columns are put back where they are outside
    their bins. `inside(name, row)` says whether they are."""
    rows = []
    for k in range(len(background)):
        row = background.iloc[[k]].reset_index(drop=True)
        rows.append(mixed_row(here, row, [name for name in kept if not inside(name, row.iloc[0])]))
    answers = ask(pd.concat(rows, ignore_index=True))
    return float(np.mean((answers > 0) == (ask(here)[0] > 0)))
