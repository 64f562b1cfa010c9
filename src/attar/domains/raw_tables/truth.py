"""Rules about raw rows: a motif is a condition on a column, its part that column."""

from __future__ import annotations

from dataclasses import dataclass

from attar.core.columns import Columns
from attar.core.errors import InputError
from attar.core.motif import Motif
from attar.core.rule import Match, Path
from attar.domains.raw_tables.condition import read

Row = tuple[float, ...]


@dataclass(frozen=True)
class RawRowFinder:
    """Finds conditions in a row of codes, one for each column. A condition is found once or not at all.

    To ask for several of some columns, give a motif of each: `count("age > 50" or "town = Oslo") >= 2`. A motif can be
    grown to nothing: it has one column, and there is no path from one to another.

    Raises: InputError for a text that is no condition, for `grow`, for a path, and for a row of another length.
    """

    columns: Columns

    def find(self, motif: Motif, row: Row, /) -> list[Match]:
        condition = read(motif.text, self.columns)
        if motif.grow is not None:
            raise InputError(f"{motif} grows, and a condition on one column has no other part: leave grow out")
        if len(row) != len(self.columns):
            raise InputError(f"a row has {len(row)} values, expected {len(self.columns)}, one for each column")
        if not condition.holds(row[condition.column]):
            return []
        part = frozenset({condition.column})
        return [Match(part, {} if motif.name is None else {motif.name: part})]

    def find_paths(self, path: Path, _row: Row, /) -> list[Match]:
        raise InputError(f"{path} is a path, and the columns of a table lie in no order: join two conditions by and")
