"""Rows made and edited: drawn, drawn again until a condition holds, moved just over its edge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, log

import numpy as np

from attar.core.errors import InputError
from attar.core.motif import Motif
from attar.core.rule import Match, Path
from attar.domains.tables.columns import CODES, Columns
from attar.domains.tables.condition import Condition, read
from attar.domains.tables.truth import Fact, Row

DRAWS, ROUNDS = 64, 32  # rows drawn at once, and how often, before a condition is given up
STEP = 0.5  # standard deviations at most that a number is moved beyond the edge


@dataclass(frozen=True)
class RowPlanter:
    """Draws rows of `columns`.

    A condition is planted by drawing its columns again, given all others, until it holds: the row stays one that could
    have been drawn, and every other number is as it was. It is taken out by one number: the one that has the least way
    to go (in standard deviations; of its logarithm, for the ratio) is set beyond the edge, by at most half a standard
    deviation, or is given another code.
    """

    columns: Columns

    def background(self, generator: np.random.Generator) -> Row:
        return tuple(self.columns.drawn(generator, 1)[0].tolist())

    def plant(self, example: Row, what: Motif | Path, generator: np.random.Generator) -> Row | None:
        if isinstance(what, Path):
            raise InputError(f"{what} is a path, and the columns of a table lie in no order")
        condition = read(what.text, self.columns)
        if condition.holds(example):
            return None
        for _ in range(ROUNDS):
            rows = self.columns.redrawn(np.array(example), condition.columns, generator, DRAWS)
            true = np.flatnonzero(condition.hold(rows))
            if len(true):
                return tuple(rows[true[0]].tolist())
        return None

    def remove(self, example: Row, match: Match, generator: np.random.Generator) -> Row | None:
        if not isinstance(match, Fact) or match.condition is None:
            return None
        condition, beyond = match.condition, STEP * (1 - generator.random())
        edits = [
            (distance, column, number)
            for column in sorted(condition.columns)
            for distance, number in self._moves(example, condition, column, beyond)
            if not condition.holds((*example[:column], number, *example[column + 1 :]))
        ]
        if not edits:
            return None
        _, column, number = min(edits)
        return (*example[:column], number, *example[column + 1 :])

    def _moves(self, row: Row, condition: Condition, column: int, beyond: float) -> Iterator[tuple[float, float]]:
        """Numbers that may make it false, and how far they are."""
        if column == self.columns.category:
            deviation = self.columns.deviation[column]
            yield from ((abs(code - row[column]) / deviation, float(code)) for code in range(len(CODES)))
            return
        slope, offset = condition.slope(row, column)
        for bound, outwards in ((condition.low, -1.0), (condition.high, 1.0)):
            if slope == 0 or abs(bound) == np.inf:
                continue
            edge, step = (bound - offset) / slope, outwards * np.sign(slope) * beyond
            if column != self.columns.ratio:
                yield abs(edge + step - row[column]), float(edge + step)
            elif edge > 0 and row[column] > 0:
                yield abs(log(edge) + step - log(row[column])), edge * exp(step)
