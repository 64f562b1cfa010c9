"""A molecule as a bag of subgraphs: one column per circular environment, unhashed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from rdkit import Chem
from torch import Tensor

from attar.core.errors import InputError
from attar.core.inputs import SparseRows
from attar.domains.molecules.molecule import LARGEST_RADIUS, Environments, Molecule

OFTEN_CHARGED = ("N", "O", "P", "S")  # a name says that these are neutral, too: an amine is no nitro group


@dataclass(frozen=True, eq=False)
class MoleculeBag(SparseRows):
    """Bags of subgraphs that remember their molecules and vocabulary, so that atoms can be found again."""

    molecules: tuple[Molecule, ...] = ()
    vocabulary: "Vocabulary | None" = None

    def take(self, index: Tensor) -> Self:
        return replace(super().take(index), molecules=tuple(self.molecules[i] for i in index.tolist()))


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Which environment is which column.

    `identifiers[k]` is the Morgan identifier of column k (ascending). With `folded` bits the column is the
    identifier modulo that number and many subgraphs share one. `presence`: 1 if a subgraph occurs, else its count.
    """

    identifiers: np.ndarray
    radius: int
    presence: bool = False
    folded: int | None = None

    @classmethod
    def of(
        cls,
        molecules: Sequence[Molecule],
        *,
        radius: int = 2,
        presence: bool = False,
        folded: int | None = None,
        at_least: int = 1,
    ) -> "Vocabulary":
        """The environments that occur in at least `at_least` of the molecules. Raises `InputError` on bad options."""
        if not 0 <= radius <= LARGEST_RADIUS:
            raise InputError(f"radius is {radius}, expected 0 to {LARGEST_RADIUS}")
        if at_least < 1:
            raise InputError(f"at_least is {at_least}, expected 1 molecule or more")
        if folded is not None and folded < 1:
            raise InputError(f"folded is {folded}, expected 1 column or more")
        if folded is not None:
            return cls(np.arange(folded), radius, presence, folded)
        each = [np.unique(m.environments.up_to(radius).identifier) for m in molecules]
        identifiers, in_molecules = np.unique(np.concatenate([*each, np.zeros(0, np.int64)]), return_counts=True)
        return cls(identifiers[in_molecules >= at_least], radius, presence)

    def __len__(self) -> int:
        return len(self.identifiers)

    def columns(self, identifiers: np.ndarray) -> np.ndarray:
        """The column of each identifier; -1 where the vocabulary lacks it."""
        if self.folded is not None:
            return _folded(identifiers, self.folded)
        if not len(self):
            return np.full(len(identifiers), -1)
        at = np.searchsorted(self.identifiers, identifiers).clip(max=len(self) - 1)
        return np.where(self.identifiers[at] == identifiers, at, -1)

    def bag(self, molecules: Sequence[Molecule]) -> MoleculeBag:
        """The molecules' bags; subgraphs outside the vocabulary are left out."""
        found = self.occurrences(molecules)
        counts = np.bincount(found.entry, minlength=len(found.column)).astype(np.float32)
        return MoleculeBag(
            counts=torch.from_numpy(np.ones_like(counts) if self.presence else counts),
            columns=torch.from_numpy(found.column),
            rows=torch.from_numpy(found.owner),
            size=len(molecules),
            width=len(self),
            part="subgraphs",
            molecules=tuple(molecules),
            vocabulary=self,
        )

    def occurrences(self, molecules: Sequence[Molecule]) -> "Occurrences":
        """Where each entry of the molecules' bags occurs."""
        each = [m.environments.up_to(self.radius) for m in molecules]
        sizes = np.array([m.size for m in molecules], dtype=np.int64)
        lengths = np.array([len(e.identifier) for e in each], dtype=np.int64)
        owner = np.repeat(np.arange(len(each)), lengths)
        column = self.columns(_joined(each, "identifier"))
        first_atom, first_occurrence = np.cumsum(sizes) - sizes, np.cumsum(lengths) - lengths
        members = np.array([len(e.atom) for e in each], dtype=np.int64)
        occurrence = _joined(each, "occurrence") + np.repeat(first_occurrence, members)
        atom = _joined(each, "atom") + np.repeat(first_atom, members)
        centre = _joined(each, "centre") + np.repeat(first_atom, lengths)
        known = column >= 0
        number = np.cumsum(known) - 1
        member = known[occurrence]
        keys, entry = np.unique(owner[known] * max(1, len(self)) + column[known], return_inverse=True)
        return Occurrences(
            owner=keys // max(1, len(self)),
            column=keys % max(1, len(self)),
            entry=entry,
            centre=centre[known],
            occurrence=number[occurrence[member]],
            atom=atom[member],
            atom_owner=np.repeat(np.arange(len(each)), sizes),
        )

    def unseen(self, molecules: Sequence[Molecule]) -> float:
        """The share of the molecules' environments that the vocabulary lacks."""
        identifiers = np.concatenate([m.environments.up_to(self.radius).identifier for m in molecules])
        return float((self.columns(identifiers) < 0).mean()) if len(identifiers) else 0.0


@dataclass(frozen=True, eq=False)
class Occurrences:
    """Entries (one per molecule and column), their occurrences, and the occurrences' atoms.

    `owner`, `column` per entry; `entry`, `centre` per occurrence; (`occurrence`, `atom`) per member atom. Atoms
    are numbered through all molecules; `atom_owner` is the molecule of each.
    """

    owner: np.ndarray
    column: np.ndarray
    entry: np.ndarray
    centre: np.ndarray
    occurrence: np.ndarray
    atom: np.ndarray
    atom_owner: np.ndarray


@dataclass(frozen=True)
class Ambiguity:
    """What folding does: `environments` in the data, `columns` used, the `shared` share of environments whose
    column holds another one too, and the `most` environments in one column."""

    environments: int
    columns: int
    shared: float
    most: int

    def sentence(self) -> str:
        return (
            f"{self.environments} distinct subgraphs fall into {self.columns} columns: {self.shared:.0%} share their "
            f"column with another one (up to {self.most} in one), so a weight learned on one is painted on others"
        )


def ambiguity(molecules: Sequence[Molecule], *, radius: int, bits: int) -> Ambiguity:
    """How many subgraphs share a column when folded to `bits`."""
    identifiers = np.unique(np.concatenate([m.environments.up_to(radius).identifier for m in molecules]))
    _, column, per_column = np.unique(_folded(identifiers, bits), return_inverse=True, return_counts=True)
    return Ambiguity(len(identifiers), len(per_column), float((per_column[column] > 1).mean()), int(per_column.max()))


def subgraph_smarts(molecule: Molecule, centre: int, radius: int) -> str:
    """A subgraph's name: SMARTS from its centre outwards with element, degree D, hydrogens H, ring membership and
    charge on every atom and every bond written out, which is what the Morgan identifier hashes."""
    mol = molecule.mol
    bonds = list(Chem.FindAtomEnvironmentOfRadiusN(mol, radius, centre)) if radius else []
    atoms = {centre} | {a for b in bonds for a in _ends(mol.GetBondWithIdx(b))}
    aromatic = {a for b in bonds if mol.GetBondWithIdx(b).GetIsAromatic() for a in _ends(mol.GetBondWithIdx(b))}
    symbols = [_query(mol.GetAtomWithIdx(i), i in aromatic) if i in atoms else "*" for i in range(mol.GetNumAtoms())]
    return Chem.MolFragmentToSmiles(
        mol,
        atomsToUse=sorted(atoms),
        bondsToUse=bonds,
        atomSymbols=symbols,
        rootedAtAtom=centre,
        allBondsExplicit=True,
        isomericSmiles=False,
    )


def name_agrees(smarts: str, column_present: np.ndarray, molecules: Sequence[Molecule]) -> bool:
    """Whether the name matches exactly the molecules that have the column (`column_present`, per molecule)."""
    pattern = Chem.MolFromSmarts(smarts)
    return all(m.mol.HasSubstructMatch(pattern) == bool(p) for m, p in zip(molecules, column_present, strict=True))


def example_of(vocabulary: Vocabulary, column: int, molecules: Sequence[Molecule]) -> tuple[Molecule, int, int] | None:
    """A molecule that holds the column's subgraph, its centre atom and radius."""
    for molecule in molecules:
        environments: Environments = molecule.environments.up_to(vocabulary.radius)
        hit = (vocabulary.columns(environments.identifier) == column).nonzero()[0]
        if len(hit):
            return molecule, int(environments.centre[hit[0]]), int(environments.radius[hit[0]])
    return None


def _ends(bond: Chem.Bond) -> tuple[int, int]:
    return bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()


def _query(atom: Chem.Atom, in_aromatic_bond: bool) -> str:
    """A ring atom that no bond of the subgraph shows to be aromatic is named by number: the identifier does not
    know either."""
    symbol = atom.GetSymbol()
    if in_aromatic_bond:
        symbol = symbol.lower()
    elif atom.IsInRing():
        symbol = f"#{atom.GetAtomicNum()}"
    charge = atom.GetFormalCharge()
    sign = f";{charge:+d}" if charge or atom.GetSymbol() in OFTEN_CHARGED else ""
    ring = "R" if atom.IsInRing() else "!R"
    return f"[{symbol};D{atom.GetDegree()};H{atom.GetTotalNumHs()};{ring}{sign}]"


def _folded(identifiers: np.ndarray, bits: int) -> np.ndarray:
    return identifiers % bits


def _joined(each: list[Environments], name: str) -> np.ndarray:
    return np.concatenate([getattr(e, name) for e in each]) if each else np.zeros(0, dtype=np.int64)
