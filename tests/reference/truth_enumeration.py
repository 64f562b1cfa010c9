"""The published ground truth of the graph-attribution tasks, written out literally as an oracle.

Source: Sanchez-Lengeling et al. 2020, google-research/graph-attribution, `fragment_identifier.py`: a motif's
masks are the unions of every non-empty subset of its matches, by size; the masks of an AND of motifs are the
unions of one of each, the last motif turning fastest. Nothing here comes from attar.
"""

from collections.abc import Sequence
from itertools import combinations, product

from rdkit import Chem

SMARTS = {
    "logic7": ("[FX1]", "[CX3]=O"),
    "logic10": ("[NX3;H2]", "[OD2](C)C", "[cX3]1[cX3H][cX3H][cX3H][cX3H][cX3H]1"),
}


def candidate_masks(molecule: Chem.Mol, smarts: Sequence[str]) -> list[list[bool]]:
    """Every mask as a column over atoms; none where a motif is missing."""
    size = molecule.GetNumAtoms()
    of_motif = []
    for text in smarts:
        matches = list(molecule.GetSubstructMatches(Chem.MolFromSmarts(text)))
        masks = []
        for number in range(1, len(matches) + 1):
            for chosen in combinations(matches, number):
                masks.append([any(atom in match for match in chosen) for atom in range(size)])
        of_motif.append(masks)
    return [[any(column) for column in zip(*chosen, strict=True)] for chosen in product(*of_motif)]
