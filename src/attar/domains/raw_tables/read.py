"""A table in a file → raw rows with a label, with every decision taken said in a note."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from attar.adapters.raw_tables import EMPTY, raw_table
from attar.core.column import LARGEST, Column
from attar.core.columns import Columns
from attar.core.errors import InputError
from attar.core.labels import FEWEST_NUMBERS, Labels, Task, read_labels
from attar.core.labels import MISSING as NO_LABEL
from attar.core.note import Note, counted, listed, row_note, shortened, where
from attar.core.tables import Table, read_table

MOST_COLUMNS = 500  # more are asked about for too long, and say too little each
MOST_ROWS, MOST_CELLS = 20_000, 2_000_000  # beyond which rows are drawn
FEWEST_ROWS, FEWEST_OF_A_CLASS = 20, 8
MANY_TEXTS = 10  # different ones that any category may have; more, and more than half of the rows', name the rows
NEARLY = 0.9  # of a column's cells: a few that are no numbers are a slip, and not a category


@dataclass(frozen=True, eq=False, kw_only=True)
class RawRows:
    """Rows of a file in its order: `codes` as `columns` has them, `labels` 0/1 or numbers (`task`).

    `positive` is the label that was taken as 1, as the file writes it. `rows` says where each stands in the file.
    """

    columns: Columns
    codes: Float[np.ndarray, "rows columns"] = field(repr=False)
    labels: np.ndarray = field(repr=False)
    task: Task
    positive: str | None
    split: np.ndarray | None = field(repr=False)
    split_column: str | None
    rows: np.ndarray = field(repr=False)
    source: str
    label_column: str
    notes: tuple[Note, ...]

    def __len__(self) -> int:
        return len(self.codes)


def read_rows(
    path: str | Path,
    *,
    label: str,
    split: str | None = None,
    positive: str | None = None,
    columns: Sequence[str] | None = None,
    skip_bad: bool = False,
    numbers: bool = False,
    seed: int = 0,
) -> RawRows:
    """Read CSV, TSV, semicolons or Parquet. `label` names the column to learn, `split` one such as train/test.

    Two label values make a classification, ten or more numbers a regression (three, where they are known to be
    `numbers`); `positive` is the one value that is held against all others. Without `columns`, those are left out that
    name rows (text that nearly always differs, whole numbers that count), that are constant and that are empty: notes
    say which. Of more than 20,000 rows, or 2 million cells, so many are drawn, by `seed`.
    Raises InputError, in one line that names the row or the column, for what cannot be used: among it more than 500
    columns, an infinite number, and a row without a label unless `skip_bad`.
    """
    table = read_table(path)
    labelled = table.find(label, role="label")
    parted = None if split is None else table.find(split, role="split")
    aside = [name for name in (labelled, parted) if name is not None]
    names = _names(table, columns, aside)
    kept, notes = _with_label(table, labelled, skip_bad)
    texts = [table.columns[labelled][k] for k in kept]
    found, word = _labels(texts, table, labelled, kept, positive, numbers)
    naming = () if columns is not None else tuple(name for name in names if _counts(table.columns[name]))
    names = [name for name in names if name not in naming]
    some = _drawn(kept, len(names), seed)
    if len(some) < len(kept):
        said = f"{len(some):,} of {len(kept):,} {table.noun}s were drawn (seed {seed}), to bound memory and time."
        notes.append(Note(name="rows drawn", count=len(some), rows=(), sentence=said))
    read = _only(table, names, some)
    for name in names:
        _refuse_slips(read, name)
    encoded = raw_table(read, names)[0] if names else None
    if encoded is None or encoded.columns is None:
        raise InputError(f"{table.source} has no column but those that name rows: choose with --columns")
    known, codes = encoded.columns, encoded.values.numpy()
    if columns is None:
        known, codes, said = _telling(known, codes, naming, labelled, table)
        notes += said
    place = {int(k): at for at, k in enumerate(kept)}
    chosen = [place[int(k)] for k in some]
    values = found.values[chosen]
    _refuse_few(values, found.task, table, labelled)
    parts = None if parted is None else np.array([table.columns[parted][k].strip().lower() for k in some])
    return RawRows(
        columns=known,
        codes=codes,
        labels=values,
        task=found.task,
        positive=word,
        split=parts,
        split_column=parted,
        rows=table.rows[some],
        source=table.source,
        label_column=labelled,
        notes=(*table.notes, *notes, *found.notes),
    )


def _names(table: Table, columns: Sequence[str] | None, aside: Sequence[str]) -> list[str]:
    """The columns that are looked at, before any is left out for what it holds."""
    if columns is None:
        names = [name for name in table.columns if name not in aside]
    else:
        names = list(dict.fromkeys(table.find(name, role="input") for name in columns))
        if both := [name for name in names if name in aside]:
            raise InputError(f"column {both[0]!r} is the label or the split: leave it out of the columns")
    if not names:
        raise InputError(f"{table.source} has no column but {listed(list(aside))}: there is nothing to learn from")
    if len(names) > MOST_COLUMNS:
        raise InputError(
            f"{table.source} has {counted(len(names), 'column')}, and an audit takes at most {MOST_COLUMNS} (each is "
            "asked about in every row that is explained): name some with --columns"
        )
    return names


# --- the label ---


def _with_label(table: Table, column: str, skip_bad: bool) -> tuple[np.ndarray, list[Note]]:
    """The places of rows that have a label; the others are refused, or left out and counted."""
    gone = np.array([text.strip().lower() in NO_LABEL for text in table.columns[column]], dtype=bool)
    if gone.all():
        raise InputError(f"The label column {column!r} is empty in all {counted(len(table), table.noun)}.")
    lacking = table.rows[gone]
    if not len(lacking):
        return np.arange(len(table)), []
    if not skip_bad:
        raise InputError(
            f"{table.source}: {counted(len(lacking), table.noun)} without a label in {column!r} "
            f"({where(lacking, table.noun, most=5)}): fill it in, or leave them out with --skip-bad"
        )
    said = (
        f"Left out: {counted(len(lacking), table.noun)} without a label in {column!r} ({where(lacking, table.noun)})."
    )
    return np.flatnonzero(~gone), [row_note("missing labels", lacking, said)]


def _labels(
    texts: Sequence[str], table: Table, column: str, kept: np.ndarray, positive: str | None, numbers: bool
) -> tuple[Labels, str | None]:
    """And, of two classes, the one that is 1 as the file writes it."""
    tally = Counter(_plain(text) for text in texts)
    if positive is not None:
        return _against_the_rest(texts, tally, table, column, positive)
    if len(tally) == 1:
        raise InputError(f"The label column {column!r} is {shortened(texts[0])} in every {table.noun}: nothing to tell")
    few = (
        len(tally) >= 3
        and not numbers
        and (len(tally) < FEWEST_NUMBERS or all(_number(word) is None for word in tally))
    )
    if few and len(tally) <= max(FEWEST_NUMBERS, len(texts) // 2):
        classes = [f"{name} ({times})" for name, times in tally.most_common()]
        raise InputError(
            f"The label column {column!r} has {len(tally)} classes, {listed(classes, most=6)}: say which one is held "
            f"against the rest, as in --positive {shortened(tally.most_common()[-1][0])}"
        )
    rows = table.rows[kept].tolist()
    found = read_labels(texts, column=column, rows=rows, noun=table.noun, numbers=numbers)
    one = next((text for text, value in zip(texts, found.values, strict=True) if value > 0.5), None)
    return found, one if found.task == "classification" else None


def _against_the_rest(
    texts: Sequence[str], tally: Counter[str], table: Table, column: str, positive: str
) -> tuple[Labels, str]:
    wanted = _plain(positive)
    if wanted not in tally:
        raise InputError(
            f"The label column {column!r} has no {positive!r} to hold against the rest (--positive); it has "
            f"{listed([name for name, _ in tally.most_common()], most=6)}"
        )
    if len(tally) == 1:
        raise InputError(f"The label column {column!r} is {positive!r} in every {table.noun}: nothing to tell")
    values = np.array([float(_plain(text) == wanted) for text in texts])
    rest = counted(len(tally) - 1, "other value") if len(tally) > 2 else repr(next(t for t in tally if t != wanted))
    said = f"In {column!r}, {positive!r} ({counted(tally[wanted], table.noun)}) was taken as 1 and {rest} as 0."
    note = Note(name="labels taken as", count=1, rows=(), sentence=said)
    return Labels(values=values, task="classification", notes=(note,)), positive


def _plain(text: str) -> str:
    """As labels are compared: capitals, spaces and the way a number is written make no difference."""
    word = text.strip().lower()
    number = _number(word)
    return word if number is None else f"{number:.17g}"


def _number(word: str) -> float | None:
    try:
        return float(word) if "_" not in word else None
    except ValueError:
        return None


# --- the columns ---


def _counts(cells: Sequence[str]) -> bool:
    """Whether these are the whole numbers of a range, each once: such a column counts the rows."""
    if len(cells) < FEWEST_ROWS or not all(re.fullmatch(r"\s*[-+]?\d{1,15}(?:\.0+)?\s*", cell) for cell in cells):
        return False
    numbers = {int(float(cell)) for cell in cells}
    return len(numbers) == len(cells) and max(numbers) - min(numbers) == len(cells) - 1


def _drawn(kept: np.ndarray, columns: int, seed: int) -> np.ndarray:
    most = min(MOST_ROWS, MOST_CELLS // max(1, columns))
    if len(kept) <= most:
        return kept
    return np.sort(np.random.default_rng([seed, 83]).choice(kept, most, replace=False))


def _only(table: Table, names: Sequence[str], places: np.ndarray) -> Table:
    if len(places) == len(table):
        return replace(table, columns={name: table.columns[name] for name in names})
    cells = {name: tuple(table.columns[name][k] for k in places) for name in names}
    return replace(table, columns=cells, rows=table.rows[places])


def _refuse_slips(table: Table, name: str) -> None:
    """A column of numbers but for a few cells, or with decimal commas, would be read as a category of many levels."""
    cells = [(k, text) for k, cell in enumerate(table.columns[name]) if (text := cell.strip()) not in EMPTY]
    words = [(k, text) for k, text in cells if _number(text) is None]
    if not words or len(cells) < FEWEST_ROWS:
        return
    row, text = table.rows[words[0][0]], words[0][1]
    there = f"{table.source}, column {name!r}"
    if len(words) <= (1 - NEARLY) * len(cells):
        raise InputError(
            f"{there} holds numbers but for {counted(len(words), 'cell')}, the first {shortened(text)} in {table.noun} "
            f"{row}: write a number, or nothing where it is not known"
        )
    if all(re.fullmatch(r"[-+]?\d+,\d+", word) or word.isdecimal() for _, word in words):
        raise InputError(f"{there} has decimal commas ({text} in {table.noun} {row}): write a decimal point")


def _telling(
    columns: Columns, codes: np.ndarray, counting: Sequence[str], label: str, table: Table
) -> tuple[Columns, np.ndarray, list[Note]]:
    """Without the columns that tell nothing of other rows, and what to say of these."""
    empty, still = columns.unvarying(codes)
    naming = [
        column.name
        for k, column in enumerate(columns.each)
        if column.name not in empty and _names_rows(column, codes[:, k])
    ]
    notes = [
        Note(name=what, count=len(names), rows=(), sentence=f"Left out: {listed([*map(repr, names)], most=5)} ({why}).")
        for what, names, why in (
            ("columns that name rows", naming, "text, different in most rows: a name or a number of theirs"),
            ("columns that count rows", counting, "whole numbers that count the rows"),
            ("constant columns", still, "the same in every row"),
            ("empty columns", empty, "nothing in any row"),
        )
        if names
    ]
    gone = {*naming, *empty, *still}
    kept = [k for k, name in enumerate(columns.names) if name not in gone]
    if not kept:
        raise InputError(
            f"{table.source} has no column that could tell {label!r}: {' '.join(note.sentence for note in notes)}"
        )
    if not gone:
        return columns, codes, notes
    return replace(columns, each=tuple(columns[k] for k in kept)), np.ascontiguousarray(codes[:, kept]), notes


def _names_rows(column: Column, codes: np.ndarray) -> bool:
    known = int((codes < LARGEST).sum())
    return column.levels is not None and len(column.levels) > max(MANY_TEXTS, known / 2)


def _refuse_few(labels: np.ndarray, task: Task, table: Table, column: str) -> None:
    if len(labels) < FEWEST_ROWS:
        raise InputError(
            f"{table.source} has {counted(len(labels), 'labelled row')}, and an audit needs {FEWEST_ROWS} or more to "
            "hold some out"
        )
    for value, name in ((1.0, "positive"), (0.0, "negative")):
        count = int((labels == value).sum())
        if task == "classification" and count < FEWEST_OF_A_CLASS:
            raise InputError(
                f"{table.source}: {counted(count, name)} in {column!r} among {counted(len(labels), 'row')}; an audit "
                f"needs {FEWEST_OF_A_CLASS} or more of each class to hold some out"
            )
