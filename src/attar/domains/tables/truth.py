"""Rules about rows of a table: a motif is a condition on columns, its parts the columns that it names."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite

from attar.core.errors import InputError
from attar.core.motif import Motif
from attar.core.rule import Match, Path
from attar.domains.tables.columns import Columns
from attar.domains.tables.condition import Condition, read

Row = tuple[float, ...]


@dataclass(frozen=True)
class Fact(Match):
    """A match that remembers the condition that holds."""

    condition: Condition | None = field(default=None, hash=False, compare=False)


@dataclass(frozen=True)
class RowFinder:
    """Finds conditions in a tuple of numbers, one for each column. A condition is found once or not at all.

    To ask for several of some columns, give a motif of each: `count("x1 > 0" or "x4 > 0" or "x7 > 0") >= 2`.
    Columns lie in no order, so that there is no path from one to another.

    Raises: InputError for a text that is no condition, for a path, and for a row of another length or with a number
    that is not finite.
    """

    columns: Columns

    def find(self, motif: Motif, row: Row, /) -> list[Match]:
        condition = read(motif.text, self.columns)
        around = None if motif.grow is None else read(motif.grow, self.columns)
        if len(row) != self.columns.count:
            raise InputError(f"a row has {len(row)} numbers, expected {self.columns.count}, one for each column")
        if not all(isfinite(row[column]) for column in condition.columns):
            raise InputError(f"a row has no finite number in {motif}: fill in what is missing, or leave the row out")
        if not condition.holds(row):
            return []
        wider = around is not None and around.columns >= condition.columns and around.holds(row)
        parts = around.columns if wider and around is not None else condition.columns
        return [Fact(parts, {} if motif.name is None else {motif.name: parts}, condition)]

    def find_paths(self, path: Path, _row: Row, /) -> list[Match]:
        raise InputError(
            f"{path} is a path, and the columns of a table lie in no order: name them in one motif, as in "
            'has("x1 * x4 > 0"), or join two by and'
        )
