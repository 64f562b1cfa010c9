"""The embedded default: why does this molecule smell of rose? Two sets labelled by Boelens' rule, no download."""

from attar.domains.molecules.library import enumerated_library, nci_molecules
from attar.domains.molecules.truth import read_rule
from attar.experiments.molecule_task import labelled_by_rule
from attar.experiments.task import Task


def nci_rose(seed: int = 0) -> Task:
    """Real molecules: the NCI set that the rdkit wheel ships, labelled by the rose rule."""
    return labelled_by_rule(
        "NCI molecules",
        "NCI, 4,999 SMILES in the rdkit wheel (Data/NCI/first_5K.smi)",
        nci_molecules(),
        rule=read_rule("rose"),
        rule_name="rose",
        seed=seed,
    )


def library_rose(seed: int = 0) -> Task:
    """Made molecules: every X group, chain and F group put together, and near misses."""
    return labelled_by_rule(
        "X-chain-F library",
        "enumerated in code: functional group, carbon chain, F group, tail",
        enumerated_library(),
        rule=read_rule("rose"),
        rule_name="rose",
        seed=seed,
    )
