"""Held-out molecules, at random or by whole clusters; and what molecules are like."""

from collections.abc import Sequence

import numpy as np
from rdkit.Chem import rdFingerprintGenerator, rdMolDescriptors
from rdkit.Chem.Scaffolds import MurckoScaffold
from rdkit.SimDivFilters import rdSimDivPickers

from attar.core.errors import InputError
from attar.domains.molecules.molecule import Molecule


def clusters(molecules: Sequence[Molecule], *, distance: float = 0.6) -> np.ndarray:
    """The cluster of each molecule: that of its nearest leader, leaders lying more than `distance` apart.

    Tanimoto distance of 1,024-bit Morgan fingerprints of radius 2. Source: Butina 1999 for clustering by sphere
    exclusion; leaders by RDKit's LeaderPicker.
    """
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    prints = [generator.GetFingerprint(m.mol) for m in molecules]
    leaders = list(rdSimDivPickers.LeaderPicker().LazyBitVectorPick(prints, len(prints), distance))
    bits = np.array([np.frombuffer(p.ToBitString().encode(), dtype=np.uint8) - 48 for p in prints], dtype=np.float32)
    shared = bits @ bits[leaders].T
    either = bits.sum(1)[:, None] + bits[leaders].sum(1)[None] - shared
    return (shared / np.maximum(either, 1)).argmax(1)


def cluster_split(
    molecules: Sequence[Molecule], labels: np.ndarray, *, test: float = 0.25, seed: int = 0
) -> np.ndarray:
    """A mask of test molecules made of whole clusters: harder than random, as new chemistry is.

    Clusters are drawn in random order until the share is reached. Raises `InputError` where no draw of a few leaves
    two of each class (of all, unless labels are 0/1) on both sides.
    """
    cluster = clusters(molecules)
    binary = set(np.unique(labels)) <= {0.0, 1.0}
    classes = [labels > 0.5, labels < 0.5] if binary else [np.ones(len(labels), dtype=bool)]
    for attempt in range(10):
        order = np.random.default_rng([seed, attempt, 5]).permutation(cluster.max() + 1)
        sizes = np.bincount(cluster)[order]
        chosen = order[np.cumsum(sizes) <= max(test * len(molecules), sizes[0])]
        held_out = np.isin(cluster, chosen)
        if all(min((members & held_out).sum(), (members & ~held_out).sum()) >= 2 for members in classes):
            return held_out
    raise InputError("no split by clusters leaves two molecules of each class on both sides; the data are too few")


PROPERTIES = {
    "heavy atoms": lambda mol: mol.GetNumHeavyAtoms(),
    "exact mass / Da": rdMolDescriptors.CalcExactMolWt,
    "logP (Crippen)": lambda mol: rdMolDescriptors.CalcCrippenDescriptors(mol)[0],
    "polar surface / Å²": rdMolDescriptors.CalcTPSA,
    "rings": rdMolDescriptors.CalcNumRings,
    "sp³ carbon share": rdMolDescriptors.CalcFractionCSP3,
}


def properties(molecules: Sequence[Molecule]) -> dict[str, np.ndarray]:
    """What each molecule is like, by name with unit."""
    return {name: np.array([float(f(m.mol)) for m in molecules]) for name, f in PROPERTIES.items()}


def scaffold(molecule: Molecule) -> str:
    """The Bemis-Murcko scaffold; empty for a molecule without rings."""
    return MurckoScaffold.MurckoScaffoldSmiles(mol=molecule.mol, includeChirality=False)
