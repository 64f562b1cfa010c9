"""Molecules that need no download: NCI compounds out of the RDKit wheel, and a library made of parts.

Neither comes with labels: a rule gives them (`attar.domains.molecules.truth`).
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
from rdkit import Chem, RDConfig

from attar.core.errors import InputError
from attar.domains.molecules.clean import clean

MOST_HEAVY_ATOMS = 30

HEADS = (
    # hydroxyls, ethers and esters: X of the rose rule
    "O", "CC(O)", "CO", "CC(C)O", "O=CO", "CC(=O)O", "CCC(=O)O", "CC(C)C(=O)O", "O=C(c9ccccc9)O",
    # not X: amine, thiol, sulfide, nitrile, acid, ketone
    "N", "S", "CS", "N#C", "OC(=O)", "CC(=O)",
)  # fmt: skip
CHAINS = (1, 2, 3, 4, 6)
ENDS = (
    # phenyl, C=C and branched carbon: F of the rose rule; a tail takes the place of {}
    "c1ccc({})cc1", "c1cccc({})c1", "C=C{}", "C=C(C){}", "C(=C){}", "C1=CCC({})CC1",
    "C(C)C{}", "C(C)(C)C{}", "C1CCC({})CC1",
    # not F: pyridine, thiophene, alkyne, straight chain
    "c1ccc({})nc1", "c1ccc({})s1", "C#C{}", "CC{}",
)  # fmt: skip
TAILS = ("", "C", "CC", "CCC", "CCCC", "CCCCCC", "F", "C#N", "SC")


def nci_molecules() -> list[str]:
    """Compounds of the NCI open database, as canonical SMILES in the file's order, each once.

    Of the 4,999 in RDKit's `NCI/first_5K.smi` those that `clean` keeps, with at most 30 heavy atoms.
    Source: RDKit (BSD-3); National Cancer Institute, public domain.
    """
    lines = (Path(RDConfig.RDDataDir) / "NCI" / "first_5K.smi").read_text().splitlines()
    kept = clean([line.split()[0] for line in lines], source="NCI/first_5K.smi")
    pairs = zip(kept.smiles, kept.mols, strict=True)
    return [smiles for smiles, mol in pairs if mol.GetNumHeavyAtoms() <= MOST_HEAVY_ATOMS]


def enumerated_library(size: int = 4000, seed: int = 0) -> list[str]:
    """Molecules head - chain - end with a tail, drawn without repetition, as canonical SMILES.

    Made so that the rose rule and its near misses are all common: the right groups too far apart, the wrong
    group at the right distance. A smaller size with the same seed is the beginning of a larger one.
    Raises: InputError if size is below 1, or above the number of different molecules there are.
    """
    if size < 1:
        raise InputError(f"The library needs a size of 1 or more, got {size}.")
    every = list(product(HEADS, CHAINS, ENDS, TAILS))
    drawn: dict[str, None] = {}
    for index in np.random.default_rng(seed).permutation(len(every)):
        head, length, end, tail = every[index]
        written = f"{head}{'C' * length}{end.format(tail)}".replace("()", "")
        drawn[Chem.CanonSmiles(written)] = None
        if len(drawn) == size:
            return list(drawn)
    raise InputError(f"The library has {len(drawn):,} molecules, asked for were {size:,}: ask for fewer.")
