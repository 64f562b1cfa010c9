"""The trivial control: an atom score that has seen neither model nor label."""

import numpy as np
from rdkit import Chem

from attar.domains.molecules.molecule import Molecule


def trivial_atoms(molecule: Molecule) -> np.ndarray:
    """Heteroatoms 2, other sp2 or aromatic atoms 1, the rest 0. An attribution that does not beat it adds nothing."""
    flat = (Chem.HybridizationType.SP2,)
    return np.array(
        [
            2.0 if a.GetSymbol() not in ("C", "H") else float(a.GetIsAromatic() or a.GetHybridization() in flat)
            for a in molecule.mol.GetAtoms()
        ]
    )
