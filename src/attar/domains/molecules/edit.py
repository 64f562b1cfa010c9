"""Valid molecules from a molecule: a substituent or ring put on, taken off, and the list of those it has."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from rdkit import Chem, rdBase

from attar.core.editor import Group
from attar.core.errors import InputError
from attar.domains.molecules.molecule import Molecule


@dataclass(frozen=True)
class MoleculeEditor:
    """Edits molecules by substituents (`*Cl`) of at most `largest` heavy atoms and by rings (`c1ccccc1`)."""

    largest: int = 12

    def groups(self, example: Molecule) -> list[Group]:
        return substituents(example, largest=self.largest) + rings(example)

    def places(self, example: Molecule, name: str) -> list[frozenset[int]]:
        if "*" in name:
            return places(example, name)
        wanted = _canonical(name)
        return [ring.parts for ring in rings(example) if ring.name == wanted]

    def insert(self, example: Molecule, name: str, generator: np.random.Generator) -> Iterable[Molecule]:
        if "*" in name:
            return attach(example, name, generator)
        return _joined(example, _ring(name), None, generator)

    def remove(self, example: Molecule, name: str, generator: np.random.Generator) -> Molecule | None:  # noqa: ARG002
        edited: Molecule | None = example
        before = len(self.places(example, name)) + 1
        while edited is not None and (there := self.places(edited, name)):
            if len(there) >= before:
                return None
            before = len(there)
            edited = detached(edited, there[0]) if _hangs(edited, there[0]) else saturated(edited, there[0])
        return edited


def rings(molecule: Molecule) -> list[Group]:
    """The rings of at most eight atoms (RDKit's smallest set), by the SMILES of their atoms without charges."""
    found = []
    for ring, bonds in zip(molecule.mol.GetRingInfo().AtomRings(), molecule.mol.GetRingInfo().BondRings(), strict=True):
        if len(ring) <= 8 and (name := ring_name(molecule.mol, ring, bonds)) is not None:
            found.append(Group(name, frozenset(ring)))
    return found


def saturated(molecule: Molecule, ring: Iterable[int]) -> Molecule | None:
    """The molecule with the ring made cyclohexane or its like: carbon for other elements, single bonds where no other
    ring shares them. None where that is no molecule."""
    inside = set(ring)
    edited = Chem.RWMol(molecule.mol)
    Chem.Kekulize(edited, clearAromaticFlags=True)
    shared = edited.GetRingInfo()
    for atom in edited.GetAtoms():
        if atom.GetIdx() in inside and shared.NumAtomRings(atom.GetIdx()) == 1:
            atom.SetAtomicNum(6)
            atom.SetFormalCharge(0)
            atom.SetNumExplicitHs(0)
            atom.SetNoImplicit(False)
    for bond in edited.GetBonds():
        ends = {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()}
        if ends <= inside and shared.NumBondRings(bond.GetIdx()) == 1:
            bond.SetBondType(Chem.BondType.SINGLE)
    return _sanitised(edited.GetMol())


def substituents(molecule: Molecule, *, largest: int = 12) -> list[Group]:
    """Groups on one acyclic single bond, named by SMILES with `*` for the rest: all of at most `largest` heavy
    atoms and less than half the molecule."""
    return [s for s in _cuts(molecule, largest) if 2 * len(s.parts) < molecule.size]


def attach(molecule: Molecule, group: str, generator: np.random.Generator) -> Iterable[Molecule]:
    """The molecule with the group (`*Cl`) in place of a hydrogen on a carbon, for every carbon, in random order.

    The caller takes the first that suits. Products that RDKit will not sanitise are left out.
    """
    grafted = _group(group)
    return _joined(molecule, grafted, _star(grafted).GetIdx(), generator)


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


def _joined(
    molecule: Molecule, grafted: Chem.Mol, star: int | None, generator: np.random.Generator
) -> Iterator[Molecule]:
    """The graft on each carbon that has a hydrogen: by its star, or by one of its atoms that has a hydrogen."""
    ends = [a.GetIdx() for a in grafted.GetAtoms() if a.GetTotalNumHs() > 0]
    carbons = [a.GetIdx() for a in molecule.mol.GetAtoms() if a.GetSymbol() == "C" and a.GetTotalNumHs() > 0]
    for site in generator.permutation(carbons):
        joined = Chem.RWMol(Chem.CombineMols(molecule.mol, grafted))
        carbon = joined.GetAtomWithIdx(int(site))
        if star is not None:
            gone = joined.GetAtomWithIdx(molecule.size + star)
            end = gone.GetNeighbors()[0]
        else:
            gone, end = None, joined.GetAtomWithIdx(molecule.size + int(generator.choice(ends)))
            end.SetNumExplicitHs(max(0, end.GetNumExplicitHs() - 1))  # as [nH] has
        joined.AddBond(carbon.GetIdx(), end.GetIdx(), Chem.BondType.SINGLE)
        carbon.SetNumExplicitHs(max(0, carbon.GetNumExplicitHs() - 1))  # as [13CH3] has, and [CH2-]
        if gone is not None:
            joined.RemoveAtom(gone.GetIdx())
        if (product := _sanitised(joined.GetMol())) is not None:
            yield product


def _hangs(molecule: Molecule, ring: frozenset[int]) -> bool:
    """Whether the ring hangs on the rest by one single bond and holds nothing itself."""
    leaving = [b for b in molecule.mol.GetBonds() if (b.GetBeginAtomIdx() in ring) != (b.GetEndAtomIdx() in ring)]
    return len(leaving) == 1 and leaving[0].GetBondType() == Chem.BondType.SINGLE


def _ring(name: str) -> Chem.Mol:
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(name)
    if mol is None or mol.GetRingInfo().NumRings() != 1 or not all(a.IsInRing() for a in mol.GetAtoms()):
        raise InputError(
            f"{name!r} is no group; write a ring as SMILES (c1ccccc1), or a substituent with one * where it is "
            "attached by a single bond (*Cl)"
        )
    if not any(a.GetTotalNumHs() for a in mol.GetAtoms()):
        raise InputError(f"the ring {name!r} has no hydrogen in whose place it could be joined to a molecule")
    return mol


def ring_name(mol: Chem.Mol, ring: Sequence[int], bonds: Sequence[int]) -> str | None:
    """The SMILES of ring atoms and these bonds alone, without charges; None where they are no molecule."""
    symbols = [a.GetSymbol().lower() if a.GetIsAromatic() else a.GetSymbol() for a in mol.GetAtoms()]
    symbols = [s if s.lower() in _ORGANIC else f"[{s}]" for s in symbols]
    written = Chem.MolFragmentToSmiles(
        mol, atomsToUse=list(ring), bondsToUse=list(bonds), atomSymbols=symbols, isomericSmiles=False
    )
    if (name := _canonical(written)) is not None:
        return name
    # A nitrogen that carries a substituent, or a hydrogen, holds two of the aromatic electrons.
    symbols = ["[nH]" if _holds_two(a) else s for a, s in zip(mol.GetAtoms(), symbols, strict=True)]
    return _canonical(
        Chem.MolFragmentToSmiles(
            mol, atomsToUse=list(ring), bondsToUse=list(bonds), atomSymbols=symbols, isomericSmiles=False
        )
    )


def _holds_two(atom: Chem.Atom) -> bool:
    plain = atom.GetSymbol() == "N" and atom.GetIsAromatic() and not atom.GetFormalCharge()
    return plain and atom.GetTotalDegree() == 3


_ORGANIC = frozenset({"b", "c", "n", "o", "p", "s", "f", "cl", "br", "i"})


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
