"""A molecule as a graph: what stands on its atoms and bonds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from jaxtyping import Int
from rdkit import Chem
from torch import Tensor

from attar.adapters.graph import Graphs
from attar.domains.molecules.molecule import Molecule

ELEMENTS = ("C", "N", "O", "S", "F", "P", "Cl", "Br", "I", "B", "Si", "Se")
BONDS = (Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE, Chem.BondType.AROMATIC)

ATOM_FEATURES = (
    *(f"is {element}" for element in ELEMENTS),
    "is another element",
    *(f"has {degree} neighbours" for degree in range(1, 5)),
    *(f"has {hydrogens} hydrogens" for hydrogens in range(4)),
    "is aromatic",
    "is in a ring",
    "formal charge",
)
BOND_FEATURES = ("is single", "is double", "is triple", "is aromatic", "is in a ring")


@dataclass(frozen=True, eq=False)
class MoleculeGraphs(Graphs):
    """Graphs that remember their molecules, so that atoms and groups can be called by name."""

    molecules: tuple[Molecule, ...] = ()

    def take(self, index: Int[Tensor, " examples"]) -> "MoleculeGraphs":
        taken = cast(MoleculeGraphs, super().take(index))
        return replace(taken, molecules=tuple(self.molecules[i] for i in index.tolist()))


def plain_arrays(mol: Chem.Mol) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of one molecule: `ATOM_FEATURES` of its atoms, `BOND_FEATURES` of its bonds, each twice, and their two ends."""
    atoms = np.array([_atom(a) for a in mol.GetAtoms()], dtype=np.float32).reshape(-1, len(ATOM_FEATURES))
    bonds, index = [], []
    for bond in mol.GetBonds():
        a, b = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        kind = bond.GetBondType()
        features = [*(kind == known for known in BONDS), bond.IsInRing()]
        bonds += [features, features]
        index += [(a, b), (b, a)]
    edges = np.array(bonds, dtype=np.float32).reshape(-1, len(BOND_FEATURES))
    return atoms, edges, np.array(index, dtype=np.int64).reshape(-1, 2).T


def molecule_graphs(
    molecules: Sequence[Molecule],
    arrays: Callable[[Chem.Mol], tuple[np.ndarray, np.ndarray, np.ndarray]] = plain_arrays,
) -> MoleculeGraphs:
    """Atoms and bonds (each bond as two directed edges) of all molecules, as `arrays` says what stands on them: here
    `ATOM_FEATURES` and `BOND_FEATURES`; a model that was trained elsewhere has its own."""
    each = [arrays(m.mol) for m in molecules]
    sizes = torch.tensor([len(atoms) for atoms, _, _ in each])
    degrees = torch.tensor([len(bonds) for _, bonds, _ in each])
    examples = torch.arange(len(each))
    first = (sizes.cumsum(0) - sizes).repeat_interleave(degrees)
    return MoleculeGraphs(
        nodes=torch.from_numpy(np.concatenate([atoms for atoms, _, _ in each])),
        edges=torch.from_numpy(np.concatenate([bonds for _, bonds, _ in each])),
        edge_index=torch.from_numpy(np.concatenate([index for _, _, index in each], axis=1)) + first,
        node_owner=examples.repeat_interleave(sizes),
        edge_owner=examples.repeat_interleave(degrees),
        size=len(each),
        names=("atoms", "bonds"),
        molecules=tuple(molecules),
    )


def _atom(atom: Chem.Atom) -> list[float]:
    symbol, degree, hydrogens = atom.GetSymbol(), atom.GetDegree(), atom.GetTotalNumHs()
    return [
        *(symbol == element for element in ELEMENTS),
        symbol not in ELEMENTS,
        *(degree == k for k in range(1, 5)),
        *(hydrogens == k for k in range(4)),
        atom.GetIsAromatic(),
        atom.IsInRing(),
        atom.GetFormalCharge(),
    ]
