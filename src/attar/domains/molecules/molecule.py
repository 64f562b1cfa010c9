"""One molecule, with what is computed from it once: its circular environments."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from attar.core.errors import InputError

LARGEST_RADIUS = 3


@dataclass(frozen=True, eq=False)
class Environments:
    """Every circular environment that occurs in a molecule, up to `LARGEST_RADIUS`.

    Occurrence k has the Morgan identifier `identifier[k]` (unhashed, 32 bits), sits at atom `centre[k]`, reaches
    `radius[k]` bonds far, and holds the atoms `atom[occurrence == k]`.
    """

    identifier: np.ndarray
    centre: np.ndarray
    radius: np.ndarray
    occurrence: np.ndarray
    atom: np.ndarray

    def up_to(self, radius: int) -> "Environments":
        keep = self.radius <= radius
        member = keep[self.occurrence]
        number = np.cumsum(keep) - 1
        return Environments(
            self.identifier[keep],
            self.centre[keep],
            self.radius[keep],
            number[self.occurrence[member]],
            self.atom[member],
        )


@dataclass(frozen=True, eq=False)
class Molecule:
    """A molecule read from `smiles`. Equal molecules may be many objects; compare `smiles`."""

    smiles: str
    mol: Chem.Mol

    @classmethod
    def of(cls, smiles: str) -> "Molecule":
        """Raises `InputError` for text that is no SMILES, and for none at all."""
        from rdkit import rdBase

        with rdBase.BlockLogs():
            mol = Chem.MolFromSmiles(smiles)
        if mol is None or not mol.GetNumAtoms():
            raise InputError(f"{smiles!r} is not a SMILES that RDKit can read")
        return cls(Chem.MolToSmiles(mol), mol)

    def __getstate__(self) -> dict:
        return {"smiles": self.smiles, "mol": self.mol}  # what is computed is computed again where it is needed

    @property
    def size(self) -> int:
        return self.mol.GetNumAtoms()

    @cached_property
    def environments(self) -> Environments:
        """Source: Rogers & Hahn 2010 (ECFP); RDKit's Morgan generator, connectivity invariants, no chirality."""
        extra = rdFingerprintGenerator.AdditionalOutput()
        extra.AllocateBitInfoMap()
        _GENERATOR.GetSparseCountFingerprint(self.mol, additionalOutput=extra)
        found = [(i, c, r) for i, places in extra.GetBitInfoMap().items() for c, r in places]
        if not found:
            empty = np.zeros(0, dtype=np.int64)
            return Environments(empty, empty, empty, empty, empty)
        identifier, centre, radius = np.array(sorted(found, key=lambda f: (f[2], f[1])), dtype=np.int64).T
        # An environment of radius r holds the atoms at most r bonds away.
        near = Chem.GetDistanceMatrix(self.mol)[centre] <= radius[:, None]
        occurrence, atom = near.nonzero()
        return Environments(identifier, centre, radius, occurrence, atom)


_GENERATOR = rdFingerprintGenerator.GetMorganGenerator(radius=LARGEST_RADIUS)


def molecules(smiles: Sequence[str]) -> list[Molecule]:
    return [Molecule.of(text) for text in smiles]
