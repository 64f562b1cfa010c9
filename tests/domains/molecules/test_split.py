"""What is held out, and what molecules are like."""

import numpy as np
import pytest
from rdkit import DataStructs
from rdkit.Chem import rdFingerprintGenerator

from attar import InputError
from attar.core.split import random_split
from attar.domains.molecules.molecule import Molecule, molecules
from attar.domains.molecules.split import PROPERTIES, cluster_split, clusters, properties, scaffold
from models import nci

MOLECULES = nci(300)
LABELS = np.array([float("N" in m.smiles) for m in MOLECULES])


# --- at random ---


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_a_random_split_holds_out_the_share_of_each_class(share: float) -> None:
    labels = np.repeat([0.0, 1.0], [160, 40])
    held_out = random_split(labels, test=share)
    assert held_out.dtype == bool
    assert held_out[labels == 0].sum() == 160 * share
    assert held_out[labels == 1].sum() == 40 * share


def test_a_random_split_of_numbers_holds_out_the_share_of_all() -> None:
    held_out = random_split(np.linspace(0, 1, 200), stratified=False)
    assert held_out.sum() == 50
    assert 10 < held_out[:100].sum() < 40


def test_a_random_split_depends_on_its_seed_alone() -> None:
    np.testing.assert_array_equal(random_split(LABELS, seed=3), random_split(LABELS, seed=3))
    assert (random_split(LABELS, seed=3) != random_split(LABELS, seed=4)).sum() > 50


# --- by clusters ---


def similarities() -> np.ndarray:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    prints = [generator.GetFingerprint(m.mol) for m in MOLECULES]
    return np.array([DataStructs.BulkTanimotoSimilarity(p, prints) for p in prints])


def test_clusters_are_those_of_a_slow_literal_search() -> None:
    """A molecule leads if it lies far from all leaders before it; each then joins the leader that is most alike."""
    alike = similarities()
    leaders: list[int] = []
    for k in range(len(MOLECULES)):
        if all(1 - alike[k, leader] > 0.6 + 1e-9 for leader in leaders):
            leaders.append(k)
    np.testing.assert_array_equal(clusters(MOLECULES), alike[:, leaders].argmax(1))
    assert 30 < len(leaders) < 300


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_cluster_split_keeps_clusters_whole_and_both_classes_on_both_sides(seed: int) -> None:
    held_out, cluster = cluster_split(MOLECULES, LABELS, seed=seed), clusters(MOLECULES)
    assert not set(cluster[held_out]) & set(cluster[~held_out])
    assert 0.15 < held_out.mean() <= 0.25
    for side in (held_out, ~held_out):
        assert min((LABELS[side] > 0.5).sum(), (LABELS[side] < 0.5).sum()) >= 2


def test_a_cluster_split_is_harder_than_a_random_one() -> None:
    alike = similarities() - 2 * np.eye(300)
    nearest = [alike[test][:, ~test].max(1).mean() for test in (cluster_split(MOLECULES, LABELS), random_split(LABELS))]
    assert nearest[0] < nearest[1] - 0.02


def test_a_cluster_split_depends_on_its_seed_alone() -> None:
    np.testing.assert_array_equal(cluster_split(MOLECULES, LABELS, seed=3), cluster_split(MOLECULES, LABELS, seed=3))
    assert (cluster_split(MOLECULES, LABELS, seed=3) != cluster_split(MOLECULES, LABELS, seed=4)).sum() > 30


def test_numbers_are_split_by_clusters_whatever_their_range() -> None:
    """They used to be taken for classes above and below one half."""
    held_out = cluster_split(MOLECULES, np.linspace(3, 9, 300))
    assert 0.15 < held_out.mean() <= 0.25


@pytest.mark.parametrize("labels", [np.zeros(300), np.ones(300), np.arange(300) == 7])
def test_a_class_that_cannot_stand_on_both_sides_is_said(labels: np.ndarray) -> None:
    with pytest.raises(InputError, match="no split by clusters leaves two molecules of each class on both sides"):
        cluster_split(MOLECULES, labels.astype(float))


def test_molecules_that_are_all_alike_cannot_be_split() -> None:
    with pytest.raises(InputError, match="the data are too few"):
        cluster_split(molecules(["CCCCCCCC"] * 10), np.arange(10) % 2)


# --- what molecules are like ---


def test_properties_are_in_the_units_of_their_names() -> None:
    """Benzene, ethanol and cyclohexane by the book."""
    found = properties(molecules(["c1ccccc1", "CCO", "C1CCCCC1"]))
    assert found.keys() == PROPERTIES.keys()
    assert found["heavy atoms"].tolist() == [6, 3, 6]
    np.testing.assert_allclose(found["exact mass / Da"], [78.04695, 46.04186, 84.09390], atol=1e-4)
    np.testing.assert_allclose(found["logP (Crippen)"], [1.6866, -0.0014, 2.3406], atol=1e-3)
    np.testing.assert_allclose(found["polar surface / Å²"], [0, 20.23, 0], atol=0.01)
    assert found["rings"].tolist() == [1, 0, 1]
    assert found["sp³ carbon share"].tolist() == [0, 1, 1]


def test_properties_are_numbers_for_every_molecule() -> None:
    for name, values in properties(MOLECULES).items():
        assert values.shape == (300,), name
        assert values.dtype == float
        assert np.isfinite(values).all()
        assert np.ptp(values) > 0


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("CCc1ccccc1", "c1ccccc1"),
        ("c1ccc(CC2CCCC2)cc1", "c1ccc(CC2CCCC2)cc1"),
        ("CCO", ""),
        ("[H][C@@]12CCCC[C@]1([H])CCCC2", "C1CCC2CCCCC2C1"),
        ("C[C@H]1CCCO1", "C1CCOC1"),
    ],
)
def test_a_scaffold_is_rings_and_what_joins_them(smiles: str, expected: str) -> None:
    assert scaffold(Molecule.of(smiles)) == expected
