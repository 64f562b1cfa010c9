"""Which molecules are held out, which are scored, and against what."""

from pathlib import Path

import numpy as np
import pytest

from attar.core.errors import InputError
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.read import read_molecules
from attar.domains.molecules.truth import read_rule
from attar.experiments.molecule_task import from_table, labelled_by_rule
from attar.experiments.rose import library_rose, nci_rose
from attar.experiments.task import Task

OH = 'has("[OX2H]")'
SMILES = ["CCO", "CCCO", "CCCCO", "OCCO", "CCN", "CCCN", "CCCCN", "NCCN"]


def written(folder: Path, rows: list[str], header: str = "smiles,y,part") -> Path:
    path = folder / "t.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def by_rule() -> Task:
    return labelled_by_rule("t", "t", SMILES, rule=read_rule(OH), rule_name=OH, seed=0, test=0.5)


def test_a_given_split_is_kept(tmp_path: Path) -> None:
    rows = [f"{s},{int('O' in s)},{'test' if k % 2 else 'train'}" for k, s in enumerate(SMILES)]
    table = read_molecules(written(tmp_path, rows), label="y", split="part")
    task = from_table(table, rule=None, rule_name=None, seed=0)
    assert task.given_split
    assert task.test.tolist() == [k % 2 == 1 for k in range(8)]


def test_valid_counts_as_held_out(tmp_path: Path) -> None:
    parts = ["train", "test", "valid", "train"] * 2
    rows = [f"{s},{k // 4},{part}" for k, (s, part) in enumerate(zip(SMILES, parts, strict=True))]
    table = read_molecules(written(tmp_path, rows), label="y", split="part")
    assert from_table(table, rule=None, rule_name=None, seed=0).test.tolist() == [p != "train" for p in parts]


@pytest.mark.parametrize("parts", [["a", "b"], ["0", "1"], ["train", "train"]])
def test_a_split_that_is_none(tmp_path: Path, parts: list[str]) -> None:
    rows = [f"{s},{k // 4},{parts[k % 2]}" for k, s in enumerate(SMILES)]
    table = read_molecules(written(tmp_path, rows), label="y", split="part")
    with pytest.raises(InputError, match="train and test"):
        from_table(table, rule=None, rule_name=None, seed=0)


def test_a_side_without_both_classes(tmp_path: Path) -> None:
    rows = [f"{s},{k // 4},{'test' if k < 2 else 'train'}" for k, s in enumerate(SMILES)]
    table = read_molecules(written(tmp_path, rows), label="y", split="part")
    with pytest.raises(InputError, match="test side has 0 positives and 2 negatives"):
        from_table(table, rule=None, rule_name=None, seed=0)


def test_only_held_out_positives_with_some_but_not_all_atoms_true_are_scored() -> None:
    task = by_rule()
    molecules, truths = task.scored()
    expected = [m.smiles for k, m in enumerate(task.examples) if task.test[k] and task.labels[k] == 1]
    assert [m.smiles for m in molecules] == expected
    for molecule, truth in zip(molecules, truths, strict=True):
        oxygens = [a.GetSymbol() == "O" for a in molecule.mol.GetAtoms()]
        assert truth.union.tolist() == oxygens
        assert 0 < truth.share < 1
    whole = labelled_by_rule("t", "t", SMILES, rule=read_rule('has("OCCO")'), rule_name="x", seed=0, test=1.0)
    assert whole.scored() == ([], [])  # of ethylene glycol every atom is true: no AUROC


def test_two_oxygens_are_three_answers_and_one_union() -> None:
    truth = by_rule().truth(Molecule.of("OCCO"))
    assert truth is not None
    assert len(truth.alternatives) == 3
    assert truth.union.sum() == 2
    assert by_rule().truth(Molecule.of("CCN")) is None
    assert by_rule().true_parts(Molecule.of("CCN")) == frozenset()


def test_an_edit_keeps_the_label_or_not() -> None:
    task = by_rule()
    ethanol, propanol, amine = (Molecule.of(s) for s in ("CCO", "CCCO", "CCN"))
    assert task.keeps(ethanol, propanol)
    assert not task.keeps(ethanol, amine)


def test_the_rose_parts_have_names() -> None:
    task = nci_rose()
    truth = task.truth(Molecule.of("OCCc1ccccc1"))
    assert truth is not None
    assert {name: int(mask.sum()) for name, mask in truth.named.items()} == {"X": 1, "C": 2, "F": 6}


def test_the_embedded_tasks() -> None:
    nci = nci_rose()
    for task in (nci, library_rose()):
        assert task.labels.tolist() == task.follows_rule.tolist()
        assert task.test.mean() == pytest.approx(0.25, abs=0.001)
        assert task.labels[task.test].mean() == pytest.approx(task.labels.mean(), abs=0.005)
    other = nci_rose(seed=1)
    assert np.array_equal(other.labels, nci.labels)
    assert not np.array_equal(other.test, nci.test)
