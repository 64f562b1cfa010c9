"""A SMILES, or a file of molecules, as what a graph network that others trained is asked about."""

from collections.abc import Callable, Sequence
from pathlib import Path

from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.note import counted
from attar.core.tables import SUFFIXES
from attar.domains.molecules.clean import UNFIT, parse_smiles, unfit
from attar.domains.molecules.graphs import MoleculeGraphs
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.parts import Groups
from attar.domains.molecules.read import SDF, SMI, read_molecules

_ENDINGS = (*SUFFIXES, *SDF, *SMI, *(f"{ending}.gz" for ending in (*SDF, *SMI)))


def molecule_examples(source: str | Path, graphs: Callable[[Sequence[Molecule]], MoleculeGraphs]) -> Examples:
    """The molecule of a SMILES, or those of a file (CSV, TSV, Parquet, SDF, SMI), as `graphs` lays them out.

    Each is made anew from its canonical SMILES, so that every way of writing a molecule is answered alike, and atoms
    are numbered as there. `clean` says which are taken; what a file's others were is in `said`. Raises `InputError` for
    a text that is no SMILES, a molecule of several fragments, an inorganic or too small one, and as `read_molecules`.
    """
    text = str(source).strip()
    if isinstance(source, Path) or (text and _is_file(text)):
        table = read_molecules(source)
        pairs = list(zip(table.smiles, table.mols, strict=True))
        notes = " ".join(note.sentence for note in table.notes)
        said = f"{counted(len(pairs), 'molecule')}{f'. {notes}' if notes else ''}"
    else:
        pairs = [_one(text)]
        same = "" if pairs[0][0] == text else f", as {pairs[0][0]}"
        said = f"{counted(pairs[0][1].GetNumHeavyAtoms(), 'heavy atom')}{same}"
    molecules = tuple(Molecule(smiles, mol) for smiles, mol in pairs)
    return Examples(
        inputs=graphs(molecules),
        names=tuple(molecule.smiles for molecule in molecules),
        said=said,
        domain="molecules",
        raw=molecules,
        features=Groups(),
    )


def _one(text: str) -> tuple:
    from rdkit import Chem, rdBase

    if not text:
        raise InputError("there is no SMILES: the text is empty")
    with rdBase.BlockLogs():
        mol = parse_smiles(text)
        if mol is None or not mol.GetNumAtoms():
            raise InputError(
                f"{text!r} is neither a SMILES that RDKit can read nor a file: check its rings and brackets"
            )
        smiles = Chem.MolToSmiles(mol)
        again = Chem.MolFromSmiles(smiles)
    if again is None:
        raise InputError(f"{text!r} is no SMILES that can be written again: check its rings and brackets")
    if reason := unfit(again):
        raise InputError(f"{smiles} is a molecule {UNFIT[reason]}")
    return smiles, again


def _is_file(text: str) -> bool:
    try:
        return Path(text).exists() or text.lower().endswith(_ENDINGS)
    except (OSError, ValueError):  # too long for a name
        return False
