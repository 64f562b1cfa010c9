"""Which molecules stay, which copy of them, and what is said about the others."""

import numpy as np
import pytest
from rdkit import Chem

from attar.core.errors import InputError
from attar.domains.molecules.clean import Clean, clean, parse_smiles
from attar.domains.molecules.copies import one_of_each


def numbers(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def said(cleaned: Clean) -> dict[str, tuple[int, ...]]:
    assert all(note.count == len(note.rows) for note in cleaned.notes)
    return {note.name: note.rows for note in cleaned.notes}


def sentence(cleaned: Clean, name: str) -> str:
    return next(note.sentence for note in cleaned.notes if note.name == name)


def test_clean_molecules_pass_unchanged_and_in_order():
    cleaned = clean(["CCO", "c1ccccc1", "CCN"], labels=numbers(1, 0, 1))
    assert cleaned.smiles == ("CCO", "c1ccccc1", "CCN")
    assert cleaned.labels.tolist() == [1, 0, 1]
    assert cleaned.kept.tolist() == [0, 1, 2]
    assert cleaned.notes == ()


def test_nothing_in_nothing_out():
    cleaned = clean([])
    assert cleaned.smiles == cleaned.mols == cleaned.notes == ()
    assert cleaned.kept.shape == (0,)


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("CC(=O)[O-].[Na+]", "several fragments"),
        ("CCO.CCO", "several fragments"),
        ("O=[Ti]=O", "inorganic"),
        ("CC[Hg]CC", "inorganic"),
        ("CCC*", "inorganic"),
        ("[N-]=[N+]=O", "inorganic"),
        ("O", "inorganic"),
        ("CC", "too small"),
        ("[2H]C([2H])[2H]", "too small"),
    ],
)
def test_what_is_left_out_and_why(smiles, reason):
    cleaned = clean(["CCO", smiles, "CCN"], labels=numbers(1, 0, 0))
    assert said(cleaned) == {reason: (2,)}
    assert "row 2" in sentence(cleaned, reason)
    assert cleaned.kept.tolist() == [0, 2]
    assert cleaned.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    "smiles",
    ["CCO", "C1.C1C", "CC[CH2]", "C[Si](C)(C)C", "CCB(O)O", "C[Se]C", "FC(Cl)(Br)I", "CP(C)C", "CC[NH3+]"],
)
def test_what_stays(smiles):
    assert said(clean([smiles])) == {}


def test_a_molecule_with_two_faults_is_counted_once():
    assert said(clean(["CCO", "[Na+].[Cl-]", "[He]"])) == {"several fragments": (2,), "inorganic": (3,)}


def test_copies_are_known_however_they_are_written_and_the_first_stays():
    cleaned = clean(["OCC", "CCN", "C(O)C", "[H]OCC"], labels=numbers(1, 0, 1, 1), rows=[2, 3, 4, 9])
    assert cleaned.smiles == ("CCO", "CCN")
    assert cleaned.labels.tolist() == [1, 0]
    assert said(cleaned) == {"duplicates": (4, 9)}
    assert "rows 2, 4 and 9" in sentence(cleaned, "duplicates")


def test_enantiomers_are_two_molecules():
    cleaned = clean(["C[C@H](O)CC", "C[C@@H](O)CC", "CC(O)CC"])
    assert len(set(cleaned.smiles)) == 3
    assert said(cleaned) == {}


def test_of_contradicting_classes_no_copy_stays():
    cleaned = clean(["CCO", "CCN", "OCC", "CCO", "CCC"], labels=numbers(1, 1, 0, 1, 0))
    assert cleaned.smiles == ("CCN", "CCC")
    assert cleaned.labels.tolist() == [1, 0]
    assert said(cleaned) == {"conflicting labels": (1, 3, 4)}
    assert "every copy: 1 molecule labelled both 1 and 0 (rows 1, 3 and 4)" in sentence(cleaned, "conflicting labels")


def test_without_labels_nothing_contradicts():
    assert said(clean(["CCO", "OCC"])) == {"duplicates": (2,)}


def test_copies_across_the_split_stay_and_are_called_a_leak():
    split = np.array(["train", "test", "train", "train", "test"])
    cleaned = clean(["CCO", "OCC", "CCO", "CCN", "CCC"], labels=numbers(1, 1, 1, 0, 0), split=split)
    assert cleaned.kept.tolist() == [0, 1, 3, 4]
    assert said(cleaned) == {"leak across split": (1, 2, 3), "duplicates": (3,)}
    assert "1 molecule in more than one part of the split (test, train)" in sentence(cleaned, "leak across split")


def test_rows_labels_and_split_stay_with_their_molecules_when_others_go():
    cleaned = clean(
        ["CC.CC", "CCO", "OCC", "[He]", "CCO", "CCN"],
        labels=numbers(0, 1, 1, 0, 1, 0),
        split=np.array(["x", "test", "train", "x", "train", "test"]),
        rows=[12, 13, 14, 15, 16, 17],
    )
    assert cleaned.kept.tolist() == [1, 2, 5]
    assert cleaned.labels.tolist() == [1, 1, 0]
    assert said(cleaned) == {
        "several fragments": (12,),
        "inorganic": (15,),
        "leak across split": (13, 14, 16),
        "duplicates": (16,),
    }


def test_copies_within_one_part_are_no_leak():
    cleaned = clean(["CCO", "OCC", "CCN"], split=np.array(["train", "train", "test"]))
    assert said(cleaned) == {"duplicates": (2,)}


def test_a_contradiction_across_the_split_is_a_contradiction():
    cleaned = clean(["CCO", "OCC", "CCN"], labels=numbers(1, 0, 0), split=np.array(["train", "test", "test"]))
    assert said(cleaned) == {"conflicting labels": (1, 2)}
    assert cleaned.smiles == ("CCN",)


def test_differing_measurements_give_way_to_their_mean():
    cleaned = clean(["CCO", "CCN", "OCC", "CCO", "NCC"], labels=numbers(1, 5, 2, 6, 5.5), task="regression")
    assert cleaned.smiles == ("CCO", "CCN")
    assert cleaned.labels.tolist() == [3, 5.25]
    assert said(cleaned) == {"conflicting labels": (1, 2, 3, 4, 5)}
    assert "2 molecules" in sentence(cleaned, "conflicting labels")
    assert "differ by up to 5 (rows 1, 3 and 4)" in sentence(cleaned, "conflicting labels")


@pytest.mark.parametrize(
    ("second", "name"), [(7.0 * (1 + 0.9e-6), "duplicates"), (7.0 * (1 + 1.1e-6), "conflicting labels")]
)
def test_a_measurement_written_twice_is_a_duplicate(second, name):
    cleaned = clean(["CCO", "OCC", "CCN"], labels=numbers(7.0, second, 0), task="regression")
    assert list(said(cleaned)) == [name]
    assert (cleaned.labels[0] == 7.0) == (name == "duplicates")


def test_zero_measured_twice_is_a_duplicate():
    assert list(said(clean(["CCO", "OCC"], labels=numbers(0, 0), task="regression"))) == ["duplicates"]


def test_measurements_are_not_averaged_across_the_split():
    split = np.array(["train", "test", "train"])
    cleaned = clean(["CCO", "OCC", "CCO"], labels=numbers(1, 100, 3), split=split, task="regression")
    assert cleaned.labels.tolist() == [2, 100]
    assert set(said(cleaned)) == {"leak across split", "conflicting labels"}


def test_labels_given_are_left_as_they_were():
    labels = numbers(1, 3, 9)
    _, averaged, _ = one_of_each(
        ["CCO", "CCO", "CCN"], labels=labels, task="regression", split=None, rows=np.arange(3), noun="row"
    )
    assert averaged is not None
    assert averaged.tolist() == [2, 9]
    assert labels.tolist() == [1, 3, 9]


def test_atoms_are_those_of_the_canonical_smiles():
    given = ["OCC(C)Cl", "N#CCCO"]
    cleaned = clean(given)
    assert list(cleaned.smiles) == [Chem.CanonSmiles(smiles) for smiles in given]
    for smiles, mol in zip(cleaned.smiles, cleaned.mols, strict=True):
        assert [a.GetSymbol() for a in mol.GetAtoms()] == [a.GetSymbol() for a in Chem.MolFromSmiles(smiles).GetAtoms()]


def test_unreadable_ones_stop_it_at_a_fifth():
    with pytest.raises(InputError, match=r"the list: RDKit cannot read 1 of 5 rows as molecules \(row 3 \('C1CC'\)\)"):
        clean(["CCO", "CCN", "C1CC", "CCC", "CCF"])
    assert said(clean(["CCO", "CCN", "C1CC", "CCC", "CCF"], skip_bad=True)) == {"unparsable": (3,)}
    assert said(clean(["CCO", "CCN", "C1CC", "CCC", "CCF", "CCS"])) == {"unparsable": (3,)}


def test_a_number_too_few_is_said():
    with pytest.raises(InputError, match="2 structures came with 1 labels"):
        clean(["CCO", "CCN"], labels=numbers(1))
    with pytest.raises(InputError, match="2 structures came with 3 rows"):
        clean(["CCO", "CCN"], rows=[1, 2, 3])
    with pytest.raises(InputError, match="2 structures came with 1 values of split"):
        clean(["CCO", "CCN"], split=np.array(["train"]))


def test_the_order_of_the_list_changes_nothing_but_the_order():
    smiles = ["CCO", "CCN", "OCC", "CC.CC", "CCC", "CCC"]
    labels = numbers(1, 0, 1, 0, 1, 0)
    once, again = clean(smiles, labels=labels), clean(smiles[::-1], labels=labels[::-1])
    assert sorted(zip(once.smiles, once.labels, strict=True)) == sorted(zip(again.smiles, again.labels, strict=True))


@pytest.mark.parametrize(
    ("text", "read"), [(" CCO ", True), ("CCO |$a;b;c$|", True), ("C is text", False), ("CO2", False)]
)
def test_one_smiles_and_nothing_else(text, read):
    assert (parse_smiles(text) is not None) == read
