"""Valid molecules from a molecule: a substituent put on, taken off, and the list of those it has."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from rdkit import Chem, rdBase

from attar.core.editor import Group
from attar.core.errors import InputError
from attar.domains.molecules.molecule import Molecule


@dataclass(frozen=True)
class SubstituentEditor:
    """Edits molecules by substituents of at most `largest` heavy atoms."""

    largest: int = 12

    def groups(self, example: Molecule) -> list[Group]:
        return substituents(example, largest=self.largest)

    def places(self, example: Molecule, name: str) -> list[frozenset[int]]:
        return places(example, name)

    def insert(self, example: Molecule, name: str, generator: np.random.Generator) -> Iterable[Molecule]:
        return attach(example, name, generator)

    def remove(self, example: Molecule, name: str, generator: np.random.Generator) -> Molecule | None:  # noqa: ARG002
        edited: Molecule | None = example
        while edited is not None and (there := places(edited, name)):
            edited = detached(edited, there[0])
        return edited


def substituents(molecule: Molecule, *, largest: int = 12) -> list[Group]:
    """Groups on one acyclic single bond, named by SMILES with `*` for the rest: all of at most `largest` heavy
    atoms and less than half the molecule."""
    return [s for s in _cuts(molecule, largest) if 2 * len(s.parts) < molecule.size]


def attach(molecule: Molecule, group: str, generator: np.random.Generator) -> Iterable[Molecule]:
    """The molecule with the group (`*Cl`) in place of a hydrogen on a carbon, for every carbon, in random order.

    The caller takes the first that suits. Products that RDKit will not sanitise are left out.
    """
    grafted = _group(group)
    star_of_group = _star(grafted).GetIdx()
    carbons = [a.GetIdx() for a in molecule.mol.GetAtoms() if a.GetSymbol() == "C" and a.GetTotalNumHs() > 0]
    for site in generator.permutation(carbons):
        joined = Chem.RWMol(Chem.CombineMols(molecule.mol, grafted))
        carbon, star = joined.GetAtomWithIdx(int(site)), joined.GetAtomWithIdx(molecule.size + star_of_group)
        joined.AddBond(carbon.GetIdx(), star.GetNeighbors()[0].GetIdx(), Chem.BondType.SINGLE)
        carbon.SetNumExplicitHs(max(0, carbon.GetNumExplicitHs() - 1))  # as [13CH3] has, and [CH2-]
        joined.RemoveAtom(star.GetIdx())
        if (product := _sanitised(joined.GetMol())) is not None:
            yield product


def detached(molecule: Molecule, atoms: Iterable[int]) -> Molecule | None:
    """The molecule with a substituent's atoms replaced by hydrogen; None where that is no molecule."""
    edited = Chem.RWMol(molecule.mol)
    gone = set(atoms)
    for atom in edited.GetAtoms():
        cut = sum(n.GetIdx() in gone for n in atom.GetNeighbors())
        if atom.GetIdx() not in gone and cut and (atom.GetNoImplicit() or atom.GetIsAromatic()):
            atom.SetNumExplicitHs(atom.GetNumExplicitHs() + cut)
    for index in sorted(gone, reverse=True):
        edited.RemoveAtom(index)
    return _sanitised(edited.GetMol())


def places(molecule: Molecule, group: str) -> list[frozenset[int]]:
    """The atoms of each occurrence of the group (`*Cl`) as a substituent of the molecule, of any handedness."""
    wanted = _group(group)
    size, name = wanted.GetNumAtoms() - 1, Chem.MolToSmiles(wanted, isomericSmiles=False)
    return [s.parts for s in _cuts(molecule, largest=size) if len(s.parts) == size and s.name == name]


def _group(group: str) -> Chem.Mol:
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(group)
    if mol is None or not _is_substituent(mol):
        raise InputError(
            f"{group!r} is no substituent; write SMILES in one piece with one * where it is attached by a single bond, "
            "as in *Cl"
        )
    return mol


def _is_substituent(mol: Chem.Mol) -> bool:
    stars = sum(a.GetAtomicNum() == 0 for a in mol.GetAtoms())
    if stars != 1 or len(Chem.GetMolFrags(mol)) != 1 or _star(mol).GetDegree() != 1:
        return False
    bond = _star(mol).GetBonds()[0]
    return bond.GetBondType() == Chem.BondType.SINGLE and bond.GetOtherAtom(_star(mol)).GetAtomicNum() > 1


def _star(group: Chem.Mol) -> Chem.Atom:
    return next(a for a in group.GetAtoms() if a.GetAtomicNum() == 0)


def _cuts(molecule: Molecule, largest: int) -> list[Group]:
    mol = molecule.mol
    found = []
    for bond in mol.GetBonds():
        if bond.IsInRing() or bond.GetBondType() != Chem.BondType.SINGLE:
            continue
        ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        for root, stem in (ends, ends[::-1]):
            side = _side(mol, root, stem, largest)
            if side is not None and (name := _named(mol, side, root, stem)) is not None:
                found.append(Group(name, frozenset(side)))
    return found


def _side(mol: Chem.Mol, root: int, stem: int, largest: int) -> set[int] | None:
    """The atoms on the root's side of the bond root-stem; None if more than `largest`."""
    seen, front = {root}, [root]
    while front:
        for neighbour in mol.GetAtomWithIdx(front.pop()).GetNeighbors():
            index = neighbour.GetIdx()
            if index != stem and index not in seen:
                seen.add(index)
                front.append(index)
        if len(seen) > largest:
            return None
    return seen


def _named(mol: Chem.Mol, side: set[int], root: int, stem: int) -> str | None:
    symbols = ["*" if a.GetIdx() == stem else a.GetSmarts(isomericSmiles=False) for a in mol.GetAtoms()]
    bonds = [
        b.GetIdx()
        for b in mol.GetBonds()
        if {b.GetBeginAtomIdx(), b.GetEndAtomIdx()} <= side or {b.GetBeginAtomIdx(), b.GetEndAtomIdx()} == {root, stem}
    ]
    written = Chem.MolFragmentToSmiles(
        mol,
        atomsToUse=sorted(side | {stem}),
        bondsToUse=bonds,
        atomSymbols=symbols,
        rootedAtAtom=stem,
        isomericSmiles=False,
    )
    return _canonical(written)


@lru_cache(maxsize=100_000)
def _canonical(smiles: str) -> str | None:
    """One name per group; None for what stands on its own as no molecule."""
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
    return None if mol is None else Chem.MolToSmiles(mol)


def _sanitised(mol: Chem.Mol) -> Molecule | None:
    with rdBase.BlockLogs():
        if Chem.SanitizeMol(mol, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
            return None
        smiles = Chem.MolToSmiles(mol)
        again = Chem.MolFromSmiles(smiles)
    return None if again is None or "." in smiles else Molecule(smiles, again)
