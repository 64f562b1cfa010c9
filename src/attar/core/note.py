"""What was found while reading that the user must know."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Note:
    """One finding: a short name a program can test for, and a sentence a person can act on.

    `rows` are numbers as a person would count them in the file; where they are given, `count` is how many.
    """

    name: str
    count: int
    rows: tuple[int, ...]
    sentence: str


def row_note(name: str, rows: Iterable[int], sentence: str) -> Note:
    """A note about these rows, in the order of the file."""
    rows = tuple(sorted(int(row) for row in rows))
    return Note(name=name, count=len(rows), rows=rows, sentence=sentence)


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 row`, `4,983 rows`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(items: Sequence[object] | np.ndarray, *, most: int = 10) -> str:
    """Items in a sentence: `3, 7 and 12`; past `most`, how many more there are."""
    words = [str(item) for item in items]
    if len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most:,} more"
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def where(rows: Sequence[object] | np.ndarray, noun: str = "row", *, most: int = 10) -> str:
    """Where something stands: `row 5`, `rows 3, 7 and 12`."""
    return f"{noun if len(rows) == 1 else noun + 's'} {listed(rows, most=most)}"


def shortened(text: str, *, most: int = 30) -> str:
    """A text quoted for a sentence, on one line and not too long."""
    return repr(text if len(text) <= most else text[: most - 1] + "…")
