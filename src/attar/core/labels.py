"""A column of text read as labels: two classes, or a number."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from attar.core.errors import InputError
from attar.core.note import Note, counted, listed, row_note, shortened, where

Task = Literal["classification", "regression"]

FEWEST_NUMBERS = 10  # distinct numbers that make a regression; fewer could as well be grades or codes
MISSING = frozenset({"", "nan", "na", "n/a", "#n/a", "<na>", "none", "null"})
YES = frozenset({"1", "true", "t", "yes", "y", "active", "positive", "pos", "+", "present", "hit", "on"})
NO = frozenset({"0", "false", "f", "no", "n", "inactive", "negative", "neg", "-", "absent", "miss", "off"})
DENIALS = ("non", "non-", "non_", "non ", "not ", "not-", "not_", "no ", "no-", "no_", "in", "un", "without ")


@dataclass(frozen=True, eq=False)
class Labels:
    """One number per row: 0 or 1 for two classes, the number itself for a regression, nan where missing."""

    values: np.ndarray
    task: Task
    notes: tuple[Note, ...]


def read_labels(
    texts: Sequence[str], *, column: str, rows: Sequence[int], noun: str = "row", numbers: bool = False
) -> Labels:
    """Exactly two distinct values are two classes; at least ten distinct numbers are a regression.

    Where it is known that they are `numbers`, three different ones are a regression too.

    Capitals, spaces and the way a number is written (1, 1.0) make no difference. Of two classes the larger
    number is 1, or the word that says yes, or the one the other denies (toxic, non-toxic), or else the
    lexically later word; a note says which. Raises InputError for anything else, with the values that came.
    """
    words = [text.strip().lower() for text in texts]
    values = [word if (number := _number(word)) is None else number for word in words]
    missing = np.array([value in MISSING or value != value for value in values], dtype=bool)
    notes = []
    if missing.any():
        gone = [row for row, absent in zip(rows, missing, strict=True) if absent]
        sentence = f"Left out: {counted(len(gone), noun)} without a label in {column!r} ({where(gone, noun)})."
        notes.append(row_note("missing labels", gone, sentence))
    tally = Counter(value for value, absent in zip(values, missing, strict=True) if not absent)
    if not tally:
        raise InputError(f"The label column {column!r} is empty in all {counted(len(words), noun)}.")
    _refuse_infinite(values, column=column, rows=rows, noun=noun)

    read = np.full(len(values), np.nan)
    if len(tally) == 2:
        negative, positive = _order(*tally)
        read[~missing] = [value == positive for value, gone in zip(values, missing, strict=True) if not gone]
        if (negative, positive) not in {(0.0, 1.0), ("false", "true")}:
            sentence = (
                f"In {column!r}, {_shown(positive)} ({counted(tally[positive], noun)}) was taken as 1 "
                f"and {_shown(negative)} ({counted(tally[negative], noun)}) as 0."
            )
            notes.append(Note(name="labels taken as", count=1, rows=(), sentence=sentence))
        return Labels(values=read, task="classification", notes=tuple(notes))

    fewest = 3 if numbers else FEWEST_NUMBERS
    _refuse_what_is_no_number(values, tally, column=column, rows=rows, noun=noun, fewest=fewest)
    read[~missing] = [value for value, gone in zip(values, missing, strict=True) if not gone]
    return Labels(values=read, task="regression", notes=tuple(notes))


def _number(word: str) -> float | None:
    try:
        return float(word) if "_" not in word else None  # Python would read 1_000
    except ValueError:
        return None


def _order(one: float | str, other: float | str) -> tuple[float | str, float | str]:
    """The two classes, the negative one first."""
    if isinstance(one, float) and isinstance(other, float):
        return min(one, other), max(one, other)

    def leaning(value: float | str, rival: float | str) -> tuple[int, str]:
        word = _plain(value)
        says_no = word in NO or word in {denial + _plain(rival) for denial in DENIALS}
        return (word in YES) - says_no, word

    return (one, other) if leaning(one, other) < leaning(other, one) else (other, one)


def _refuse_infinite(values: Sequence[float | str], *, column: str, rows: Sequence[int], noun: str) -> None:
    infinite = [row for row, value in zip(rows, values, strict=True) if value in (np.inf, -np.inf)]
    if infinite:
        raise InputError(
            f"The label column {column!r} is infinite in {where(infinite, noun)}: give a number or nothing."
        )


def _refuse_what_is_no_number(
    values: Sequence[float | str],
    tally: Counter[float | str],
    *,
    column: str,
    rows: Sequence[int],
    noun: str,
    fewest: int,
) -> None:
    distinct = [value for value in tally if isinstance(value, float)]
    if len(distinct) >= fewest:
        words = [
            (row, value)
            for row, value in zip(rows, values, strict=True)
            if isinstance(value, str) and value not in MISSING
        ]
        if not words:
            return
        if len(words) < len(values) / 2:
            row, word = words[0]
            raise InputError(
                f"The label column {column!r} holds numbers but for {counted(len(words), noun)}, the "
                f"first in {noun} {row} ({_shown(word)}): write it with a decimal point, or leave it empty."
            )
    came = [f"{_shown(value)} ({counted(times, noun)})" for value, times in tally.most_common()]
    wanted = f"Two were expected (a yes and a no), or at least {fewest} distinct numbers."
    if fewest < FEWEST_NUMBERS:
        wanted = f"Numbers with a decimal point were expected, at least {fewest} different ones."
    raise InputError(
        f"The label column {column!r} holds {counted(len(tally), 'distinct value')}: {listed(came, most=6)}. {wanted}"
    )


def _plain(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _shown(value: float | str) -> str:
    return _plain(value) if isinstance(value, float) else shortened(str(value))
