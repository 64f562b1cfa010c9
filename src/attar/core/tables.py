"""Files that hold a table (CSV, TSV, semicolons, Parquet) → columns of text."""

import csv
import difflib
import io
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attar.core.errors import InputError
from attar.core.files import as_text, read_bytes
from attar.core.note import Note, counted, listed

SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".parquet", ".pq")
DELIMITERS = "\t;,"  # in a tie the first wins: a comma is often a decimal comma, a tab seldom anything
SAMPLE_ROWS = 100


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of text, and where each row stands in the file as a person would count.

    `rows` are line numbers for text (the header is line 1, the first row 2), and 1, 2, … where there is no
    header line; `noun` says what they count. A missing value is the empty text.
    """

    source: str
    columns: Mapping[str, tuple[str, ...]]
    rows: np.ndarray
    noun: str = "row"
    notes: tuple[Note, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Table({self.source!r}: {counted(len(self), self.noun)}, {self.listed_columns()})"

    def find(self, name: str, *, role: str) -> str:
        """The column of this name; capitals matter only if two columns differ in nothing else.

        Raises InputError that names the closest columns. `role` is what it was wanted for: `label`.
        """
        if name in self.columns:
            return name
        same = [column for column in self.columns if column.lower() == name.strip().lower()]
        if len(same) == 1:
            return same[0]
        if len(same) > 1:
            raise InputError(f"{self.source} has {listed(same)}: which is the {role} column? Write it exactly.")
        by_lower = {column.lower(): column for column in self.columns}
        close = [by_lower[low] for low in difflib.get_close_matches(name.strip().lower(), by_lower, n=3, cutoff=0.6)]
        closest = f" Closest: {listed([repr(column) for column in close])}." if close else ""
        raise InputError(f"{self.source} has no column {name!r} for the {role}.{closest} {self.listed_columns()}.")

    def listed_columns(self) -> str:
        names = list(self.columns)
        if len(names) <= 6:
            return f"Its columns: {', '.join(names)}"
        return f"Its first columns: {', '.join(names[:5])} ({len(names)} in all)"


def read_table(path: str | Path) -> Table:
    """Read a file of text or Parquet. Raises InputError naming the row, the column or the file."""
    return table_of(read_bytes(path, suffixes=SUFFIXES), Path(path).name)


def table_of(data: bytes, source: str) -> Table:
    """The table in these bytes; `source` is what to call them, and tells Parquet by its ending."""
    if data.startswith(b"PAR1") or source.lower().removesuffix(".gz").endswith((".parquet", ".pq")):
        return parquet(data, source)
    text, notes = as_text(data, source)
    return delimited(text, source, notes=notes)


def parquet(data: bytes, source: str) -> Table:
    """A Parquet file as text. Rows count from 1."""
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(io.BytesIO(data)).read()
    except (pyarrow.ArrowException, OSError) as failure:
        reason = str(failure).splitlines()[0].rstrip(".")
        raise InputError(
            f"{source} is not a Parquet file, or is damaged ({reason}): write it again, or save it as CSV."
        ) from None
    _refuse_repeated(table.column_names, source)
    if not table.num_rows:
        raise InputError(f"{source} has columns but no rows: at least one row was expected.")
    columns = {name: tuple(map(_as_text, table.column(name).to_pylist())) for name in table.column_names}
    return Table(source=source, columns=columns, rows=np.arange(1, table.num_rows + 1))


def delimited(text: str, source: str, *, notes: tuple[Note, ...] = ()) -> Table:
    """Text with a header line and one delimiter, which is found from the text itself.

    Columns whose header is empty are left out (spreadsheets and pandas write them), as are empty rows.
    """
    delimiter = _delimiter(text)
    records = _records(text, delimiter, source)
    _, header = next(records, (0, ()))
    if not header:
        raise InputError(f"{source} is empty: a header line and at least one row were expected.")
    names = [" ".join(name.split()) for name in header]
    _refuse_repeated([name for name in names if name], source)
    rows, cells = [], []
    for row, values in records:
        if len(values) != len(names):
            raise InputError(
                f"{source}, row {row}: {counted(len(values), 'value')} where the header has "
                f"{counted(len(names), 'column')} ({', '.join(names[:5])}{', …' if len(names) > 5 else ''}). "
                f'Put "quotes" around a value that holds {_spelt(delimiter)}.'
            )
        rows.append(row)
        cells.append(values)
    if not rows:
        raise InputError(f"{source} has a header line but no rows: at least one row was expected.")
    columns = {name: values for name, values in zip(names, zip(*cells, strict=True), strict=True) if name}
    return Table(source=source, columns=columns, rows=np.array(rows), notes=notes)


def _records(text: str, delimiter: str, source: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Each record that is not empty, with the line it starts on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as failure:
            raise InputError(
                f"{source}, row {line}: a quote is opened and not closed as CSV asks ({failure}). "
                'Close it, or write a " inside a value as "".'
            ) from None
        if any(value.strip() for value in values):
            yield line, values


def _delimiter(text: str) -> str:
    """The delimiter that cuts the header into several names and most rows into as many values."""

    def fit(delimiter: str) -> tuple[float, int]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        sample = []
        try:
            for values in itertools.islice(reader, SAMPLE_ROWS):
                if any(value.strip() for value in values):
                    sample.append(len(values))
        except csv.Error:
            pass  # judged by what came before; the reader itself reports the row
        if not sample or sample[0] < 2:
            return 0.0, 0
        return sum(width == sample[0] for width in sample) / len(sample), sample[0]

    best = max(DELIMITERS, key=fit)
    return best if fit(best)[1] else ","


def _refuse_repeated(names: Sequence[str], source: str) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise InputError(
            f"{source} has more than one column called {listed([repr(name) for name in repeated], most=3)}: "
            "rename them, so that each can be asked for."
        )


def _spelt(delimiter: str) -> str:
    return {"\t": "a tab", ";": "a semicolon", ",": "a comma"}[delimiter]


def _as_text(value: object) -> str:
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
