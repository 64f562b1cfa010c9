"""A table in a file as a data frame of raw columns: numbers, yes or no, categories, with gaps where cells are empty."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.core.note import counted, listed
from attar.core.tables import Table

EMPTY = frozenset(("", "#N/A", "#NA", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"))  # as in pandas
_YES_NO = {"true": True, "false": False}
_MANY = 10  # different texts that any category may have; more, and more than half of the rows', name the rows


def raw_table(table: Table, chosen: Sequence[str] | None) -> tuple[Tensors, str]:
    """All rows of the `chosen` columns, or of all but those that name rows; and what there is to say of it.

    A column is of numbers where every filled cell is one, of yes or no where every one is true or false, and else a
    category. Raises `InputError` naming row and column for an infinite number.
    """
    names = list(table.columns) if chosen is None else [table.find(name, role="input") for name in chosen]
    values = {name: raw_values(table, name) for name in names}
    naming = [name for name in names if chosen is None and _names_rows(values[name])]
    kept = {name: cells for name, cells in values.items() if name not in naming}
    if not kept:
        raise InputError(f"{table.source} has columns that name rows only ({listed(naming)}): choose with --columns")
    inputs = Tensors.of_frame(_native(kept))
    gone, still = inputs.columns.unvarying(inputs.values.numpy()) if inputs.columns is not None else ((), ())
    said = f"{counted(len(table), table.noun)}, {counted(len(kept), 'column')}"
    for columns, what in ((naming, "of which most cells differ"), (gone, "empty"), (still, "constant")):
        if columns:
            lead = ", without" if columns is naming else ", worth exactly 0:"
            said += f"{lead} {listed(columns, most=3)} ({what})"
    return inputs, said


def raw_values(table: Table, name: str) -> list[Any]:
    """The cells of a column as what they say: numbers, yes or no, or text; None (or NaN, among numbers) where empty."""
    cells = [cell.strip() for cell in table.columns[name]]
    filled = [cell for cell in cells if cell not in EMPTY]
    if filled and all(cell.lower() in _YES_NO for cell in filled):
        return [None if cell in EMPTY else _YES_NO[cell.lower()] for cell in cells]
    try:
        numbers = [None if cell in EMPTY else float(cell) for cell in cells]
    except ValueError:
        return [None if cell in EMPTY else cell for cell in cells]
    for place, number in enumerate(numbers):
        if number is not None and not math.isfinite(number):
            raise InputError(
                f"{table.source}, {table.noun} {table.rows[place]}, column {name!r} holds {cells[place]!r}, expected a "
                "finite number: leave it empty if it is not known"
            )
    if len(filled) == len(cells) and all(re.fullmatch(r"[-+]?\d{1,15}", cell) for cell in cells):
        return [int(cell) for cell in cells]
    return [math.nan if number is None else number for number in numbers]


def _names_rows(values: Sequence[Any]) -> bool:
    texts = [value for value in values if isinstance(value, str)]
    return len({*texts}) > max(_MANY, len(texts) / 2)


def _native(columns: dict[str, list[Any]]) -> Any:
    """By the library of data frames that is here: pandas, polars, or pyarrow."""
    import narwhals as nw

    for library in (nw.Implementation.PANDAS, nw.Implementation.POLARS, nw.Implementation.PYARROW):
        try:
            library.to_native_namespace()
        except ImportError:
            continue
        given = {n: np.array(v) if isinstance(v[0], int | float) and None not in v else v for n, v in columns.items()}
        return nw.from_dict(given, backend=library).to_native()
    raise InputError("a table of raw columns needs pandas, polars or pyarrow")
