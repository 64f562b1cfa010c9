"""Substituents put on, found again and taken off: what is left is the molecule that was there before."""

from collections import Counter

import numpy as np
import pytest
from rdkit import Chem

from attar import InputError
from attar.domains.molecules.control import trivial_atoms
from attar.domains.molecules.edit import MoleculeEditor, attach, detached, places, rings, substituents
from attar.domains.molecules.molecule import Molecule
from models import nci

MOLECULES = nci(30)
GROUPS = (
    "*Cl", "*C(F)(F)F", "*OC", "*N(C)C", "*C#N", "*[N+](=O)[O-]", "*[Si](C)(C)C", "*C(=O)O", "*S(N)(=O)=O",
    "*c1ccccc1", "*n1cccc1", "*c1c[nH]cn1", "*c1ccncc1",
)  # fmt: skip


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def flat(molecule: Molecule) -> str:
    """Its canonical SMILES without stereochemistry, which a new neighbour may change."""
    return Chem.MolToSmiles(molecule.mol, isomericSmiles=False)


def elements(mol: Chem.Mol) -> Counter[str]:
    return Counter(a.GetSymbol() for a in mol.GetAtoms() if a.GetAtomicNum())


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_is_put_on_every_carbon_that_has_a_hydrogen(group: str) -> None:
    """And the product is a valid molecule that holds all of both and nothing else."""
    added = elements(Chem.MolFromSmiles(group))
    for molecule in MOLECULES:
        products = list(attach(molecule, group, generator()))
        assert len(products) == sum(a.GetSymbol() == "C" and a.GetTotalNumHs() > 0 for a in molecule.mol.GetAtoms())
        for product in products:
            assert Chem.SanitizeMol(Chem.Mol(product.mol)) == Chem.SanitizeFlags.SANITIZE_NONE
            assert elements(product.mol) == elements(molecule.mol) + added
            assert not any(a.GetNumRadicalElectrons() for a in product.mol.GetAtoms())
            assert Chem.MolToSmiles(product.mol) == product.smiles


@pytest.mark.parametrize("group", GROUPS)
def test_what_was_put_on_is_found_and_comes_off_again(group: str) -> None:
    for molecule in MOLECULES:
        for product in list(attach(molecule, group, generator()))[:2]:
            found = places(product, group)
            assert found
            left = [detached(product, atoms) for atoms in found]
            assert flat(molecule) in [flat(one) for one in left if one is not None]


def test_the_parent_is_inside_the_product() -> None:
    """No other atom changes its element, its charge or its bonds."""
    for molecule in MOLECULES:
        for product in list(attach(molecule, "*[Si](C)(C)C", generator()))[:3]:
            assert product.mol.HasSubstructMatch(molecule.mol)
            charges = sorted(a.GetFormalCharge() for a in molecule.mol.GetAtoms())
            assert sorted(a.GetFormalCharge() for a in product.mol.GetAtoms()) == sorted([0] * 4 + charges)


def test_places_are_the_atoms_of_the_group() -> None:
    product = Molecule.of("ClCC(CCl)c1ccccc1")
    assert {frozenset(product.mol.GetAtomWithIdx(i).GetSymbol() for i in p) for p in places(product, "*Cl")} == {
        frozenset({"Cl"})
    }
    assert len(places(product, "*Cl")) == 2
    assert places(product, "*c1ccccc1") == [frozenset(range(5, 11))]
    assert places(product, "*Br") == []
    assert len(places(product, "*CCl")) == 2


def test_order_is_random_and_seeded() -> None:
    toluene = Molecule.of("CCc1ccncc1C")
    orders = {tuple(m.smiles for m in attach(toluene, "*Cl", generator(seed))) for seed in range(8)}
    assert len(orders) > 4
    assert len({frozenset(order) for order in orders}) == 1
    again = [m.smiles for m in attach(toluene, "*Cl", generator(3))]
    assert again == [m.smiles for m in attach(toluene, "*Cl", generator(3))]


def test_only_one_hydrogen_goes() -> None:
    """Where hydrogens are written out, as beside an isotope or a charge, there used to go all of them."""
    assert sorted(m.smiles for m in attach(Molecule.of("[13CH3]C"), "*Cl", generator())) == ["C[13CH2]Cl", "[13CH3]CCl"]
    assert "CC(=O)[CH-]Cl" in [m.smiles for m in attach(Molecule.of("[CH2-]C(C)=O"), "*Cl", generator())]


def test_a_molecule_with_a_star_of_its_own_keeps_it() -> None:
    assert [m.smiles for m in attach(Molecule.of("*CC"), "*Cl", generator(1))].count("*CCCl") == 1


def test_a_carbon_without_hydrogen_takes_nothing() -> None:
    assert list(attach(Molecule.of("FC(F)(F)C#N"), "*Cl", generator())) == []


@pytest.mark.parametrize(
    "text", ["Cl", "", "*", "**", "*C*", "no smiles", "*=O", "*#N", "*Cl.Br", "*Cl.*Br", "*[H]", "C*C", "*1CC1"]
)
def test_what_is_no_substituent_is_refused(text: str) -> None:
    for ask in (lambda: list(attach(MOLECULES[0], text, generator())), lambda: places(MOLECULES[0], text)):
        with pytest.raises(InputError, match="is no substituent; write SMILES in one piece with one"):
            ask()


# --- what a molecule has ---


def test_substituents_are_named_as_they_would_be_written() -> None:
    found = {s.name: s.parts for s in substituents(Molecule.of("Clc1ccc(C(=O)N(C)C)cc1"))}
    assert found == {
        "*Cl": frozenset({0}),
        "*C(=O)N(C)C": frozenset({5, 6, 7, 8, 9}),
        "*N(C)C": frozenset({7, 8, 9}),
        "*C": frozenset({9}),
    }


def test_substituents_are_found_at_the_places_of_their_name() -> None:
    for molecule in MOLECULES:
        for one in substituents(molecule):
            assert one.parts in places(molecule, one.name)
            assert 2 * len(one.parts) < molecule.size


def test_large_substituents_are_left_out() -> None:
    for molecule in MOLECULES:
        whole, small = substituents(molecule), substituents(molecule, largest=3)
        assert small == [s for s in whole if len(s.parts) <= 3]


def test_ring_bonds_and_double_bonds_are_not_cut() -> None:
    assert places(Molecule.of("CCCCCCCCC1CC1"), "*CC") == [frozenset({0, 1})]
    assert substituents(Molecule.of("C1CCCCC1")) == []
    assert [s.name for s in substituents(Molecule.of("CC(=O)CCCC"))] == ["*C", "*C(C)=O", "*CCC", "*CC", "*C"]


def test_a_substituent_is_found_whatever_its_handedness() -> None:
    assert places(Molecule.of("CCCC[C@H](F)Cl"), "*[C@@H](F)Cl") == [frozenset({4, 5, 6})]


# --- taking off ---


def test_a_hydrogen_takes_the_place_of_what_comes_off() -> None:
    assert detached(Molecule.of("CCCl"), [2]).smiles == "CC"
    assert detached(Molecule.of("C[N+](C)(C)C"), [0]).smiles == "C[NH+](C)C"


@pytest.mark.parametrize(
    ("whole", "group", "left"),
    [
        ("CCn1cccc1", "*CC", "c1cc[nH]c1"),
        ("Cn1cnc2ccccc21", "*C", "c1ccc2[nH]cnc2c1"),
        ("Clc1ccccc1", "*Cl", "c1ccccc1"),
        ("Cc1cc[nH]c1", "*C", "c1cc[nH]c1"),
        ("CN1C=CC=C1", "*C", "c1cc[nH]c1"),
    ],
)
def test_an_aromatic_nitrogen_gets_its_hydrogen(whole: str, group: str, left: str) -> None:
    molecule = Molecule.of(whole)
    (atoms,) = places(molecule, group)
    assert detached(molecule, atoms).smiles == left


def test_what_falls_apart_is_no_molecule() -> None:
    assert detached(Molecule.of("CCOCC"), [2]) is None


def test_every_substituent_of_the_nci_molecules_comes_off() -> None:
    came_off = 0
    for molecule in MOLECULES:
        for one in substituents(molecule):
            left = detached(molecule, one.parts)
            assert left is not None
            assert left.size == molecule.size - len(one.parts)
            assert not any(a.GetNumRadicalElectrons() for a in left.mol.GetAtoms())
            came_off += 1
    assert came_off > 60


# --- the editor that experiments are given ---


def test_the_editor_is_these_functions() -> None:
    molecule, editor = Molecule.of("CCC(CC)COc1ccccc1"), MoleculeEditor(largest=3)
    assert editor.groups(molecule) == substituents(molecule, largest=3) + rings(molecule)
    assert editor.places(molecule, "*CC") == places(molecule, "*CC")
    inserted = [m.smiles for m in editor.insert(molecule, "*Cl", generator())]
    assert inserted == [m.smiles for m in attach(molecule, "*Cl", generator())]


@pytest.mark.parametrize(
    ("smiles", "names"),
    [
        ("c1ccc2ccccc2c1", ["c1ccccc1", "c1ccccc1"]),  # fused: each ring by itself
        ("C1COCC[NH+]1Cc1ccccc1", ["C1COCCN1", "c1ccccc1"]),  # charges are left out of a name
        ("Cn1cccc1", ["c1cc[nH]c1"]),  # a nitrogen with a substituent is named with a hydrogen
        ("CCO", []),
    ],
)
def test_rings_are_named_by_their_atoms(smiles: str, names: list[str]) -> None:
    found = rings(Molecule.of(smiles))
    assert sorted(group.name for group in found) == sorted(names)
    assert all(len(group.parts) == Chem.MolFromSmiles(group.name).GetNumAtoms() for group in found)


@pytest.mark.parametrize(
    ("smiles", "ring", "left"),
    [
        ("C1COCC[NH+]1Cc1ccccc1", "c1ccccc1", "C[NH+]1CCOCC1"),  # hangs on one bond: taken off
        ("O=C(c1ccccc1)c1ccc(Cl)cc1", "c1ccccc1", "O=CC1CCC(Cl)CC1"),  # holds others: made cyclohexane
        ("CCN1CCOC(C)C1", "C1COCCN1", "CCC1CCCC(C)C1"),  # heteroatoms become carbon
        ("CCC1CCCCC1", "C1CCCCC1", "CC"),
        ("CC1CCCC(C)C1", "C1CCCCC1", None),  # nothing is left to change it into
    ],
)
def test_a_ring_is_taken_out(smiles: str, ring: str, left: str | None) -> None:
    edited = MoleculeEditor().remove(Molecule.of(smiles), ring, generator())
    assert (None if edited is None else edited.smiles) == (None if left is None else Chem.CanonSmiles(left))


def test_a_ring_is_put_on_every_carbon_that_has_room() -> None:
    ethanol = Molecule.of("CCO")
    editor = MoleculeEditor()
    made = list(editor.insert(ethanol, "c1ccccc1", generator()))
    assert {m.smiles for m in made} == {"OCCc1ccccc1", "CC(O)c1ccccc1"}
    assert all(len(editor.places(m, "c1ccccc1")) == 1 for m in made)
    assert next(iter(editor.insert(ethanol, "c1cc[nH]c1", generator()))).mol.GetRingInfo().NumRings() == 1


@pytest.mark.parametrize("name", ["CC", "c1ccccc1C", "C1CC", "c1ccc2ccccc2c1"])
def test_what_is_no_ring_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="write a ring as SMILES"):
        MoleculeEditor().insert(Molecule.of("CCO"), name, generator())


def test_the_trivial_control_counts_heteroatoms() -> None:
    assert trivial_atoms(Molecule.of("CC(=O)c1ccccc1Cl")).tolist() == [0, 1, 2, 1, 1, 1, 1, 1, 1, 2]
    assert trivial_atoms(Molecule.of("C")).tolist() == [0]
