"""The molecules that come without a download."""

import time

import pytest
from rdkit import Chem

from attar.core.errors import InputError
from attar.core.rule import holds
from attar.domains.molecules.clean import ORGANIC
from attar.domains.molecules.library import CHAINS, ENDS, HEADS, TAILS, enumerated_library, nci_molecules
from attar.domains.molecules.truth import NAMED_RULES, SmartsFinder


@pytest.fixture(scope="module")
def nci() -> list[str]:
    return nci_molecules()


@pytest.fixture(scope="module")
def library() -> list[str]:
    return enumerated_library()


def positives(smiles: list[str], name: str) -> int:
    return sum(holds(NAMED_RULES[name], SmartsFinder(), Chem.MolFromSmiles(one)) for one in smiles)


def test_the_nci_molecules(nci: list[str]) -> None:
    """shared/reference/olfaction.md, 4.7, has 4,517 and 358 positives; with copies we have 4,520 and 361."""
    assert len(nci) == len(set(nci)) == 4435
    assert (positives(nci, "rose"), positives(nci, "rose-primary")) == (354, 141)


def test_the_library_is_a_quarter_roses(library: list[str]) -> None:
    assert len(library) == len(set(library)) == 4000
    assert (positives(library, "rose"), positives(library, "rose-primary")) == (991, 923)


@pytest.mark.parametrize("source", ["nci", "library"])
def test_each_is_canonical_and_one_organic_molecule(source: str, request: pytest.FixtureRequest) -> None:
    for smiles in request.getfixturevalue(source):
        mol = Chem.MolFromSmiles(smiles)
        assert Chem.MolToSmiles(mol) == smiles
        assert "." not in smiles
        assert 3 <= mol.GetNumHeavyAtoms() <= 30
        assert {"C"} <= {atom.GetSymbol() for atom in mol.GetAtoms()} <= {*ORGANIC}


def test_the_library_has_the_parts_it_promises() -> None:
    assert (len(HEADS), len(CHAINS), len(ENDS), len(TAILS)) == (15, 5, 13, 9)


def test_the_library_depends_on_its_seed_alone(library: list[str]) -> None:
    assert enumerated_library(size=50) == library[:50]
    assert enumerated_library(size=50, seed=1) != library[:50]


def test_a_library_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="size of 1 or more, got 0"):
        enumerated_library(size=0)
    with pytest.raises(InputError, match="has 8,258 molecules, asked for were 8,259"):
        enumerated_library(size=8259)
    assert len(enumerated_library(size=8258)) == 8258


@pytest.mark.parametrize("build", [nci_molecules, enumerated_library])
def test_building_takes_seconds(build) -> None:
    start = time.process_time()
    build()
    assert time.process_time() - start < 6
