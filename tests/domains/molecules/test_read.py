"""Files of molecules: what comes out, what is said about it, and what is refused in one clear line."""

import csv
import gzip
import io
import pickle
import time
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from rdkit import Chem

from attar.core.errors import InputError
from attar.domains.molecules.read import MoleculeTable, read_molecules

SHARED = Path(__file__).parents[4] / "shared" / "data"
GS_LF = SHARED / "olfaction" / "gs_lf_4983.csv"

MOLECULES = ("CCO", "CCCO", "CCCCO", "CCC=O", "CCCC=O", "CCCCC=O")  # three alcohols, three aldehydes
ALCOHOL = (1, 1, 1, 0, 0, 0)
CSV = "smiles,label\n" + "".join(f"{s},{y}\n" for s, y in zip(MOLECULES, ALCOHOL, strict=True))


def written(folder: Path, contents: str | bytes, name: str = "odors.csv") -> Path:
    path = folder / name
    path.write_bytes(contents.encode() if isinstance(contents, str) else contents)
    return path


def table(folder: Path, rows: list[tuple[object, ...]], header: str = "smiles,label", name: str = "odors.csv") -> Path:
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    return written(folder, "\n".join(lines) + "\n", name)


def note(molecules: MoleculeTable, name: str):
    found = [note for note in molecules.notes if note.name == name]
    assert len(found) == 1, f"{len(found)} notes called {name!r} in {[n.name for n in molecules.notes]}"
    return found[0]


def names(molecules: MoleculeTable) -> list[str]:
    return [note.name for note in molecules.notes]


def refusal(path: Path, **options) -> str:
    """The one line with which a file is refused."""
    with pytest.raises(InputError) as caught:
        read_molecules(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1000
    return message


# Formats: the same molecules however they are written


def sd_file(records: list[tuple[str | None, dict[str, object]]]) -> str:
    out = io.StringIO()
    for smiles, properties in records:
        block = "\n  broken\n\nnot a molecule\n" if smiles is None else Chem.MolToMolBlock(Chem.MolFromSmiles(smiles))
        out.write(block)
        for name, value in properties.items():
            out.write(f">  <{name}>  (1)\n{value}\n\n")
        out.write("$$$$\n")
    return out.getvalue()


def parquet_bytes(**columns: list) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), out)
    return out.getvalue()


FORMATS = {
    "comma.csv": CSV.encode(),
    "tab.tsv": CSV.replace(",", "\t").encode(),
    "semicolon.csv": CSV.replace(",", ";").encode(),
    "no_ending": CSV.encode(),
    "crlf.csv": CSV.replace("\n", "\r\n").encode(),
    "old_mac.csv": CSV.replace("\n", "\r").encode(),
    "bom.csv": b"\xef\xbb\xbf" + CSV.encode(),
    "utf16.csv": CSV.encode("utf-16"),
    "no_last_newline.csv": CSV.rstrip().encode(),
    "packed.csv.gz": gzip.compress(CSV.encode()),
    "packed_without_saying.csv": gzip.compress(CSV.encode()),
    "whole.parquet": parquet_bytes(smiles=list(MOLECULES), label=list(ALCOHOL)),
    "truth.parquet": parquet_bytes(smiles=list(MOLECULES), label=[bool(y) for y in ALCOHOL]),
    "parquet_by_another_name": parquet_bytes(smiles=list(MOLECULES), label=list(ALCOHOL)),
    "header.smi": CSV.replace(",", "\t").encode(),
    "spaces.smi": CSV.replace(",", " ").encode(),
    "commas.smiles": CSV.encode(),
    "packed.smi.gz": gzip.compress(CSV.replace(",", " ").encode()),
    "structures.sdf": sd_file([(s, {"label": y}) for s, y in zip(MOLECULES, ALCOHOL, strict=True)]).encode(),
    "packed.sdf.gz": gzip.compress(
        sd_file([(s, {"label": y}) for s, y in zip(MOLECULES, ALCOHOL, strict=True)]).encode()
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_molecules(tmp_path, name):
    molecules = read_molecules(written(tmp_path, FORMATS[name], name), label="label")
    assert molecules.smiles == MOLECULES
    assert molecules.labels.tolist() == list(ALCOHOL)
    assert molecules.labels.dtype == np.float64
    assert molecules.task == "classification"
    assert molecules.source == name
    assert set(names(molecules)) <= {"column found"}


@pytest.mark.parametrize(
    ("name", "first"), [("comma.csv", 2), ("header.smi", 2), ("whole.parquet", 1), ("structures.sdf", 1)]
)
def test_rows_are_counted_as_a_person_would(tmp_path, name, first):
    molecules = read_molecules(written(tmp_path, FORMATS[name], name), label="label")
    assert molecules.rows.tolist() == list(range(first, first + 6))


def test_a_header_is_not_needed_in_smi(tmp_path):
    molecules = read_molecules(written(tmp_path, "CCO ethyl alcohol, pure\n\nCCCO\nCCC=O\tpropanal\n", "a.smi"))
    assert molecules.smiles == ("CCO", "CCCO", "CCC=O")
    assert molecules.rows.tolist() == [1, 3, 4]
    assert molecules.labels is None
    assert molecules.task is None


def test_the_name_in_smi_may_be_the_label(tmp_path):
    text = "".join(f"{s}\t{y}\tmore\n" for s, y in zip(MOLECULES, ALCOHOL, strict=True))
    assert read_molecules(written(tmp_path, text, "a.smi"), label="name").labels.tolist() == list(ALCOHOL)


def test_tabs_in_smi_leave_the_spaces_to_the_names(tmp_path):
    text = "SMILES\tOdor type\tname\n" + "".join(f"{s}\t{y}\ta b\n" for s, y in zip(MOLECULES, ALCOHOL, strict=True))
    assert read_molecules(written(tmp_path, text, "a.smi"), label="odor type").labels.tolist() == list(ALCOHOL)


def test_a_quoted_line_break_does_not_shift_the_row_numbers(tmp_path):
    text = 'smiles,name,label\nCCO,"ethanol, or\nalcohol",1\nCCCO,"say ""propanol""",1\nCCC=O,,0\nCCCC=O,x,0\n'
    molecules = read_molecules(written(tmp_path, text), label="label")
    assert molecules.smiles == ("CCO", "CCCO", "CCC=O", "CCCC=O")
    assert molecules.rows.tolist() == [2, 4, 5, 6]


def test_many_semicolons_in_a_column_are_not_the_delimiter(tmp_path):
    text = "nonStereoSMILES,descriptors,rose\nCCO,a;b;c,1\nCCCO,a;b,1\nCCC=O,a;b;d,0\nCCCC=O,e;f;g,0\n"
    assert read_molecules(written(tmp_path, text), label="rose").labels.tolist() == [1, 1, 0, 0]


def test_decimal_commas_are_not_the_delimiter(tmp_path):
    text = "smiles;IC50, nM, in rats, at 20 °C;label\n" + "".join(
        f"{s};3,5;{y}\n" for s, y in zip(MOLECULES, ALCOHOL, strict=True)
    )
    assert read_molecules(written(tmp_path, text), label="label").labels.tolist() == list(ALCOHOL)


def test_decimal_commas_tie_with_semicolons_and_lose(tmp_path):
    text = "smiles;dose, mg\n" + "".join(f"{s};{y},5\n" for s, y in zip(MOLECULES, ALCOHOL, strict=True))
    assert read_molecules(written(tmp_path, text)).input_column == "smiles"


def test_one_column_needs_no_delimiter(tmp_path):
    assert read_molecules(written(tmp_path, "smiles\nCCO\nCCCO\n")).smiles == ("CCO", "CCCO")


def test_unnamed_columns_and_empty_rows_are_left_out(tmp_path):
    text = ",smiles,label,\n0,CCO,1,\n1,CCCO,1,\n,,,\n\n2,CCC=O,0,\n3,CCCC=O,0,\n"
    molecules = read_molecules(written(tmp_path, text), label="label")
    assert molecules.rows.tolist() == [2, 3, 6, 7]
    assert "Its columns: smiles, label." in refusal(tmp_path / "odors.csv", label="rose")


def test_text_that_is_not_unicode_is_read_and_said(tmp_path):
    text = "smiles,étiquette\nCCO,rosé\nCCCO,rosé\nCCC=O,non\nCCCC=O,non\n"
    molecules = read_molecules(written(tmp_path, text.encode("latin-1")), label="étiquette")
    assert molecules.labels.tolist() == [1, 1, 0, 0]
    assert "not UTF-8" in note(molecules, "encoding").sentence
    assert "encoding" not in names(read_molecules(written(tmp_path, text), label="étiquette"))


def test_bytes_that_windows_does_not_know_are_latin_1(tmp_path):
    molecules = read_molecules(written(tmp_path, CSV.encode() + b"CCCCCO,1\x81\n"))
    assert "latin-1" in note(molecules, "encoding").sentence


def test_nothing_in_parquet_is_a_missing_label(tmp_path):
    data = parquet_bytes(smiles=[b"CCO", b"CCCO", b"CCCCO", b"CCC=O", b"CCCC=O"], label=[1.0, 1.0, None, 0.0, 0.0])
    molecules = read_molecules(written(tmp_path, data, "a.parquet"), label="label")
    assert note(molecules, "missing labels").rows == (3,)


def test_nothing_in_parquet_is_an_empty_molecule(tmp_path):
    data = parquet_bytes(smiles=[None, *MOLECULES])
    assert "row 1 (empty)" in note(read_molecules(written(tmp_path, data, "a.parquet")), "unparsable").sentence


def test_an_sd_file_keeps_stereo_and_properties(tmp_path):
    records = [
        ("C[C@H](O)CC", {"Odor type": "rose", "SMILES": "CCO"}),
        ("C[C@@H](O)CC", {"Odor type": "rose"}),
        ("CCC=O", {"Odor type": "other"}),
        ("CCCC=O", {"Odor type": "other"}),
    ]
    path = written(tmp_path, sd_file(records), "a.sdf")
    molecules = read_molecules(path, label="odor TYPE")
    assert molecules.smiles == ("CC[C@H](C)O", "CC[C@@H](C)O", "CCC=O", "CCCC=O")
    assert molecules.label_column == "Odor type"
    assert molecules.input_column == "mol block"
    assert "leave the input out" in refusal(path, input="structure")


def test_a_property_of_an_sd_file_may_be_the_input(tmp_path):
    path = written(tmp_path, sd_file([("CCC", {"SMILES": "CCO"}), ("CCC", {"SMILES": "CCCO"})]), "a.sdf")
    assert read_molecules(path, input="smiles").smiles == ("CCO", "CCCO")


def test_a_broken_record_is_counted_and_the_next_one_read(tmp_path):
    records = [(s, {"y": y}) for s, y in zip(MOLECULES, ALCOHOL, strict=True)]
    records.insert(2, (None, {"y": 1}))
    molecules = read_molecules(written(tmp_path, sd_file(records), "a.sdf"), label="y")
    assert note(molecules, "unparsable").rows == (3,)
    assert "(record 3)" in note(molecules, "unparsable").sentence
    assert molecules.smiles == MOLECULES


def test_the_last_record_of_an_sd_file_may_lack_its_end(tmp_path):
    text = sd_file([("CCO", {}), ("CCCO", {})]).removesuffix("$$$$\n")
    assert read_molecules(written(tmp_path, text, "a.sd")).smiles == ("CCO", "CCCO")


def test_atoms_are_numbered_as_in_the_smiles(tmp_path):
    molecules = read_molecules(written(tmp_path, "smiles\nOCC(C)C\nC(=O)(Cl)CCN\n[H]OCCN\n"))
    for smiles, mol in zip(molecules.smiles, molecules.mols, strict=True):
        expected = [atom.GetSymbol() for atom in Chem.MolFromSmiles(smiles).GetAtoms()]
        assert [atom.GetSymbol() for atom in mol.GetAtoms()] == expected
    assert molecules.smiles == ("CC(C)CO", "NCCC(=O)Cl", "NCCO")


# Columns


@pytest.mark.parametrize(
    "column", ["smiles", "SMILES", "nonStereoSMILES", "IsomericSMILES", "canonical_smiles", "Drug SMILES"]
)
def test_the_column_of_smiles_is_found_by_its_name(tmp_path, column):
    molecules = read_molecules(table(tmp_path, [("a", "CCO"), ("b", "CCCO")], header=f"id,{column}"))
    assert molecules.input_column == column
    assert repr(column) in note(molecules, "column found").sentence


def test_of_several_smiles_columns_the_one_with_stereo_is_taken(tmp_path):
    path = table(tmp_path, [("CCO", "CCO"), ("CCCO", "CCCO")], header="CanonicalSMILES,IsomericSMILES")
    assert read_molecules(path).input_column == "IsomericSMILES"


def test_two_equal_candidates_are_not_guessed_between(tmp_path):
    path = table(tmp_path, [("CCO", "CCO")], header="reactant_smiles,product_smiles")
    assert "reactant_smiles and product_smiles" in refusal(path)
    assert "reactant_smiles" in refusal(path, input="smiles")


def test_the_column_of_smiles_is_found_by_what_it_holds(tmp_path):
    rows = [
        ("ethanol", "CCO", 46.1),
        ("propanol", "CCCO", 60.1),
        ("broken", "C1CC", 0),
        ("C is text", "CCCCO", 74),
    ]
    molecules = read_molecules(table(tmp_path, rows, header="name,structure,weight"), skip_bad=True)
    assert molecules.input_column == "structure"
    assert "most values" in note(molecules, "column found").sentence


def test_symbols_of_elements_are_not_molecules(tmp_path):
    path = table(tmp_path, [("C", "CCO"), ("N", "CCN"), ("O", "COC")], header="element,structure")
    assert read_molecules(path).input_column == "structure"


def test_half_a_column_is_not_most_of_it(tmp_path):
    path = table(tmp_path, [("CCO", 1), ("CCCO", 2), ("ethanol", 3), ("propanol", 4)], header="a,b")
    assert "none that reads as SMILES" in refusal(path)


def test_two_columns_that_hold_smiles_are_named(tmp_path):
    message = refusal(table(tmp_path, [("CCO", "CCN")], header="before,after"))
    assert "'before' and 'after'" in message
    assert "--input" in message


def test_smiles_asked_for_finds_the_one_column_with_that_in_its_name(tmp_path):
    molecules = read_molecules(
        table(tmp_path, [("CCO", 1), ("CCCO", 0)], header="nonStereoSMILES,rose"), input="smiles"
    )
    assert molecules.input_column == "nonStereoSMILES"
    assert "nonStereoSMILES" in note(molecules, "column found").sentence


def test_an_exact_name_needs_no_note_and_wins(tmp_path):
    path = table(tmp_path, [("CCO", "CCN"), ("CCCO", "CCCN")], header="SMILES,nonStereoSMILES")
    molecules = read_molecules(path, input="smiles")
    assert molecules.input_column == "SMILES"
    assert names(molecules) == []
    assert names(read_molecules(written(tmp_path, CSV), input="Smiles")) == []


def test_a_misspelt_column_gets_the_closest_names(tmp_path):
    header = "smiles,rose,rosy,floral,fruity,green,woody"
    path = table(tmp_path, [("CCO", 1, 0, 0, 0, 0, 0)], header=header)
    message = refusal(path, label="roze")
    assert "no column 'roze' for the label. Closest: 'rose'" in message
    assert "smiles, rose, rosy, floral, fruity (7 in all)" in message
    assert "'smiles'" in refusal(path, input="smilse")
    assert "for the split" in refusal(path, split="fold")


def test_a_label_is_never_found_by_a_part_of_its_name(tmp_path):
    assert "no column 'rose'" in refusal(table(tmp_path, [("CCO", 1)], header="smiles,primrose"), label="rose")


def test_capitals_matter_only_between_two_columns(tmp_path):
    rows = [("CCO", 1, 0), ("CCCO", 1, 0), ("CCC=O", 0, 1), ("CCCC=O", 0, 1)]
    path = table(tmp_path, rows, header="smiles,Rose,rose")
    assert read_molecules(path, label="Rose").labels.tolist() == [1, 1, 0, 0]
    assert read_molecules(path, label="rose").labels.tolist() == [0, 0, 1, 1]
    assert "Rose and rose" in refusal(path, label="ROSE")


@pytest.mark.parametrize("options", [{}, {"input": "smiles"}])
def test_a_missing_header_line_is_called_that(tmp_path, options):
    assert "header line" in refusal(table(tmp_path, [("CCCO", 0), ("CCC=O", 1)], header="CCO,1"), **options)


def test_the_split_is_kept_in_lower_case(tmp_path):
    rows = [("CCO", 1, "Train"), ("CCCO", 1, " TEST"), ("CCC=O", 0, ""), ("CCCC=O", 0, "train")]
    molecules = read_molecules(table(tmp_path, rows, header="smiles,y,Split"), label="y", split="split")
    assert molecules.split.tolist() == ["train", "test", "", "train"]
    assert note(molecules, "no split").rows == (4,)


# Labels, as far as the file matters (tests/core/test_labels.py has the words)


def test_rows_without_a_label_are_left_out_and_said(tmp_path):
    rows = [*zip(MOLECULES, ALCOHOL, strict=True), ("CCCCCO", ""), ("CCCCCCO", "NaN"), ("CCCCCC=O", "n/a")]
    molecules = read_molecules(table(tmp_path, rows), label="label")
    assert molecules.smiles == MOLECULES
    assert note(molecules, "missing labels").rows == (8, 9, 10)
    assert note(molecules, "missing labels").count == 3


def test_labels_stay_with_their_molecules_when_rows_go(tmp_path):
    rows = [
        ("xx", 1),
        ("CCO", 1),
        ("CCC=O", 0),
        ("CCCO", ""),
        ("[Na+].[Cl-]", 0),
        ("CCCC=O", 0),
        ("OCC", 1),
        ("CCCCO", 1),
    ]
    path = table(tmp_path, [(s, y, f"part{i}") for i, (s, y) in enumerate(rows)], header="smiles,y,part")
    molecules = read_molecules(path, label="y", split="part")
    assert molecules.smiles == ("CCO", "CCC=O", "CCCC=O", "CCO", "CCCCO")
    assert molecules.labels.tolist() == [1, 0, 0, 1, 1]
    assert molecules.rows.tolist() == [3, 4, 7, 8, 9]
    assert molecules.split.tolist() == ["part1", "part2", "part5", "part6", "part7"]
    assert note(molecules, "several fragments").rows == (6,)
    assert note(molecules, "leak across split").rows == (3, 8)


def test_a_classification_needs_two_of_each_class(tmp_path):
    one_positive = [("CCO", 1), ("CCC=O", 0), ("CCCC=O", 0)]
    assert "1 positive in 'label' (row 2) among 3 molecules" in refusal(table(tmp_path, one_positive), label="label")
    one_negative = [("CCO", 1), ("CCCO", 1), ("CCC=O", 0)]
    assert "1 negative in 'label' (row 4)" in refusal(table(tmp_path, one_negative), label="label")
    two_of_each = [("CCO", 1), ("CCCO", 1), ("CCC=O", 0), ("CCCC=O", 0)]
    assert len(read_molecules(table(tmp_path, two_of_each), label="label")) == 4


def test_the_classes_are_counted_after_cleaning(tmp_path):
    rows = [("CCO", 1), ("OCC", 1), ("[Na+].[Cl-]", 1), ("CCC=O", 0), ("CCCC=O", 0)]
    message = refusal(table(tmp_path, rows), label="label")
    assert "1 positive in 'label' (row 2) among 3 molecules" in message
    assert message.endswith("Left out before: 1 several fragments and 1 duplicates.")
    rows = [("CCO", 1, "a"), ("CCC=O", 0, "a"), ("CCC=O", 0, "b"), ("CCCC=O", 0, "")]
    message = refusal(table(tmp_path, rows, header="smiles,label,split"), label="label", split="split")
    assert message.endswith("at least 2 were expected.")


def test_one_row_is_enough_without_a_label_and_not_with_one(tmp_path):
    path = table(tmp_path, [("CCO", 1)])
    assert read_molecules(path).smiles == ("CCO",)
    assert "1 (1 row)" in refusal(path, label="label")


def test_no_molecule_left_is_an_error(tmp_path):
    assert "no molecule is left of 2 rows. Left out before: 2 several fragments" in refusal(
        table(tmp_path, [("[Na+].[Cl-]", 1), ("CCO.CCN", 0)])
    )


def test_ten_numbers_are_a_regression_and_nine_are_not(tmp_path):
    ten = [("C" * (3 + i), i / 2) for i in range(10)]
    molecules = read_molecules(table(tmp_path, ten), label="label")
    assert molecules.task == "regression"
    assert molecules.labels.tolist() == [i / 2 for i in range(10)]
    assert "9 distinct values" in refusal(table(tmp_path, ten[:9]), label="label")


def test_a_column_of_descriptors_is_no_label(tmp_path):
    rows = [("CCO", "rose;floral"), ("CCCO", "green"), ("CCC=O", "green"), ("CCCC=O", "fatty;green")]
    message = refusal(table(tmp_path, rows), label="label")
    assert "3 distinct values: 'green' (2 rows), 'rose;floral' (1 row)" in message


# Molecules that cannot be read


def alkanes(good: int, bad: int) -> list[tuple[str, int]]:
    return [("not a molecule", 0)] * bad + [("C" * (3 + i), i % 2) for i in range(good)]


@pytest.mark.parametrize(("good", "bad"), [(4, 1), (28, 7)])
def test_at_a_fifth_unreadable_it_stops(tmp_path, good, bad):
    path = table(tmp_path, alkanes(good, bad))
    message = refusal(path, label="label")
    assert f"{bad} of {good + bad} rows" in message
    assert "2 ('not a molecule')" in message
    assert "--skip-bad" in message
    molecules = read_molecules(path, label="label", skip_bad=True)
    assert note(molecules, "unparsable").rows == tuple(range(2, 2 + bad))
    assert len(molecules) == good


@pytest.mark.parametrize(("good", "bad"), [(5, 1), (29, 7)])
def test_below_a_fifth_it_goes_on_and_says_so(tmp_path, good, bad):
    molecules = read_molecules(table(tmp_path, alkanes(good, bad)), label="label")
    assert len(molecules) == good
    assert note(molecules, "unparsable").count == bad


def test_only_the_first_ten_bad_rows_are_written_out(tmp_path):
    sentence = note(read_molecules(table(tmp_path, alkanes(60, 12))), "unparsable").sentence
    assert "11 ('not a molecule') and 2 more" in sentence
    assert "12 (" not in sentence


def test_empty_smiles_and_trailing_words_are_bad(tmp_path):
    rows = [("", 0), ("CCO ethanol", 1), *zip(MOLECULES * 2, range(12), strict=True)]
    molecules = read_molecules(table(tmp_path, rows))
    assert note(molecules, "unparsable").rows == (2, 3)
    assert "2 (empty) and 3 ('CCO ethanol')" in note(molecules, "unparsable").sentence


def test_no_readable_molecule_is_the_wrong_column_even_when_bad_ones_are_skipped(tmp_path):
    path = table(tmp_path, [("ethanol", 1), ("propanol", 0)], header="name,label")
    message = refusal(path, input="name", skip_bad=True)
    assert "any of 2 rows" in message
    assert "column of structures" in message


def test_the_terminal_stays_clean(tmp_path, capfd):
    read_molecules(table(tmp_path, [*alkanes(20, 2), ("C(C)(C)(C)(C)C", 1)]), label="label")
    read_molecules(written(tmp_path, sd_file([(None, {}), *[("CCO", {})] * 9]), "a.sdf"))
    refusal(table(tmp_path, [("C1CC", 1), ("xyz", 2)], header="a,b"))
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


# Files that are no table


def excel() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return out.getvalue()


def zipped(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, "x")
    return out.getvalue()


BAD = {
    "empty.csv": (b"", "empty.csv is empty"),
    "blank.csv": (b" \n\n", "blank.csv is empty"),
    "only_bom.csv": (b"\xef\xbb\xbf", "only_bom.csv is empty"),
    "only_commas.csv": (b",,\n,,\n", "only_commas.csv is empty"),
    "only_bom.smi": (b"\xef\xbb\xbf", "only_bom.smi is empty"),
    "empty.smi": (b"", "empty.smi is empty"),
    "empty.sdf": (b"\n", "empty.sdf is empty"),
    "empty.parquet": (b"", "empty.parquet is empty"),
    "header.csv": (b"smiles,label\n", "header line but no rows"),
    "header.smi": (b"smiles name\n", "header line but no molecules"),
    "no_rows.parquet": (parquet_bytes(smiles=[], label=[]), "columns but no rows"),
    "picture.csv": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a PNG picture"),
    "photo.csv": (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG picture"),
    "paper.csv": (b"%PDF-1.7\n", "a PDF document"),
    "sheet.xlsx": (excel(), "an Excel workbook, not a table attar reads: save the sheet as CSV"),
    "many.zip": (zipped("odors.csv"), "unpack it and give the file inside. It holds odors.csv"),
    "cut.zip": (zipped("odors.csv")[:30], "a zip archive"),
    "model.pt": (zipped("model/data.pkl"), "a saved torch model"),
    "arrays.npz": (zipped("x.npy"), "a NumPy archive"),
    "page.csv": (b"\n<!DOCTYPE html><html>", "a web page"),
    "page.json": (b'[{"smiles": "CCO"}]', "JSON"),
    "pointer.csv": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "noise.csv": (b"smiles,label\nCC\0O,1\n", "a binary file"),
    "noise.sdf": (b"\x01\x02\x03\xff", "a binary file"),
    "cut.csv.gz": (gzip.compress(CSV.encode())[:-10], "damaged or cut short"),
    "wrong.csv.gz": (b"\x1f\x8bnot gzip at all", "damaged or cut short"),
    "pickle_in_gz.gz": (gzip.compress(pickle.dumps([1, 2])), "a Python pickle"),
    "wrong.parquet": (CSV.encode(), "is not a Parquet file"),
    "cut.parquet": (FORMATS["whole.parquet"][:100], "is not a Parquet file, or is damaged"),
    "short.csv": (
        b"smiles,label,split\nCCO,1,train\n\nCCCO,1\n",
        "row 4: 2 values where the header has 3 columns (smiles, label, split)",
    ),
    "long.csv": (b"smiles,label\nCCO,1\nCCCO,1,ethanol\n", "row 3: 3 values where the header has 2 columns"),
    "quote.csv": (b'smiles,label\nCCO,"1\nCCCO,1\nCCC=O,0\n', "row 2: a quote is opened"),
    "twice.csv": (b"smiles,label, label\nCCO,1,1\n", "more than one column called 'label'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_one_clear_line(tmp_path, name):
    contents, expected = BAD[name]
    message = refusal(written(tmp_path, contents, name))
    assert expected in message
    assert name in message


def test_parquet_with_a_column_twice(tmp_path):
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table([["CCO"], [1], [2]], names=["smiles", "label", "label"]), out)
    assert "more than one column called 'label'" in refusal(written(tmp_path, out.getvalue(), "a.parquet"))


class _Trap:
    def __reduce__(self):
        return (pytest.fail, ("the pickle was opened",))


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_is_refused_unopened_with_a_way_out(tmp_path, protocol):
    message = refusal(written(tmp_path, pickle.dumps(_Trap(), protocol), "odors.pkl"))
    assert "a Python pickle" in message
    assert "to_csv" in message


def test_a_pickle_is_known_by_its_first_bytes(tmp_path):
    assert "a Python pickle" in refusal(written(tmp_path, pickle.dumps([1]), "odors.csv"))


def test_a_missing_file_gets_the_names_that_are_there(tmp_path):
    written(tmp_path, CSV, "Odors.csv")
    written(tmp_path, CSV, "gs.parquet")
    (tmp_path / "odor").mkdir()
    assert f"{tmp_path / 'odor.csv'} does not exist. Similar names in {tmp_path}: Odors.csv." == refusal(
        tmp_path / "odor.csv"
    )
    assert "Odors.csv" in refusal(tmp_path / "ODOR.CSV")
    assert "gs.parquet" in refusal(tmp_path / "gs.csv")
    assert "No file" in refusal(tmp_path / "zzz.tsv")
    assert "Neither does its folder" in refusal(tmp_path / "nowhere" / "odors.csv")


def test_a_folder_gets_its_data_files_listed(tmp_path):
    for name in ("b.csv", "a.smi.gz", "c.SDF", "notes.md"):
        written(tmp_path, CSV, name)
    (tmp_path / "inner.csv").mkdir()
    assert refusal(tmp_path).endswith("is a folder, a file was expected. Data files in it: a.smi.gz, b.csv and c.SDF.")
    assert "holds no data file" in refusal(tmp_path / "inner.csv")


def test_a_path_through_a_file_and_a_name_too_long(tmp_path):
    path = written(tmp_path, CSV)
    assert "could not be read: Not a directory" in refusal(path / "more.csv")
    assert "File name too long" in refusal(tmp_path / ("x" * 300))


def test_permission_denied(tmp_path, monkeypatch):
    path = written(tmp_path, CSV)

    def closed(self):  # as root no file is closed, so the system's answer is played
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", closed)
    assert f"{path} may not be read by this user (permission denied)" in refusal(path)


# The real file


@pytest.mark.shared_data
@pytest.mark.skipif(not GS_LF.exists(), reason="needs ../shared/data/olfaction/gs_lf_4983.csv beside the repository")
class TestRealOdors:
    """GoodScents + Leffingwell, 4,983 rows: 4,828 after cleaning (reference/olfaction.md, section 2)."""

    @pytest.fixture(scope="class")
    @classmethod
    def rose(cls) -> MoleculeTable:
        return read_molecules(GS_LF, input="smiles", label="rose")

    def test_what_the_file_holds(self):
        with GS_LF.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        assert len(rows) == 4983
        assert sum(row["rose"] == "1" for row in rows) == 332

    def test_cleaning_keeps_4828(self, rose):
        """140 of several fragments, 12 inorganic, 3 of two heavy atoms (CO, CN, CS): 4,983 - 155.

        Organic means with carbon here: laughing gas and silica go, a siloxane stays. Leaving out silicon but
        not asking for carbon would give 4,828 as well, with laughing gas in place of the siloxane.
        """
        assert len(rose) == 4828
        assert {note.name: note.count for note in rose.notes} == {
            "column found": 1,
            "several fragments": 140,
            "inorganic": 12,
            "too small": 3,
        }
        assert sum("[Si]" in smiles for smiles in rose.smiles) == 1
        assert all("C" in {atom.GetSymbol() for atom in mol.GetAtoms()} for mol in rose.mols)

    def test_every_rose_survives(self, rose):
        assert rose.labels.sum() == 332
        assert rose.task == "classification"

    def test_rows_point_into_the_file(self, rose):
        lines = GS_LF.read_text().splitlines()
        for place in (0, 2000, 4827):
            written_there = lines[rose.rows[place] - 1].split(",")[0]
            assert Chem.CanonSmiles(written_there) == rose.smiles[place]

    def test_it_takes_less_than_three_seconds_of_one_core(self):
        start = time.process_time()
        read_molecules(GS_LF, label="rose")
        assert time.process_time() - start < 3
