"""The chemists' own files (SMI, SDF) → columns of text."""

import numpy as np

from attar.core.errors import InputError
from attar.core.note import Note
from attar.core.tables import Table, delimited

MOL_BLOCK = "mol block"  # the column of an SDF that holds its structures


def smi(text: str, source: str, *, notes: tuple[Note, ...] = ()) -> Table:
    """One molecule a line: SMILES, then a name. Parted by tabs, or by the first white space.

    A first line that says `smiles` is a header and names the columns; without one they are `smiles`,
    `name`, `column 3`, …. A line may end early. Rows are line numbers.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        raise InputError(f"{source} is empty: one SMILES a line was expected.")
    first = lines[0][1]
    opening = first.split()[0]
    if "," in opening or ";" in opening:  # no SMILES holds one: a CSV by another name
        return delimited(text, source, notes=notes)
    delimiter = "\t" if "\t" in first else None
    if "smiles" in opening.lower():
        names = [name.strip() for name in first.lstrip("#").split(delimiter)]
        del lines[0]
        if not lines:
            raise InputError(f"{source} has a header line but no molecules: one SMILES a line was expected.")
    else:
        width = max(line.count("\t") for _, line in lines) + 1 if delimiter else 2
        names = ["smiles", "name", *(f"column {number}" for number in range(3, width + 1))][: max(width, 2)]
    cells = [[value.strip() for value in line.split(delimiter, len(names) - 1)] for _, line in lines]
    columns = {
        name: tuple(values[place] if place < len(values) else "" for values in cells)
        for place, name in enumerate(names)
    }
    rows = np.array([number for number, _ in lines])
    return Table(source=source, columns=columns, rows=rows, noun="line", notes=notes)


def sdf(text: str, source: str, *, notes: tuple[Note, ...] = ()) -> Table:
    """An SD file: structures in the column `mol block`, each property a column. Rows are record numbers."""
    records = [_record(lines) for lines in _split(text)]
    names = dict.fromkeys(name for properties in records for name in properties)
    columns = {name: tuple(properties.get(name, "") for properties in records) for name in names}
    rows = np.arange(1, len(records) + 1)
    return Table(source=source, columns=columns, rows=rows, noun="record", notes=notes)


def _split(text: str) -> list[list[str]]:
    records: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("$$$$"):
            records.append([])
        else:
            records[-1].append(line)
    if not any(line.strip() for line in records[-1]):
        records.pop()  # what follows the last $$$$
    return records


def _record(lines: list[str]) -> dict[str, str]:
    """Properties by name, and the structure. A property is `> <name>`, its lines, an empty line."""
    ends = next((place + 1 for place, line in enumerate(lines) if line.startswith("M  END")), None)
    if ends is None:
        ends = next((place for place, line in enumerate(lines) if line.startswith(">")), len(lines))
    properties: dict[str, list[str]] = {}
    value: list[str] | None = None
    for line in lines[ends:]:
        if line.startswith(">") and "<" in line:
            value = properties.setdefault(line[line.index("<") + 1 : line.rindex(">")], [])
        elif not line.strip():
            value = None
        elif value is not None:
            value.append(line)
    return {name: "\n".join(value) for name, value in properties.items()} | {MOL_BLOCK: "\n".join(lines[:ends]) + "\n"}
