"""The fragment table names what the label was made of."""

import numpy as np
import pytest
from rdkit import Chem

from attar.core.rule import holds
from attar.domains.molecules.library import nci_molecules
from attar.domains.molecules.molecule import Molecule, molecules
from attar.domains.molecules.truth import SmartsFinder, read_rule
from attar.experiments.fragments import fragment_table


@pytest.fixture(scope="module")
def some() -> list[Molecule]:
    return molecules(nci_molecules()[:800])


def labelled(some: list[Molecule], rule: str) -> np.ndarray:
    return np.array([float(holds(read_rule(rule), SmartsFinder(), m.mol)) for m in some])


def test_the_first_fragment_is_the_label(some: list[Molecule]) -> None:
    labels = labelled(some, 'has("[SH]")')
    first = fragment_table(some, labels, resamples=10)[0]
    assert (first.n, first.n_positive, first.precision) == (labels.sum(), labels.sum(), 1.0)
    assert first.low > 0
    assert first.exact
    thiol, named = Chem.MolFromSmarts("[SH]"), Chem.MolFromSmarts(first.smarts)
    for molecule in some:
        assert molecule.mol.HasSubstructMatch(named) == molecule.mol.HasSubstructMatch(thiol)


def test_every_row_can_be_counted_again_from_its_smarts(some: list[Molecule]) -> None:
    labels = labelled(some, "rose")
    for row in fragment_table(some, labels, resamples=10):
        held = np.zeros(len(some), dtype=bool)
        for smarts in row.members:
            held |= [m.mol.HasSubstructMatch(Chem.MolFromSmarts(smarts)) for m in some]
        if row.exact:
            assert row.n <= held.sum() <= 1.05 * row.n + 1
        assert row.precision == pytest.approx(row.n_positive / row.n)
        assert Chem.MolFromSmiles(row.example).GetNumAtoms() > row.centre
        assert row.members[0] == row.smarts


def test_groups_that_are_clear_of_zero_come_first_and_raising_before_lowering(some: list[Molecule]) -> None:
    rows = fragment_table(some, labelled(some, "rose"), resamples=10)
    signs = [row.weight > 0 for row in rows]
    assert signs == sorted(signs, reverse=True)
    raising = [row.low > 0 for row in rows if row.weight > 0]
    assert raising == sorted(raising, reverse=True)


def test_the_table_depends_on_its_seed_alone(some: list[Molecule]) -> None:
    labels = labelled(some, "rose")
    once, again = (fragment_table(some, labels, resamples=5, seed=3) for _ in range(2))
    assert once == again
    assert fragment_table(some, labels, resamples=5, seed=4) != once


def test_numbers_instead_of_classes(some: list[Molecule]) -> None:
    sizes = np.array([float(m.size) for m in some])
    rows = fragment_table(some, sizes, task="regression", resamples=5)
    assert rows[0].weight > 0
    assert all(np.isnan(row.precision) for row in rows)


def test_nothing_common_gives_an_empty_table() -> None:
    assert fragment_table(molecules(["CCO", "CCN"]), np.array([0.0, 1.0])) == []
