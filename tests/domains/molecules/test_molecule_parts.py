"""Molecules cut into the groups that a chemist would name."""

from dataclasses import replace

import pytest
import torch

from attar.adapters.graph import Graphs
from attar.core.errors import InputError
from attar.domains.molecules.graphs import molecule_graphs
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.parts import Groups, NamedAtoms, parts_of, without_each

ASPIRIN, CAFFEINE = "CC(=O)Oc1ccccc1C(=O)O", "Cn1c(=O)c2c(ncn2C)n(C)c1=O"


@pytest.mark.parametrize(
    ("smiles", "titles"),
    [
        (ASPIRIN, ["methyl (atom 0)", "ester (atoms 1-3)", "benzene (atoms 4-9)", "carboxylic acid (atoms 10-12)"]),
        ("ClCC1CO1", ["chloro (atom 0)", "methyl (atom 1)", "epoxide (atoms 2-4)"]),
        ("Nc1ccc2ccccc2c1", ["amino (atom 0)", "naphthalene (atoms 1-10)"]),
        ("CCCC#N", ["chain of 3 (atoms 0-2)", "nitrile (atoms 3-4)"]),
        ("O=NN(C)C", ["nitroso (atoms 0-1)", "amine (atom 2)", "methyl (atom 3)", "methyl (atom 4)"]),
        (CAFFEINE, ["methyl (atom 0)", "ring system (atoms 1-8, 10, 12-13)", "methyl (atom 9)", "methyl (atom 11)"]),
        ("CC=C1CCCCC1", ["chain of 2 (atoms 0-1)", "cyclohexane (atoms 2-7)"]),
        ("C[Si](C)(C)CCO", ["CSi (atoms 0-5)", "hydroxy (atom 6)"]),
        ("Cc1ccc(-c2ccncc2)cc1", ["methyl (atom 0)", "benzene (atoms 1-4, 11-12)", "pyridine (atoms 5-10)"]),
        ("CS(C)(=O)=O", ["methyl (atom 0)", "sulfonyl (atoms 1, 3-4)", "methyl (atom 2)"]),
    ],
)
def test_parts_are_called_as_chemists_call_them(smiles: str, titles: list[str]) -> None:
    assert [part.title for part in parts_of(Molecule.of(smiles))] == titles


def test_every_atom_is_in_one_part() -> None:
    for smiles in (ASPIRIN, CAFFEINE, "CC(C)(C)c1ccc(cc1)C(O)CCCN1CCC(CC1)C(O)(c1ccccc1)c1ccccc1"):
        molecule = Molecule.of(smiles)
        assert sorted(atom for part in parts_of(molecule) for atom in part.atoms) == list(range(molecule.size))


def test_carried_sums_are_kept() -> None:
    inputs = molecule_graphs([Molecule.of(ASPIRIN), Molecule.of(CAFFEINE)])
    values = inputs.parts.map(lambda array: torch.rand(array.shape, generator=torch.Generator().manual_seed(0)))
    whole = sum(float(array.sum()) for array in values.values())
    for features in (Groups(sums=True)(inputs), NamedAtoms()(inputs)):
        assert float(features.carry(values).sum()) == pytest.approx(whole, rel=1e-5)


def test_a_group_takes_the_bonds_that_touch_it() -> None:
    inputs = molecule_graphs([Molecule.of("ClCC1CO1")])
    share = Groups()(inputs).shares["bonds"]
    assert share.share.tolist() == [1.0] * 14  # whole, or half of it would stay
    assert torch.bincount(share.feature).tolist() == [
        2,
        4,
        8,
    ]  # directed: Cl-C; that and C-C; three of the ring and C-C


def test_a_chunk_names_its_own_molecules() -> None:
    inputs = molecule_graphs([Molecule.of(ASPIRIN), Molecule.of("ClCC1CO1")])
    assert Groups()(inputs.take(torch.tensor([1]))).names == Groups()(inputs).names[4:]  # type: ignore[index]


def test_what_is_left_without_a_group_is_a_molecule() -> None:
    left = {part.name: rest.smiles for part, rest in without_each(Molecule.of("O=[N+]([O-])c1ccc(-c2ccccc2)cc1"))}
    assert left["nitro"] == "c1ccc(-c2ccccc2)cc1"
    only = without_each(Molecule.of("O=[N+]([O-])c1ccccc1"))
    assert [rest.smiles for _, rest in only] == ["c1ccccc1"]  # nitrous acid is no organic molecule
    both = {part.name: rest.smiles for part, rest in without_each(Molecule.of("OCC[N+](=O)[O-]"))}
    assert both == {"hydroxy": "CC[N+](=O)[O-]", "nitro": "CCO"}
    assert without_each(Molecule.of("CCO")) == []  # two heavy atoms are too few, and water is no organic molecule


def test_graphs_without_molecules_are_refused() -> None:
    of = molecule_graphs([Molecule.of(ASPIRIN)])
    plain = Graphs(of.nodes, of.edges, of.edge_index, of.node_owner, of.edge_owner, 1, of.names)
    with pytest.raises(InputError, match="remember their molecules"):
        Groups()(plain)
    with pytest.raises(InputError, match="remember their molecules"):
        NamedAtoms()(replace(of, molecules=of.molecules * 2))
