"""Which molecules a model of organic chemistry can be asked about, each of them once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rdkit import Chem, rdBase

from attar.core.errors import InputError
from attar.core.labels import Task
from attar.core.note import Note, counted, row_note, shortened, where
from attar.domains.molecules.copies import one_of_each

ORGANIC = ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Se", "Br", "I")
FEWEST_HEAVY_ATOMS = 3
ONE_UNPARSABLE_IN = 5  # one in five or more says that the wrong column was read, or that the file is broken

UNFIT = {
    "several fragments": "of several fragments, salts or mixtures (give the part you mean)",
    "inorganic": f"without carbon or with an element other than {' '.join(ORGANIC)}",
    "too small": f"of fewer than {FEWEST_HEAVY_ATOMS} heavy atoms",
}

_WITHOUT_NAME = Chem.SmilesParserParams()
_WITHOUT_NAME.parseName = False  # else "C is a letter" is methane


@dataclass(frozen=True, eq=False)
class Clean:
    """Molecules fit for use, in the order they came; `kept` says which of those given they are, from 0."""

    smiles: tuple[str, ...]
    mols: tuple[Chem.Mol, ...]
    labels: np.ndarray | None
    kept: np.ndarray
    notes: tuple[Note, ...]


def parse_smiles(text: str) -> Chem.Mol | None:
    """The molecule, or None for a text that is not one SMILES and nothing else."""
    return Chem.MolFromSmiles(text.strip(), _WITHOUT_NAME)


def clean(
    structures: Sequence[str],
    *,
    labels: np.ndarray | None = None,
    task: Task = "classification",
    split: np.ndarray | None = None,
    rows: Sequence[int] | np.ndarray | None = None,
    noun: str = "row",
    source: str = "the list",
    skip_bad: bool = False,
    parse: Callable[[str], Chem.Mol | None] = parse_smiles,
) -> Clean:
    """Keep organic molecules of one fragment and at least three heavy atoms, each canonical SMILES once.

    Organic: at least one carbon, and no element outside `ORGANIC`. Salts are left out, not stripped. Stereo
    counts: enantiomers are two molecules. Each molecule is made anew from its canonical SMILES, so atom i of
    `mols` is atom i of `smiles`, however the file wrote it.

    Copies that agree in their label are kept once; when they stand in several values of `split`, once in
    each, with a note (a leak). Of copies whose classes contradict each other none is kept; differing
    measurements (`task="regression"`) give way to their mean within a value of `split`.

    `rows` and `noun` say how the notes count (1, 2, …). Raises InputError when no structure can be read, or
    when one in five or more cannot and not `skip_bad`.
    """
    rows = np.arange(1, len(structures) + 1) if rows is None else np.asarray(rows)
    for given, what in ((rows, "rows"), (labels, "labels"), (split, "values of split")):
        if given is not None and len(given) != len(structures):
            raise InputError(f"{len(structures)} structures came with {len(given)} {what}: give one for each.")
    with rdBase.BlockLogs():
        molecules = [_canonical(parse(structure)) for structure in structures]
    notes = _unparsable(structures, molecules, rows=rows, noun=noun, source=source, skip_bad=skip_bad)

    fit: list[int] = []
    left_out: dict[str, list[int]] = {reason: [] for reason in UNFIT}
    for place, molecule in enumerate(molecules):
        if molecule is not None:
            reason = unfit(molecule[1])
            (left_out[reason] if reason else fit).append(place)
    for reason, places in left_out.items():
        if places:
            gone = rows[places]
            sentence = f"Left out: {counted(len(places), 'molecule')} {UNFIT[reason]} ({where(gone, noun)})."
            notes.append(row_note(reason, gone, sentence))

    survivors = [molecule for place in fit if (molecule := molecules[place]) is not None]
    chosen, labels, about_copies = one_of_each(
        [smiles for smiles, _ in survivors],
        labels=None if labels is None else labels[fit],
        task=task,
        split=None if split is None else split[fit],
        rows=rows[fit],
        noun=noun,
    )
    return Clean(
        smiles=tuple(survivors[place][0] for place in chosen),
        mols=tuple(survivors[place][1] for place in chosen),
        labels=labels,
        kept=np.array(fit, dtype=np.int64)[chosen],
        notes=(*notes, *about_copies),
    )


def _canonical(mol: Chem.Mol | None) -> tuple[str, Chem.Mol] | None:
    if mol is None or not mol.GetNumAtoms():
        return None
    smiles = Chem.MolToSmiles(mol)
    again = Chem.MolFromSmiles(smiles)
    return None if again is None else (smiles, again)


def unfit(mol: Chem.Mol) -> str | None:
    """Why a molecule is not taken, a key of `UNFIT`; None where it is."""
    elements = {atom.GetSymbol() for atom in mol.GetAtoms()}
    if len(Chem.GetMolFrags(mol)) > 1:
        return "several fragments"
    if "C" not in elements or not elements.issubset(ORGANIC):
        return "inorganic"
    return "too small" if mol.GetNumHeavyAtoms() < FEWEST_HEAVY_ATOMS else None


def _unparsable(
    structures: Sequence[str],
    molecules: Sequence[object],
    *,
    rows: np.ndarray,
    noun: str,
    source: str,
    skip_bad: bool,
) -> list[Note]:
    bad = [place for place, molecule in enumerate(molecules) if molecule is None]
    if not bad:
        return []
    shown = [f"{rows[place]}{_quoted(structures[place])}" for place in bad]
    if len(bad) == len(molecules):
        raise InputError(
            f"{source}: RDKit cannot read any of {counted(len(bad), noun)} as a molecule "
            f"({where(shown, noun, most=3)}). Is this the column of structures?"
        )
    share = f"{len(bad):,} of {counted(len(molecules), noun)}"
    if len(bad) * ONE_UNPARSABLE_IN >= len(molecules) and not skip_bad:
        raise InputError(
            f"{source}: RDKit cannot read {share} as molecules ({where(shown, noun)}). "
            "Mend them, or leave them out with --skip-bad (skip_bad=True)."
        )
    sentence = f"Left out: {share} that RDKit cannot read as a molecule ({where(shown, noun)})."
    return [row_note("unparsable", rows[bad], sentence)]


def _quoted(structure: str) -> str:
    if "\n" in structure:
        return ""  # a mol block
    return f" ({shortened(structure)})" if structure.strip() else " (empty)"
