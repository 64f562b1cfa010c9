"""Points along a column, and what a model says where rows are put on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from attar.core.column import LARGEST, as_codes
from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.core.model import Chunked
from attar.core.note import listed
from attar.core.parts import Parts, precise
from attar.core.target import Target
from attar.estimation.table_features import coded_of, names_of_columns


@dataclass(frozen=True, eq=False, kw_only=True)
class Axis:
    """One column of a table as an axis: its values' codes, whether they are names, and what they are called."""

    place: int
    name: str
    codes: Float[np.ndarray, " rows"]
    named: bool
    column: Any  # core.column.Column, or None where the table did not come as a data frame

    @classmethod
    def of(cls, table: Tensors, place: int) -> "Axis":
        return cls(
            place=place,
            name=names_of_columns(table)[place],
            codes=as_codes(table.values[:, place]),
            named=bool(coded_of(table)[place]),
            column=None if table.columns is None else table.columns[place],
        )

    @property
    def gone(self) -> np.ndarray:
        return self.codes >= LARGEST if self.column is not None else np.zeros(len(self.codes), dtype=bool)

    def points(self, asked: int | Sequence[Any], share: tuple[float, float]) -> Float[np.ndarray, " points"]:
        """So many values between two quantiles that occur, or those asked for; of a category all levels, and what is
        missing as the last. Raises `InputError` for a level that does not occur."""
        missing = np.unique(self.codes[self.gone])[:1]
        if not isinstance(asked, int | np.integer):
            return np.array([self._code(each) for each in asked], dtype=float)
        there = np.unique(self.codes[~self.gone])
        if not self.named and len(there) > asked:
            at = np.linspace(*share, int(asked))
            there = np.unique(np.quantile(self.codes[~self.gone], at, method="inverted_cdf"))
        return np.concatenate([there, missing])

    def said(self, points: Float[np.ndarray, " points"]) -> tuple[str, ...]:
        if self.column is None:
            return tuple(f"{point:.4g}" for point in points)
        return tuple(self.column.said(float(point)) for point in points)

    def _code(self, value: Any) -> float:
        if not self.named:
            try:
                return float(value)
            except (TypeError, ValueError):
                raise InputError(f"column {self.name!r} holds numbers, and the grid {value!r}") from None
        levels = list(self.column.levels or ())
        if value not in levels:
            raise InputError(f"column {self.name!r} has no {value!r}; it has {listed([str(each) for each in levels])}")
        return float(levels.index(value))


def answers(
    model: Chunked,
    table: Tensors,
    places: Sequence[int],
    target: Target,
    rows: Int[np.ndarray, " copies"],
    values: Float[np.ndarray, "copies places"],
) -> Float[np.ndarray, " copies"]:
    """The target of copies of these rows whose columns at `places` hold these values; in calls as large as the model
    takes, and no copies are laid out beyond the call."""
    found = []
    where = torch.tensor(list(places), device=table.device)
    for some in np.array_split(np.arange(len(rows)), max(1, -(-len(rows) // model.size))):
        index = torch.from_numpy(rows[some]).to(table.device)
        copies = table.values[index]
        copies[:, where] = torch.from_numpy(values[some]).to(copies)
        outputs = model.predict(table.replace(Parts({"input": copies})))
        found.append(precise(target.take(index)(outputs)).cpu().numpy())
    return np.concatenate(found)


def curves_at(
    model: Chunked,
    table: Tensors,
    places: Sequence[int],
    target: Target,
    points: Float[np.ndarray, "points places"],
) -> Float[np.ndarray, "rows points"]:
    """The target of every row put on every point, as many points to a call as the model takes."""
    rows, found = len(table), np.empty((len(points), len(table)))
    each = max(1, model.size // rows)
    every = np.arange(rows)
    for first in range(0, len(points), each):
        some = points[first : first + each]
        asked = answers(model, table, places, target, np.tile(every, len(some)), np.repeat(some, rows, axis=0))
        found[first : first + len(some)] = asked.reshape(len(some), rows)
    return np.ascontiguousarray(found.T)
