"""Files of molecules → a table of clean molecules, with every decision taken said in a note."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rdkit import Chem, rdBase

from attar.core.errors import InputError
from attar.core.files import as_text, read_bytes
from attar.core.labels import Task, read_labels
from attar.core.note import Note, counted, listed, row_note, where
from attar.core.tables import SUFFIXES, Table, table_of
from attar.domains.molecules.clean import FEWEST_HEAVY_ATOMS, clean, parse_smiles
from attar.domains.molecules.formats import MOL_BLOCK, sdf, smi

SMI = (".smi", ".smiles", ".ism")
SDF = (".sdf", ".sd")
PREFERRED = ("smiles", "isomericsmiles", "canonicalsmiles", "nonstereosmiles")  # stereo before none
SAMPLE = 100  # values looked at to tell a column of SMILES
FEWEST_OF_A_CLASS = 2
WIDEST_WITHOUT_NAMES = 3  # columns; a wider table may well have one whose name reads as SMILES


@dataclass(frozen=True, eq=False)
class MoleculeTable:
    """Clean molecules in the order of the file. `labels` are 0/1, or numbers for a regression.

    `smiles` are canonical with stereo; atom i of `mols` is atom i of `smiles`. `rows` says where each stands
    in the file (line, or record of an SDF). `task` is None where no label was asked for.
    """

    smiles: tuple[str, ...] = field(repr=False)
    mols: tuple[Chem.Mol, ...] = field(repr=False)
    labels: np.ndarray | None = field(repr=False)
    task: Task | None
    split: np.ndarray | None = field(repr=False)
    rows: np.ndarray = field(repr=False)
    source: str
    input_column: str
    label_column: str | None
    notes: tuple[Note, ...]
    split_column: str | None = None

    def __len__(self) -> int:
        return len(self.smiles)


def read_molecules(
    path: str | Path,
    *,
    input: str | None = None,
    label: str | None = None,
    split: str | None = None,
    skip_bad: bool = False,
    numbers: bool = False,
) -> MoleculeTable:
    """Read CSV, TSV, semicolons, Parquet, SDF or SMI (the text ones also as .gz).

    `input` names the column of SMILES (found when not given; an SDF carries its structures), `label` the
    column to learn, `split` a column such as train/test. What was left out, and why, is in `notes`; `clean`
    says what a clean molecule is. Two label values make a classification, ten or more numbers a regression;
    where labels are known to be `numbers`, three of them do.

    Raises InputError, in one line, for a file, a column, labels or molecules that cannot be used; unreadable
    SMILES are noted, and an error only from one in five on, unless `skip_bad`.
    """
    table = _open(path)
    input_column, notes = _input_column(table, input)
    label_column = None if label is None else table.find(label, role="label")
    split_column = None if split is None else table.find(split, role="split")

    used = np.ones(len(table), dtype=bool)
    found = None
    if label_column is not None:
        texts = table.columns[label_column]
        found = read_labels(texts, column=label_column, rows=list(table.rows), noun=table.noun, numbers=numbers)
        used = ~np.isnan(found.values)
        notes = (*notes, *found.notes)
    parts = None
    if split_column is not None:
        parts = np.array([part.strip().lower() for part in table.columns[split_column]])
        notes = (*notes, *_without_split(parts, table, column=split_column))

    structures = table.columns[input_column]
    cleaned = clean(
        [structures[place] for place in np.flatnonzero(used)],
        labels=None if found is None else found.values[used],
        task="classification" if found is None else found.task,
        split=None if parts is None else parts[used],
        rows=table.rows[used],
        noun=table.noun,
        source=table.source,
        skip_bad=skip_bad,
        parse=Chem.MolFromMolBlock if input_column == MOL_BLOCK else parse_smiles,
    )
    molecules = MoleculeTable(
        smiles=cleaned.smiles,
        mols=cleaned.mols,
        labels=cleaned.labels,
        task=None if found is None else found.task,
        split=None if parts is None else parts[used][cleaned.kept],
        rows=table.rows[used][cleaned.kept],
        source=table.source,
        input_column=input_column,
        label_column=label_column,
        notes=(*notes, *cleaned.notes),
        split_column=split_column,
    )
    _refuse_too_few(molecules, read=len(table), noun=table.noun)
    return molecules


def has_structures(path: str | Path) -> bool:
    """Whether a file is one of molecules, and not any other table: it carries structures, a column has SMILES in its
    name or most of its values read as SMILES, or its first line looks like a row of them. Raises as `read_molecules`
    for a file that cannot be read."""
    table = _open(path)
    if MOL_BLOCK in table.columns or str(path).lower().removesuffix(".gz").endswith((*SDF, *SMI)):
        return True
    if any("smiles" in _letters(column) for column in table.columns):
        return True
    texts = [cells for cells in table.columns.values() if not _is_number(next(filter(str.strip, cells), "0"))]
    without_names = len(table.columns) <= WIDEST_WITHOUT_NAMES and bool(_about_header(table))
    return without_names or any(map(_holds_smiles, texts))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _open(path: str | Path) -> Table:
    data = read_bytes(path, suffixes=(*SUFFIXES, *SDF, *SMI))
    source = Path(path).name
    name = source.lower().removesuffix(".gz")
    if not name.endswith((*SDF, *SMI)):
        return table_of(data, source)
    text, notes = as_text(data, source)
    return (sdf if name.endswith(SDF) else smi)(text, source, notes=notes)


def _input_column(table: Table, name: str | None) -> tuple[str, tuple[Note, ...]]:
    """The column of structures, and the notes so far, among them how it was found if nobody named it."""
    if name is None and MOL_BLOCK in table.columns:
        return MOL_BLOCK, table.notes
    if name is not None:
        column, how = _named(table, name)
    else:
        column, how = _found(table)
    if how is None:
        return column, table.notes
    sentence = f"The molecules were read from the column {column!r} ({how})."
    return column, (*table.notes, Note(name="column found", count=1, rows=(), sentence=sentence))


def _named(table: Table, name: str) -> tuple[str, str | None]:
    exact = any(column.lower() == name.strip().lower() for column in table.columns)
    wanted = _letters(name)
    alike = [column for column in table.columns if len(wanted) >= 3 and wanted in _letters(column)]
    if not exact and len(alike) == 1:
        return alike[0], f"none is called {name!r}, and only this one has it in its name"
    try:
        return table.find(name, role="input"), None
    except InputError as failure:
        in_an_sdf = " An SDF carries its structures: leave the input out." if MOL_BLOCK in table.columns else ""
        raise InputError(f"{failure}{in_an_sdf or _about_header(table)}") from None


def _found(table: Table) -> tuple[str, str]:
    named = [column for column in table.columns if "smiles" in _letters(column)]
    for preferred in PREFERRED:
        fitting = [column for column in named if _letters(column) == preferred]
        if len(fitting) == 1:
            return fitting[0], "by its name"
    if len(named) == 1:
        return named[0], "by its name"
    if named:
        raise InputError(f"{table.source} has {listed(named)}: say which with --input (input=…).")
    fitting = [column for column, values in table.columns.items() if _holds_smiles(values)]
    if len(fitting) == 1 and not _about_header(table):
        return fitting[0], "no column has SMILES in its name, and most values of this one read as SMILES"
    what = f"values that read as SMILES in {listed([repr(column) for column in fitting], most=5)}"
    raise InputError(
        f"{table.source} has no column called smiles, and {what if fitting else 'none that reads as SMILES'}"
        f": name one with --input (input=…). {table.listed_columns()}.{_about_header(table)}"
    )


def _holds_smiles(values: tuple[str, ...]) -> bool:
    sample = list(itertools.islice(dict.fromkeys(value for value in values if value.strip()), SAMPLE))
    return 2 * sum(map(_is_molecule, sample)) > len(sample)


def _is_molecule(text: str) -> bool:
    with rdBase.BlockLogs():
        mol = parse_smiles(text)
    return mol is not None and mol.GetNumHeavyAtoms() >= FEWEST_HEAVY_ATOMS


def _about_header(table: Table) -> str:
    """What to add to a complaint when the first line looks like a row and not like names."""
    molecules = [column for column in table.columns if _is_molecule(column)]
    if not molecules:
        return ""
    return f" The first line holds a molecule ({molecules[0]}): is a header line, such as smiles,label, missing?"


def _letters(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _without_split(parts: np.ndarray, table: Table, *, column: str) -> list[Note]:
    rows = table.rows[parts == ""]
    if not len(rows):
        return []
    sentence = f"Kept: {counted(len(rows), table.noun)} with nothing in {column!r} ({where(rows, table.noun)})."
    return [row_note("no split", rows, sentence)]


def _refuse_too_few(table: MoleculeTable, *, read: int, noun: str) -> None:
    """Raise when nothing is left to learn from; `read` is how many rows the file had."""
    gone = [note for note in table.notes if note.rows and note.name not in {"leak across split", "no split"}]
    after = f" Left out before: {listed([f'{note.count:,} {note.name}' for note in gone])}." if gone else ""
    if not len(table):
        raise InputError(f"{table.source}: no molecule is left of {counted(read, noun)}.{after}")
    if table.labels is None or table.task != "classification":
        return
    for value, name in ((1, "positive"), (0, "negative")):
        rows = table.rows[table.labels == value]
        if len(rows) < FEWEST_OF_A_CLASS:
            where_it_is = f" ({where(rows, noun)})" if len(rows) else ""
            raise InputError(
                f"{table.source}: {counted(len(rows), name)} in {table.label_column!r}{where_it_is} among "
                f"{counted(len(table), 'molecule')}; at least {FEWEST_OF_A_CLASS} were expected.{after}"
            )
