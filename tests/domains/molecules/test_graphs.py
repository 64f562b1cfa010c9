"""A molecule as a graph: what stands on its atoms and bonds, and what is carried from bonds to atoms."""

import numpy as np
import pytest
import torch
from rdkit import Chem

from attar import attribute
from attar.core.attribution import Attribution
from attar.domains.molecules.graphs import ATOM_FEATURES, BOND_FEATURES, ELEMENTS, molecule_graphs
from attar.domains.molecules.molecule import Molecule, molecules
from attar.domains.molecules.networks import GraphNetwork
from attar.domains.molecules.perturb import AtomsOnly, Receivers, WithBonds
from attar.methods.grad_input import GradInput
from models import nci, seeded

MOLECULES = nci(40)


def described(row: torch.Tensor, names: tuple[str, ...]) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, row, strict=True) if value}


def test_an_atom_is_what_its_features_say() -> None:
    graph = molecule_graphs([Molecule.of("C[N+](=O)c1ccccc1Cl")])
    assert [described(row, ATOM_FEATURES) for row in graph.nodes[[0, 1, 3, 4, 9]]] == [
        {"is C": 1, "has 1 neighbours": 1, "has 3 hydrogens": 1},
        {"is N": 1, "has 3 neighbours": 1, "has 0 hydrogens": 1, "formal charge": 1},
        {"is C": 1, "has 3 neighbours": 1, "has 0 hydrogens": 1, "is aromatic": 1, "is in a ring": 1},
        {"is C": 1, "has 2 neighbours": 1, "has 1 hydrogens": 1, "is aromatic": 1, "is in a ring": 1},
        {"is Cl": 1, "has 1 neighbours": 1, "has 0 hydrogens": 1},
    ]


def test_a_bond_is_two_edges_with_the_same_features() -> None:
    graph = molecule_graphs([Molecule.of("C1CC=CC1C#N")])
    pairs = {
        (a, b): described(row, BOND_FEATURES) for a, b, row in zip(*graph.edge_index.tolist(), graph.edges, strict=True)
    }
    assert pairs[2, 3] == pairs[3, 2] == {"is double": 1, "is in a ring": 1}
    assert pairs[0, 1] == pairs[1, 0] == {"is single": 1, "is in a ring": 1}
    assert pairs[5, 6] == pairs[6, 5] == {"is triple": 1}
    assert pairs[4, 5] == pairs[5, 4] == {"is single": 1}
    assert len(pairs) == 2 * 7


def test_every_atom_is_one_element_and_every_bond_one_kind() -> None:
    graph = molecule_graphs(MOLECULES)
    assert torch.equal(graph.nodes[:, : len(ELEMENTS) + 1].sum(1), torch.ones(len(graph.nodes)))
    assert torch.equal(graph.edges[:, :4].sum(1), torch.ones(len(graph.edges)))
    assert graph.nodes.dtype == graph.edges.dtype == torch.float32


def test_an_element_without_a_name_is_another() -> None:
    assert described(molecule_graphs([Molecule.of("C[Hg]C")]).nodes[1], ATOM_FEATURES)["is another element"] == 1


def test_atoms_and_bonds_are_those_of_the_molecules_in_order() -> None:
    graph = molecule_graphs(MOLECULES)
    assert torch.bincount(graph.node_owner).tolist() == [m.size for m in MOLECULES]
    assert torch.bincount(graph.edge_owner, minlength=40).tolist() == [2 * m.mol.GetNumBonds() for m in MOLECULES]
    symbols = [ELEMENTS[int(k)] for k in graph.nodes[:, : len(ELEMENTS)].argmax(1)]
    known = [a.GetSymbol() for m in MOLECULES for a in m.mol.GetAtoms()]
    assert [s for s, k in zip(symbols, known, strict=True) if k in ELEMENTS] == [k for k in known if k in ELEMENTS]
    first = np.cumsum([0] + [m.size for m in MOLECULES])
    bonds = {(k, a, b) for k, a, b in zip(graph.edge_owner.tolist(), *graph.edge_index.tolist(), strict=True)}
    for k, molecule in enumerate(MOLECULES):
        for bond in molecule.mol.GetBonds():
            a, b = (int(first[k]) + i for i in (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
            assert {(k, a, b), (k, b, a)} <= bonds


def test_a_batch_is_its_molecules_one_after_another() -> None:
    together = molecule_graphs(MOLECULES)
    for k, molecule in enumerate(MOLECULES):
        alone, taken = molecule_graphs([molecule]), together.take(torch.tensor([k]))
        for name in ("nodes", "edges", "edge_index", "node_owner", "edge_owner"):
            assert torch.equal(getattr(alone, name), getattr(taken, name)), name


def test_an_atom_alone_has_no_edges() -> None:
    graph = molecule_graphs(molecules(["C", "CC", "O"]))
    assert graph.edges.shape == (2, len(BOND_FEATURES))
    assert graph.edge_owner.tolist() == [1, 1]
    assert described(graph.nodes[0], ATOM_FEATURES) == {"is C": 1}  # four hydrogens and no neighbour have no feature
    alone = molecule_graphs(molecules(["C"]))
    assert alone.edge_index.shape == (2, 0)


# --- from bonds to atoms ---


def found_on(some: tuple[Molecule, ...]) -> Attribution:
    def build() -> GraphNetwork:
        return GraphNetwork("mpnn", len(ATOM_FEATURES), len(BOND_FEATURES), atoms=6, bonds=4, channels=5, depth=1)

    return attribute(seeded(build, torch.float32), molecule_graphs(some), GradInput())


def test_receivers_get_all_of_the_bonds_that_arrive() -> None:
    graph, found = molecule_graphs(MOLECULES), found_on(MOLECULES)
    atoms, bonds = found.parts["atoms"].sum(1), found.parts["bonds"].sum(1)
    expected = atoms.clone()
    for edge, receiver in enumerate(graph.edge_index[1].tolist()):
        expected[receiver] += bonds[edge]
    carried = found.carried(Receivers()(graph))
    torch.testing.assert_close(carried.parts["atoms"], expected, rtol=1e-4, atol=1e-6)
    totals = torch.stack([values.sum() for values in carried.by_example("atoms")]).double()
    torch.testing.assert_close(totals, found.parts.per_example(found.owners, 40), rtol=1e-3, atol=1e-4)
    assert carried.carried_by == "bonds to receivers"


def test_atoms_only_leaves_bonds_out() -> None:
    graph, found = molecule_graphs(MOLECULES), found_on(MOLECULES)
    carried = found.carried(AtomsOnly()(graph))
    torch.testing.assert_close(carried.parts["atoms"], found.parts["atoms"].sum(1))
    assert carried.carried_by == "atoms only"


def test_with_bonds_an_atom_has_both_directions_of_its_bonds() -> None:
    graph = molecule_graphs([Molecule.of("CCO")])
    features = WithBonds()(graph)
    edges_of = {atom: set() for atom in range(3)}
    for atom, edge in zip(
        features.shares["bonds"].feature.tolist(), features.shares["bonds"].row.tolist(), strict=True
    ):
        edges_of[atom].add(tuple(graph.edge_index[:, edge].tolist()))
    assert edges_of == {0: {(0, 1), (1, 0)}, 1: {(0, 1), (1, 0), (1, 2), (2, 1)}, 2: {(1, 2), (2, 1)}}


@pytest.mark.parametrize("rule", [Receivers(), AtomsOnly(), WithBonds()])
def test_an_atom_alone_is_carried(rule: object) -> None:
    methane = (Molecule.of("C"),)
    carried = found_on(methane).carried(rule(molecule_graphs(methane)))
    torch.testing.assert_close(carried.parts["atoms"], found_on(methane).parts["atoms"].sum(1))


def test_a_loop_is_one_bond_of_its_atom() -> None:
    graph = molecule_graphs([Molecule.of("CC")])
    looped = type(graph)(
        graph.nodes, graph.edges, torch.tensor([[0, 1], [0, 0]]), graph.node_owner, graph.edge_owner, 1, graph.names
    )
    members = WithBonds()(looped).shares["bonds"]
    assert sorted(zip(members.feature.tolist(), members.row.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 1)]


def test_rings_and_aromaticity_are_rdkits() -> None:
    graph = molecule_graphs(MOLECULES)
    aromatic = graph.nodes[:, ATOM_FEATURES.index("is aromatic")].bool().tolist()
    in_ring = graph.nodes[:, ATOM_FEATURES.index("is in a ring")].bool().tolist()
    pattern = Chem.MolFromSmarts("a"), Chem.MolFromSmarts("[R]")
    first = 0
    for molecule in MOLECULES:
        for smarts, found in zip(pattern, (aromatic, in_ring), strict=True):
            matched = {atom for (atom,) in molecule.mol.GetSubstructMatches(smarts)}
            assert {k for k in range(molecule.size) if found[first + k]} == matched
        first += molecule.size
